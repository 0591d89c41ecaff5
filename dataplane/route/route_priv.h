// SPDX-License-Identifier: BSD-3-Clause
// What the files of route share: route.c (fates and lanes), route_frame.c (the next command),
// route_form.c (how it is sent).
#pragma once

#include "dataplane/route/route.h"

// What becomes of a command, and the words that it is sent as.
enum form_fate {
	FORM_BYTES,    // the bytes that came
	FORM_WORDS,    // `words`
	FORM_WITHHELD, // it cannot be said to this target: parked
	FORM_FILTERED, // it means nothing to this target
	FORM_RESYNC,   // only a full sync can follow it
};

// Words lie in the log, in route's argv_new and in here.
struct form {
	enum form_fate fate;
	const struct command *command; // what it does, safe to do again: as rewrite.h leaves it
	const struct span *argv;
	int argc;
	bool rewritten;          // these differ from those that came
	struct rewrite rewrite;  // filled when rewritten
	struct older_form words; // `degraded` and `row` always, the rest for FORM_WORDS
	const char *why; // FORM_WITHHELD for another reason than the target's release, or NULL
};

// Text of a SELECT, and of the heads of what a command becomes.
#define FORM_TEXT_MAX (2 * BATCH_HEAD_LEN + OLDER_COMMANDS_MAX * BATCH_HEAD_LEN + RDB_FOOTER_LEN)

#define TURN_BYTES (256 * 1024) // of the log that one turn takes, so that replies get theirs

// route_frame.c

// Say why route_turn() cannot go on. @return -1
int route_bad(struct route *r, enum error_id error, const char *what, uint64_t offset);

// Read on from an offset, which is a frame boundary.
void route_read_from(struct route *r, uint64_t offset);

// Room for the words of a command; what they held is lost. @return 0, or -errno
int route_argv_reserve(struct route *r, uint32_t argc);
void route_argv_free(struct route *r);

// The next command: frame, argv and bytes.
//
// @return 1 it is at hand, 0 not all of it is there or there is no place for it, 2 the turn is over
//         and there is more to do, -1 error
int route_frame_next(struct route *r);

// The one that found no free batch once more, should its bytes have moved. @return 1, or -1 error
int route_frame_again(struct route *r);

// The last command of a giant has its fate or its batch. @return 0, or -1 error
int route_giant_over(struct route *r);

// route_form.c

// What the target takes. Called as the stream begins.
void route_target_take(struct route *r);

// Whether the command at hand has to be looked at by form_find().
static inline bool form_is_asked(const struct route *r, const struct command *c)
{
	return c && (c->flags & COMMAND_REWRITE || older_asks(&r->older, c));
}

// Find the form of the command at hand.
void form_find(struct route *r, const struct command *c, const struct rewrite_rules *rules,
	       struct form *f);

// Other words than those that came. @param argv  lives as long as the form
void form_of_words(struct form *f, const struct span *argv, int argc);

// Text that form_add() takes of a batch.
size_t form_text_len(const struct route *r, const struct form *f);

// Add the command at hand as words, or withhold it. @return 0, or -ENOMEM
int form_add(struct route *r, struct batch *b, const struct form *f, int32_t db);

// A command of ours, of a few words, as the target takes it. @return text that it takes of a batch
size_t form_of_ours(const struct route *r, const struct span *argv, int argc,
		    struct older_form *f);

// Add it by copy. @return 0, or -ENOMEM
int form_of_ours_add(struct batch *b, const struct older_form *f, uint64_t offset, int32_t db);
