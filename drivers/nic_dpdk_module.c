// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/nic_dpdk_module.h"

__attribute__((visibility("default"))) const struct nic_dpdk_module nic_dpdk_module = {
	.version = FLYOVER_VERSION,
	.open = nic_dpdk_open,
	.arguments = nic_dpdk_arguments,
};
