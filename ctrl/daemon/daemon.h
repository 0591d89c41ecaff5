// SPDX-License-Identifier: BSD-3-Clause
// flyoverd: everything that the control process holds, private to ctrl/daemon.
#pragma once

#include <stdbool.h>

#include "ctrl/daemon/api.h"
#include "ctrl/daemon/daemon_config.h"
#include "ctrl/daemon/links.h"
#include "ctrl/daemon/log.h"
#include "ctrl/daemon/loop.h"
#include "ctrl/daemon/parked_desk.h"
#include "ctrl/daemon/state_dir.h"
#include "ctrl/daemon/supervisor.h"
#include "ctrl/daemon/traces.h"

#define TICK_MS       50
#define TICK_START_MS 5 // while the dataplane is coming up: a short job should not wait for us

enum daemon_stage { DAEMON_RUNS, DAEMON_DRAINS, DAEMON_LEAVES };

struct daemon {
	enum daemon_stage stage;
	uint64_t started_ms; // wall clock
	struct daemon_config config;
	struct loop loop;
	struct log log;
	struct state_dir state;
	struct supervisor supervisor;
	struct links links;
	struct api api;
	struct parked_desk *parked;
	struct traces traces;
	struct watch signals; // SIGINT, SIGTERM, SIGHUP
	uint64_t credentials_ms; // when passwords were last looked for, monotonic
};

// Drain all links, then leave. A second call, or now: leave at once and take the dataplane along.
void daemon_end(struct daemon *d, bool now);
