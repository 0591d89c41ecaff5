// SPDX-License-Identifier: BSD-3-Clause
// One VLAN of an interface as an interface of its own, in user space: what `ip link add link TRUNK
// name IFACE type vlan id ID` makes, for kernels that are built without VLANs.
//
//   IFACE, a TAP device --- put the tag in ---> TRUNK
//                       <-- take it out ------         frames without it or with another: dropped
#pragma once

#include <stdint.h>

struct vlan;

// In this thread's network namespace. Fails the test where it cannot.
struct vlan *vlan_start(const char *trunk, const char *iface, uint16_t id);

// The interface is gone then.
void vlan_stop(struct vlan *v);
