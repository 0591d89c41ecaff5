// SPDX-License-Identifier: BSD-3-Clause
// What the files of a cluster lane share: cluster_lane.c (life and turn), cluster_map.c (who owns
// what), cluster_open.c (epoch, former lives, what the target holds), cluster_send.c (batches to
// units), cluster_slot.c (order), cluster_reply.c (answers), cluster_marker.c (claims), outlet.c
// (one connection).
#pragma once

#include "dataplane/apply/cluster_lane.h"
#include "dataplane/apply/hello.h"
#include "dataplane/apply/outlet.h"
#include "dataplane/apply/slot_marker.h"

#define OUTLETS_MAX 254
#define NOBODY      UINT32_MAX // no unit

// Units of the lane without an answer; the rings have room for a few of our own beside them.
#define UNITS_WINDOW (UNITS_MAX - 2 * OUTLETS_MAX)

// Of commands without a key. They keep their order, as those of a slot.
#define SLOT_KEYLESS SLOT_COUNT
#define SLOTS_ALL    (SLOT_COUNT + 1)

enum slot_state {
	SLOT_SHUT, // units wait; slot_next() says when they go
	SLOT_OPEN, // units go straight to the owner, whose outlet is ready
};

// What each command looks at.
struct slot {
	uint16_t flying; // units on their way
	uint8_t outlet;  // of the owner, OUTLET_NONE: not known
	uint8_t state;   // enum slot_state
};

// How a slot that was shut sends.
enum slot_mode {
	MODE_FLOW,  // as if nothing had been
	MODE_ALONE, // one unit, to the owner; the answer tells how it goes on
	MODE_ASK,   // one unit, to where the owner has sent us
};

// Why something came back.
enum slot_why { WHY_NONE, WHY_WAIT, WHY_ASK, WHY_MOVED };

// What only a slot in trouble looks at.
struct slot_wait {
	uint32_t first, last;           // units that wait, in order
	uint32_t back_first, back_last; // came back, to go before them
	uint64_t fence_seq;             // of the fenced transaction on its way
	uint64_t retry_at_ns, since_ns; // 0: does not wait for time
	uint32_t n_look;                // units of a transaction of which the marker has to tell
	uint8_t why;                    // enum slot_why: of what came back in this round
	uint8_t mode;                   // enum slot_mode
	uint8_t to;                     // outlet that MOVED or ASK named, OUTLET_NONE: not known
	uint8_t n_tries;
	uint8_t n_straight; // taken by the owner in a row, since it last said ASK
	bool asked;         // it has said ASK
	bool listed;        // in `paused`
};

struct queued {
	struct unit unit;
	uint32_t next;
};

// What a marker in the target says of the slots of the node at which it was found.
struct claim {
	struct lane_found found;
	char writer[CLUSTER_ID_LEN + 1]; // the node that it was written to
};

// What is known of a batch that was begun.
struct begun {
	uint32_t n_left;   // units without an answer
	uint32_t n_parked; // commands
	uint64_t claim;    // claims that have to stand before it goes back, 0: any
	bool whole;        // all of its units are known
};

enum open_stage {
	OPEN_CONNECT, // every outlet has to be ready
	OPEN_EPOCH,   // GET epoch
	OPEN_DRAW,    // INCR epoch
	OPEN_FENCE,   // connections of former lives are closed
	OPEN_READ,    // all markers are read
	OPEN_DONE,
};

// Something that concerns every node or slot, before which all has to be answered, and behind which
// nothing is begun until it is over.
enum gate {
	GATE_NONE,
	GATE_DRAIN, // wait for all units
	GATE_EVERY, // a command to every master
	GATE_CLEAR, // remove the markers of all slots
	GATE_CLAIM, // claims have to stand at every node
};

struct cluster_lane {
	struct lane *lane;
	struct cluster_maps maps;
	struct cluster_map *map, *map_next;
	uint64_t map_version;
	uint16_t first_slot, last_slot; // of the lane
	struct outlet *outlets[OUTLETS_MAX];
	unsigned n_outlets;
	struct slot slots[SLOTS_ALL];
	struct slot_wait waits[SLOTS_ALL];
	uint16_t paused[SLOTS_ALL]; // slots that wait for time
	unsigned n_paused;
	uint64_t next_retry_ns;
	struct queued pool[UNITS_MAX];
	uint32_t pool_free;
	struct begun begun[LANE_BATCHES];
	unsigned place;   // in the queue: the batch that units are taken from
	unsigned item;    // the next one of it
	bool in_batch;    // it was begun
	uint32_t n_units; // without an answer
	uint64_t n_bytes; // of batches that were begun
	uint64_t fence_seq;
	bool more;             // to do at once
	bool owners_changed;   // since they were counted
	uint64_t map_since_ns; // there has been no owner of some slot since
	bool is_waiting;       // people were told

