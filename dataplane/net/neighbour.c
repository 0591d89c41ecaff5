// SPDX-License-Identifier: BSD-3-Clause
//
//               want()                learn()              30 s, in use
//        FREE ---------> INCOMPLETE ---------> REACHABLE ---------------> PROBE
//          ^              |    ^                 |  ^                      | |
//          |   3 unheard  v    | want()          |  +------- learn() ------+ |
//          |             FAILED                  v                           v  3 unheard
//          +------------------------------- 30 s, not used              INCOMPLETE
//
// A gateway is kept up without being used, and asked for each second while it is silent.
#include "dataplane/net/neighbour.h"

#include <assert.h>

#define SECOND_NS    1000000000ull
#define ASK_EVERY_NS SECOND_NS        // RFC 1122, 2.3.2.1; RFC 4861, 10: RETRANS_TIMER
#define ASK_MAX      3                // RFC 4861, 10: MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT
#define KNOWN_NS     (30 * SECOND_NS) // RFC 4861, 10: REACHABLE_TIME
#define NO_FRAME     UINT16_MAX

void neighbours_init(struct neighbours *t)
{
	*t = (struct neighbours){.due_ns = UINT64_MAX};
	for (uint16_t i = 0; i < NEIGHBOUR_HELD_MAX; i++)
		t->held[i].next = i + 1 < NEIGHBOUR_HELD_MAX ? i + 1 : NO_FRAME;
}

static void due_set(struct neighbours *t, struct neighbour *n, uint64_t due_ns)
{
	n->due_ns = due_ns;
	if (due_ns < t->due_ns)
		t->due_ns = due_ns;
}

struct neighbour *neighbour_find(struct neighbours *t, const struct net_address *a)
{
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &t->rows[i];
		if (n->state != NEIGHBOUR_FREE && address_eq(&n->address, a))
			return n;
	}
	return NULL;
}

static void held_drop(struct neighbours *t, struct neighbour *n)
{
	while (neighbour_release(t, n))
		;
}

static void row_free(struct neighbours *t, struct neighbour *n)
{
	held_drop(t, n);
	*n = (struct neighbour){.version = n->version + 1};
}

// A row for a new address: an unused one, else the one used longest ago.
static struct neighbour *row_take(struct neighbours *t)
{
	struct neighbour *oldest = NULL;
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &t->rows[i];
		if (n->state == NEIGHBOUR_FREE)
			return n;
		if (!n->is_gateway && (!oldest || n->used_ns < oldest->used_ns))
			oldest = n;
	}
	assert(oldest);
	row_free(t, oldest);
	return oldest;
}

// Ask everybody, as soon as the last question lies a second back.
static void ask_begin(struct neighbours *t, struct neighbour *n, uint64_t now_ns)
{
	uint64_t next = n->asked_ns ? n->asked_ns + ASK_EVERY_NS : now_ns;
	n->state = NEIGHBOUR_INCOMPLETE;
	n->n_asked = 0;
	due_set(t, n, next > now_ns ? next : now_ns);
}

struct neighbour *neighbour_want(struct neighbours *t, const struct net_address *a, uint64_t now_ns)
{
	struct neighbour *n = neighbour_find(t, a);
	if (!n) {
		n = row_take(t);
		n->address = *a;
		ask_begin(t, n, now_ns);
	} else if (n->state == NEIGHBOUR_FAILED && !n->is_gateway) {
		ask_begin(t, n, now_ns);
	}
	n->used_ns = now_ns;
	return n;
}

bool neighbour_hold(struct neighbours *t, struct neighbour *n, const struct nic_packet *p)
{
	size_t len = p->head_len;
	for (unsigned i = 0; i < p->n_body; i++)
		len += p->body[i].iov_len;
	uint16_t at = t->free;
	if (len > NEIGHBOUR_HELD_LEN || at == NO_FRAME || n->n_held == NEIGHBOUR_HELD_OF)
		return false;

	struct neighbour_held *h = &t->held[at];
	t->free = h->next;
	h->next = NO_FRAME;
	h->packet = *p;
	memcpy(h->bytes, p->head, p->head_len);
	h->packet.head = h->bytes;
	len = p->head_len;
	for (unsigned i = 0; i < p->n_body; i++) {
		memcpy(h->bytes + len, p->body[i].iov_base, p->body[i].iov_len);
		len += p->body[i].iov_len;
	}
	h->packet.body[0] = (struct iovec){h->bytes + p->head_len, len - p->head_len};
	h->packet.n_body = len > p->head_len;

	if (n->n_held++)
		t->held[n->last].next = at;
	else
		n->first = at;
	n->last = at;
	return true;
}

