// SPDX-License-Identifier: BSD-3-Clause
// The network of this host under our own TCP: one device, with a queue and a stack for each core.
//
//   host_net_open() -> host_net_loop() of each core -> host_net_turn() as a task of each core
//   -> the loops are freed -> host_net_close()
#pragma once

#include "dataplane/contract/network.h"
#include "dataplane/core/core.h"
#include "dataplane/net/stack.h"
#include "drivers/nic_dpdk.h"

struct host_net;

// A core's part. Touched by that core alone once it runs.
struct host_net_core {
	struct host_net *host;
	unsigned index;
	struct nic *nic;
	struct stack *stack;
	uint64_t publish_ns; // when it publishes its counters again
	uint64_t poke_ns;    // when it pokes again
	unsigned n_pokes;    // rounds that were sent
};

struct host_net {
	struct network network;
	struct contract *contract;
	unsigned n_cores;
	struct steer *steer;            // NULL with one core
	struct flow_rows *former;       // connections of a former life; NULL: there was none
	char text[TEXT_LEN];            // the device and our addresses, for people
	char opened[NIC_DPDK_TEXT_LEN]; // what was opened, for the log
	struct host_net_core cores[CORES_MAX];
};

// How TCP is to behave on a device: the one place where its defaults stand.
struct tcp_settings host_net_tcp(const struct network *n, const struct nic_info *nic);

// What a stack gets of them: our addresses, routes and TCP, as the only core.
struct stack_settings host_net_stack(const struct network *n, const struct nic_info *nic);

// Open the device and make a stack for each core.
//
// @param n    present
// @param why  out, on error: a sentence that says what to do, NIC_DPDK_TEXT_LEN bytes
// @return 0, or -errno; nothing is open then
int host_net_open(struct host_net *h, const struct network *n, struct contract *contract,
		  unsigned n_cores, char *why);

// The loop of one core, to be freed before host_net_close(). @return 0, or -errno
int host_net_loop(struct host_net *h, unsigned core, struct stream_loop **out);

// Give each core its task (see host_net_turn), and have it woken for frames that came to another
// one. Before they run. @return 0, or -errno
int host_net_attach(struct host_net *h, struct core *cores);

// The task of one core: publish what it counts, and whether the network is in trouble; tell the
// peers of a former life.
//
// @param part  struct host_net_core
bool host_net_turn(void *part, const struct clock_reading *now, uint64_t *deadline_ns);

// Tell the peers of what is still open, by RST, and close the device.
void host_net_close(struct host_net *h);
