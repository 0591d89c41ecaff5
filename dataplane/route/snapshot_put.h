// SPDX-License-Identifier: BSD-3-Clause
// The parts that snapshot.c and snapshot_piece.c share.
#pragma once

#include "dataplane/route/snapshot.h"

// Whether bytes stay where they are until they are answered: those of the log do, those that the
// reader unpacked do not.
static inline bool snapshot_is_stable(const struct snapshot *s, struct span w)
{
	return w.p >= s->view.p && w.p + w.len <= s->view.p + s->view.len;
}

bool snapshot_has_expired(const struct snapshot *s, int64_t expire_at_ms);

// The batch of a lane, with room for this text. Keys of database 0 go plain, all others framed.
//
// @return NULL: the lane is full, or there is no memory (s->error is set)
struct batch *snapshot_batch(struct snapshot *s, unsigned lane, bool framed, size_t text_len);

// Hand the lane's batch over when it is full.
void snapshot_settle(struct snapshot *s, unsigned lane);

// One command from its words.
//
// @param is_key  it makes a key: counts for the fates
// @return 1 done, 0 the lane is full, -1 error
int snapshot_put(struct snapshot *s, unsigned lane, bool framed, const struct span *words, int n,
		 bool is_key);

// One event of a value in pieces. @return as snapshot_put()
int snapshot_piece(struct snapshot *s, const struct rdb_event *ev);

// Remember a name, where the target will be swept. @return 1, or -1
int snapshot_remember(struct snapshot *s, int32_t db, struct span name);

// A key is on its way: count it, and remember it where the target will be swept. @return 1, or -1
int snapshot_key_done(struct snapshot *s, struct span key);

// @return -1
int snapshot_bad(struct snapshot *s, enum error_id error, const char *what);
int snapshot_no_memory(struct snapshot *s);
