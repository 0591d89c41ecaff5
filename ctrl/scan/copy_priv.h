// SPDX-License-Identifier: BSD-3-Clause
// Inside the copier: its questions, its writes, and what they share.
#pragma once

#include "ctrl/scan/copy.h"

enum copy_ask {
	ASK_SIZE,
	ASK_TYPE,
	ASK_LENGTH,
	ASK_HINT,
	ASK_EXPIRY,
	ASK_DUMP,
	ASK_VALUE,
	ASK_SELECT,
};

enum copy_put {
	PUT_RESTORE,
	PUT_DELETE,
	PUT_QUEUED, // inside a transaction: only its error matters
	PUT_LAST,   // EXEC, or the one command there is
	PUT_SELECT,
};

int copy_expect(struct copier *c, struct copy_fifo *f, struct copy_item *item, unsigned kind);

// copy_source.c: from the beginning, also after a change.
int item_begin(struct copier *c, struct copy_item *item);
int item_again(struct copier *c, struct copy_item *item);
int item_done(struct copier *c, struct copy_item *item, enum copy_fate fate);
int item_refused(struct copier *c, struct copy_item *item, struct span why);

// Ask for values, as many as the window, the pace and the target allow.
int values_ask(struct copier *c);

// One reply of the source. @return 0 or -1
int source_reply(struct copier *c, struct copy_expected e, const struct resp_value *v, unsigned n);

// copy_target.c
int write_payload(struct copier *c, struct copy_item *item, struct span payload);
int write_value(struct copier *c, struct copy_item *item, const struct resp_value *v, unsigned n);
int write_delete(struct copier *c, struct copy_item *item);
int target_reply(struct copier *c, struct copy_expected e, const struct resp_value *v, unsigned n);

// What to do about an error of the target. Its errors: the sort that passes makes all wait.
//
// @return 1 try again, 0 it is for good, -1 it ends the job
int target_error(struct copier *c, struct span text, const char *command);

// The expiry as the target is to have it, absolute by its clock as far as clocks agree.
int64_t expiry_now_ms(const struct copier *c); // the source's clock
