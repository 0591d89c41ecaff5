// SPDX-License-Identifier: BSD-3-Clause
// A probe at work, private to ctrl/doctor/probe*.c.
#pragma once

#include "ctrl/check/subject.h"
#include "ctrl/doctor/probe.h"
#include "ctrl/doctor/probe_link.h"

struct probe {
	const struct link_config *config;
	const struct probe_options *options;
	struct probe_report *report;
	struct findings *findings;
	struct failure *failure;
	struct facts facts;
	struct pair pair;
	struct compare compare;
	struct probe_link link;
	unsigned fence;
	int db[2];
	struct probe_list setup, command; // of the case at hand, as it is asked for
	struct probe_list came_setup, came;
};

// Connect, choose the databases, and look at what the source says of its commands.
//
// @return 0, or -1 with p->failure; nothing was written when it was before the target was connected
int probe_begin(struct probe *p);
