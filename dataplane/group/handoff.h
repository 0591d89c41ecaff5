// SPDX-License-Identifier: BSD-3-Clause
// Hand-offs: slots move between the shards of a source cluster while each shard's stream is read by
// itself, with no order between the streams. This decides what of each stream reaches the target.
//
//   handoff_command()  each command of a member -> send, skip, clear its keys first, wait
//   handoff_control()  what servers tell their replicas of moves (SYNCSLOTS, TRIMSLOTS)
//   handoff_settle()   from time to time: moves that are over
//
// A slot has a home: the member whose commands on it go to the target. There are two ways to move.
//
// By tasks (Redis 8.4 CLUSTER MIGRATION): the stream of the new owner shows a task from its begin
// to its end. Between them that stream repeats what the old owner's says, so it is skipped. At its
// end both hold the same: the new owner's stream waits until everything that the old one wrote up
// to then has been answered by the target; then the slots have a new home. The old owner's
// TRIMSLOTS is never sent, but shows that its stream is past the end of the task: of this one, as
// long as no full sync has passed over a part of another stream since the old owner is known to
// have had the slot before that very loss (lost_ns). A task that fails has changed nothing.
//
// By keys (MIGRATE with RESTORE-ASKING; Valkey 9 CLUSTER MIGRATESLOTS, whose old owner sends UNLINK
// of each key, which nothing tells from a client's): a slot is in flux from the first word that
// shows in a stream not of its home, or of a key that comes to its home from elsewhere. Each key of
// it that was spoken of has an entry: its holder, and what is known of the copy of each member.
//
// The slots after it that have the same home are in flux with it: one write to the disk for all of
// them. So is one whose home was seen without it.
//
// Why nothing differs in the end without a full sync. Two things are true at every step:
//
//   1. The target has the holder's copy of the key as it was where the holder's stream was read to
//      (when all that was sent is answered), unless the entry is spoilt or the slot dirty. A key
//      without an entry is held by the home.
//   2. A member that is said to have no copy of a key (party gone; or no party, not the home, and
//      no litter of that member in the slot) has none where its stream was read to.
//
// They hold whatever order the streams are read in, because each step keeps them:
//   - A command of the holder is sent, one of another is skipped; DEL and UNLINK make a copy gone,
//     anything else makes it one that may be there.
//   - Another member becomes the holder only where its whole copy is known: RESTORE carries it, or
//     it has no copy (2), and the key is cleared first. All that others sent to the slot has been
//     answered then, so nothing old comes after it.
//   - A command on keys of several holders is skipped, and the entries of its own are spoilt.
//   - A snapshot shows all copies of its server. Keys that it holds are loaded, entries of which it
//     shows nothing are gone; copies of slots that are not its own are litter, or entries. What was
//     litter before stays it until all of the snapshot was seen.
//   - Snapshots are of the moment at which they are offered, and which slots they are to make right
//     the master says after that. All that its stream says since is read, unless a task skips it: a
//     task that was on then, or ended before the full sync began, makes its slots dirty.
//   - Of two full syncs that claim a slot the later one has it, and loads once the other is over.
//   - A task that ends where the giver is not the home, as far as was known, makes a slot dirty
//     that has entries: what is known of the giver's keys may be of a time when it had got them
//     back. (A home that has lost a slot is not read on before the taker's stream shows that.)
//   - When a slot leaves the table, members that may have copies of its keys keep a bit (litter).
//     Of what its former home had while it owned the slot nothing is left: servers hand over no
//     slot that has keys, and delete what they have of one that they lost.
//   - What a member said last of a key ends before a view that shows it with the slot, and a later
//     one of the same server shows it without: where its stream is past that, its copy is gone. The
//     views of a server that takes a failover's place prove nothing: it may have kept copies.
//   - TRIMSLOTS of a holder that is not the home leaves it nothing: its entries are spoilt.
//   - A crash takes the table: the disk knows which slots were in flux. Those are dirty. It knows
//     of a full sync before its first key is sent; one that was not over begins anew, and what its
//     master does not own any more when it is asked once again is dirty. When full syncs were
//     nobody knows afterwards: each may have passed over what other streams have not shown yet.
//
// A move is over (settled) when the servers themselves say who owns the slot and all streams that
// had a part in it are past that. Key by key then: its holder is the owner, and by (1) all is well;
// or the owner has none (2), and the target's is deleted, answered before anything is forgotten; or
// else the slot is dirty, and a full sync of its owner makes it right. The same is done at the end
// of a task, for the member that gave. What a full sync of a third member has passed over, in which
// he may have had the slot for a while (slot_is_suspect()), makes it dirty, too.
//
// Which of two members' copies is the newer one is a guess where time does not tell, and a wrong
// guess only costs a full sync, by the rule above. Eras are counted for it: with two members the
// home has the even ones, so it mostly does not matter which stream is read first. A third member
// waits until the others are past its moment; of two that wait for one another the one goes on
// whose moment is the earlier one. After a while it has to do: then the copy counts that came last
// to the member which is seen with the slot.
//
// Time. Streams tell none, but INFO tells which offset a server has reached when it is asked. With
// such certificates a command is known to be written after a moment (handoff_sure), and everything
// written before a moment is known to have been answered (handoff_past).
//
// Pure: no input, no output, no clock. Owner: core 0.
#pragma once

