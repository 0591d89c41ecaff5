// SPDX-License-Identifier: BSD-3-Clause
// A device brings a flow's frames to the queue that its hash says. Where that is not the core that
// has the connection, they are copied over:
//
//   - a port that we choose belongs to core port % n_cores (port.h)
//   - what comes to a port that is listened to is handed over from its SYN on, to the core with the
//     fewest connections of those that listen, and remembered; what is forgotten is asked for
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

// The flow of the set that was silent longest is forgotten: the cores are asked for it then.
static void handed_note(struct stack *s, const struct flow_key *key, unsigned core, uint64_t now_ns)
{
	struct handed *set = handed_set(s, key), *oldest = set;
	for (unsigned i = 1; i < HANDED_WAYS; i++) {
		if (set[i].used_ns < oldest->used_ns)
			oldest = &set[i];
	}
	*oldest = (struct handed){*key, (uint16_t)core, now_ns + 1};
}

static bool hand(struct stack *s, unsigned core, const struct received *r, enum steer_why why)
{
	unsigned origin = r->handed ? r->handed->origin : s->set.core;
	bool is_put = steer_put(s->set.steer, s->set.core, core, r->frame, why, origin);
	if (is_put)
		s->c.forwarded_out++;
	else
		s->c.forward_full++;
	return is_put;
}

// A SYN: to the core with the fewest connections, which has one more from now on.
static bool open_away(struct stack *s, const struct received *r, unsigned core,
		      const struct flow_key *key)
{
	if (core == s->set.core)
		return false;
	steer_count(s->set.steer, core, 1); // before it can be taken off there
	if (hand(s, core, r, STEER_OPENS))
		handed_note(s, key, core, r->now_ns);
	else
		steer_count(s->set.steer, core, -1);
	return true;
}

// Not a SYN, to a port that somebody listens to: who has its flow, or nobody?
static bool ask_away(struct stack *s, const struct received *r, uint16_t port)
{
	unsigned origin = r->handed ? r->handed->origin : s->set.core;
	int core = steer_next(s->set.steer, s->set.core, port, origin);
	if (core >= 0)
		hand(s, (unsigned)core, r, STEER_ASKED);
	return core >= 0;
}

bool steer_away(struct stack *s, struct received *r, const struct tcp_segment *seg,
		const struct flow_key *key)
{
	bool opens = (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	unsigned self = s->set.core;
	if (!s->set.steer)
		return false;
	if (r->handed)
		return r->handed->why == STEER_ASKED && ask_away(s, r, seg->target_port);
	int core = handed_find(s, key, r->now_ns);
	if (core < 0) {
		core = steer_listener(s->set.steer, self, seg->target_port,
				      flow_table_hash(&s->table, key));
		if (core >= 0)
			return opens ? open_away(s, r, (unsigned)core, key)
				     : ask_away(s, r, seg->target_port);
	}
	if (core < 0 && port_is_chosen(seg->target_port))
		core = (int)(seg->target_port % s->set.n_cores);
	if (core < 0 || (unsigned)core == self)
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
		if (f->why == STEER_OPENS) // what comes of it counts by itself
			steer_count(s->set.steer, s->set.core, -1);
		frame_input(s, &f->frame, f, now_ns);
	}
}
