// SPDX-License-Identifier: BSD-3-Clause
// A lane: one ordered writer to the target, with a connection of its own, on one core.
//
//   to_lane -> queue -> lane_send() -> target -> lane_replies() -> from_lane
//
//   CLOSED --time--> CONNECTING --open--> HELLO --replies--> [FENCE] --> MARKER --reply--> READY
//     ^                  |                  |                              |                 |
//     +------------------+---- error, peer's end, refusal -----------------+-----------------+
//
// HELLO asks who the server is. FENCE, of the first lane whenever it was told to open, closes the
// connections of former lives of this link (the first time) and reads all markers. MARKER closes
// the connection that this lane had before, so that nothing of it can still run, and then reads the
// lane's own marker: what the target holds is not sent again.
#pragma once

#include "dataplane/apply/batch.h"
#include "dataplane/apply/inbox.h"
#include "dataplane/apply/marker.h"
#include "dataplane/apply/park.h"
#include "dataplane/apply/relief.h"
#include "dataplane/core/core.h"
#include "dataplane/core/ring.h"
#include "dataplane/topology/whereabouts.h"
#include "parsers/reply.h"
#include "parsers/resp.h"
#include "parsers/server_version.h"

#define LANE_BATCHES    64 // batches of one lane; a power of two
#define LANE_RUN_ID_LEN 41

enum lane_state { LANE_CLOSED, LANE_CONNECTING, LANE_HELLO, LANE_FENCE, LANE_MARKER, LANE_READY };

// Which reply comes next.
enum lane_stage {
	STAGE_FIRST, // of the batch at hand, whichever form it has
	STAGE_MULTI,
	STAGE_QUEUED,
	STAGE_EXEC,
	STAGE_ELEMENTS,
	STAGE_MEMORY, // INFO behind a framed batch
	STAGE_PLAIN,
};

// What a lane wants from its link when it cannot go on.
enum lane_verdict {
	LANE_FINE,
	LANE_FAIL,   // the link ends with `error` and `text`
	LANE_RESYNC, // the target is not what it was: full sync, `text` says why
	LANE_LOOK,   // the target may hold less than it had answered: its markers have to be read
		     // again
};

// A marker in the target and the slots that it covers. It may stem from a life with another number
// of lanes.
struct lane_found {
	struct marker marker;
	unsigned first_slot, last_slot;
	// In a cluster:
	bool of_slot;     // it tells what the slot holds, but not where a command begins
	uint16_t node;    // it speaks of slots that this one owns, as of lane.found_owner
	uint64_t owned;   // digest of those that it owned then
	bool astray;      // it owns others now
};

struct cluster_lane;

// How near the target is to its maxmemory, see caution.c.
struct caution {
	bool is_near;
	uint64_t until_ns;   // it refused for its memory not long before
	uint64_t asked_ns;   // when we asked last
	uint64_t answered_ns;
	uint64_t sent_bytes; // what we had sent when it answered
};

struct lane {
	// Constant while the link runs.
	unsigned index, n_lanes;
	struct lane *all;                // the lanes of the link
	const struct link_config *config;
	struct lane_counters *counters;
	struct core *core;               // runs this lane
	struct core *home;               // routes
	struct park *park;
	struct batch *pool;              // LANE_BATCHES
	uint64_t run;                    // number of this life of the link
	char marker_key[MARKER_KEY_LEN];
	struct span marker_key_span;
	struct ring to_lane, from_lane;

	// Between the cores.
	_Atomic uint64_t done_seq
		__attribute__((aligned(64))); // writer: lane. all up to it are answered
	_Atomic uint64_t marked_seq; // writer: lane. markers in the target cover all up to it
	_Atomic uint64_t low; // writer: lane. of a cluster: the offset that they tell, which holds
			      // the frontier back; UINT64_MAX: nothing was sent yet
	_Atomic uint64_t waiters; // lanes that wait for done_seq: they set their bit, we clear
	_Atomic uint32_t state;          // enum lane_state; writer: lane
	_Atomic uint32_t verdict; // enum lane_verdict; writer: lane, once error and text are set
	_Atomic uint32_t generation;     // writer: lane. the wish it has carried out
	_Atomic uint32_t spoilt; // writers: lane sets it with LANE_RESYNC, home clears it as the
				 // full sync begins
	struct shared_text waiting;      // writer: lane. what it waits for, "" when nothing
	_Atomic uint64_t wait_deadline_ms;
	_Atomic uint32_t wish __attribute__((aligned(64))); // writer: home. generation << 1 | open
	_Atomic uint32_t phase_snapshot; // writer: home. 1 while a snapshot is loaded
	_Atomic uint64_t again_until; // writer: home. what begins before it a former life may have
				      // sent; of a cluster, where that goes again

