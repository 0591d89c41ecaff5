// SPDX-License-Identifier: BSD-3-Clause
// CRC64 as Redis computes it: Jones polynomial 0xad93d23594c935a9, reflected, init 0, no final xor.
// crc64(0, "123456789") = 0xe9c6d914c4b8d9ca.
#pragma once

#include <stddef.h>
#include <stdint.h>

// @param crc  0 at the start, then what the call before returned
uint64_t crc64(uint64_t crc, const void *p, size_t len);

// Take the last `len` bytes out of a sum again: crc64_undo(crc64(c, p, len), p, len) == c.
// Bit by bit, so for what is rare and short.
uint64_t crc64_undo(uint64_t crc, const void *p, size_t len);