#include "dataplane/contract/contract.h"
#include "parsers/commands.h"
#include "parsers/slot.h"

#define HANDOFF_NOBODY     0xff
#define HANDOFF_CERTS      256
#define HANDOFF_RECENT     8
#define HANDOFF_TASKS      32
#define HANDOFF_TASK_NAME  64
#define HANDOFF_PARTIES    4         // members that a key in flux is known of
#define HANDOFF_KEYS_MAX   (1 << 19) // keys in flux
#define HANDOFF_SLOT_WORDS (SLOT_COUNT / 64)
#define HANDOFF_NAME_LEN   16

enum handoff_verdict {
	HANDOFF_SEND,
	HANDOFF_SKIP,   // another stream says it
	HANDOFF_CLEAR,  // DEL of those of its keys that handoff_clears(), then send it
	HANDOFF_PARTS,  // a DEL or UNLINK: of those of its keys that handoff_has()
	HANDOFF_WAIT,   // try again: see struct handoff_wait
	HANDOFF_RESYNC, // only a full sync of this member helps: `why`
};

// Where a command stands.
struct handoff_at {
	unsigned member;
	int32_t db;
	uint64_t begin, end; // of its bytes in the member's stream
};

// What a member waits for.
enum handoff_reason {
	HANDOFF_READY,
	HANDOFF_DISK,    // what a crash must not forget is being written
	HANDOFF_ANSWERS, // the target has to answer what another shard wrote to the slot before
	HANDOFF_PASSING, // another shard's stream has to come up to the hand-over
	HANDOFF_ROOM,    // too many keys are in flux
};

struct handoff_wait {
	enum handoff_reason reason;
	unsigned slot, other; // other: member, or HANDOFF_NOBODY
	uint64_t begin;       // of the command that waits
	uint64_t since_ns;
	uint64_t moment_ns; // it was written before this, or waits since then
};

// Asked and answered at these times, the server had reached this offset.
struct handoff_cert {
	uint64_t asked_ns, answered_ns, offset;
};

// What a member has said of a slot ends there in its stream.
struct handoff_touch {
	uint64_t sent;  // of what reached the target
	uint64_t wrote; // of what did more than delete
};

// A member was seen with a slot, and without it after that; seen_ns 0: it was not.
struct handoff_loss {
	uint64_t owned_ns, seen_ns;
	uint64_t owned_at; // what ends before it in its stream was written before owned_ns
};

struct handoff_member {
	bool here; // it has a stream, or will have one again
	char name[HANDOFF_NAME_LEN];
	struct handoff_cert certs[HANDOFF_CERTS]; // oldest first
	unsigned n_certs;
	struct handoff_cert recent[HANDOFF_RECENT]; // the last ones, answered or not: newest first
	uint64_t routed_ns; // what is written from `routed` on was written after this
	uint64_t past_ns;   // all that was written before this has been answered
	uint64_t frontier;  // answered up to here
	uint64_t judged;    // what begins before it was judged already
	uint64_t task_end;  // of the last task that has ended
	bool clears;        // DELs of ours were sent that no stream tells of
	unsigned n_active;  // of its tasks
	struct handoff_touch *touched; // SLOT_COUNT
	struct handoff_loss *losses;   // SLOT_COUNT: the last one of each
	uint64_t floor_ns;             // what no table knows of was written before this
	struct handoff_wait wait;
	uint64_t in_vain_ns; // it has waited long enough for third ones to be past this
	bool resync; // a full sync is wanted: `why`
	char why[TEXT_LEN];
	// What its own master said, and when it was asked.
	uint64_t view_ns;
	uint64_t node;    // who said it
	uint64_t view_at; // what ends before it in the stream was written before that
	bool loading;
	uint64_t claimed[HANDOFF_SLOT_WORDS];
	uint64_t littered[HANDOFF_SLOT_WORDS]; // it had copies as the full sync began
	uint64_t known;                        // the highest offset of a certificate
	uint64_t old_until;   // what begins before it was written before the last claim
	uint64_t claim_ns;    // of a claim that no view has borne out yet; 0: none
	uint64_t loads_ns;    // the last full sync began
	uint64_t load_version; // .. and may load once this is on disk
	uint64_t moved_until; // what begins before it was judged while slots moved, or before that
	uint64_t owns[HANDOFF_SLOT_WORDS], gives[HANDOFF_SLOT_WORDS], takes[HANDOFF_SLOT_WORDS];
	uint64_t n_skipped, n_taken; // commands, slots; since the group began
};

