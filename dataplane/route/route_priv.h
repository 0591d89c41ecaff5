// SPDX-License-Identifier: BSD-3-Clause
// What the files of route share: route.c (fates), route_frame.c (the next command), route_form.c
// (how it is sent), route_db.c (from which databases), route_place.c (by which lane),
// route_transaction.c (MULTI .. EXEC), slots_place.c (to a cluster),
// route_handoff.c (from a cluster).
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
	const struct db_map *dbs; // send it to each of these databases; NULL: to that at hand
};

// Text of a SELECT, and of the heads of what a command becomes.
#define FORM_TEXT_MAX (2 * BATCH_HEAD_LEN + OLDER_COMMANDS_MAX * BATCH_HEAD_LEN + RDB_FOOTER_LEN)

#define TURN_BYTES (256 * 1024) // of the log that one turn takes, so that replies get theirs

// route_frame.c

// Say why route_turn() cannot go on. @return -1
int route_bad(struct route *r, enum error_id error, const char *what, uint64_t offset);
int route_stop(struct route *r, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

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

// Some of the words that form_find() left, for some of the keys.
void form_of_part(struct route *r, struct form *f, const struct command *c, const struct span *argv,
		  int argc);

// Not sent: parked. @param c  NULL: unknown
void form_withheld(struct form *f, const struct command *c, const struct span *argv, int argc,
		   const char *why);

// Text that form_add() takes of a batch.
size_t form_text_len(const struct route *r, const struct form *f);

// Add the command at hand as words, or withhold it. @return 0, or -ENOMEM
int form_add(struct route *r, struct batch *b, const struct form *f, int32_t db);

// A command of ours, of a few words, as the target takes it. @return text that it takes of a batch
size_t form_of_ours(const struct route *r, const struct span *argv, int argc,
		    struct older_form *f);

// Add it. @param stable  its words outlive the batch: long ones are referred to
// @return 0, or -ENOMEM
int form_of_ours_add(struct batch *b, const struct older_form *f, uint64_t offset, int32_t db,
		     enum item_kind kind, bool stable);

// route.c

// The command at hand is not sent. @return 1
int command_filter(struct route *r);

// Only a full sync helps. @return -1
int resync_want(struct route *r, const char *why);

// Send the command at hand, in the form that the target takes. @return 1, 0 no free batch, -1 error
int command_adapt(struct route *r, const struct command *c);

// route_db.c

// Where the database at hand goes.
int32_t route_target_db(const struct route *r);

// Some databases are forwarded, or the target has just one.
//
// @return 1 done, 0 no free batch, -1 error or resync, -2 forward it as usual
int route_db_filter(struct route *r, const struct command *c);

// route_place.c

// Give the command at hand to its lane.
//
// @param c, argv, argc  what it does
// @param f              how it is sent, NULL: as it came
//
// @return 1 done, 0 no free batch, -1 error
int command_place(struct route *r, const struct command *c, const struct span *argv, int argc,
		  const struct form *f);

// The parts of it. The batch of a lane, with room for this text. @return NULL: the lane is full
struct batch *route_batch(struct route *r, unsigned lane, size_t text_len);
// Add the command at hand to the open batch of a lane. @return 0, or -1 error
int route_add(struct route *r, unsigned lane, const struct form *f);
// It has its fate with the open batch of a lane.
void route_count(struct route *r, unsigned lane);
// Join the lanes of the mask, hand the batch over when it is full or a barrier.
void route_settle(struct route *r, unsigned lane, uint32_t mask, bool global, uint64_t begin,
		  int32_t db_begin);

bool route_batch_is_full(const struct route *r, const struct batch *b);
bool route_touches_markers(const struct command *c);
bool route_is_repeatable(const struct command *c, const struct span *argv, int argc);
int route_no_memory(struct route *r);

// route_transaction.c
void frame_open(struct route *r);

// EXEC. @return 1, or -1 error
int frame_close(struct route *r);

// A frame of which the end has not come holds up what stands before it in its batches: put that on
// its way and read the frame again when there is more of it.
void frame_wait(struct route *r);

// A lane gets some of the transaction at hand, in its open batch.
void route_frame_touch(struct route *r, unsigned lane);

// Take it back as if it had not come. @param all  hand over batches that are empty then, too
void route_frame_back(struct route *r, bool all);

// It cannot go as one: wait for its end and read it again, command by command.
void route_frame_apart(struct route *r);

// route_handoff.c: a shard of a cluster

// Whether the command at hand is still this shard's to say. @return as route_db_filter()
int route_handoff(struct route *r, const struct command *c);

// What servers tell their replicas. @return 1 filtered, 0 it waits, -1 resync
int route_handoff_control(struct route *r);

// slots_place.c

// What no node of a cluster can run. @return as route_db_filter()
int slots_forward(struct route *r, const struct command *c);

// command_place() for a cluster.
int slots_place(struct route *r, const struct command *c, const struct span *argv, int argc,
		const struct form *f);

// The transaction at hand is whole. @return 1, or -1 error
int slots_frame_end(struct route *r);

// The parts of it. Whether a slot of the target holds the command at hand.
bool slots_is_held(struct route *r, unsigned slot);
unsigned slots_lane(const struct route *r, unsigned slot);
// The keys of the command at hand into slots->groups. @return 0, or -1 error
int slots_keys_group(struct route *r, const struct slots_plan *p, const struct span *argv);
// What a command of the batch does to the keys that are held.
void slots_follow(struct route *r, const struct command *c, const struct span *argv, int argc);

// slots_gather.c

// A command whose keys have to be brought together. @return 1 done, 0 it takes time, -1 error
int gather_place(struct route *r, const struct slots_plan *p, const struct command *c,
		 const struct span *argv, int argc);

// SMOVE over two slots. @return as command_place()
int smove_place(struct route *r, const struct command *c, const struct span *argv, int argc);
