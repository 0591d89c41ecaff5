// SPDX-License-Identifier: BSD-3-Clause
// What the files of hand-offs share: handoff.c (members, time), handoff_slot.c (slots),
// handoff_settle.c (what is over), handoff_snapshot.c (full syncs), handoff_command.c (commands),
// handoff_look.c (keys of those), handoff_keys.c (the table of keys in flux), handoff_task.c
// (atomic moves), handoff_control.c (what streams say of those), handoff_leave.c (members that are
// gone).
#pragma once

#include "dataplane/group/handoff.h"

static inline bool bit_has(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static inline void bit_set(uint64_t *bits, unsigned i)
{
	bits[i / 64] |= 1ull << i % 64;
}

// The first bit from there on, SLOT_COUNT: none.
static inline unsigned bit_next(const uint64_t *bits, unsigned from)
{
	for (unsigned word = from / 64; word < HANDOFF_SLOT_WORDS; word++) {
		uint64_t left = bits[word] & (word == from / 64 ? ~0ull << from % 64 : ~0ull);
		if (left)
			return word * 64 + (unsigned)__builtin_ctzll(left);
	}
	return SLOT_COUNT;
}

static inline bool is_saved(const struct handoff *h)
{
	return h->saved >= h->version;
}

// handoff_leave.c

// A number of a member that is not there and has no slots. @return MEMBERS_MAX: there is none
unsigned handoff_reuse(struct handoff *h);

// handoff.c

// What begins at this offset was written after this moment.
uint64_t handoff_sure_ns(const struct handoff_member *m, uint64_t offset);

// And before this moment; UINT64_MAX: that is not known.
uint64_t handoff_before_ns(const struct handoff_member *m, uint64_t offset);

// What the command at hand has to be later than others': it was written before this, or this wait
// began then.
uint64_t handoff_moment_ns(const struct handoff *h, const struct handoff_at *at);

// Whether the target has answered what a member sent before this offset.
bool handoff_is_answered(const struct handoff *h, unsigned member, uint64_t offset);

// A member cannot go on. @return HANDOFF_WAIT, or HANDOFF_RESYNC once it has lasted too long
enum handoff_verdict handoff_waits(struct handoff *h, const struct handoff_at *at,
				   enum handoff_reason reason, unsigned slot, unsigned other);

void handoff_resync(struct handoff *h, unsigned member, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// handoff_slot.c

void slot_flux_begin(struct handoff *h, unsigned slot, unsigned member);

// A key of a slot in flux changes hands, or may: what was sent of it before would be judged in
// another way now.
void slot_moves(struct handoff *h, unsigned slot);

// Its keys in flux are forgotten; of copies that lie elsewhere still the members remain, but of the
// former home: a server that lost a slot has deleted what it had while it owned it.
void slot_flux_end(struct handoff *h, unsigned slot, unsigned former);

// Give a slot that is not in flux another home.
void slot_rehome(struct handoff *h, unsigned slot, unsigned member);

// What the target has of a slot is not to be relied on: once it is known who owns the slot, he has
// to be synced anew.
void slot_spoil(struct handoff *h, unsigned slot);

// A member may have a copy of a key that the table does not know of.
void slot_litter(struct handoff *h, unsigned slot, unsigned member);
void slot_litter_gone(struct handoff *h, unsigned slot, unsigned member);

// Whether the copy of a party is gone because its server has lost the slot since it was spoken of:
// who hands a slot over has no keys of it left, and who hears of its loss deletes them.
//
// @param read_ns  its stream was read up to this moment
bool copy_has_left(const struct handoff *h, unsigned slot, const struct handoff_party *p,
		   uint64_t read_ns);

// Whether it may have copies, as its stream or litter tells.
bool slot_has_copies(const struct handoff *h, unsigned slot, unsigned member);

static inline bool slot_has_litter(const struct handoff *h, unsigned slot, unsigned member)
{
	return h->litter[slot] >> member & 1;
}

// Whether what stands there was written after the last full sync of a slot.
enum since {
	SINCE_AFTER,
	SINCE_BEFORE,
	SINCE_ASK,   // it is not known yet
	SINCE_DOUBT, // nobody can know
};
enum since slot_since(const struct handoff *h, const struct handoff_at *at, unsigned slot);

// handoff_settle.c

// Make what the target has of a slot in flux what its owner has, whose stream, like those of all
// others that had a part in it, is past the moment at which he owned it.
//
// @param owned_ns  its home owned it then
// @param read_ns   the owner's stream was read up to this moment, see copy_has_left()
// @return 1, 0: only a full sync of the owner helps, -1: not now
int slot_make_even(struct handoff *h, unsigned slot, unsigned owner, uint64_t owned_ns,
		   uint64_t read_ns);

// The last moment at which its home is known to have owned it.
uint64_t slot_owned_ns(const struct handoff *h, unsigned slot, unsigned home);

// Whether some other member than the home was synced anew since that moment.
bool slot_is_suspect(const struct handoff *h, unsigned slot, uint64_t owned_ns);

// It was given its home then; who was asked before knows nothing of that.
uint64_t slot_home_ns(const struct handoff *h, unsigned slot);

// handoff_command.c

// A key of a snapshot that is another's, as far as was known. @return whether it is to be loaded
bool handoff_import(struct handoff *h, const struct handoff_at *at, struct span key);

// handoff_keys.c
uint64_t key_hash_of(int32_t db, struct span key);
struct handoff_key *key_find(const struct handoff *h, uint64_t hash);

// @return NULL: there is no room
struct handoff_key *key_add(struct handoff *h, unsigned slot, int32_t db, struct span key);
bool keys_have_room(const struct handoff *h, unsigned n);
void keys_drop(struct handoff *h, unsigned slot); // all of a slot

static inline struct handoff_key *key_at(const struct handoff *h, uint32_t number)
{
	return number ? &h->keys[number - 1] : NULL;
}

// @return NULL: it is none of its parties
static inline struct handoff_party *party_find(struct handoff_key *k, unsigned member)
{
	for (unsigned i = 0; i < k->n_parties; i++)
		if (k->parties[i].member == member)
			return &k->parties[i];
	return NULL;
}

// The party of a member, which is added when it is none yet: with a copy, for all that is known.
// One without a copy may have to go for it. @return NULL: there is no room
struct handoff_party *party_of(struct handoff *h, struct handoff_key *k, unsigned member);

// handoff_look.c

// What a key says to a command on it.
enum look {
	LOOK_SEND,
	LOOK_SKIP,
	LOOK_ENTER, // the target gets this member's copy from here on
	LOOK_ASK,   // whether it was written before the last full sync of the slot is not known yet
};

struct call {
	const struct handoff_at *at;
	const struct command *c;
	unsigned slot;
	uint64_t carried; // see task_carries()
	bool states;      // it carries the whole state of its key
	bool arrives;     // .. and the key comes from elsewhere
	bool deletes;     // it does nothing but delete its keys
	bool again;       // it was judged before, and is read again
};

static inline bool is_deletion(const struct command *c)
{
	return c && c->class == CLASS_DELKEY && c->scope != SCOPE_CROSS_DB && c->rewrite == 0;
}

static inline bool is_import(const struct command *c)
{
	return c && !strcmp(c->name, "RESTORE-ASKING");
}

struct call call_of(const struct handoff *h, const struct handoff_at *at, const struct command *c,
		    unsigned slot);
enum look key_look(const struct handoff *h, const struct call *call, struct span key);

// What a command makes known of one of its keys.
//
// @param sent  it reaches the target
// @return false: no memory
bool key_take(struct handoff *h, const struct call *call, struct span key, enum look look,
	      bool sent);

// handoff_task.c

// Whether the command stands within a task of its member, and is to be skipped.
bool task_covers(const struct handoff *h, const struct handoff_at *at, unsigned slot);
// Where the task began, + 1, that brings the slot's keys by commands; 0: none does.
uint64_t task_carries(const struct handoff *h, const struct handoff_at *at, unsigned slot);
// Whether a task of the member, or of anybody, is on that has the slot.
bool task_takes(const struct handoff *h, unsigned member, unsigned slot);
bool task_is_active(const struct handoff *h, unsigned slot);

// What a stream tells of a task.
struct told {
	struct span name, from;
	uint64_t slots[HANDOFF_SLOT_WORDS];
	bool has_slots, by_keys;
};

// It begins, or is told of once more. @return HANDOFF_SKIP, HANDOFF_WAIT or HANDOFF_RESYNC
enum handoff_verdict task_begin(struct handoff *h, const struct handoff_at *at,
				const struct told *told);
enum handoff_verdict task_ends(struct handoff *h, const struct handoff_at *at,
			       const struct told *told, bool success);
void task_in_snapshot(struct handoff *h, const struct handoff_at *at, const struct told *told);

// A stream that takes in a slot which it owns, as far as we know, has lost it before.
//
// @param trims  TRIMSLOTS says so. Else it may have lost it key by key, or without any, and may get
//               it back like that, without a word
void losses_note(struct handoff *h, const struct handoff_at *at, const uint64_t *slots, bool trims);
