// SPDX-License-Identifier: BSD-3-Clause
// retry_run() -> items_choose(), items_sort() ; item_run() -> sent_before(), item_send(),
// item_settle()
#include "ctrl/parked/retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/check/client.h"
#include "ctrl/clock.h"
#include "parsers/commands.h"

#define ARGV_LOOKED_AT 64        // words that say whether a command may be repeated
#define KEY_LIFE_S     "2592000" // so that the key of a command that is dropped goes as well

struct item {
	uint64_t id, offset;
	unsigned group; // commands of one history and phase, in the order of their first one
};

struct work {
	struct retry *retry;
	struct journal journal;
	struct settler settler;
	struct client client;
	struct item *items;
	size_t n_items;
};

const char *retry_result_word(enum retry_result result)
{
	static const char *const words[] = {"applied", "refused", "unsure", "skipped"};
	return words[result];
}

// ---- Which, and in what order -------------------------------------------------------------------

static void groups_set(struct work *w)
{
	char last[64] = "";
	unsigned group = 0;
	for (size_t i = 0; i < w->n_items; i++) {
		char now[64];
		json_t *o = journal_head(&w->journal, w->items[i].id - w->journal.first_id);
		const char *replid = json_string_value(json_object_get(o, "replid"));
		const char *phase = json_string_value(json_object_get(o, "phase"));
		snprintf(now, sizeof(now), "%.40s %.8s", replid ? replid : "", phase ? phase : "");
		group += i && strcmp(now, last);
		memcpy(last, now, sizeof(last));
		w->items[i].group = group;
		w->items[i].offset =
			(uint64_t)json_integer_value(json_object_get(o, "offset"));
		json_decref(o);
	}
}

static int item_compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int id_compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int items_choose(struct work *w, struct failure *f)
{
	const struct retry *r = w->retry;
	const struct journal *j = &w->journal;
	w->items = calloc((r->ids ? r->n_ids : j->n_open) + 1, sizeof(*w->items));
	if (!w->items)
		return failure_set(f, ERROR_MEMORY, "no memory for the list of commands");
	for (size_t i = 0; r->ids && i < r->n_ids; i++) {
		if (journal_find(j, r->ids[i], f) < 0)
			return -1;
		w->items[w->n_items++].id = r->ids[i];
	}
	for (size_t i = 0; !r->ids && i < j->n_lines; i++)
		if (j->lines[i].fate == PARKED_OPEN)
			w->items[w->n_items++].id = journal_id(j, i);
	qsort(w->items, w->n_items, sizeof(*w->items), id_compare);
	groups_set(w);
	qsort(w->items, w->n_items, sizeof(*w->items), item_compare);
	return 0;
}

// ---- One command --------------------------------------------------------------------------------

struct marker_key {
	char text[128];
	size_t len;
};

static struct span key_of(const struct work *w, uint64_t id, struct marker_key *k)
{
	k->len = (size_t)snprintf(k->text, sizeof(k->text), "__flyover:{%s}:parked:%" PRIu64,
				  w->retry->link, id);
	return (struct span){k->text, k->len};
}

static void answer(struct work *w, uint64_t id, enum retry_result result, struct span reason)
{
	struct retry_answer a = {.id = id, .result = result};
	snprintf(a.reason, sizeof(a.reason), "%.*s", (int)(reason.len < 200 ? reason.len : 200),
		 reason.p);
	w->retry->tell(w->retry->arg, &a);
}

// Whether the command may be sent twice. What is no plain RESP is not.
static bool may_repeat(const char *command, size_t len)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame frame;
	bool may = false;
	if (s && resp_stream_next(s, (struct span){command, len}, &frame) == RESP_OK &&
	    frame.argc && frame.argc <= ARGV_LOOKED_AT) {
		struct span argv[ARGV_LOOKED_AT];
		for (unsigned i = 0; i < frame.argc; i++)
			argv[i] = (struct span){command + frame.argv[i].at, frame.argv[i].len};
		const struct command *c =
			command_find(argv[0], frame.argc > 1 ? argv[1] : SPAN_LIT(""));
		may = c && command_is_idempotent(c, argv, (int)frame.argc);
	}
	resp_stream_free(s);
	return may;
}

// @return 1 sent before, 0 not, or -1
static int sent_before(struct work *w, uint64_t id, struct failure *f)
{
	struct marker_key k;
	unsigned n;
	client_ask(&w->client, "MGET %b", key_of(w, id, &k));
	const struct resp_value *v = client_next(&w->client, &n);
	if (!v) {
		*f = w->client.failure;
		return -1;
	}
	if (v->type == RESP_ERROR)
		return client_refused(&w->client, "MGET", v->text, f);
	return n == 2 && v[1].type == RESP_STRING;
}

