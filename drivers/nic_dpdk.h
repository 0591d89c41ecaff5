// SPDX-License-Identifier: BSD-3-Clause
// The nic seam over DPDK's devices: a NIC taken from the kernel, a TAP device, AF_PACKET, AF_XDP,
// memif, rings.
//
// DPDK is a module of its own (flyover-dpdk.so, beside the program), loaded when the first device
// is opened: a host that stays with kernel sockets neither has it in memory nor needs it installed.
#pragma once

#include "drivers/nic.h"

#define NIC_DPDK_QUEUES_MAX 16
#define NIC_DPDK_TEXT_LEN   512

struct nic_dpdk_settings {
	// What to open, in DPDK's words: "net_tap0,iface=fly0", "net_af_packet0,iface=eth1",
	// "net_memif0,role=client,socket=/run/x.sock", or a PCI address, "0000:03:00.0".
	const char *device;
	unsigned n_queues;                       // one a core; 1 to NIC_DPDK_QUEUES_MAX
	uint16_t mtu;                            // 0: the device's
	uint16_t rx_descriptors, tx_descriptors; // a queue; 0: 2048 and 1024, or what it can
	int control_cpu; // where DPDK's own threads may run, never on a worker's; -1: anywhere
	unsigned
		memory_mb; // of all devices that will be opened, at the first opening; 0: by itself
};

// Open a device with all its queues. The first call starts DPDK in this process, with arguments
// that follow from the settings; nobody is asked for them.
//
// Not on the fast path, and from one thread at a time. The threads that call receive() and send()
// afterwards are any; each queue belongs to one.
//
// @param nics  out: n_queues of them; closing the last closes the device
// @param text  out, NIC_DPDK_TEXT_LEN bytes: what was opened, for the log; or why not and what to
// do about it, as a sentence
// @return 0, or -errno: -ENOENT (no such device or interface), -EPERM, -ENOMEM (hugepages), -EINVAL
// (the device's words), -ENOTSUP (so many queues, such an MTU), -ENOEXEC (DPDK is not installed)
int nic_dpdk_open(const struct nic_dpdk_settings *set, struct nic **nics, char *text);

// The arguments that DPDK was started with, as one line; "" before.
const char *nic_dpdk_arguments(void);
