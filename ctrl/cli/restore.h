// SPDX-License-Identifier: BSD-3-Clause
// A run of `flyover restore`: restore_verb.c (from the request to the link), restore_end.c (what is
// told and what is removed).
#pragma once

#include "ctrl/cli/sync.h"
#include "ctrl/restore/primary.h"

#define RESTORE_SOCKET "restore.sock" // in the state folder

struct restore {
	const struct options *options;
	struct sync sync;
	struct aof_files files;
	struct plan plan;
	struct primary_settings serve;
	struct primary primary;
	bool serving;
	int folder_fd; // of the state folder, when its path is too long for a socket
	char socket[4096 + sizeof(RESTORE_SOCKET) + 1];
	uint64_t shown_ms;
	uint64_t n_expired;
};

// What a user should know of the file before it is restored.
void restore_warn(const struct restore *r);

// What came of it: a link that ended in good order need not have restored everything. When it has,
// neither target nor host keep anything of it.
//
// @return 0, or -1 with f
int restore_judge(const struct restore *r, struct failure *f);

// Add what is known of the file to the last status.
void restore_describe(struct restore *r);

// Behind the summary.
void restore_tell(const struct restore *r);
