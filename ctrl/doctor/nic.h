// SPDX-License-Identifier: BSD-3-Clause
// `flyover doctor --nic=DEVICE`: whether that very device can be used, and the commands that make
// it so. A plan only: nothing is bound or changed.
#pragma once

#include "ctrl/doctor/dpdk.h"

#define GROUP_MAX 16

enum nic_kind { NIC_PCI, NIC_TAP, NIC_PACKET, NIC_XDP, NIC_OTHER, NIC_NONSENSE };

struct nic_plan {
	enum nic_kind kind;
	char words[256];  // as given
	char name[64];    // "net_tap0", "0000:03:00.0"
	char iface[16];   // that the words name; "" none
	char package[32]; // of DPDK's driver: "tap", "ixgbe"; "" not known
	bool driver_found;

	// PCI
	bool exists;
	const struct card *card; // of the facts; NULL: no NIC
	bool stays;              // the kernel's driver stays, DPDK works beside it
	unsigned n_others;       // devices of its group that the kernel drives
	char others[GROUP_MAX][64];
	int64_t node_huge_mb; // free on its node, UNKNOWN without NUMA
	char node_cores[128]; // of its node, as a list; "" without NUMA

	// An interface
	bool iface_exists, iface_is_tap, iface_is_multi, iface_is_used, iface_is_up;
	bool iface_has_default, iface_is_veth;
	int64_t iface_merges; // GRO is on: 1, 0, UNKNOWN
	int64_t iface_queues; // that it receives by
	int64_t iface_mtu;
	char peer[16];     // of a veth, in our namespace; "" elsewhere
	int64_t peer_sums; // it leaves checksums to the device: 1, 0, UNKNOWN
};

// @param words  "0000:03:00.0", "net_tap0,iface=fly0"
void nic_gather(struct nic_plan *p, const struct dpdk_facts *k, const char *root,
		const char *words);

void nic_judge(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f);
