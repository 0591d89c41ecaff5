// SPDX-License-Identifier: BSD-3-Clause
// Devices for jobs over our own TCP, in the network namespace of a test, see net.h.
#pragma once

#include <stdbool.h>

#define NET_DEVICE_VLAN 7

enum net_device_kind { NET_DEVICE_TAP, NET_DEVICE_PACKET, NET_DEVICE_XDP };

struct net_device;

// Run `ip ARGUMENTS`. @return its exit code
int ip_try(const char *arguments);

// @return NULL, or why there can be no device of the kind here
const char *net_device_missing(enum net_device_kind kind);

// Make the n-th. Fails the test where it cannot.
//
// @param has_vlan  the kernel's end takes and gives frames tagged with NET_DEVICE_VLAN alone
struct net_device *net_device_make(enum net_device_kind kind, unsigned n, bool has_vlan);

// The kernel's end, which takes addresses.
const char *net_device_iface(const struct net_device *d);

// "--nic=...", for whoever opens the other end.
const char *net_device_words(const struct net_device *d);

// Nobody may have it open.
void net_device_remove(struct net_device *d);
