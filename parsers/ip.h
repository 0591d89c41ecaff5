// SPDX-License-Identifier: BSD-3-Clause
// IP addresses and prefixes as a user writes them: 10.99.0.2, fd00::2, 10.99.0.2/24, fd00::2/64.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP_TEXT_LEN 50 // bytes of the longest address or prefix, with its NUL

struct ip {
	uint8_t family;    // 4 or 6; 0: none
	uint8_t bytes[16]; // network byte order; IPv4 in the first four
};

// An address of a host with the length of its network's prefix.
struct ip_prefix {
	struct ip address; // host bits included
	uint8_t len;       // bits
};

// @return 0, or -EINVAL
int ip_parse(const char *text, struct ip *out);

// @return 0, or -EINVAL: not ADDRESS/LEN, or LEN is longer than the address
int ip_prefix_parse(const char *text, struct ip_prefix *out);

// @param out  IP_TEXT_LEN bytes
void ip_print(const struct ip *a, char *out);
void ip_prefix_print(const struct ip_prefix *p, char *out);

bool ip_equal(const struct ip *a, const struct ip *b);

// Whether an address lies in the network of a prefix; not when the families differ.
bool ip_prefix_has(const struct ip_prefix *p, const struct ip *a);

// Whether one host can be known by it: not unspecified, loopback, multicast or broadcast, and not
// the address of the network itself or its broadcast (RFC 1122, 3.2.1.3; RFC 4291, 2.4).
bool ip_prefix_is_host(const struct ip_prefix *p);
bool ip_is_host(const struct ip *a);

// 127.0.0.0/8 and ::1, which never leave a host (RFC 1122, 3.2.1.3).
bool ip_is_loopback(const struct ip *a);
