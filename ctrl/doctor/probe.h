// SPDX-License-Identifier: BSD-3-Clause
// A self-test for servers that are newer than our table of commands, patched or renamed: it runs
// every verb against scratch keys of the source, reads what the source's stream carries for it,
// sends the target what a link would send, and compares.
//
// It writes: keys that begin with PROBE_PREFIX, in one database (and in one more for MOVE and
// COPY .. DB, where a link would sync both), and one function library. All are deleted at the end,
// however that comes; after a kill -9 they are left.
#pragma once

#include "ctrl/doctor/probe_report.h"
#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

struct probe_options {
	bool full; // a full sync is allowed, where the source has no backlog to be read from
	bool (*go_on)(void *arg);
	void *arg;
};

// Run it. Blocking.
//
// @param r  out: also on failure, then of what was run
// @param f  findings are appended
// @return   0, or -1 with failure: TARGET_READONLY for a replica, NOPERM, PSYNC_REFUSED, CONNECT;
//           LINK_STATE where a full sync would be needed, and when go_on() said no
int probe_run(const struct link_config *c, const struct probe_options *o, struct probe_report *r,
	      struct findings *f, struct failure *failure);
