// SPDX-License-Identifier: BSD-3-Clause
// Sending parked commands to the target once more. It happens now, out of the order of the stream:
// whatever the stream has written to these keys meanwhile is there already.
//
// A command goes with a key of ours in one transaction,
//
//   MULTI   [SELECT db]   command   [SELECT 0]   SET __flyover:{LINK}:parked:ID time   EXEC
//
// and the key is deleted once the outcome is on disk. So a retry after a crash sees that the
// command was sent before: one that may be repeated is sent again; for another it cannot be known
// whether it took effect or was refused, and it is not sent unless the caller says so.
#pragma once

#include <stdatomic.h>

#include "ctrl/parked/settle.h"
#include "dataplane/contract/contract.h"

enum retry_result {
	RETRY_APPLIED,
	RETRY_REFUSED, // it stays parked; with the target's reason, or since only its name is kept
	RETRY_UNSURE,  // it stays parked; was sent before, and the answer got lost
	RETRY_SKIPPED, // it was settled before, or cannot be read
};

struct retry_answer {
	uint64_t id;
	enum retry_result result;
	char reason[TEXT_LEN]; // "" when it was applied
};

struct retry {
	char folder[256]; // of the link's state
	char link[NAME_LEN];
	struct endpoint target;
	uint64_t *ids; // NULL: all that are open
	size_t n_ids;
	bool again;    // send unsure ones too
	_Atomic bool cancel; // by another thread: end after the command at hand
	void (*tell)(void *arg, const struct retry_answer *a);
	void *arg;
};

// Send them, in the order of their offsets within one history and phase, and settle those that the
// target takes. Blocks; a target that does not answer ends it after a minute.
//
// @return 0 all got an answer, told by tell(); or -1: LINK_STATE (somebody else is at it, no such
//         id), the failures of client_open(), CONNECT, DEADLINE, DISK
int retry_run(struct retry *r, struct failure *f);

// "applied", "refused", "unsure", "skipped"
const char *retry_result_word(enum retry_result result);