	// Claims, cluster_marker.c.
	struct marker low;  // of the last batch before which all are answered
	uint64_t low_claim; // counts its changes; 0: nothing is known yet
	uint64_t low_seq;   // that batch
	bool claim_all;     // for all slots, at all masters
	bool claim_now;     // somebody waits for it

	// What is done before the lane is ready, and gates.
	enum open_stage open;
	enum gate gate;
	bool gate_clears; // behind GATE_DRAIN
	struct unit gate_unit;
	unsigned n_rounds;  // in which every node carried it out at once
	bool every_refused; // by some node, in this round
	unsigned next_slot; // of a walk over all slots
	unsigned n_walk;    // units of it without an answer
	bool walk_claim;    // the next one of the slot is its claim
	unsigned n_strangers;
	struct claim *claims; // that were read; owned
	unsigned n_claims, claims_max;
};

static inline bool is_exactly_once(const struct cluster_lane *c)
{
	return c->lane->config->settings.delivery == DELIVERY_EXACTLY_ONCE;
}

static inline struct batch *unit_batch(const struct cluster_lane *c, const struct unit *u)
{
	return &c->lane->pool[u->handle];
}

// cluster_slot.c

// A unit comes in its turn.
void slot_put(struct cluster_lane *c, struct unit u);
// One came back, taken or not: those that were not taken go again.
void slot_back(struct cluster_lane *c, struct unit u, bool taken);
// It was refused or redirected; slot_back() follows. @param to  outlet, OUTLET_NONE: not known
void slot_refuse(struct cluster_lane *c, unsigned slot, enum slot_why why, uint8_t to);
// Send what may go of a slot that is shut.
void slot_next(struct cluster_lane *c, unsigned slot);
void slot_own(struct cluster_lane *c, unsigned slot, uint8_t outlet);
// Of the transaction that is asked for: it was carried out.
void slot_look_held(struct cluster_lane *c, unsigned slot);
void slots_of_outlet_ready(struct cluster_lane *c, struct outlet *o);
void slots_of_outlet_lost(struct cluster_lane *c, struct outlet *o);
void slots_turn(struct cluster_lane *c, uint64_t *deadline_ns);
void slots_reset(struct cluster_lane *c);

// cluster_map.c
void map_turn(struct cluster_lane *c, uint64_t *deadline_ns);
// The outlet of a node, made when there is none yet. @return OUTLET_NONE: no room, or no memory
uint8_t map_outlet(struct cluster_lane *c, uint16_t node);
// Where MOVED sends us, when that is a master by the map; it owns the slot from now on.
uint8_t map_moved(struct cluster_lane *c, uint16_t slot, const struct cluster_redirect *r);
uint8_t map_asked(struct cluster_lane *c, const struct cluster_redirect *r);
void map_poke(struct cluster_lane *c);
// Whether the node of an outlet is a master that owns slots.
bool map_is_master(const struct cluster_lane *c, const struct outlet *o);
// Whether it is a master at all.
bool map_is_member(const struct cluster_lane *c, const struct outlet *o);
// A node may hold less than it had answered.
void map_look(struct cluster_lane *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// cluster_open.c
void open_turn(struct cluster_lane *c);
void open_take(struct cluster_lane *c, struct outlet *o, const struct unit *u,
	       const struct reply *r);
void gate_turn(struct cluster_lane *c);
// A node has carried out what stands at the gate.
void gate_take(struct cluster_lane *c, struct outlet *o, bool done);
uint16_t epoch_slot(const struct cluster_lane *c);

// cluster_found.c

// A marker that was read. @param u  it was asked for by this
void found_take(struct cluster_lane *c, struct outlet *o, const struct unit *u,
		const struct slot_marker *m);
// That was all of them: lane.found is whole. @return false: no memory, the lane has failed
bool founds_end(struct cluster_lane *c);

// cluster_send.c
void units_turn(struct cluster_lane *c);
// A unit has its fate.
void unit_done(struct cluster_lane *c, const struct unit *u);
void batches_turn(struct cluster_lane *c);
// Compose what the outlet has room for.
void outlet_stage(struct outlet *o);

// cluster_reply.c
void outlet_replies(struct outlet *o);

// cluster_marker.c
void claims_turn(struct cluster_lane *c, uint64_t *deadline_ns);
bool claims_stand(const struct cluster_lane *c, uint64_t claim);
void claim_take(struct cluster_lane *c, struct outlet *o, const struct reply *r);
size_t claim_compose(struct outlet *o, char *at, unsigned slot);
size_t fence_compose(struct outlet *o, const struct unit *last, char *at);
// All of a batch is answered, and all before it.
void low_set(struct cluster_lane *c, const struct batch *b);
// A slot of the node, to carry its claim. @return whether there is one
bool claim_slot_find(struct outlet *o);

// cluster_lane.c
// A slot or node waits, for longer than it may: the lane fails. @return true
bool wait_is_over(struct cluster_lane *c, uint64_t since_ns, const char *why);
void wait_show(struct cluster_lane *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