enum handoff_task_state { TASK_NONE, TASK_ACTIVE, TASK_DONE, TASK_FAILED };

struct handoff_task {
	char name[HANDOFF_TASK_NAME];
	enum handoff_task_state state;
	uint8_t member, from; // from: HANDOFF_NOBODY when it is not known
	bool by_keys;         // its commands are sent, see above
	uint64_t begin, end;  // in the stream of the member
	uint64_t slots[HANDOFF_SLOT_WORDS];
};

// A key in flux.
struct handoff_key {
	uint64_t hash;
	char *name; // owned
	uint32_t name_len;
	int32_t db;
	uint64_t after_ns;  // the holder's last word that did not delete it was written after this
	uint64_t before_ns; // .. and before this
	uint32_t next;      // of its slot, + 1
	uint16_t slot;
	uint16_t gen;   // the newest era
	uint8_t holder; // the member whose copy the target has
	uint8_t n_parties;
	bool spoilt; // the target may have something else than the holder
	struct handoff_party {
		uint64_t at;       // where its last era began, in its stream
		uint64_t spoke_ns; // its last word that did not delete it was written before this
		uint64_t spoke_at; // .. and ends here
		uint16_t era;
		uint8_t member;
		bool cleared; // the era began without a state: what was there had to go
		bool gone;    // it has no copy, as far as its stream was read
		bool told;    // its stream has spoken of it since the slot is in flux
		bool unseen;  // its snapshot is being loaded and has not shown the key
	} parties[HANDOFF_PARTIES];
};

struct handoff {
	struct handoff_member members[MEMBERS_MAX];
	unsigned n_members;
	uint64_t now_ns; // of this turn
	uint64_t wait_ns_max;
	uint64_t third_ns_max; // that a third member of a slot waits for the others
	// Which member a node is of. @return HANDOFF_NOBODY: none
	uint8_t (*member_of)(void *owner, struct span node);
	// DEL of a key that its owner does not have. @return the frontier of the member that says
	// that it has been answered; 0: not now
	uint64_t (*clear)(void *owner, unsigned member, int32_t db, struct span key);
	// Whether all that was sent of a member, DELs of ours too, has been answered.
	bool (*is_idle)(void *owner, unsigned member);
	void *owner;

	uint8_t home[SLOT_COUNT];
	uint8_t flux[SLOT_COUNT];        // bool
	uint8_t dirty[SLOT_COUNT];       // bool: its owner has to be synced anew
	uint64_t parties[SLOT_COUNT];    // of a slot in flux: bit by member
	uint64_t litter[SLOT_COUNT];     // bit by member: it may have copies that no table knows of
	uint64_t since_ns[SLOT_COUNT];   // the last full sync of its home
	uint64_t settled_ns[SLOT_COUNT]; // it was settled: its home owned it then
	uint64_t owned_ns[SLOT_COUNT];   // the home said last that it owns it; or now, see its view
	uint64_t event_ns[SLOT_COUNT];   // something new was learnt of one of its keys
	uint64_t quiet_at[SLOT_COUNT];   // before it was in flux, its home wrote to it up to here
	uint16_t base[SLOT_COUNT];       // era of the home's keys that no table knows of
	uint64_t clear_at[SLOT_COUNT]; // frontier of its owner that the last DEL of ours waits for
	uint64_t lost_at[SLOT_COUNT];  // the home has lost it there, in its own stream; 0: not seen
	uint8_t lost_whole[SLOT_COUNT]; // bool: .. by a task, as TRIMSLOTS tells
	uint64_t lost_ns[SLOT_COUNT];  // .. and owned it then, before that
	uint32_t first_key[SLOT_COUNT]; // + 1
	uint8_t moved[SLOT_COUNT];      // bool: in flux, and keys of it have changed hands
	unsigned n_flux, n_dirty, n_moved;
	uint64_t moves, moves_noted; // times that slots or keys changed hands, see handoff_moves()
	bool astray;       // a slot that is not in flux may be owned by another than its home
	uint64_t flux_ns;  // the last event of all
	uint64_t claim_ns; // the last claim of all
	struct handoff_task tasks[HANDOFF_TASKS];

	struct handoff_key *keys;
	uint32_t *index; // open addressing by hash: number of the key + 1
	unsigned n_keys, keys_max, index_len;
	uint32_t free_key; // + 1
	unsigned n_used;

	uint64_t version; // of what a crash must not forget
	uint64_t saved;   // version that is on disk
	char why[TEXT_LEN];
};

