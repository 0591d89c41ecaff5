// SPDX-License-Identifier: BSD-3-Clause
// lab_run(): the next event of a wire, a timer or an application -> the ends' steps
#include "tests/sim/lab_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_AT_ONCE 100000 // more without time going on is a loop without end

void lab_fail(struct lab *l, const char *format, ...)
{
	va_list args;

	if (l->error[0])
		return;
	int n = snprintf(l->error, sizeof(l->error),
			 "at %.6f s: ", (double)(l->now_ns - l->set.begin_ns) / 1e9);
	va_start(args, format);
	vsnprintf(l->error + n, sizeof(l->error) - (size_t)n, format, args);
	va_end(args);
}

const uint8_t *pattern_at(const struct lab *l, unsigned flow, unsigned end, uint64_t at)
{
	return l->pattern + (at + flow * 9973u + end * 4999u) % PATTERN_LEN;
}

static bool make_pattern(struct lab *l)
{
	uint64_t z = 1;

	l->pattern = malloc(2 * PATTERN_LEN);
	if (!l->pattern)
		return false;
	for (unsigned i = 0; i < PATTERN_LEN; i++) {
		z = z * 6364136223846793005u + 1442695040888963407u;
		l->pattern[i] = l->pattern[PATTERN_LEN + i] = (uint8_t)(z >> 56);
	}
	return true;
}

static void tell_too_big(void *owner, const uint8_t *frame, uint32_t len, uint16_t mtu)
{
	struct wire_owner *o = owner;

	if (o->lab->set.tells_too_big)
		o->lab->ops->too_big(o->lab, o->end, frame, len, mtu);
}

static struct wire *new_wire(struct lab *l, unsigned end)
{
	struct wire_settings set = l->set.wire[end];
	struct wire *w;

	for (unsigned i = 0; i < set.n_steps; i++)
		set.steps[i].at_ns += l->set.begin_ns;
	for (unsigned i = 0; i < set.n_downs; i++) {
		set.downs[i].from_ns += l->set.begin_ns;
		set.downs[i].to_ns += l->set.begin_ns;
	}
	l->owner[end] = (struct wire_owner){.lab = l, .end = end};
	set.owner = &l->owner[end];
	set.too_big = tell_too_big;
	if (!l->set.is_blind || l->pcap[end])
		set.tap = watch_tap;
	if (!l->set.is_blind)
		set.match = watch_match;
	return wire_new(&set, l->set.seed * 2 + end, &w) == 0 ? w : NULL;
}

static bool open_end(struct lab *l, unsigned end)
{
	char path[4096];

	if (l->set.pcap) {
		snprintf(path, sizeof(path), "%s-%c.pcap", l->set.pcap, "ab"[end]);
		l->pcap[end] = pcap_new(path);
		if (!l->pcap[end])
			return false;
	}
	l->wire[end] = new_wire(l, end);
	return l->wire[end];
}

struct lab *lab_new(const struct lab_settings *set)
{
	struct lab *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->set = *set;
	if (!l->set.mtu)
		l->set.mtu = 1500;
	l->ops = set->level == LAB_STACK ? &lab_stack : &lab_bare;
	l->now_ns = set->begin_ns;
	if (!make_pattern(l) || !open_end(l, 0) || !open_end(l, 1) || l->ops->new (l, 0) ||
	    l->ops->new (l, 1)) {
		lab_free(l);
		return NULL;
	}
	return l;
}

void lab_free(struct lab *l)
{
	if (!l)
		return;
	for (unsigned end = 0; end < 2; end++)
		l->ops->free(l, end);
	for (unsigned end = 0; end < 2; end++) {
		wire_free(l->wire[end]);
		pcap_free(l->pcap[end]);
	}
	free(l->pattern);
	free(l);
}

int lab_connect(struct lab *l, const struct lab_app apps[2], uint64_t at_ns)
{
	if (l->n_flows == LAB_FLOWS_MAX)
		return -ENOBUFS;
	struct lab_flow *f = &l->flows[l->n_flows];
	*f = (struct lab_flow){.open_ns = l->set.begin_ns + at_ns};
	for (unsigned end = 0; end < 2; end++)
		f->sides[end] = (struct side){
			.flow = l->n_flows, .end = end, .app = apps[end], .too_big_ns = LAB_NEVER};
	return (int)l->n_flows++;
}

