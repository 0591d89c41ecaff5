// SPDX-License-Identifier: BSD-3-Clause
// A run that a seed decides: wires, settings, applications, and what has to come of it.
#pragma once

#include "tests/sim/lab.h"

enum draw_end {
	DRAW_COMPLETE, // every byte arrives
	DRAW_QUITS,    // an application leaves early: what arrives is the beginning
	DRAW_DIES,     // the path dies: who still waits is told, in time
};

struct draw {
	struct lab_settings set;
	unsigned n_flows;
	struct lab_app apps[LAB_FLOWS_MAX][2];
	uint64_t at_ns[LAB_FLOWS_MAX];
	enum draw_end end;
	uint64_t limit_ns; // it is over by then
	char text[256];    // for people
};

void draw_run(uint64_t seed, struct draw *d);
