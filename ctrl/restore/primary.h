// SPDX-License-Identifier: BSD-3-Clause
// The primary of a restore: a thread that listens at a unix socket and speaks as much of a server's
// language as a replica needs, so that a file is a source like any other.
//
//   PING, AUTH, REPLCONF, INFO, PSYNC ? -1      -> +FULLRESYNC id BASE, $len, the RDB, the commands
//                             PSYNC id OFFSET   -> +CONTINUE, the commands from there on
//
// Behind the last command come PINGs, so that the offsets stay the same whenever it is served: a
// silent source would be taken for a dead one. INFO tells the offset of the last command, which is
// where a sync with --until=caught-up ends.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "ctrl/restore/plan.h"
#include "ctrl/restore/target.h"

#define PRIMARY_CONNS_MAX 16

struct primary_settings {
	const struct plan *plan;
	uint64_t big_value;                // of the survey
	uint64_t keys_per_s, bytes_per_s;  // 0: no limit
	bool again;                        // a full sync may begin though commands were applied
	bool resumes;                      // some were, in a former life
	// What the target holds now, see target_look(); called by the thread.
	int (*look)(void *arg, struct target_facts *facts, struct failure *f);
	void *arg;
};

struct conn;

struct primary {
	struct primary_settings set;
	int listen_fd, stop_fd;
	bool runs;
	pthread_t thread;
	struct conn *conns[PRIMARY_CONNS_MAX];
	struct conn *fed;           // the one that is a replica, NULL: none
	bool commands_served;       // some replica got bytes of the stream
	struct failure failure;     // written before `failed`
	atomic_bool failed;
};

// @param path  of the socket; one that nobody serves is replaced
//
// @return 0, or -1 with f; primary_stop() in every case
int primary_start(struct primary *p, const struct primary_settings *set, const char *path,
		  struct failure *f);

// End the thread, and close what it had open.
void primary_stop(struct primary *p);

// Whether it cannot serve any more: the file is gone, or not what it was. @return 0, or -1 with f
int primary_check(struct primary *p, struct failure *f);
