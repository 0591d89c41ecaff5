// SPDX-License-Identifier: BSD-3-Clause
// The host's network of our own TCP beside the kernel's: which device, who we are on it. One row
// each: name, room, what it takes, whether several may be given, help. The command lines (--name),
// the configuration file (name), the dataplane's arguments and the help follow.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "parsers/ip.h"

#define NETWORK_SETTINGS(X)                                                                        \
	X(nic, "nic", 256, "DEVICE", false,                                                        \
	  "the device, by PCI address or as DPDK names it, such as net_tap0,iface=fly0")           \
	X(addr, "addr", 1024, "CIDR", true,                                                        \
	  "our address on it, such as 10.99.0.2/24; may be said again")                            \
	X(gw, "gw", 128, "IP", true, "the gateway to other networks; one of IPv4, one of IPv6")    \
	X(vlan, "vlan", 8, "N", false, "tag of our frames, 1 to 4094; default: none")              \
	X(idle, "idle", 16, "spin|adaptive", false,                                                \
	  "what a core does that waits: never sleep, or (default) sleep until a frame or a timer") \
	X(congestion, "congestion", 16, "cubic|bbr", false,                                        \
	  "how TCP finds its rate on links that do not say; default: cubic")                       \
	X(tcp_window, "tcp-window", 16, "SIZE", false,                                             \
	  "most bytes of a connection under way in either direction, 64KB to 1GB; default: 64MB")

// As a user gave it; "": not given. Several are parted by commas.
#define X(field, name, room, arg, list, help) char field[room];
struct network_texts {
	NETWORK_SETTINGS(X)
};
#undef X

struct network_row {
	const char *name, *arg;
	bool list;
	const char *help;
	uint32_t field, room; // in struct network_texts
};

#define NETWORK_ADDRESSES_MAX 16
#define NETWORK_GATEWAYS_MAX  2

// Of tcp-window. The most is what a window scale of 14 can tell (RFC 7323, 2.3).
#define NETWORK_WINDOW_MIN (64ull << 10)
#define NETWORK_WINDOW     (64ull << 20) // 5 Gbit/s over 100 ms
#define NETWORK_WINDOW_MAX (1ull << 30)

enum network_idle { NETWORK_ADAPTIVE, NETWORK_SPIN };
enum network_congestion { NETWORK_CUBIC, NETWORK_BBR };

// Taken apart and found to fit together.
struct network {
	bool present; // there is a device
	char nic[256];
	unsigned n_addresses, n_gateways;
	struct ip_prefix addresses[NETWORK_ADDRESSES_MAX];
	struct ip gateways[NETWORK_GATEWAYS_MAX];
	uint16_t vlan; // 0: none
	enum network_idle idle;
	enum network_congestion congestion;
	uint64_t tcp_window; // bytes; 0: NETWORK_WINDOW
};

// All rows, in the order of the struct. @param n  out: how many
const struct network_row *network_rows(unsigned *n);

const char *network_text(const struct network_texts *t, const struct network_row *row);

// Set one, or add to a list.
//
// @param why  out, on error: a sentence that names the setting
// @return 0, -ENOENT no such setting, -EINVAL empty or too long
int network_set(struct network_texts *t, const char *name, const char *text, char *why,
		unsigned why_len);

// What `over` says wins.
void network_override(struct network_texts *t, const struct network_texts *over);

bool network_is_given(const struct network_texts *t);

// Take the texts apart, and hold them against each other.
//
// @param why  out, on error: a sentence that names the setting
// @return 0, -EINVAL; nothing given is fine, and not present
int network_read(const struct network_texts *t, struct network *out, char *why, unsigned why_len);
