// SPDX-License-Identifier: BSD-3-Clause
// The parts that the files of the snapshot share.
#pragma once

#include "dataplane/route/snapshot.h"

// Whether bytes stay where they are until they are answered: those of the log do, those that the
// reader unpacked do not.
static inline bool snapshot_is_stable(const struct snapshot *s, struct span w)
{
	return w.p >= s->view.p && w.p + w.len <= s->view.p + s->view.len;
}

// Whether a key is its shard's; of a shard's snapshot, keys may be left from slots that have moved.
static inline bool snapshot_wants(const struct snapshot *s, struct span key)
{
	return !s->handoff || handoff_loads(s->handoff, s->member, s->db, key, s->offset);
}

bool snapshot_has_expired(const struct snapshot *s, int64_t expire_at_ms);

// What the target can do with a value.
static inline enum rdb_fit snapshot_fit(const struct snapshot *s, const struct rdb_event *ev)
{
	return (enum rdb_fit)s->fits[s->reader.magic][ev->type];
}

// The batch of a lane, with room for this text. Keys of database 0 go plain, all others framed.
//
// @return NULL: the lane is full, or there is no memory (s->error is set)
struct batch *snapshot_batch(struct snapshot *s, unsigned lane, bool framed, size_t text_len);

// What is put from here on is about a key. @param fenced  it must not run twice
void snapshot_aim(struct snapshot *s, struct span key, bool fenced);

// What was added since snapshot_batch() belongs together. Hand the lane's batch over when it is
// full.
void snapshot_settle(struct snapshot *s, unsigned lane);

// One command from its words.
//
// @param is_key  it makes a key: counts for the fates
// @return 1 done, 0 the lane is full, -1 error
int snapshot_put(struct snapshot *s, unsigned lane, bool framed, const struct span *words, int n,
		 bool is_key);

// The parts of it, for several commands in one batch: the text that one takes at most; add it to a
// batch that has room for it; the same with PEXPIREAT.
//
// @return 0, or -ENOMEM
size_t snapshot_words_len(const struct snapshot *s, const struct span *words, int n);
int snapshot_add(struct snapshot *s, struct batch *b, const struct span *words, int n, bool is_key);
int snapshot_add_expiry(struct snapshot *s, struct batch *b, struct span key, int64_t at_ms);

// A value that is here as a whole: RDB_STRING, RDB_RAW. @return as snapshot_put()
int snapshot_whole(struct snapshot *s, const struct rdb_event *ev);

// One event of a value in pieces. @return as snapshot_put()
int snapshot_piece(struct snapshot *s, const struct rdb_event *ev);

// Why a stream with pending entries that are nobody's cannot be held.
void snapshot_no_nacks(const struct snapshot *s, char *reason, size_t len);

// Events of a stream in pieces, from RDB_STREAM_ENTRY on. @return as snapshot_put()
int snapshot_piece_stream(struct snapshot *s, const struct rdb_event *ev);

// Room for so much more in s->pieces. @return false when out of memory
bool snapshot_piece_reserve(struct snapshot *s, size_t len);

// For it: collect an argument of a command, false when out of memory; send what was collected;
// send one command of several that an event makes, the step-th, once. @return as snapshot_put()
bool snapshot_piece_add(struct snapshot *s, struct span arg);
int snapshot_piece_flush(struct snapshot *s);
int snapshot_piece_step(struct snapshot *s, unsigned step, const struct span *words, int n,
			bool is_key);

static inline struct span snapshot_temporary(const struct snapshot *s)
{
	return span_of(s->temporary);
}

// Park a value that the target's version cannot hold.
//
// @param verb    of the command that would make it
// @param b       its first item is that command; NULL: the name alone is kept
// @return 1, or -1: on_error is stop, or it cannot be put on disk
int snapshot_park(struct snapshot *s, struct span key, const char *verb, const struct batch *b,
		  const char *reason);

// One of those that were sent without something. @return 1
int snapshot_degraded(struct snapshot *s);

// RESTORE of a value, as the target's version has it: with what has to stand around it, as one.
// The batch has room for snapshot_restore_len().
//
// @return 0, or -ENOMEM
size_t snapshot_restore_len(const struct rdb_event *ev);
int snapshot_restore_add(struct snapshot *s, struct batch *b, const struct rdb_event *ev);

// Remember a name, where the target will be swept. @return 1, or -1
int snapshot_remember(struct snapshot *s, int32_t db, struct span name);

// A key is on its way: count it, and remember it where the target will be swept. @return 1, or -1
int snapshot_key_done(struct snapshot *s, struct span key);

// @return -1
int snapshot_stop(struct snapshot *s, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int snapshot_bad(struct snapshot *s, enum error_id error, const char *what);
int snapshot_no_memory(struct snapshot *s);
