// SPDX-License-Identifier: BSD-3-Clause
// Holds: volatile keys of a snapshot that must not vanish in the target before the stream has
// caught up with it, since a PERSIST or EXPIRE for them may be on its way.
//
// Such a key is created with an expiry far away and held. What the stream says about its expiry
// ends the hold; when the stream has caught up, those that are left get the expiry that they came
// with, if they still have one at all (PEXPIREAT .. XX).
//
// Should we die in between, a file in the state folder tells the next life. What the stream did
// meanwhile it does not tell, so the next life asks the target before it goes on: a key whose
// expiry is still the very one that was set for it is held, any other is not (apply/lifetimes.h).
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

struct hold {
	uint32_t at, len;     // its name, in names
	int32_t db;
	bool ended;
	int64_t expire_at_ms; // its own
	int64_t set_at_ms;    // the one that it has in the target
};

struct holds {
	struct hold *all;     // HOLDS_MAX, NULL until the first
	uint32_t *index;      // open addressing by hash of the name: number of the hold + 1
	char *names;
	unsigned n;
	uint32_t n_names;
	unsigned released;    // by hold_next()
};

void holds_fini(struct holds *h);

static inline bool holds_any(const struct holds *h)
{
	return h->n != 0;
}

// @return the expiry to create the key with: its own, or one far away when it is held from now on
int64_t hold_add(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
		 uint64_t now_ms);

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

// The next hold that has not ended, each once. @return NULL: no more
const struct hold *hold_next(struct holds *h, struct span *key);
