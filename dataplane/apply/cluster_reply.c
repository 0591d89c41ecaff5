// SPDX-License-Identifier: BSD-3-Clause
// outlet_replies() -> replies_eat() -> run_eat() | reply_take() -> unit_answered()
//
// Replies come in the order of the units. Of a plain one: [+OK of ASKING] and its reply. Of a
// transaction: [+OK] +OK, +QUEUED for each command inside, then one array with a reply for each.
#include <stdio.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"

#define READS_PER_TURN 8

static struct unit *unit_at(struct outlet *o, uint32_t i)
{
	return &o->units[i % UNITS_MAX];
}

static bool is_transaction(const struct outlet *o, const struct unit *u)
{
	return u->kind == UNIT_TRANSACTION || u->flags & UNIT_MARKED ||
	       (u->kind == UNIT_EVERY && unit_batch(o->cluster, u)->marker_all);
}

static void reply_unexpected(struct outlet *o, const struct reply *r)
{
	int len = r->line.len < 60 ? (int)r->line.len : 60;
	lane_fail(o->cluster->lane, ERROR_REPLY_GARBAGE,
		  "the target's node %s:%u answered '%c%.*s' where that cannot be", o->host,
		  o->port, r->type, len, r->line.p);
}

// ---- Refusals

static void moved(struct outlet *o, unsigned slot, enum cluster_answer answer,
		  const struct cluster_redirect *r)
{
	struct cluster_lane *c = o->cluster;
	uint8_t to;
	if (answer == CLUSTER_MOVED) {
		counter_add(&c->lane->counters->redirects, 1);
		to = map_moved(c, (uint16_t)slot, r);
		slot_refuse(c, slot, WHY_MOVED, to);
	} else {
		counter_add(&c->lane->counters->asks, 1);
		to = map_asked(c, r);
		slot_refuse(c, slot, WHY_ASK, to);
	}
	if (to != OUTLET_NONE)
		c->outlets[to]->needed = true;
}

static void slot_waits(struct outlet *o, unsigned slot, struct span line)
{
	struct cluster_lane *c = o->cluster;
	char what[40] = "commands without a key";
	counter_add(&c->lane->counters->retries, 1);
	if (slot < SLOT_COUNT)
		snprintf(what, sizeof(what), "slot %u", slot);
	wait_show(c, "the target's node %s:%u refuses %s: %.*s", o->host, o->port, what,
		  line.len < 120 ? (int)line.len : 120, line.p);
	slot_refuse(c, slot, WHY_WAIT, OUTLET_NONE);
}

// @return whether the unit goes again later; else it is for us to say what becomes of it
static bool is_refused(struct outlet *o, const struct unit *u, struct span line,
		       enum refusal *refusal, enum error_id *error)
{
	struct cluster_lane *c = o->cluster;
	struct cluster_redirect r;
	struct cluster_asked asked = {o->host, c->lane->config->target.tls};
	enum cluster_answer answer = cluster_error_read(line, &asked, &r);
	*refusal = REFUSAL_WAIT;
	if (answer == CLUSTER_MOVED || answer == CLUSTER_ASK) {
		moved(o, u->slot, answer, &r);
		return true;
	}
	if (answer == CLUSTER_TRYAGAIN) {
		counter_add(&c->lane->counters->asks, 1);
		c->waits[u->slot].asked = true;
		slot_refuse(c, u->slot, WHY_WAIT, OUTLET_NONE);
		return true;
	}
	*refusal = answer == CLUSTER_DOWN ? REFUSAL_WAIT : refusal_of(line, error);
	if (answer == CLUSTER_DOWN || *refusal == REFUSAL_MOVE)
		map_poke(c);
	if (*refusal == REFUSAL_PARK || *refusal == REFUSAL_STOP)
		return false;
	slot_waits(o, u->slot, line);
	return true;
}

// ---- Units of ours

static void own_answered(struct outlet *o, struct unit u, const struct reply *r)
{
	struct cluster_lane *c = o->cluster;
	enum refusal refusal;
	enum error_id error;
	if (u.kind == UNIT_CLAIM) {
		claim_take(c, o, r);
		return;
	}
	if (u.kind >= UNIT_EVERY) {
		if (u.kind == UNIT_CHECK)
			outlet_check_take(o, r->type,
					  (struct span){r->line.p + r->line.len + 2,
							r->type == '$' && r->integer > 0
								? (size_t)r->integer
								: 0});
		else
			open_take(c, o, &u, r);
		return;
	}
	bool taken = r->type != '-';
	if (!taken && !is_refused(o, &u, r->line, &refusal, &error)) {
		lane_refused_for_good(c->lane, NULL, -1, error, r->line);
		return;
	}
	if (taken && c->waits[u.slot].why == WHY_NONE)
		open_take(c, o, &u, r);
	if (o->stream)
		slot_back(c, u, taken);
}

// ---- Units of batches

