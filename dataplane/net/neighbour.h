// SPDX-License-Identifier: BSD-3-Clause
// Who is on our link, and under which MAC: one table for ARP (RFC 826; RFC 1122, 2.3.2) and
// neighbour discovery (RFC 4861, 7.3). It sends nothing: neighbour_next() says what is to be asked.
//
//   neighbour_want() -> neighbour_next() -> the stack asks -> neighbour_learn()
//     -> neighbour_release() of what was held meanwhile
#pragma once

#include "dataplane/net/address.h"
#include "drivers/nic.h"

#define NEIGHBOURS_MAX     128
#define NEIGHBOUR_HELD_MAX 64   // frames that wait for an answer, of all neighbours
#define NEIGHBOUR_HELD_OF  16   // of one of them
#define NEIGHBOUR_HELD_LEN 2048 // bytes of the longest frame that can wait

enum neighbour_state { // RFC 4861, 7.3.2
	NEIGHBOUR_FREE,
	NEIGHBOUR_INCOMPLETE, // asked everybody, no answer yet
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_PROBE,  // its time is nearly over: asked itself; still in use
	NEIGHBOUR_FAILED, // nobody answered
};

struct neighbour {
	struct net_address address;
	uint8_t mac[MAC_LEN];
	uint8_t state;      // enum neighbour_state
	uint8_t n_asked;    // since the last answer
	bool is_gateway;    // is kept up though nobody uses it
	uint8_t n_held;     // frames that wait
	uint32_t version;   // changes with the MAC, with the address and when it stops to be usable
	uint64_t due_ns;    // of the next question, or the end of what we know
	uint64_t used_ns;   // by whom it sends to; any time that is not before the last answer
	uint64_t asked_ns;  // 0: never
	uint64_t answer_ns; // when it was last confirmed
	uint16_t first, last; // of the frames that wait
};

// A frame that waits, its bytes behind it.
struct neighbour_held {
	struct nic_packet packet;
	uint16_t next;
	uint8_t bytes[NEIGHBOUR_HELD_LEN];
};

struct neighbours {
	uint64_t due_ns; // nothing is due before
	uint16_t free;   // first unused frame
	struct neighbour rows[NEIGHBOURS_MAX];
	struct neighbour_held held[NEIGHBOUR_HELD_MAX];
};

enum neighbour_ask {
	NEIGHBOUR_NONE,
	NEIGHBOUR_EVERYBODY, // by broadcast, or to the solicited-node group
	NEIGHBOUR_ITSELF,    // by unicast
	NEIGHBOUR_LOST,      // nobody answered: drop what is held, and tell its senders
};

void neighbours_init(struct neighbours *t);

// @return NULL: not known, nor asked for
struct neighbour *neighbour_find(struct neighbours *t, const struct net_address *a);

// The row of an address that is to be sent to; begins to ask if it is not known. The row that was
// used longest ago gives way when the table is full, gateways never.
struct neighbour *neighbour_want(struct neighbours *t, const struct net_address *a,
				 uint64_t now_ns);

static inline bool neighbour_is_usable(const struct neighbour *n)
{
	return n->state == NEIGHBOUR_REACHABLE || n->state == NEIGHBOUR_PROBE;
}

// Keep a copy of a frame until the neighbour answers.
// @return false: too long, or there is no room; it is dropped
bool neighbour_hold(struct neighbours *t, struct neighbour *n, const struct nic_packet *p);

// The next frame that was held, its target MAC filled in if it is known. It is good until the next
// neighbour_hold(). @return NULL: no more
const struct nic_packet *neighbour_release(struct neighbours *t, struct neighbour *n);

// A neighbour's MAC was heard.
//
// @param is_answer  it answered us, so it also hears us (RFC 4861, 7.3.1)
void neighbour_learn(struct neighbours *t, struct neighbour *n, const uint8_t mac[MAC_LEN],
		     bool is_answer, uint64_t now_ns);

// Something contradicts what we know: ask it again now.
void neighbour_doubt(struct neighbours *t, struct neighbour *n, uint64_t now_ns);

// What is due next. Call until there is none.
enum neighbour_ask neighbour_next(struct neighbours *t, uint64_t now_ns, struct neighbour **out);
