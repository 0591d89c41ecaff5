// SPDX-License-Identifier: BSD-3-Clause
// A device brings a flow's frames to the queue that its hash says. Where that is not the core that
// has the connection, they are copied over:
//
//   - a port that we choose belongs to core port % n_cores (port.h)
//   - what comes to a port that others listen to is handed over from its SYN on, and remembered
//   - ARP, ND and ICMP errors go to all: each core has neighbours and paths of its own
#include "dataplane/net/port.h"
#include "dataplane/net/stack_priv.h"
#include "dataplane/net/steer.h"

#define TAKE_MAX 64 // frames of others in one turn

static struct handed *handed_set(struct stack *s, const struct flow_key *key)
{
	return s->handed[flow_table_hash(&s->table, key) % HANDED_SETS];
}

static int handed_find(struct stack *s, const struct flow_key *key, uint64_t now_ns)
{
	struct handed *set = handed_set(s, key);
	for (unsigned i = 0; i < HANDED_WAYS; i++) {
		if (set[i].used_ns && !memcmp(&set[i].key, key, sizeof(*key))) {
			set[i].used_ns = now_ns + 1;
			return set[i].core;
		}
	}
	return -1;
}

// The flow of the set that was silent longest is forgotten: its next segment goes where its SYN
// would go now, which is elsewhere only if more cores have begun to listen.
static void handed_note(struct stack *s, const struct flow_key *key, unsigned core, uint64_t now_ns)
{
	struct handed *set = handed_set(s, key), *oldest = set;
	for (unsigned i = 1; i < HANDED_WAYS; i++) {
		if (set[i].used_ns < oldest->used_ns)
			oldest = &set[i];
	}
	*oldest = (struct handed){*key, (uint16_t)core, now_ns + 1};
}

// @return the core whose it is, -1: nobody else's
static int owner_find(struct stack *s, const struct tcp_segment *seg, const struct flow_key *key,
		      uint64_t now_ns)
{
	bool opens = (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	int core = handed_find(s, key, now_ns);
	if (core >= 0 || listener_find(s, seg->target_port))
		return core;
	core = steer_listener(s->set.steer, seg->target_port, flow_table_hash(&s->table, key));
	if (core >= 0 && opens)
		handed_note(s, key, (unsigned)core, now_ns);
	if (core >= 0)
		return core;
	return port_is_chosen(seg->target_port) ? (int)(seg->target_port % s->set.n_cores) : -1;
}

static void hand(struct stack *s, unsigned core, const struct received *r, enum steer_why why)
{
	if (steer_put(s->set.steer, s->set.core, core, r->frame, why))
		s->c.forwarded_out++;
	else
		s->c.forward_full++;
}

bool steer_away(struct stack *s, struct received *r, const struct tcp_segment *seg,
		const struct flow_key *key)
{
	if (!s->set.steer || r->is_handed)
		return false;
	int core = owner_find(s, seg, key, r->now_ns);
	if (core < 0 || (unsigned)core == s->set.core)
		return false;
	hand(s, (unsigned)core, r, STEER_YOURS);
	return true;
}

void steer_copies(struct stack *s, const struct received *r)
{
	for (unsigned core = 0; s->set.steer && core < s->set.n_cores; core++) {
		if (core != s->set.core)
			hand(s, core, r, STEER_COPY);
	}
}

void steer_input(struct stack *s, uint64_t now_ns)
{
	if (!s->set.steer)
		return;
	for (unsigned i = 0; i < TAKE_MAX; i++) {
		struct steer_frame *f = steer_take(s->set.steer, s->set.core);
		if (!f)
			break;
		s->c.forwarded_in++;
		frame_input(s, &f->frame, f->why == STEER_YOURS, f->why == STEER_COPY, now_ns);
	}
}