// Whether a refusal of a command may come of its being sent again: behind what it met the first
// time stood others, which were carried out and change what it finds. They are sent again as well.
static bool is_second_time(const struct cluster_lane *c, const struct unit *u)
{
	const struct batch *b = unit_batch(c, u);
	uint64_t until = atomic_load_explicit(&c->lane->again_until, memory_order_relaxed);
	bool stream = b->marker.phase == MARKER_STREAM;
	return !(u->flags & UNIT_FENCED) &&
	       (u->flags & UNIT_AGAIN || (stream && b->items[u->item].offset < until));
}

static void item_park(struct outlet *o, const struct unit *u, int item, struct span line)
{
	struct cluster_lane *c = o->cluster;
	if (is_second_time(c, u))
		return;
	c->begun[u->handle].n_parked += lane_item_park(c->lane, unit_batch(c, u), item, line);
}

static void plain_answered(struct outlet *o, struct unit u, const struct reply *r)
{
	struct cluster_lane *c = o->cluster;
	enum refusal refusal = REFUSAL_PARK;
	enum error_id error = ERROR_TARGET_REFUSES;
	bool refused = r->type == '-' && is_refused(o, &u, r->line, &refusal, &error);
	if (r->type == '-' && !refused) {
		if (refusal == REFUSAL_STOP)
			lane_refused_for_good(c->lane, unit_batch(c, &u), (int)u.item, error,
					      r->line);
		else if (c->waits[u.slot].why == WHY_NONE)
			item_park(o, &u, (int)u.item, r->line);
	}
	if (o->stream)
		slot_back(c, u, !refused);
}

// ---- Transactions

// The units of the transaction at the head come back, in order.
static void transaction_over(struct outlet *o, bool taken)
{
	struct cluster_lane *c = o->cluster;
	bool more = true;
	o->stage = ANSWER_FIRST;
	while (more && o->stream) {
		struct unit u = *unit_at(o, o->head++);
		more = u.flags & UNIT_MORE;
		if (u.kind == UNIT_EVERY)
			gate_take(c, o, taken);
		else
			slot_back(c, u, taken);
	}
}

static void transaction_begins(struct outlet *o)
{
	const struct unit *u = unit_at(o, o->head);
	o->n_seen = o->n_queued = 0;
	o->refused = false;
	if (u->kind == UNIT_EVERY) {
		o->n_queued = o->n_every;
		return;
	}
	for (uint32_t i = o->head;; i++) {
		u = unit_at(o, i);
		o->n_queued += u->n_items;
		if (!(u->flags & UNIT_MORE))
			break;
	}
	o->n_queued += !!(u->flags & UNIT_MARKED);
}

// The unit that a reply of the transaction belongs to. @param item  out: of its batch, -1: of ours
static const struct unit *unit_of_reply(struct outlet *o, uint32_t n, int *item)
{
	const struct unit *u = unit_at(o, o->head);
	for (uint32_t i = o->head; n >= u->n_items; u = unit_at(o, ++i)) {
		n -= u->n_items;
		if (!(u->flags & UNIT_MORE)) {
			*item = -1;
			return u;
		}
	}
	*item = (int)(u->item + n);
	return u;
}

static void queueing_refused(struct outlet *o, struct span line)
{
	struct cluster_lane *c = o->cluster;
	int item = -1;
	const struct unit *u = o->stage == ANSWER_QUEUED ? unit_of_reply(o, o->n_seen, &item)
							 : unit_at(o, o->head);
	enum refusal refusal;
	enum error_id error = ERROR_TARGET_REFUSES;
	if (o->refused)
		return; // the first error tells
	o->refused = true;
	snprintf(o->refusal, sizeof(o->refusal), "%.*s", (int)line.len, line.p);
	if (u->kind == UNIT_EVERY) { // with its markers, which may be redirected
		struct cluster_redirect r;
		if (cluster_error_read(line, NULL, &r) == CLUSTER_OTHER &&
		    refusal_of(line, &error) == REFUSAL_STOP)
			lane_refused_for_good(c->lane, NULL, -1, error, line);
		return;
	}
	if (!is_refused(o, u, line, &refusal, &error))
		lane_refused_for_good(c->lane, unit_batch(c, u), item, error, line);
}

static void element_refused(struct outlet *o, struct span line)
{
	struct cluster_lane *c = o->cluster;
	int item;
	const struct unit *u = unit_of_reply(o, o->n_seen, &item);
	if (u->kind != UNIT_EVERY && item >= 0 && c->waits[u->slot].why == WHY_NONE)
		item_park(o, u, item, line);
}

static void exec_take(struct outlet *o, const struct reply *r)
{
	if (r->type == '-') {
		queueing_refused(o, r->line);
		if (o->stream)
			transaction_over(o, false);
	} else if (o->refused || r->type != '*' || r->integer != (int64_t)o->n_queued) {
		reply_unexpected(o, r);
	} else {
		o->stage = ANSWER_ELEMENTS;
		o->n_seen = 0;
	}
}

// ---- Replies

static void stage_begin(struct outlet *o)
{
	const struct unit *u = unit_at(o, o->head);
	bool transaction = is_transaction(o, u);
	if (o->stage == ANSWER_FIRST && u->flags & UNIT_ASKING) {
		o->stage = ANSWER_ASKING;
		return;
	}
	o->stage = transaction ? ANSWER_MULTI : ANSWER_ALONE;
	if (transaction)
		transaction_begins(o);
}

