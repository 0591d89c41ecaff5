// SPDX-License-Identifier: BSD-3-Clause
// A stream by its commands: entries by XADD, what it remembers by XSETID, groups by XGROUP CREATE,
// what is pending by XCLAIM. When a consumer was last seen cannot be said; neither can that an
// entry is pending which the stream does not have any more (counted).
//
// rebuild_stream() -> entries_copy() -> facts_copy() -> groups_copy() -> consumers_copy(),
// pending_copy()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/stream_id.h"
#include "ctrl/check/tree.h"
#include "ctrl/scan/rebuild_priv.h"

#define PENDING_PIECE 256

struct group {
	struct span name;
	char last_id[STREAM_ID_LEN];
	int64_t entries_read; // -1 unknown
};

static int failed(const struct rebuild *b)
{
	return b->c->failure->id ? -1 : 0;
}

static void ask_entries(struct rebuild *b, const char *from)
{
	client_ask(b->source, "XRANGE %b %b + COUNT %d", b->key, span_of(from),
		   (long long)b->piece);
}

// Entries lie as [id [field value ...]].
static int entries_put(struct rebuild *b, const struct resp_value *v, unsigned n)
{
	struct span *argv = malloc((n + 3) * sizeof(*argv));
	if (!argv)
		return failure_set(b->c->failure, ERROR_MEMORY, "no memory to copy keys");
	for (unsigned at = 1; at + 2 < n; at = tree_skip(v, n, at)) {
		unsigned argc = 3;
		argv[0] = SPAN_LIT("XADD");
		argv[1] = b->temporary;
		argv[2] = v[at + 1].text;
		for (unsigned i = 0; i < v[at + 2].elements && at + 3 + i < n; i++)
			argv[argc++] = v[at + 3 + i].text;
		rebuild_put(b, argc, argv);
	}
	free(argv);
	return 0;
}

static int entries_copy(struct rebuild *b)
{
	char from[STREAM_ID_LEN] = "-";
	ask_entries(b, from);
	for (;;) {
		unsigned n;
		const struct resp_value *v = rebuild_read(b, &n);
		if (!v || v->type != RESP_ARRAY)
			return failed(b);
		bool more = v->elements == b->piece;
		if (more)
			stream_id_next(stream_id_last(v, n), from);
		if (entries_put(b, v, n))
			return -1;
		if (more)
			ask_entries(b, from);
		if (rebuild_answers(b))
			return -1;
		if (!more)
			return 0;
	}
}

static void id_copy(const struct resp_value *v, unsigned at, char out[STREAM_ID_LEN])
{
	size_t len = at && v[at].type == RESP_STRING ? v[at].text.len : 0;
	if (len >= STREAM_ID_LEN)
		len = 0;
	memcpy(out, v[at].text.p ? v[at].text.p : "", len);
	out[len] = 0;
}

// An empty stream comes to be by a group that goes again; an entry would leave its id behind.
static void stream_make(struct rebuild *b)
{
	client_ask(b->target, "XGROUP CREATE %b flyover 0 MKSTREAM", b->temporary);
	client_ask(b->target, "XGROUP DESTROY %b flyover", b->temporary);
	b->n_put += 2;
}

static int facts_copy(struct rebuild *b)
{
	unsigned n;
	char last[STREAM_ID_LEN], deleted[STREAM_ID_LEN];
	client_ask(b->source, "XINFO STREAM %b", b->key);
	const struct resp_value *v = rebuild_read(b, &n);
	if (!v || v->type != RESP_ARRAY)
		return failed(b);
	unsigned added = tree_field(v, n, 0, "entries-added");
	id_copy(v, tree_field(v, n, 0, "last-generated-id"), last);
	id_copy(v, tree_field(v, n, 0, "max-deleted-entry-id"), deleted);
	if (b->length == 0)
		stream_make(b);
	if (added && deleted[0] && b->c->can.stream_facts)
		client_ask(b->target, "XSETID %b %b ENTRIESADDED %d MAXDELETEDID %b", b->temporary,
			   span_of(last), (long long)v[added].integer, span_of(deleted));
	else
		client_ask(b->target, "XSETID %b %b", b->temporary, span_of(last));
	b->n_put++;
	return rebuild_answers(b);
}

// ---- Groups -----------------------------------------------------------------------------------