	// Written by the lane before `verdict` or LANE_READY, read by the home after.
	enum error_id error;
	char text[TEXT_LEN];
	struct lane_found *found; // lane 0: all markers, as of the first READY of the wish; owned
	unsigned n_found;
	uint16_t *found_owner; // of a cluster: SLOT_COUNT numbers of nodes; owned; else NULL
	_Atomic uint64_t server;         // the process at hand, as a hash of its run id
	_Atomic uint64_t found_server;   // lane 0: the process in which they were found
	_Atomic uint64_t
		epoch; // lane 0: of this life, read by the others; 0 when the target does not tell
	struct server_version version;   // of the server at hand
	_Atomic uint32_t release;        // the same as a number, see lane_release()
	uint64_t n_keys;                 // keys in the target at the first READY of the wish

	// The lane's core only.
	struct cluster_lane *cluster;    // the target is a cluster; NULL: one server
	struct seek seek;                // where the target is; given by the owner before it runs
	bool seeks;                      // that is being asked
	struct stream *stream;
	uint32_t queue[LANE_BATCHES];    // ring of handles: oldest unanswered first
	unsigned head, n_queued, n_sent; // n_sent: begun to be sent; the last one perhaps in part
	unsigned send_place;             // the first of them that is not wholly written
	unsigned send_part;              // of that: 0 prefix, 1.. segments, last: suffix
	size_t send_at;                  // bytes of that part gone
	size_t forgotten;                // bytes of its file that are sent and out of our memory
	uint64_t inflight_commands, inflight_bytes;
	enum lane_stage stage;
	uint32_t n_seen;                 // replies of this stage so far
	uint32_t n_parked;               // of the batch at hand
	bool refused;                    // a batch of those in flight was refused as a whole
	bool refused_here;               // the batch at hand
	bool refused_safe;               // all from the refused one on may be sent again in order
	bool applied_after;              // one behind the refused one was applied
	unsigned n_refused_from;         // place in the queue of the first refused one
	unsigned n_passed;               // batches answered behind it, kept in the queue
	bool multi_refused; // of the batch at hand: what follows it is refused, or runs alone
	char refusal[TEXT_LEN];
	struct relief relief;            // of a target that is out of memory
	struct caution caution;
	uint64_t torn_seq;               // it took batches up to here but refused one before: the
					 // marker says too much, until they were all answered again
	struct inbox inbox;              // replies that are not whole yet
	struct resp_replies *hello;      // replies of the handshake
	unsigned hello_step;
	unsigned n_hellos;               // connections so far
	char run_id[LANE_RUN_ID_LEN];    // of the server at hand
	char open_run_id[LANE_RUN_ID_LEN]; // of the server that we wrote to last
	bool restarted;                  // the server at hand is another process than that
	bool opened;                     // READY was reached since the wish
	uint32_t open_release;           // of the server that we wrote to last
	bool was_marked;                 // a life of this link has drawn an epoch here before
	bool is_replica, is_cluster, was_ready;
	_Atomic uint64_t client_id;      // read by other lanes that write our marker
	uint64_t old_client_id;
	uint64_t framed_done_seq;        // last answered batch of each form
	uint64_t plain_done_seq;
	uint64_t retry_at_ns, backoff_ns, waiting_since_ns, wait_limit_ns;
	uint64_t hello_deadline_ns;
	struct clock_reading now;
};

// Prepare a lane. The config, pool sizes and core are constant from here on.
//
// @param l  zeroed memory
// @return 0, or -ENOMEM
int lane_init(struct lane *l, unsigned index, unsigned n_lanes, struct lane *all,
	      const struct link_config *config, struct lane_counters *counters, struct core *core,
	      struct core *home, struct park *park, uint64_t run);
