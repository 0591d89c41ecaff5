// SPDX-License-Identifier: BSD-3-Clause
// MULTI -> +QUEUED for each command, its reply kept -> EXEC: all replies at once, and it counts
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/apply/marker.h"
#include "tools/pktgen/pktgen.h"

#define SAY(out, text) bytes_add(out, text, sizeof(text) - 1)

// ---- Markers

// Within one life its batches are numbered; the offset of one stream never goes back.
static bool marker_goes_back(struct span before, struct span after)
{
	struct marker a, b;
	if (marker_parse(&a, before) || marker_parse(&b, after))
		return false; // an epoch
	if (a.run == b.run && b.seq <= a.seq)
		return true;
	return a.phase == b.phase && !strcmp(a.replid, b.replid) && b.offset < a.offset;
}

// What SET said of markers comes to hold, now that its transaction does.
static void markers_keep(struct peer *p)
{
	struct request r;
	for (size_t at = 0; at < p->held.len; at += r.whole.len) {
		request_scan((struct span){p->held.p + at, p->held.len - at}, &r);
		struct span before = store_get(&p->world->store, r.argv[1]);
		if (p->world->o.check && before.p && marker_goes_back(before, r.argv[2]))
			p->queued.marker_faults++;
		store_set(&p->world->store, r.argv[1], r.argv[2]);
		p->queued.markers++;
	}
	p->held.len = 0;
}

// ---- Transactions

void target_commit(struct peer *p)
{
	struct taken *t = &p->world->taken;
	t->commands += p->queued.commands;
	t->transactions += p->queued.transactions;
	t->markers += p->queued.markers;
	t->marker_faults += p->queued.marker_faults;
	t->digest += p->queued.digest;
	p->queued = (struct taken){0};
}

void target_multi(struct peer *p)
{
	p->in_multi = true;
	p->n_queued = 0;
	p->exec.len = p->held.len = 0;
	SAY(&p->out, "+OK\r\n");
}

void target_queued(struct peer *p)
{
	p->n_queued++;
	SAY(&p->out, "+QUEUED\r\n");
}

void target_exec(struct peer *p)
{
	if (!p->in_multi) {
		SAY(&p->out, "-ERR EXEC without MULTI\r\n");
		return;
	}
	bytes_text(&p->out, "*%u\r\n", p->n_queued);
	bytes_add(&p->out, p->exec.p, p->exec.len);
	p->in_multi = false;
	markers_keep(p);
	p->queued.transactions++;
	target_commit(p);
}

void target_discard(struct peer *p)
{
	p->in_multi = false;
	p->queued = (struct taken){0};
	SAY(&p->out, "+OK\r\n");
}

// ---- Commands

static void command_count(struct peer *p, const struct request *r)
{
	p->queued.commands++;
	if (p->world->o.check)
		p->queued.digest += block_digest(r->whole);
}

void target_set(struct peer *p, const struct request *r, struct bytes *out)
{
	if (r->argc < 3) {
		SAY(out, "-ERR wrong number of arguments for 'set' command\r\n");
		return;
	}
	if (marker_is_reserved(r->argv[1])) {
		bytes_add(&p->held, r->whole.p, r->whole.len);
		if (!p->in_multi)
			markers_keep(p);
	} else {
		command_count(p, r);
	}
	SAY(out, "+OK\r\n");
}

static void string_put(struct bytes *out, struct span s)
{
	if (s.p)
		bytes_bulk(out, s);
	else
		SAY(out, "$-1\r\n");
}

void target_get(struct peer *p, const struct request *r, struct bytes *out)
{
	string_put(out, r->argc > 1 ? store_get(&p->world->store, r->argv[1]) : (struct span){0});
}

void target_mget(struct peer *p, const struct request *r, struct bytes *out)
{
	struct span key;
	const char *at = r->second;
	bytes_text(out, "*%u\r\n", r->argc - 1);
	while (request_arg(r, &at, &key))
		string_put(out, store_get(&p->world->store, key));
}

// A link counts its lives in an epoch; all other counters have just been made.
void target_incr(struct peer *p, const struct request *r, struct bytes *out)
{
	if (r->argc < 2 || !marker_is_reserved(r->argv[1])) {
		target_number(p, r, out);
		return;
	}
	char text[24];
	struct span before = store_get(&p->world->store, r->argv[1]);
	uint64_t n = (before.p ? span_digits(before) : 0) + 1;
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	store_set(&p->world->store, r->argv[1], (struct span){text, (size_t)len});
	bytes_text(out, ":%s\r\n", text);
}

void target_number(struct peer *p, const struct request *r, struct bytes *out)
{
	command_count(p, r);
	SAY(out, ":1\r\n");
}

void target_ok(struct peer *p, const struct request *r, struct bytes *out)
{
	command_count(p, r);
	SAY(out, "+OK\r\n");
}
