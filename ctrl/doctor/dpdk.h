// SPDX-License-Identifier: BSD-3-Clause
// What this host offers to our own TCP over DPDK, and what one device would take. Files of /proc
// and /sys are read; DPDK itself is not asked, and nothing is changed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/doctor/findings.h"

#define CARDS_MAX 32

// A NIC on the PCI bus.
struct card {
	char pci[16];    // "0000:03:00.0"
	char driver[32]; // the kernel's, or vfio-pci; "" none
	char iface[16];  // of the kernel's; "" none
	uint16_t vendor;
	int64_t node;     // of NUMA, UNKNOWN when the host has but one
	int64_t group;    // of the IOMMU, UNKNOWN without one
	bool has_default; // the default route goes through it
	bool is_up;       // its interface is
};

struct dpdk_facts {
	bool module_found; // flyover-dpdk.so beside the dataplane
	char drivers[128]; // folder of DPDK's drivers, ".../dpdk/pmds-23.0"; "" none
	bool cpu_fits;     // SSE4.2, as DPDK's packages are built
	bool is_amd;
	int64_t cores;        // that we may run on
	int64_t huge_free_mb; // of all sizes
	int64_t huge_total_mb;
	bool iommu;   // devices are in groups
	bool noiommu; // VFIO may do without
	bool vfio_loaded, vfio_present;
	bool tun; // /dev/net/tun can be opened
	int tun_error;
	uint64_t capabilities; // effective
	int64_t memlock;       // RLIMIT_MEMLOCK, bytes; INT64_MAX: no limit
	int64_t slack_ns;      // of this process's timers
	char clock[32];        // that the kernel reads time from
	char isolated[64];     // cores, as a list; "" none
	char tickless[64];     // nohz_full
	unsigned n_nodes;      // of NUMA
	unsigned n_cards;
	struct card cards[CARDS_MAX];
};

// Whether the default route of IPv4 or IPv6 goes through an interface.
bool route_is_default(const char *root, const char *iface);

// @param root  "", or where a test has its /proc and /sys
void dpdk_gather(struct dpdk_facts *k, const char *root);

// Remarks, for a host that may or may not use DPDK.
void dpdk_judge(const struct dpdk_facts *k, struct findings *f);

// MB of hugepages that a device needs with a queue for each of so many cores; see drivers/.
int64_t dpdk_memory_mb(int64_t cores);

#define CAPABILITY_NET_ADMIN 12
#define CAPABILITY_NET_RAW   13
#define CAPABILITY_IPC_LOCK  14
#define CAPABILITY_SYS_ADMIN 21

static inline bool dpdk_may(const struct dpdk_facts *k, unsigned capability)
{
	return k->capabilities >> capability & 1;
}