static unsigned item_put(struct work *w, const struct item *item, const char *command, size_t len,
			 int db)
{
	struct marker_key k;
	client_ask(&w->client, "MULTI");
	if (db)
		client_ask(&w->client, "SELECT %d", (long long)db);
	client_put_raw(&w->client, command, len);
	if (db)
		client_ask(&w->client, "SELECT 0");
	client_ask(&w->client, "SET %b %d EX " KEY_LIFE_S, key_of(w, item->id, &k),
		   (long long)wall_ms());
	client_ask(&w->client, "EXEC");
	return db ? 4 : 2;
}

// The replies of item_put().
//
// @param n_inner  replies inside EXEC
// @param why      out: the target's error, "" when it took the command
// @return 1 the transaction was carried out, 0 it was not, or -1
static int item_replies(struct work *w, unsigned n_inner, char *why, size_t why_len,
			struct failure *f)
{
	const struct resp_value *v = NULL;
	unsigned n = 0, at = 1;
	*why = 0;
	for (unsigned i = 0; i < n_inner + 2; i++) {
		v = client_next(&w->client, &n);
		if (!v) {
			*f = w->client.failure;
			return -1;
		}
		if (v->type == RESP_ERROR && !*why)
			snprintf(why, why_len, "%.*s", (int)v->text.len, v->text.p);
	}
	if (v->type != RESP_ARRAY || v->elements != n_inner)
		return 0;
	for (unsigned i = 0; i < n_inner && at < n; i++) {
		if (v[at].type == RESP_ERROR && !*why)
			snprintf(why, why_len, "%.*s", (int)v[at].text.len, v[at].text.p);
		// Arrays inside are followed by their elements.
		for (unsigned open = 1; open && at < n; at++)
			open += (v[at].type == RESP_ARRAY ? v[at].elements : 0) - 1;
	}
	return 1;
}

// Applied or refused by the target for good: say it on disk first, then let our key go.
static int item_settle(struct work *w, const struct item *item, bool applied, struct failure *f)
{
	struct marker_key k;
	if (applied && settler_put(&w->settler, item->id, PARKED_APPLIED, wall_ms(), f))
		return -1;
	client_ask(&w->client, "DEL %b", key_of(w, item->id, &k));
	if (!client_skip(&w->client))
		return 0;
	*f = w->client.failure;
	return -1;
}

static int item_send(struct work *w, const struct item *item, const char *command, size_t len,
		     int db, struct failure *f)
{
	char why[TEXT_LEN];
	unsigned n_inner = item_put(w, item, command, len, db);
	int ran = item_replies(w, n_inner, why, sizeof(why), f);
	if (ran < 0)
		return -1;
	bool applied = ran && !*why;
	if (ran && item_settle(w, item, applied, f))
		return -1;
	answer(w, item->id, applied ? RETRY_APPLIED : RETRY_REFUSED, span_of(why));
	return 0;
}

static int item_run(struct work *w, const struct item *item, struct failure *f)
{
	const struct journal *j = &w->journal;
	size_t i = item->id - j->first_id, len;
	char *command;
	if (j->lines[i].fate != PARKED_OPEN) {
		char why[64];
		snprintf(why, sizeof(why), "it is %s",
			 parked_fate_word((enum parked_fate)j->lines[i].fate));
		answer(w, item->id, RETRY_SKIPPED, span_of(why));
		return 0;
	}
	if (journal_command(j, i, &command, &len, f)) {
		answer(w, item->id, RETRY_SKIPPED, span_of(f->sentence));
		return 0;
	}
	if (!len) {
		free(command);
		answer(w, item->id, RETRY_REFUSED,
		       SPAN_LIT("only its name is kept, since the value is large; `flyover check "
				"--repair` copies it once the target can hold it"));
		return 0;
	}
	json_t *head = journal_head(j, i);
	int db = (int)json_integer_value(json_object_get(head, "db"));
	json_decref(head);
	int before = sent_before(w, item->id, f), rc = before < 0 ? -1 : 0;
	if (before == 1 && !w->retry->again && !may_repeat(command, len))
		answer(w, item->id, RETRY_UNSURE,
		       SPAN_LIT("it was sent before and the answer got lost; look at its key, "
				"then drop it or retry it with --again"));
	else if (rc == 0)
		rc = item_send(w, item, command, len, db, f);
	free(command);
	return rc;
}

int retry_run(struct retry *r, struct failure *f)
{
	struct work w = {.retry = r, .client = {.fd = -1}, .settler = {.fd = -1}};
	w.journal.scan.fd = w.journal.settled.fd = -1;
	int rc = settler_open(&w.settler, r->folder, f);
	rc = rc ? rc : journal_open(&w.journal, r->folder, f);
	rc = rc ? rc : items_choose(&w, f);
	if (rc == 0 && w.n_items)
		rc = client_open(&w.client, &r->target, "the target", f);
	for (size_t i = 0; i < w.n_items && rc == 0 && !atomic_load(&r->cancel); i++)
		rc = item_run(&w, &w.items[i], f);
	rc = rc ? rc : settler_compact(&w.settler, f);
	if (w.client.fd >= 0)
		client_close(&w.client);
	free(w.items);
	journal_close(&w.journal);
	settler_close(&w.settler);
	return rc;
}
