// SPDX-License-Identifier: BSD-3-Clause
// Two hosts on a simulated wire, in virtual time. A host has one device, with a queue and a stack
// for each of its cores.
#pragma once

#include "dataplane/net/stack.h"
#include "dataplane/net/steer.h"
#include "drivers/nic_wire.h"
#include "tests/unit/net_address.h"

#define SECOND          1000000000ull
#define MS              1000000ull
#define HOST_CORES_MAX  2
#define QUEUE_FRAMES    256
#define QUEUE_FRAME_LEN 2048
#define SERVER_PORT     7000

enum host_spread {    // to which queue a device brings a frame
	SPREAD_RIGHT, // the one that RSS says
	SPREAD_WRONG, // always another one
	SPREAD_NONE,  // the first, whatever it is
};

struct world_settings {
	bool is_six;
	uint16_t vlan;
	uint32_t offloads; // enum nic_offload
	enum nic_sum sums;
	unsigned n_cores; // of the client; the server has one
	enum host_spread spread;
	double loss;
};

struct queue_frame {
	struct nic_frame frame;
	uint8_t bytes[QUEUE_FRAME_LEN];
};

struct host;

struct queue {
	struct nic nic;
	struct host *host;
	unsigned n, at;
	struct queue_frame frames[QUEUE_FRAMES];
};

struct host {
	struct nic *wire; // below the queues
	struct nic_info info;
	unsigned n_cores;
	enum host_spread spread;
	bool is_dead; // what it sends goes nowhere
	struct steer *steer;
	struct queue queues[HOST_CORES_MAX];
	struct stack *stacks[HOST_CORES_MAX];
	struct stack_settings set;
};

struct world {
	uint64_t now_ns;
	struct wire *up, *down; // client to server, and back
	struct host client, server;
	struct net_address client_address, server_address;
};

void world_new(struct world *w, const struct world_settings *set);
void world_free(struct world *w);

// Stacks of a host, as they are at its start, or at the start of its next life.
void host_start(struct world *w, struct host *h);
void host_stop(struct world *w, struct host *h);

// All that is due now, then on to the next thing that is.
// @return false: there is none before `end_ns`
bool world_step(struct world *w, uint64_t end_ns);
