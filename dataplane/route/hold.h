// SPDX-License-Identifier: BSD-3-Clause
// Holds: volatile keys that must not vanish in the target before the stream has caught up, since a
// PERSIST, EXPIRE or another write of them may be on its way: those of a snapshot, and those that
// get their expiry while the link lags.
//
// Such a key is given an expiry far away and held. What the stream says about its expiry, or its
// end, ends the hold; when the stream has caught up, those that are left get the expiry that they
// came with, if they still have one at all (PEXPIREAT .. XX).
//
// Should we die in between, a file in the state folder tells the next life. What the stream did
// meanwhile it does not tell, so the next life asks the target before it goes on: a key whose
// expiry is still the very one that was set for it is held, any other is not (apply/lifetimes.h).
// The file is kept until the stream has caught up with the snapshot. Holds of later lags are not
// saved, and a link that goes back to older markers forgets them: the key then goes by the DEL that
// the source sends when its time is over, and till then shows the far expiry.
//
// What a transaction did to the holds is taken back with it: holds_begin(), holds_commit(),
// holds_back().
//
// Bounded: beyond HOLDS_MAX keys or HOLDS_LEN bytes of names a key keeps its own expiry.
//
// Owner: the core that reads the source.
#pragma once

#include "parsers/commands.h"

#define HOLDS_MAX        65536
#define HOLDS_LEN        (8u * 1024 * 1024)
#define HOLD_HORIZON_MS  600000ull   // keys that live longer than this need no hold
#define HOLD_EXTEND_MS   86400000ull // the expiry of a held key is this far away
#define HOLD_LAG_MS      50ull       // what waits longer for its answer lags
#define HOLD_NEAR_MS     5000ull     // an expiry nearer than this, and twice the lag, is held

struct hold {
	uint32_t at, len;     // its name, in names
	int32_t db;
	bool ended;
	int64_t expire_at_ms; // its own
	int64_t set_at_ms;    // the one that it has in the target
};

struct hold_change;

struct holds {
	struct hold *all;     // HOLDS_MAX, NULL until the first
	uint32_t *index;      // open addressing by hash of the name: number of the hold + 1
	char *names;
	unsigned n, n_live;   // with those that have ended, and without
	uint32_t n_names;
	unsigned next;        // of hold_next()
	struct hold_change *changes; // of the transaction that is open, oldest first; HOLDS_MAX
	unsigned n_changes;
	bool open;            // a transaction is
};

void holds_fini(struct holds *h);

static inline bool holds_any(const struct holds *h)
{
	return h->n_live != 0;
}

// @return the expiry to create the key with: its own, or one far away when it is held from now on
int64_t hold_add(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
		 uint64_t now_ms);

// Whether so many keys can be held, which have so many bytes together.
bool holds_have_room(struct holds *h, unsigned n, size_t len);

// Hold a key, or hold it anew. For it there is room, see above.
void hold_keep(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
	       int64_t set_at_ms);

// A hold is over.
void hold_end(struct holds *h, struct hold *hold);

// A transaction begins, is whole, or is taken back. One that changes more than HOLDS_MAX times is
// not taken back beyond that: the keys then wait for the DEL of the source.
void holds_begin(struct holds *h);
void holds_commit(struct holds *h);
void holds_back(struct holds *h);

// What a command of the stream does to the holds. @param c  NULL: unknown
void holds_follow(struct holds *h, int32_t db, const struct command *c, const struct span *argv,
		  int argc);

// All that has not ended, as bytes for a file, and back.
//
// @param out  out: from malloc(), owned by the caller
// @return bytes, 0 when out of memory
size_t holds_pack(const struct holds *h, char **out);
// @param h  empty; filled
// @return 0, -ENOMEM, or -EBADMSG: damaged, nothing is held
int holds_unpack(struct holds *h, struct span bytes);

#define HOLDS_FILE         "holds"
#define HOLDS_FILE_LEN_MAX (HOLDS_LEN + HOLDS_MAX * 32 + 64)

// The next hold that has not ended, each once. @return NULL: no more; it begins again then
struct hold *hold_next(struct holds *h, struct span *key);