static void alone_take(struct outlet *o, const struct reply *r)
{
	struct unit u = *unit_at(o, o->head++);
	o->stage = ANSWER_FIRST;
	if (u.kind == UNIT_PLAIN)
		plain_answered(o, u, r);
	else
		own_answered(o, u, r);
}

static void reply_take(struct outlet *o, const struct reply *r)
{
	bool error = r->type == '-';
	switch (o->stage) {
	case ANSWER_FIRST:
		break;
	case ANSWER_ASKING: // should it be refused, what follows is redirected
		stage_begin(o);
		break;
	case ANSWER_MULTI:
		if (error)
			queueing_refused(o, r->line);
		else if (!span_eq(r->line, SPAN_LIT("OK")))
			reply_unexpected(o, r);
		o->stage = ANSWER_QUEUED;
		break;
	case ANSWER_QUEUED:
		if (error)
			queueing_refused(o, r->line);
		else if (!span_eq(r->line, SPAN_LIT("QUEUED")) && o->refused)
			lane_resync(o->cluster->lane,
				    "the target refused MULTI (%.100s) and ran what follows it",
				    o->refusal);
		else if (!span_eq(r->line, SPAN_LIT("QUEUED")))
			reply_unexpected(o, r);
		if (++o->n_seen == o->n_queued)
			o->stage = ANSWER_EXEC;
		break;
	case ANSWER_EXEC:
		exec_take(o, r);
		break;
	case ANSWER_ELEMENTS:
		if (error)
			element_refused(o, r->line);
		if (++o->n_seen == o->n_queued && o->stream)
			transaction_over(o, true);
		break;
	case ANSWER_ALONE:
		alone_take(o, r);
		break;
	}
}

// Runs of the replies that make nearly all of the traffic, for slots with nothing in their way.
// @return bytes eaten
static size_t run_eat(struct outlet *o, struct span in)
{
	struct cluster_lane *c = o->cluster;
	const char *p = in.p, *end = in.p + in.len;
	for (; o->head != o->staged; o->head++) {
		const struct unit *u = unit_at(o, o->head);
		const char *line;
		if (u->kind != UNIT_PLAIN || u->flags & (UNIT_MARKED | UNIT_ASKING) ||
		    c->slots[u->slot].state != SLOT_OPEN)
			break;
		if (end - p >= 5 && !memcmp(p, "+OK\r\n", 5))
			line = p + 5;
		else if (end - p >= 4 && *p == ':' && p[2] == '\r')
			line = p + 4;
		else
			break;
		c->slots[u->slot].flying--;
		unit_done(c, u);
		p = line;
	}
	return (size_t)(p - in.p);
}

// Take every whole reply. @return bytes eaten
static size_t replies_eat(struct outlet *o, struct span in)
{
	struct lane *l = o->cluster->lane;
	size_t at = 0;
	struct reply r;
	while (o->stream && o->head != o->staged) {
		if (o->stage == ANSWER_FIRST) {
			at += run_eat(o, (struct span){in.p + at, in.len - at});
			if (o->head == o->staged)
				break;
			if (at == in.len)
				return at;
			stage_begin(o);
		}
		struct span rest = {in.p + at, in.len - at};
		enum reply_verdict v =
			o->stage == ANSWER_EXEC ? reply_scan_line(rest, &r) : reply_scan(rest, &r);
		if (v == REPLY_MORE)
			return at;
		if (v == REPLY_BAD) {
			lane_fail(l, ERROR_REPLY_GARBAGE,
				  "the target's node %s:%u sent a reply that is not RESP", o->host,
				  o->port);
			return at;
		}
		at += r.len;
		reply_take(o, &r);
	}
	if (o->stream && at < in.len)
		lane_fail(l, ERROR_REPLY_GARBAGE,
			  "the target's node %s:%u sent a reply that nothing was asked for",
			  o->host, o->port);
	return at;
}

void outlet_replies(struct outlet *o)
{
	struct cluster_lane *c = o->cluster;
	for (int i = 0; i < READS_PER_TURN && o->stream && (o->stream->flags & STREAM_READABLE);
	     i++) {
		size_t len;
		char *at = inbox_space(&o->inbox, &len);
		if (!at) {
			lane_fail(c->lane, ERROR_MEMORY,
				  "a reply of the target is longer than 1 GB");
			return;
		}
		ssize_t n = stream_read(o->stream, at, len);
		if (n == -EAGAIN)
			return;
		c->more = true;
		if (n <= 0) {
			outlet_back_off(o, "the connection to the target's node %s:%u was lost: %s",
					o->host, o->port,
					n ? stream_why(o->stream, (int)-n) : "closed by it");
			return;
		}
		size_t eaten = replies_eat(o, inbox_received(&o->inbox, (size_t)n));
		if (o->stream)
			inbox_eaten(&o->inbox, eaten);
	}
}
