// SPDX-License-Identifier: BSD-3-Clause
// Cluster hash slots (Redis Cluster specification, "Key distribution model").
#pragma once

#include "parsers/span.h"

#define SLOT_COUNT 16384

// CRC16/XMODEM: polynomial 0x1021, init 0. crc16("123456789") = 0x31C3.
uint16_t crc16(const char *p, size_t len);

// The slot of a key: CRC16 of the key, or of its hash tag, the bytes between the first '{' and the
// first '}' after it, when there is at least one.
//
// @return 0 .. SLOT_COUNT - 1
uint16_t key_slot(struct span key);
