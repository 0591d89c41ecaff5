// SPDX-License-Identifier: BSD-3-Clause
// A stream: its entries in chunks, what it remembers beside them, its groups with their consumers
// and what is pending. Times of delivery are left out: they are relative, and differ by nature.
//
// stream_compare() -> entries_compare() -> facts_compare() -> groups_compare() -> pending_compare()
#include "ctrl/check/subject.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/stream_id.h"
#include "ctrl/check/tree.h"

#define CHUNK_ENTRIES 128
#define GROUPS_MAX    4096

static int entries_compare(struct compare *c, struct subject *s)
{
	struct pair_reply r;
	char from[STREAM_ID_LEN] = "-";
	for (;;) {
		for (int i = 0; i < 2; i++)
			client_ask(&c->pair->client[i], "XRANGE %b %b + COUNT %d", s->key,
				   span_of(from), (long long)CHUNK_ENTRIES);
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		if (!pair_equal(&r)) {
			s->difference = DIFF_VALUE;
			return 0;
		}
		if (r.v[SOURCE]->type != RESP_ARRAY || r.v[SOURCE]->elements < CHUNK_ENTRIES)
			return 0;
		stream_id_next(stream_id_last(r.v[SOURCE], r.n[SOURCE]), from);
	}
}

// Fields of two maps, where both versions have them.
static bool fields_equal(const struct pair_reply *r, const unsigned at[2], const char *const *names)
{
	for (; *names; names++) {
		unsigned a = tree_field(r->v[SOURCE], r->n[SOURCE], at[SOURCE], *names);
		unsigned b = tree_field(r->v[TARGET], r->n[TARGET], at[TARGET], *names);
		if (a && b && !value_equal(&r->v[SOURCE][a], &r->v[TARGET][b]))
			return false;
	}
	return true;
}

// Two lists of maps, entry by entry.
static bool maps_equal(const struct pair_reply *r, const char *const *names)
{
	unsigned at[2] = {1, 1};
	if (!value_equal(r->v[SOURCE], r->v[TARGET]))
		return false;
	while (at[SOURCE] < r->n[SOURCE] && at[TARGET] < r->n[TARGET]) {
		if (!fields_equal(r, at, names))
			return false;
		for (int i = 0; i < 2; i++)
			at[i] = tree_skip(r->v[i], r->n[i], at[i]);
	}
	return true;
}

static int facts_compare(struct compare *c, struct subject *s)
{
	static const char *const facts[] = {"last-generated-id", "max-deleted-entry-id",
					    "entries-added", NULL};
	struct pair_reply r;
	unsigned at[2] = {0, 0};
	pair_ask(c->pair, "XINFO STREAM %b", s->key);
	if (pair_next_any(c->pair, &r, c->failure))
		return -1;
	if (!fields_equal(&r, at, facts))
		s->difference = DIFF_GROUPS;
	return 0;
}

// Who has what of a group in hand: id, consumer, idle time (not compared), deliveries.
static bool pending_equal(const struct pair_reply *r)
{
	if (r->n[SOURCE] != r->n[TARGET])
		return false;
	for (unsigned i = 1; i + 5 <= r->n[SOURCE]; i += 5) {
		const struct resp_value *a = &r->v[SOURCE][i], *b = &r->v[TARGET][i];
		if (!value_equal(&a[1], &b[1]) || !value_equal(&a[2], &b[2]) ||
		    !value_equal(&a[4], &b[4]))
			return false;
	}
	return true;
}

static int pending_compare(struct compare *c, struct subject *s, struct span group)
{
	struct pair_reply r;
	char from[STREAM_ID_LEN] = "-";
	for (;;) {
		for (int i = 0; i < 2; i++)
			client_ask(&c->pair->client[i], "XPENDING %b %b %b + %d", s->key, group,
				   span_of(from), (long long)CHUNK_ENTRIES);
		if (pair_next_any(c->pair, &r, c->failure))
			return -1;
		if (!pending_equal(&r)) {
			s->difference = DIFF_GROUPS;
			return 0;
		}
		if (r.v[SOURCE]->type != RESP_ARRAY || r.v[SOURCE]->elements < CHUNK_ENTRIES)
			return 0;
		stream_id_next(stream_id_last(r.v[SOURCE], r.n[SOURCE]), from);
	}
}

static int consumers_compare(struct compare *c, struct subject *s, struct span group)
{
	static const char *const facts[] = {"name", "pending", NULL};
	struct pair_reply r;
	for (int i = 0; i < 2; i++)
		client_ask(&c->pair->client[i], "XINFO CONSUMERS %b %b", s->key, group);
	if (pair_next_any(c->pair, &r, c->failure))
		return -1;
	if (!maps_equal(&r, facts))
		s->difference = DIFF_GROUPS;
	return 0;
}

// The names of the source's groups, which the next question would wipe out.
//
// @return how many; *names is to be freed
static unsigned groups_copy(const struct pair_reply *r, struct span **names)
{
	const struct resp_value *v = r->v[SOURCE];
	unsigned n = r->n[SOURCE], count = 0;
	unsigned groups = v->type == RESP_ARRAY && v->elements < GROUPS_MAX ? v->elements : 0;
	size_t bytes = 0;
	for (unsigned i = 0; i < n; i++)
		bytes += v[i].type == RESP_STRING ? v[i].text.len : 0;
	*names = malloc(groups * sizeof(**names) + bytes + 1);
	char *room = *names ? (char *)(*names + groups) : NULL;
	for (unsigned at = 1; *names && at < n && count < groups; at = tree_skip(v, n, at)) {
		unsigned name = tree_field(v, n, at, "name");
		if (!name)
			continue;
		memcpy(room, v[name].text.p, v[name].text.len);
		(*names)[count++] = (struct span){room, v[name].text.len};
		room += v[name].text.len;
	}
	return count;
}

static int groups_compare(struct compare *c, struct subject *s)
{
	// Not "entries-read": what a stream of commands carries of it differs from what a snapshot
	// does, so that replicas of one master do not agree either.
	static const char *const facts[] = {"name", "consumers", "pending", "last-delivered-id",
					    NULL};
	struct pair_reply r;
	struct span *names;
	pair_ask(c->pair, "XINFO GROUPS %b", s->key);
	if (pair_next_any(c->pair, &r, c->failure))
		return -1;
	if (!maps_equal(&r, facts)) {
		s->difference = DIFF_GROUPS;
		return 0;
	}
	unsigned n = groups_copy(&r, &names);
	int rc = 0;
	for (unsigned i = 0; i < n && rc == 0 && s->difference == DIFF_NONE; i++)
		rc = consumers_compare(c, s, names[i]) || pending_compare(c, s, names[i]) ? -1 : 0;
	free(names);
	return rc;
}

int stream_compare(struct compare *c, struct subject *s)
{
	static int (*const steps[])(struct compare *, struct subject *) = {
		entries_compare, facts_compare, groups_compare};
	for (unsigned i = 0; i < 3 && s->difference == DIFF_NONE; i++)
		if (steps[i](c, s))
			return -1;
	return 0;
}
