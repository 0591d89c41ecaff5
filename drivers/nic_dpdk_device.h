// SPDX-License-Identifier: BSD-3-Clause
// What a setting asks of DPDK, before DPDK is there: the device's words, what the host lacks for
// it, the memory it needs and the arguments that follow. No rte_ here: all of it is testable alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "drivers/nic_dpdk.h"

enum dpdk_kind {
	DPDK_PCI, // a NIC that was taken from the kernel
	DPDK_TAP,
	DPDK_AF_PACKET,
	DPDK_AF_XDP,
	DPDK_MEMIF,
	DPDK_OTHER, // rings, null, and what else there is
};

#define DPDK_NAME_LEN  48
#define DPDK_WORDS_LEN 384
#define DPDK_ROOM_MAX  16384 // most bytes of one buffer

struct dpdk_device {
	enum dpdk_kind kind;
	char name[DPDK_NAME_LEN];   // "net_tap0", "0000:03:00.0"
	char words[DPDK_WORDS_LEN]; // for DPDK: what was asked, and what follows from the queues
	char iface[16];             // the kernel's interface; "": none
	unsigned mtu;
	// Of each queue.
	unsigned rx_descriptors, tx_descriptors;
	unsigned room;    // bytes of one buffer, without headroom
	unsigned buffers; // 2^k - 1
};

// @param text  out, NIC_DPDK_TEXT_LEN bytes: why not
// @return 0, or -EINVAL
int dpdk_device_read(const struct nic_dpdk_settings *set, struct dpdk_device *d, char *text);

// What the host lacks for this device, as far as can be seen without trying.
// @param root  "" but in tests: where /sys lies
// @return 0, or -ENOENT, -EPERM, -EBUSY with the sentence in `text`
int dpdk_device_check(const struct dpdk_device *d, const char *root, char *text);

struct dpdk_memory {
	bool hugepages;
	unsigned mb;      // that are needed
	unsigned huge_mb; // free in hugepages
};

// @param root  as above
// @return 0; -ENOMEM: a PCI device, and too few hugepages are free
int dpdk_memory_plan(const struct nic_dpdk_settings *set, const struct dpdk_device *d,
		     const char *root, struct dpdk_memory *m, char *text);

// The arguments of rte_eal_init().
#define DPDK_ARGUMENTS_MAX 16
struct dpdk_arguments {
	int n;
	char *list[DPDK_ARGUMENTS_MAX + 1]; // point into bytes
	char bytes[512];
	char line[512]; // as one line
};

// @param cpus  where DPDK's threads may run, as a list: "0", "0-3,8"
void dpdk_arguments_make(const struct dpdk_device *d, const struct dpdk_memory *m, const char *cpus,
			 struct dpdk_arguments *a);

// What to do about a refusal of DPDK.
//
// @param log   what it said last
// @param error  errno, positive
void dpdk_explain(const struct dpdk_device *d, const char *log, int error, char *text);
