// SPDX-License-Identifier: BSD-3-Clause
// The local port of a connection that we open: at random (RFC 6056, 3.3.1), of those that are this
// core's, and if it can be had one whose answers the device brings to this core's queue.
#pragma once

#include "dataplane/net/flow_table.h"
#include "drivers/nic.h"

#define PORT_FIRST 32768 // of the range that we choose from; it ends with 65535
#define PORT_COUNT 32768

struct port_choice {
	const struct nic_info *info;
	const struct flow_table *flows; // ports of a tuple that is there are taken
	unsigned core, n_cores;         // port % n_cores == core
	uint16_t queue;                 // where answers shall arrive
	const struct flow_table *waits; // as flows, of those in TIME-WAIT; NULL: there are none
};

// Whether it is one that we choose; others are listened to, or nobody's.
static inline bool port_is_chosen(uint16_t port)
{
	return port >= PORT_FIRST;
}

// Fill in tuple->local_port.
//
// @param random  any 32 bits, new for each call
// @return 0; -EADDRNOTAVAIL: all are taken
int port_choose(const struct port_choice *c, struct tcp_tuple *tuple, uint32_t random);
