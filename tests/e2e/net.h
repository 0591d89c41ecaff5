// SPDX-License-Identifier: BSD-3-Clause
// The network that a test runs in: the host's loopback, or with FLYOVER_TEST_NET set a network
// namespace of the test program's own, so that nothing of it meets the host's. It holds words,
// parted by commas:
//
//   kernel  jobs use kernel sockets in there
//   dpdk    jobs use our own TCP, each on a device of its own:
//
//             job, 10.99.N.2/24 --- flyN, 10.99.N.1 --- 10.98.0.1: servers, proxies, fakes
//
//   ip6     all that in IPv6: fd99:0:0:N::2/64 --- fd99:0:0:N::1 --- fd98::1
//   vlan    with dpdk: frames of jobs are tagged, flyNt is the VLAN's device behind flyN
//   packet  with dpdk: AF_PACKET on one end of a veth pair, where a TAP device is else
//   xdp     with dpdk: AF_XDP there
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct world;

#define NET_ARGUMENTS_MAX 6

// Be in the network that FLYOVER_TEST_NET names. For each test; the namespace stays.
//
// @return NULL, or why that is not possible here
const char *net_enter(void);

// What the host of a test's servers is called in the URLs of jobs.
const char *here(void);

// The same as an address, which IPv6 has without brackets.
const char *here_address(void);

// Whether jobs use our own TCP.
bool net_is_dpdk(void);

// Whether the loopback has IPv6.
bool net_has_ip6(void);

// Whether that is a namespace of ours, where who listens may do so at every address.
bool net_is_ours(void);

// A socket that listens where jobs find it, and nowhere but on this host. @param port  out
int net_listen(int *port);

// Arguments that give a program of ours the network of the test, to be added to its own. Programs
// with the same state folder or configuration get the same device, as on one host.
//
// @param program    "flyover" or "flyoverd"
// @param arguments  NULL-terminated
// @param out        NET_ARGUMENTS_MAX; none for one that opens no links
// @return how many
unsigned net_arguments(struct world *w, const char *program, const char *const *arguments,
		       const char **out);

// Remove the devices of a test, once its jobs have ended.
void net_leave(struct world *w);
