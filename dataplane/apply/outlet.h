// SPDX-License-Identifier: BSD-3-Clause
// An outlet: one connection of a cluster lane to one node.
//
//   CLOSED --time--> CONNECTING --open--> HELLO --replies--> CHECK --epoch--> READY
//     ^                  |                  |                  |                |
//     +------------------+-------------- error, end ----------+----------------+
//
//   units [head ........ staged ........ tail)
//          on their way     not composed yet
//
// HELLO asks who the node is and closes the connection that we had there before, so that nothing of
// it can still run. CHECK waits until the node that has the link's epoch has told that it is ours.
// Units are composed into text, or for large ones into references to where their bytes lie, as fast
// as the connection takes them.
#pragma once

#include "dataplane/apply/inbox.h"
#include "drivers/memory.h"
#include "drivers/stream.h"
#include "parsers/cluster.h"
#include "parsers/resp.h"
#include "parsers/server_version.h"

#define UNITS_MAX       8192 // of one outlet; a power of two
#define OUTLET_NONE     255
#define OUTLET_TEXT_LEN (64 * 1024)
#define OUTLET_PARTS    64
#define OUTLET_RUN_ID   41

enum unit_kind {
	UNIT_PLAIN,       // one command of a batch
	UNIT_TRANSACTION, // several of one slot
	// Ours, of a slot.
	UNIT_CLEAR,       // DEL marker, claim
	UNIT_READ_MARKER, // GET, as the lane opens
	UNIT_READ_CLAIM,
	UNIT_LOOK, // GET marker: was the transaction behind it carried out?
	UNIT_EPOCH_GET,
	UNIT_EPOCH_DRAW,
	// Ours, of a node.
	UNIT_EVERY, // the command at the gate
	UNIT_CLAIM,
	UNIT_CHECK, // GET epoch: has a later life taken the target over?
	UNIT_LIST,  // CLIENT LIST
	UNIT_KILL,  // CLIENT KILL ID `number`
};

enum unit_flags {
	UNIT_FENCED = 1, // must not run twice
	UNIT_MARKED = 2, // goes in a transaction with the slot's marker
	UNIT_MORE = 4,   // the next one stands in the same transaction
	UNIT_ASKING = 8, // sent after ASKING
	UNIT_AGAIN = 16, // was sent before
};

struct unit {
	union {
		struct {
			uint32_t item, n_items; // of the batch
		};
		uint64_t number;
	};
	uint16_t slot;
	uint8_t kind, flags;
	uint8_t handle; // of the batch
};

enum outlet_state {
	OUTLET_CLOSED,
	OUTLET_CONNECTING,
	OUTLET_HELLO,
	OUTLET_CHECK,
	OUTLET_READY,
};

// Which reply comes next, of the unit at the head or the transaction that begins there.
enum answer_stage {
	ANSWER_FIRST,
	ANSWER_ASKING,
	ANSWER_MULTI,
	ANSWER_QUEUED,
	ANSWER_EXEC,
	ANSWER_ELEMENTS,
	ANSWER_ALONE,
};

// What is being composed.
enum stage_part { STAGE_HEAD, STAGE_BYTES, STAGE_TAIL };

struct cluster_lane;

struct outlet {
	struct cluster_lane *cluster;
	uint8_t index;
	char id[CLUSTER_ID_LEN + 1];
	char host[CLUSTER_HOST_LEN];
	uint16_t port;
	enum outlet_state state;
	struct stream *stream;
	struct unit units[UNITS_MAX];
	uint32_t head, staged, tail; // free-running; staged: begun to be composed

	// Answers.
	enum answer_stage stage;
	uint32_t n_seen, n_queued;
	bool refused; // the transaction at the head
	char refusal[200];
	struct inbox inbox;

	// What is on its way into the stream.
	char text[OUTLET_TEXT_LEN];
	size_t n_text;
	struct iovec parts[OUTLET_PARTS];
	unsigned part, n_parts;  // the first that is not wholly written, and all
	bool refers;             // one of them lies outside of text
	enum stage_part at_part; // of the unit that is composed: staged - 1
	bool composing;
	size_t at_byte; // of its bytes
	bool in_transaction;
	const struct batch *seen; // where its bytes were found last
	uint64_t seen_seq, seen_begin;
	unsigned seen_segment;

	// Handshake.
	struct resp_replies *hello;
	unsigned hello_step, n_hellos;
	uint64_t check_from_ns; // the epoch has to be looked at after this, 0: it was
	uint64_t check_sent_ns, check_stands_ns; // by the one that has it
	char run_id[OUTLET_RUN_ID];              // of the process at hand
	char open_run_id[OUTLET_RUN_ID];         // of the one that we wrote to
	uint64_t client_id, old_client_id;
	char old_run_id[OUTLET_RUN_ID]; // of the process that knew old_client_id
	struct server_version version;
	uint64_t n_keys;
	unsigned n_strangers; // connections of former lives, when we came
	bool fenced;          // they were closed
	unsigned n_kills;     // on their way
	uint64_t retry_at_ns, backoff_ns, since_ns, hello_deadline_ns;
	uint64_t poke_at_ns; // the map is looked at then, while it is away

	// Claims.
	uint16_t claim_slot; // the last one that carried it
	bool claim_flies;
	uint64_t claim_sent, claim_stands; // see cluster_lane.low_claim
	uint64_t claim_low;                // offset of the one that stands
	uint64_t claim_sent_low;
	uint64_t claim_at_ns;    // when the last one went
	uint64_t claim_after_ns; // the next one not before, when it was refused
	unsigned n_in_range;     // slots of the lane that the node owns
	uint64_t owned;          // digest of all that it owns, see slot_marker.h
	bool needed;             // somebody has business there
	uint32_t n_every;        // commands in the transaction of UNIT_EVERY
	uint64_t every_at_ns;    // not before, when it was refused
	bool every_done;         // it has carried out what stands at the gate
	bool every_flies;
};

struct outlet *outlet_new(struct cluster_lane *c, uint8_t index, const struct cluster_node *node);
void outlet_free(struct outlet *o);

// Connect, greet, send, receive: what can be done now.
void outlet_turn(struct outlet *o, uint64_t *deadline_ns);
void outlet_close(struct outlet *o);

// Send what has been given to it, as far as the connection takes it.
void outlet_send(struct outlet *o);

// Lost, or cannot be had: try again after a pause that grows.
void outlet_back_off(struct outlet *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// Give it a unit; there is room, and it is ready.
void outlet_push(struct outlet *o, struct unit u);

static inline bool outlet_is_ready(const struct outlet *o)
{
	return o->state == OUTLET_READY;
}

// Room for so much text, which is copied, or for one reference.
static inline bool outlet_has_room(const struct outlet *o, size_t len)
{
	return o->n_text + len <= OUTLET_TEXT_LEN && o->n_parts < OUTLET_PARTS;
}

void outlet_copy(struct outlet *o, const char *p, size_t len);
void outlet_refer(struct outlet *o, const char *p, size_t len);

// outlet_hello.c
void outlet_hello_begin(struct outlet *o);
void outlet_hello_replies(struct outlet *o);
// Whether nobody has replaced us: then it is ready.
void outlet_check(struct outlet *o);
// The answer to UNIT_CHECK.
void outlet_check_take(struct outlet *o, char type, struct span text);
