// SPDX-License-Identifier: BSD-3-Clause
// The flyoverd that a one-shot job starts for itself: it ends with the job, its state stays.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ctrl/cli/options.h"
#include "ctrl/cli/session.h"

struct private_daemon {
	pid_t pid;
	struct session session;
};

// Where a job keeps its state unless the user says: $XDG_STATE_HOME/flyover,
// ~/.local/state/flyover, or /var/lib/flyover for root, and in it a folder of that name.
//
// @return 0, or -1: STATE_DIR
int private_state_dir(const char *name, char *out, size_t out_len, struct failure *f);

// Start flyoverd and wait until it answers.
//
// @param o  of which: cores, io, network, verbose (its log goes to our stderr)
// @return 0, -1 with its own failure, or SESSION_GONE: it died before it had said why
int private_daemon_start(struct private_daemon *p, const char *state_dir, const struct options *o,
			 struct failure *f);

// Let it go, and wait until it has left its state folder; it is killed when it stays.
void private_daemon_end(struct private_daemon *p);
