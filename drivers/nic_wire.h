// SPDX-License-Identifier: BSD-3-Clause
// A nic at the end of two simulated wires (wire.h), one each way: what a stack meets in the
// simulation. It does in software what devices offer, and can be as awkward as they are.
#pragma once

#include "drivers/nic.h"
#include "drivers/wire.h"

struct nic_wire_settings {
	const char *name;
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t offloads; // enum nic_offload that it is to have
	uint32_t tso_max;  // with NIC_TSO
	// What it says of received sums. UNKNOWN: nothing. GOOD: it looks at each, and says BAD of
	// bad ones. NONE, at both ends: as between two guests of one host, TCP's sum stays unfilled
	// when it was left to the device.
	enum nic_sum sums;
	double refuse; // probability that a send finds the queue full
	uint64_t seed; // of that
};

// @param out, in  borrowed; must outlive the nic
// @param now_ns   the clock of the simulation, borrowed
// @return 0, -ENOMEM
int nic_wire_open(const struct nic_wire_settings *set, struct wire *out, struct wire *in,
		  const uint64_t *now_ns, struct nic **n);