void lane_fini(struct lane *l);

// The task of the lane's core. See task_turn.
bool lane_turn(void *lane, const struct clock_reading *now, uint64_t *deadline_ns);

// ---- Called by the home core

// Drop the connection and give every batch back; then open again, or stay closed. Done once
// lane_settled().
void lane_wish(struct lane *l, bool open);
bool lane_settled(const struct lane *l);

// Hand a closed batch over.
void lane_push(struct lane *l, uint32_t handle);

// The release of the server at hand, from any core; its text is left empty.
struct server_version lane_release(const struct lane *l);

// ---- Parts of the lane, on its own core

// withheld.c
// Park what the target's release has no words for. Before the batch is sent, so that no crash can
// lose it; after one it may be there twice. @return false: the lane has failed
bool lane_park_withheld(struct lane *l, struct batch *b);

// Whether the other lanes have carried out the wish that this one has, and are open: until then
// commands of theirs that nobody waits for may still run, and a marker that was read before them
// says too little.
bool lane_others_opened(struct lane *l);

// lane_hello.c
void lane_hello_begin(struct lane *l);
void lane_hello_replies(struct lane *l);
void lane_hello_turn(struct lane *l); // before the replies: what waits for other lanes

// caution.c
// Whether the next batch shall ask the target how much memory it has left; and that it does.
bool caution_due(const struct lane *l);
void caution_asked(struct lane *l);
void caution_take(struct lane *l, struct span info); // empty: it does not tell
// It has refused a batch for its memory.
void caution_refused(struct lane *l);
// Whether to send one batch at a time.
bool caution_holds(const struct lane *l);

// relief.c
// Look for what has to go to the target by itself, and send it: deletes of the queue, a marker that
// says too much. Nothing else is on its way then, nor sent before the last of it is answered.
//
// @param is_oom  the target wants for memory
void relief_begin(struct lane *l, bool is_oom);
void relief_answered(struct lane *l);
void relief_reset(struct lane *l);

static inline bool relief_is_busy(const struct lane *l)
{
	return l->relief.text != NULL;
}

// lane_send.c
// Whether the lanes that this batch comes after have been answered; if not, they will ring us.
bool lane_dependencies_met(struct lane *l, const struct batch *b);
bool lane_send(struct lane *l); // @return more to write at once
void lane_send_rewind(struct lane *l, unsigned from);

// lane_reply.c
bool lane_replies(struct lane *l);
void lane_replies_reset(struct lane *l);
void lane_batch_done(struct lane *l, bool skipped);
// The oldest batch goes back to the home core, and its commands have their fates.
void lane_hand_back(struct lane *l, uint64_t n_parked, bool skipped);
// Keep a command that was refused for good. @return how many are parked by it; the lane may have
// failed
unsigned lane_item_park(struct lane *l, const struct batch *b, int item, struct span line);
// End the link with a refusal that a person has to mend. @param item  -1: of the batch as a whole
void lane_refused_for_good(struct lane *l, const struct batch *b, int item, enum error_id error,
			   struct span line);

// lane.c
void lane_fail(struct lane *l, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void lane_resync(struct lane *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lane_look(struct lane *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Close, and connect again after a pause that grows; beyond the limit the link fails with `error`.
void lane_back_off(struct lane *l, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// The connection went while batches were on their way: back off.
void lane_lost(struct lane *l, const char *why);
// What kind of failure the stream's is: TLS has a reason of its own.
enum error_id lane_stream_error(const struct lane *l);
void lane_drop(struct lane *l);

static inline struct batch *lane_batch(struct lane *l, unsigned place)
{
	return &l->pool[l->queue[(l->head + place) % LANE_BATCHES]];
}

// What an error reply means.
enum refusal {
	REFUSAL_PARK,  // this command will never be accepted
	REFUSAL_WAIT,  // the server will accept it later
	REFUSAL_MOVE,  // this server will not: connect again and look
	REFUSAL_ABORT, // EXECABORT: an earlier error says why
	REFUSAL_STOP,  // a person has to mend it
};

// @param line   text of the error, without '-'
// @param error  out, for REFUSAL_STOP, REFUSAL_WAIT and REFUSAL_MOVE: the row that fits
enum refusal refusal_of(struct span line, enum error_id *error);