// @return how many; *groups is to be freed, NULL without memory
static unsigned groups_keep(const struct resp_value *v, unsigned n, struct group **groups)
{
	unsigned count = 0;
	size_t bytes = 1;
	for (unsigned i = 0; i < n; i++)
		bytes += v[i].type == RESP_STRING ? v[i].text.len : 0;
	*groups = malloc(v->elements * sizeof(**groups) + bytes);
	char *room = *groups ? (char *)(*groups + v->elements) : NULL;
	for (unsigned at = 1; room && at < n; at = tree_skip(v, n, at)) {
		unsigned name = tree_field(v, n, at, "name");
		unsigned read = tree_field(v, n, at, "entries-read");
		if (!name || count == v->elements)
			continue;
		struct group *g = &(*groups)[count++];
		memcpy(room, v[name].text.p, v[name].text.len);
		g->name = (struct span){room, v[name].text.len};
		g->entries_read = read && v[read].type == RESP_INTEGER ? v[read].integer : -1;
		id_copy(v, tree_field(v, n, at, "last-delivered-id"), g->last_id);
		room += v[name].text.len;
	}
	return count;
}

static int consumers_copy(struct rebuild *b, const struct group *g)
{
	unsigned n;
	client_ask(b->source, "XINFO CONSUMERS %b %b", b->key, g->name);
	const struct resp_value *v = rebuild_read(b, &n);
	if (!v || v->type != RESP_ARRAY)
		return failed(b);
	for (unsigned at = 1; at < n; at = tree_skip(v, n, at)) {
		unsigned name = tree_field(v, n, at, "name");
		if (!name)
			continue;
		client_ask(b->target, "XGROUP CREATECONSUMER %b %b %b", b->temporary, g->name,
			   v[name].text);
		b->n_put++;
	}
	return rebuild_answers(b);
}

// Answers to XCLAIM name what was claimed.
static int claims_read(struct rebuild *b)
{
	client_flush(b->source);
	for (; b->n_put; b->n_put--) {
		const struct resp_value *v = client_next(b->target, NULL);
		if (!v)
			return pair_failed(b->c->pair, b->c->failure);
		b->claims_lost += v->type != RESP_ARRAY || v->elements == 0;
	}
	return rebuild_answers(b);
}

// Rows of XPENDING: id, consumer, idle ms, deliveries.
static int pending_copy(struct rebuild *b, const struct group *g)
{
	char from[STREAM_ID_LEN] = "-";
	for (;;) {
		unsigned n;
		client_ask(b->source, "XPENDING %b %b %b + %d", b->key, g->name, span_of(from),
			   (long long)PENDING_PIECE);
		const struct resp_value *v = rebuild_read(b, &n);
		if (!v || v->type != RESP_ARRAY)
			return failed(b);
		for (unsigned i = 1; i + 5 <= n; i += 5) {
			client_ask(b->target,
				   "XCLAIM %b %b %b 0 %b IDLE %d RETRYCOUNT %d FORCE JUSTID",
				   b->temporary, g->name, v[i + 2].text, v[i + 1].text,
				   (long long)v[i + 3].integer, (long long)v[i + 4].integer);
			b->n_put++;
		}
		bool more = v->elements == PENDING_PIECE;
		if (more)
			stream_id_next(stream_id_last(v, n), from);
		if (claims_read(b))
			return -1;
		if (!more)
			return 0;
	}
}

static int group_copy(struct rebuild *b, const struct group *g)
{
	bool facts = g->entries_read >= 0 && b->c->can.stream_facts;
	client_ask(b->target,
		   facts ? "XGROUP CREATE %b %b %b ENTRIESREAD %d" : "XGROUP CREATE %b %b %b",
		   b->temporary, g->name, span_of(g->last_id), (long long)g->entries_read);
	b->n_put++;
	return consumers_copy(b, g) || pending_copy(b, g) ? -1 : 0;
}

static int groups_copy(struct rebuild *b)
{
	unsigned n;
	struct group *groups;
	client_ask(b->source, "XINFO GROUPS %b", b->key);
	const struct resp_value *v = rebuild_read(b, &n);
	if (!v || v->type != RESP_ARRAY)
		return failed(b);
	unsigned count = groups_keep(v, n, &groups);
	if (!groups)
		return failure_set(b->c->failure, ERROR_MEMORY, "no memory to copy keys");
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = group_copy(b, &groups[i]);
	free(groups);
	return rc;
}

int rebuild_stream(struct rebuild *b)
{
	if (entries_copy(b) || facts_copy(b))
		return -1;
	return groups_copy(b);
}
