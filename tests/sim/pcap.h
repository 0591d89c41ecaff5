// SPDX-License-Identifier: BSD-3-Clause
// Captures that Wireshark and tcpdump read, with times in nanoseconds.
#pragma once

#include <stdint.h>

struct pcap;

// @return NULL when the file cannot be written
struct pcap *pcap_new(const char *path);
void pcap_put(struct pcap *p, const uint8_t *frame, uint32_t len, uint64_t now_ns);
void pcap_free(struct pcap *p);
