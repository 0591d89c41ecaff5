// SPDX-License-Identifier: BSD-3-Clause
// Receive-side scaling: to which queue a device gives the frames of a flow (Microsoft's RSS
// specification, "RSS hashing functions": Toeplitz over addresses and ports).
#pragma once

#include "dataplane/tcp/tcp.h"
#include "drivers/nic.h"

// @param key  at least len + 4 bytes count; what is missing counts as 0
uint32_t rss_toeplitz(const uint8_t *key, unsigned key_len, const uint8_t *p, unsigned len);

// The hash of what the peer sends to a connection of ours.
uint32_t rss_hash(const struct nic_info *info, const struct tcp_tuple *tuple);

// The queue where the peer's segments arrive.
//
// @return -1: the device does not tell how it chooses
int rss_queue(const struct nic_info *info, const struct tcp_tuple *tuple);
