// SPDX-License-Identifier: BSD-3-Clause
// A device of DPDK with its queues: how it is set up (nic_dpdk_port.c), how frames go through it
// (nic_dpdk.c).
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "drivers/nic_dpdk_device.h"

struct dpdk_port;

// One pair of queues. Writer: its core.
struct dpdk_queue {
	struct nic nic;
	struct dpdk_port *port;
	struct rte_mempool *pool;
	uint16_t port_id;
	bool is_registered;   // the thread has a cache of buffers of its own
	bool out_has_offload; // one of out[] asks for something

	unsigned n_held;  // frames that nic_receive() gave, freed by the next
	unsigned n_early; // received while the queue was armed
	unsigned n_out;   // to be sent
	unsigned n_spare; // empty buffers
	struct rte_mbuf *held[NIC_BURST];
	struct rte_mbuf *early[NIC_BURST];
	struct rte_mbuf *out[NIC_BURST];
	struct rte_mbuf *spare[NIC_BURST];

	int fd;           // that tells of frames; -1: none
	bool fd_is_event; // it counts, and has to be read
	bool is_armed;
};

struct dpdk_port {
	struct dpdk_device device;
	struct nic_info info;
	uint16_t id;
	unsigned n_open;     // queues
	bool was_there;      // somebody else made the device: it is not taken away
	bool has_interrupts; // a queue can tell of frames
	bool tx_is_prepared; // rte_eth_tx_prepare() before a burst with offloads
	uint32_t room;       // bytes of a buffer
	struct rte_mempool *pools[NIC_DPDK_QUEUES_MAX];
	struct dpdk_queue queues[];
};

extern const struct nic_ops dpdk_ops, dpdk_ops_without_arm;

// Find or make the device, and set it up and going.
//
// @return 0, or -errno with the reason in `text` (or none: dpdk_explain() then knows more)
int dpdk_port_open(const struct nic_dpdk_settings *set, const struct dpdk_device *d,
		   struct dpdk_port **out, char *text);
void dpdk_port_close(struct dpdk_port *p);
