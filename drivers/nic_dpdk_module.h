// SPDX-License-Identifier: BSD-3-Clause
// What flyover-dpdk.so offers to the program that loads it.
#pragma once

#include "drivers/nic_dpdk.h"

#define NIC_DPDK_MODULE        "flyover-dpdk.so"
#define NIC_DPDK_MODULE_SYMBOL "nic_dpdk_module"

struct nic_dpdk_module {
	const char *version; // of flyover: both are of one build
	int (*open)(const struct nic_dpdk_settings *set, struct nic **nics, char *text);
	const char *(*arguments)(void);
};

extern const struct nic_dpdk_module nic_dpdk_module;