struct handoff *handoff_new(void);
void handoff_free(struct handoff *h);

// A member that is there from now on. @return its number, -ENOSPC: there are too many, or -ENOMEM
int handoff_join(struct handoff *h, const char *name);

// What the map says as the group begins, of slots that no file tells of.
void handoff_home(struct handoff *h, unsigned slot, unsigned member);

// Its stream is at its end for good.
void handoff_leave(struct handoff *h, unsigned member);

// Whether slots are a member's, or on their way from or to it.
bool handoff_holds(const struct handoff *h, unsigned member);

// Its shard is no more. What of its slots is not known to have gone elsewhere is brought by a full
// sync of whoever owns it.
void handoff_forget(struct handoff *h, unsigned member);

// ---- Commands, in the order of the member's stream

// @param c  NULL: unknown
enum handoff_verdict handoff_command(struct handoff *h, const struct handoff_at *at,
				     const struct command *c, const struct span *argv, int argc);

// SYNCSLOTS and TRIMSLOTS, which are never sent. @return HANDOFF_SKIP, HANDOFF_WAIT or
// HANDOFF_RESYNC
enum handoff_verdict handoff_control(struct handoff *h, const struct handoff_at *at,
				     const struct span *argv, int argc);

// After HANDOFF_CLEAR: whether a key has to go first. After HANDOFF_PARTS: whether it is this
// member's.
bool handoff_clears(const struct handoff *h, const struct handoff_at *at, struct span key);
bool handoff_has(const struct handoff *h, const struct handoff_at *at, struct span key);

// ---- Snapshots

// A full sync of a member begins: members[].claimed are the slots that its master owns, see
// handoff_view(). What others say of them counts if it is written later than now, and waits.
void handoff_claim(struct handoff *h, unsigned member);

// Whether the first key may be sent: the target has answered what others sent to these slots, and
// the disk knows that the full sync has begun.
bool handoff_may_load(const struct handoff *h, unsigned member);

// All of it has been answered.
void handoff_loaded(struct handoff *h, unsigned member);

// Whether a key of the snapshot is to be loaded.
bool handoff_loads(struct handoff *h, unsigned member, int32_t db, struct span key,
		   uint64_t offset);

// Whether a key that the target has and the snapshot has not is to be removed.
bool handoff_sweeps(const struct handoff *h, unsigned member, int32_t db, struct span key);

// A task that a snapshot tells of: it began before. @param text  aux field cluster-asm-task
void handoff_snapshot_task(struct handoff *h, unsigned member, struct span text, uint64_t offset);

// ---- What is known of the members

void handoff_certify(struct handoff *h, unsigned member, uint64_t asked_ns, uint64_t offset);

// Offsets are of another history from here on.
void handoff_forget_offsets(struct handoff *h, unsigned member);

// What was sent and has not been answered is given up: the stream is read again.
void handoff_discard(struct handoff *h, unsigned member);

// The target has answered all before this offset.
void handoff_frontier(struct handoff *h, unsigned member, uint64_t frontier);

// The master of a member was asked who owns what.
struct handoff_view {
	uint64_t asked_ns;
	uint64_t node; // a number of the server that spoke of itself, 0: another one spoke of it
	uint64_t owns[HANDOFF_SLOT_WORDS], gives[HANDOFF_SLOT_WORDS], takes[HANDOFF_SLOT_WORDS];
};
void handoff_view(struct handoff *h, unsigned member, const struct handoff_view *view);

// Moves that are over; slots that changed their home without a key. Call it when something new is
// known. What has to be synced anew is told by members[].resync.
void handoff_settle(struct handoff *h);

// Whether slots have moved since this was asked last, or are moving: what was judged until now
// would be judged in another way if it was read again. Full syncs, tasks that fail and slots in
// flux of which nothing has moved do not count.
bool handoff_moves(struct handoff *h);

// A certificate that was asked for after this moment would help somebody on; 0: nothing is waited
// for.
uint64_t handoff_wants_ns(const struct handoff *h, unsigned member);

// A sentence on what a member waits for. @param out  TEXT_LEN bytes; "" when for nothing
void handoff_wait_text(const struct handoff *h, unsigned member, char *out);

// ---- Kept over a crash (handoff_file.c)

#define HANDOFF_FILE         "slots"
#define HANDOFF_FILE_LEN_MAX (4 << 20)

// @param out  out: from malloc(). @return bytes, 0 when out of memory
size_t handoff_text(const struct handoff *h, char **out);

// Before the first member joins. Slots in flux make their members sync anew as they join, and so
// does a full sync that was not over.
// @return 0, -EBADMSG: damaged, nothing was taken; or -ENOMEM
int handoff_parse(struct handoff *h, struct span text);
