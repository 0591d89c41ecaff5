// SPDX-License-Identifier: BSD-3-Clause
// The network that a test runs in: the host's loopback, or with FLYOVER_TEST_NET set a network
// namespace of the test program's own, so that nothing of it meets the host's.
//
//   FLYOVER_TEST_NET=kernel   jobs use kernel sockets in there
//   FLYOVER_TEST_NET=dpdk     jobs use our own TCP, each on a TAP device of its own:
//
//     job, 10.99.N.2/24 --- flyN, 10.99.N.1 --- 10.98.0.1: servers, proxies, fakes
#pragma once

#include <stdint.h>

struct world;

#define NET_ARGUMENTS_MAX 5

// Be in the network that FLYOVER_TEST_NET names. For each test; the namespace stays.
//
// @return NULL, or why that is not possible here
const char *net_enter(void);

// What the host of a test's servers is called in the URLs of jobs.
const char *here(void);

// Where they listen, as sin_addr, host byte order: nowhere but on this host.
uint32_t listen_address(void);

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
