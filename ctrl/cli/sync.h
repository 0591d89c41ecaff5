// SPDX-License-Identifier: BSD-3-Clause
// A link that lives as long as a job: its private flyoverd, its progress, its end. `flyover sync`
// is just that; `flyover restore` puts a source of its own beside it.
//
//   sync_prepare -> sync_run -> sync_leave -> sync_finish
#pragma once

#include "ctrl/cli/job.h"
#include "ctrl/cli/private_daemon.h"
#include "ctrl/cli/progress.h"

struct sync {
	const struct options *options;
	struct link_config config;
	char state_dir[4096];
	struct private_daemon daemon;
	struct progress progress;
	int signal_fd, poll_ms;
	unsigned n_signals, n_daemons;
	unsigned n_preflight_waits;
	size_t n_warned; // warnings of the pre-flight that were printed
	json_t *link;    // its last status

	// Of who runs it; each may be NULL and returns 0, or -1 with f.
	int (*opened)(void *arg,
		      struct failure *f); // flyoverd has the state folder, no link is yet
	int (*check)(void *arg, struct failure *f);  // now and then, as long as the link lives
	void *arg;
};

// Nothing is open yet. @param o  kept
//
// @return 0, or -1: USAGE
int sync_init(struct sync *s, const struct options *o, struct failure *f);

// Block SIGINT and SIGTERM, to be read by sync_signals().
//
// @return 0, or -1: INTERNAL
int sync_signals_take(struct sync *s, struct failure *f);

// @return how many of them have come by now; waits for at most wait_ms
unsigned sync_signals(struct sync *s, int wait_ms);

// Where its state is: the folder that the user named, else one by the link's name.
//
// @return 0, or -1: STATE_DIR
int sync_state_dir(struct sync *s, struct failure *f);

// Run s->config until the link has ended.
//
// @return 0 done, or -1 with f
int sync_run(struct sync *s, struct failure *f);

// Let flyoverd go, and wait until it has left the state folder. @param rc, f  of sync_run()
void sync_leave(struct sync *s, int rc, const struct failure *f);

// Show the end, and release everything.
void sync_finish(struct sync *s, int rc, const struct failure *f);
