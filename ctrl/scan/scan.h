// SPDX-License-Identifier: BSD-3-Clause
// Copying a source that does not let us replicate: SCAN names its keys, and each is copied as it is
// when its turn comes. With `follow`, keyspace notifications name what changes from then on.
//
// What a key loses nothing of: type, value, expiry, consumer groups. What is promised without
// follow: every key that is there from beginning to end is in the target, in a state that it had
// meanwhile. What is promised with follow: the target catches up with every key whose notification
// arrives; order between keys and transactions are not kept.
#pragma once

#include "ctrl/scan/copy.h"
#include "ctrl/scan/functions.h"
#include "ctrl/scan/state.h"

struct scan_progress {
	const char *phase;       // "connecting", "snapshot", "stream", "draining"
	int db;                  // of the source
	uint64_t keys_total;     // of all databases, as the source said at the beginning
	uint64_t keys_seen;      // that SCAN has named, those of former runs too
	uint64_t events, queued; // notifications; keys that wait to be copied
	unsigned passes;         // how often everything was gone through
	unsigned connects;
	bool resumed;            // went on from the cursor of a former run
	bool following;          // everything was gone through, only what changes is copied
	const char *waiting;     // "" when nothing
	struct copy_counts counts;
	char refused[200];       // the first refusal
	struct functions_told functions;
};

struct scan_options {
	struct copy_options copy;
	bool follow, trust_notifications;
	enum setting_extra_keys extra_keys;
	const char *state_dir;
	unsigned wait_ms; // how long a connection may be lost
	// All are given arg. progress: some times a second. note: a sentence worth telling.
	// go_on: @return false to end in good order.
	void (*progress)(void *arg, const struct scan_progress *p);
	void (*note)(void *arg, const char *sentence);
	bool (*go_on)(void *arg);
	void *arg;
};

// Run to the end, or with follow until go_on() says so.
//
// @param p  out: how far it came, also on failure
// @return 0, or -1 with f; INTERRUPTED when it was ended before everything was gone through
int scan_run(const struct endpoint *source, const struct endpoint *target,
	     const struct scan_options *o, struct scan_progress *p, struct failure *f);