static void begin_flows(struct lab *l)
{
	for (unsigned i = 0; i < l->n_flows; i++) {
		struct lab_flow *f = &l->flows[i];
		if (f->is_begun || f->open_ns > l->now_ns)
			continue;
		f->is_begun = true;
		int rc = l->ops->open(l, &f->sides[0]);
		if (rc)
			lab_fail(l, "flow %u does not open: %s", i, strerror(-rc));
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_event(struct lab *l)
{
	uint64_t at_ns = LAB_NEVER;

	for (unsigned end = 0; end < 2; end++) {
		at_ns = earlier(at_ns, wire_deadline(l->wire[end]));
		at_ns = earlier(at_ns, l->ops->deadline(l, end));
	}
	for (unsigned i = 0; i < l->n_flows; i++) {
		const struct lab_flow *f = &l->flows[i];
		if (!f->is_begun)
			at_ns = earlier(at_ns, f->open_ns);
		for (unsigned end = 0; end < 2; end++)
			at_ns = earlier(at_ns, side_deadline(l, &f->sides[end]));
	}
	return at_ns;
}

bool lab_is_over(const struct lab *l)
{
	for (unsigned i = 0; i < l->n_flows; i++) {
		const struct lab_flow *f = &l->flows[i];
		// A server that never heard of it has nothing to end.
		bool is_server_over = f->sides[1].is_gone || !f->sides[1].tcp;
		if (!f->sides[0].is_gone || !is_server_over)
			return false;
	}
	return true;
}

// No timer runs though a connection is there.
static void fail_stuck(struct lab *l)
{
	for (unsigned i = 0; i < 2 * l->n_flows; i++) {
		const struct side *s = &l->flows[i / 2].sides[i % 2];
		if (s->tcp)
			lab_fail(l,
				 "flow %u end %u waits for nothing, state %d: %llu written, %llu "
				 "read, %zu readable%s%s%s%s",
				 i / 2, i % 2, tcp_state(s->tcp), (unsigned long long)s->sent,
				 (unsigned long long)s->received, tcp_readable(s->tcp),
				 s->can_write ? ", may write" : "", s->can_read ? ", may read" : "",
				 s->is_ended ? ", ended" : "", s->is_closed ? ", closed" : "");
	}
	lab_fail(l, "nobody waits for anything");
}

static void step(struct lab *l)
{
	begin_flows(l);
	for (unsigned end = 0; end < 2; end++) {
		bool did = l->ops->step(l, end);
		l->n_steps++;
		*(did ? &l->n_busy : &l->n_idle) += 1;
	}
	// Two ends take a step an event, and one of them mostly has nothing to do in it. More idle
	// ones come from timers that run out for nothing.
	if (l->n_idle > 4 * l->n_busy + 1000)
		lab_fail(l, "%llu idle steps beside %llu with work", (unsigned long long)l->n_idle,
			 (unsigned long long)l->n_busy);
}

const char *lab_run(struct lab *l, uint64_t for_ns)
{
	uint64_t end_ns = l->set.begin_ns + for_ns;
	unsigned n_at_once = 0;

	while (!l->error[0] && !lab_is_over(l)) {
		uint64_t at_ns = next_event(l);
		if (at_ns == LAB_NEVER) {
			fail_stuck(l);
			break;
		}
		if (at_ns > end_ns) {
			l->now_ns = end_ns;
			break;
		}
		n_at_once = at_ns > l->now_ns ? 0 : n_at_once + 1;
		if (n_at_once > STEPS_AT_ONCE)
			lab_fail(l, "time stands still");
		if (at_ns > l->now_ns)
			l->now_ns = at_ns;
		step(l);
	}
	return l->error[0] ? l->error : NULL;
}

uint64_t lab_now(const struct lab *l)
{
	return l->now_ns - l->set.begin_ns;
}

uint64_t lab_received(const struct lab *l, unsigned flow, unsigned end)
{
	return l->flows[flow].sides[end].received;
}

bool lab_is_complete(const struct lab *l, unsigned flow, unsigned end)
{
	const struct lab_flow *f = &l->flows[flow];

	return f->sides[end].is_ended && !f->sides[end].error &&
	       f->sides[end].received == f->sides[!end].app.send;
}

bool lab_was_open(const struct lab *l, unsigned flow, unsigned end)
{
	return l->flows[flow].sides[end].is_opened;
}

int lab_error(const struct lab *l, unsigned flow, unsigned end)
{
	return l->flows[flow].sides[end].error;
}

uint64_t lab_gone_ns(const struct lab *l, unsigned flow, unsigned end)
{
	const struct side *s = &l->flows[flow].sides[end];

	return s->is_gone ? s->gone_ns - l->set.begin_ns : 0;
}

struct tcp *lab_tcp(const struct lab *l, unsigned flow, unsigned end)
{
	return l->flows[flow].sides[end].tcp;
}

struct wire *lab_wire(const struct lab *l, unsigned end)
{
	return l->wire[end];
}

uint64_t lab_segments(const struct lab *l, unsigned end)
{
	return l->n_segments[end];
}

bool lab_first_numbers(const struct lab *l, unsigned flow, unsigned end, uint32_t *seq,
		       uint32_t *time)
{
	const struct watched *w = &l->flows[flow].watched[end];

	*seq = w->first.v;
	*time = w->first_time;
	return w->has_syn;
}