const struct nic_packet *neighbour_release(struct neighbours *t, struct neighbour *n)
{
	if (!n->n_held)
		return NULL;
	uint16_t at = n->first;
	struct neighbour_held *h = &t->held[at];
	n->first = h->next;
	n->n_held--;
	h->next = t->free;
	t->free = at;
	memcpy(h->bytes, n->mac, MAC_LEN);
	return &h->packet;
}

void neighbour_learn(struct neighbours *t, struct neighbour *n, const uint8_t mac[MAC_LEN],
		     bool is_answer, uint64_t now_ns)
{
	bool is_new = !neighbour_is_usable(n) || memcmp(n->mac, mac, MAC_LEN) != 0;
	if (is_new) {
		memcpy(n->mac, mac, MAC_LEN);
		n->version++;
	}
	if (is_answer) {
		n->state = NEIGHBOUR_REACHABLE;
		n->n_asked = 0;
		n->answer_ns = now_ns;
		due_set(t, n, now_ns + KNOWN_NS);
	} else if (is_new) {
		neighbour_doubt(t, n, now_ns);
	}
}

void neighbour_doubt(struct neighbours *t, struct neighbour *n, uint64_t now_ns)
{
	n->state = NEIGHBOUR_PROBE;
	n->n_asked = 0;
	due_set(t, n, now_ns);
}

static enum neighbour_ask ask_note(struct neighbours *t, struct neighbour *n, uint64_t now_ns,
				   enum neighbour_ask ask)
{
	n->n_asked++;
	n->asked_ns = now_ns;
	due_set(t, n, now_ns + ASK_EVERY_NS);
	return ask;
}

// What a row whose time has come wants.
static enum neighbour_ask row_due(struct neighbours *t, struct neighbour *n, uint64_t now_ns)
{
	switch (n->state) {
	case NEIGHBOUR_REACHABLE:
		if (n->used_ns <= n->answer_ns && !n->is_gateway) {
			row_free(t, n);
			return NEIGHBOUR_NONE;
		}
		neighbour_doubt(t, n, now_ns);
		return ask_note(t, n, now_ns, NEIGHBOUR_ITSELF);
	case NEIGHBOUR_PROBE:
		if (n->n_asked < ASK_MAX)
			return ask_note(t, n, now_ns, NEIGHBOUR_ITSELF);
		n->version++; // whoever sends to it stops
		n->state = NEIGHBOUR_INCOMPLETE;
		n->n_asked = 0;
		return ask_note(t, n, now_ns, NEIGHBOUR_EVERYBODY);
	case NEIGHBOUR_INCOMPLETE:
		if (n->n_asked < ASK_MAX)
			return ask_note(t, n, now_ns, NEIGHBOUR_EVERYBODY);
		n->state = NEIGHBOUR_FAILED;
		due_set(t, n, now_ns + (n->is_gateway ? 0 : KNOWN_NS));
		return NEIGHBOUR_LOST;
	case NEIGHBOUR_FAILED:
		if (n->is_gateway)
			return ask_note(t, n, now_ns, NEIGHBOUR_EVERYBODY);
		row_free(t, n);
		return NEIGHBOUR_NONE;
	default:
		return NEIGHBOUR_NONE;
	}
}

enum neighbour_ask neighbour_next(struct neighbours *t, uint64_t now_ns, struct neighbour **out)
{
	if (now_ns < t->due_ns)
		return NEIGHBOUR_NONE;
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &t->rows[i];
		if (n->state == NEIGHBOUR_FREE || n->due_ns > now_ns)
			continue;
		*out = n;
		enum neighbour_ask ask = row_due(t, n, now_ns);
		if (ask != NEIGHBOUR_NONE)
			return ask;
	}
	t->due_ns = UINT64_MAX;
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		if (t->rows[i].state != NEIGHBOUR_FREE && t->rows[i].due_ns < t->due_ns)
			t->due_ns = t->rows[i].due_ns;
	}
	return NEIGHBOUR_NONE;
}
