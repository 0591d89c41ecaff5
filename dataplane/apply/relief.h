// SPDX-License-Identifier: BSD-3-Clause
// Relief for a target that is out of memory (maxmemory with noeviction).
//
// It refuses every batch, even one of nothing but deletes, since all stands inside MULTI; yet the
// deletes that would free memory may wait in the lane's queue, behind writes that need it. So while
// the lane waits, deletes that may overtake are sent by themselves, outside of any transaction;
// they are sent again in their batch, when its turn comes.
//
// Why that changes nothing in the end. Let d be such a delete and K its keys.
//
// - No command that waits before d touches a key of K, unless it is a delete that was sent early as
//   well, and before d. So d finds in K what it would have found in its turn: order per key is
//   kept.
// - When d's turn comes, nothing has touched K since but deletes of this kind. What d removes
// (keys,
//   members, fields, ids by name; a range of scores; all above a length) was removed, and removing
//   more brings nothing back: d, and every delete between, finds nothing to do. The state of K is
//   then that of a run without relief, and all that follows d runs after it.
// - A crash in between resumes at the marker, before the first command that waits: the same.
// - A command that names no keys, or keys that cannot be told, ends the look: nothing overtakes it.
//   So does a batch that waits for another lane, for what comes before it runs there.
//
// The marker goes with them when it speaks of batches behind the refused one: should we die, a
// missing marker means a full sync, where a wrong one would lose the refused batch.
//
// What can be seen from outside: a delete, be it one of a transaction, shows before the writes that
// wait. The look ends with the lane's queue.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relief {
	char *text;         // deletes to send, owned; NULL: none on their way
	size_t len, at;     // bytes of it, and gone
	unsigned n_replies; // still to come
	bool marker_gone;   // it said too much, see lane.h: torn_seq
	uint64_t head_seq;  // the oldest batch when the queue was looked at
	uint64_t seq;       // deletes before item `item` of this batch need not be sent again
	unsigned item;
};
