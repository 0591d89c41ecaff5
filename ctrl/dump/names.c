// SPDX-License-Identifier: BSD-3-Clause
// names_turn() -> groups_retire(), reply_take() -> scan_take() | size_take(), scan_ask()
#include "ctrl/dump/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"

int names_begin(struct names *n, int db, struct failure *f)
{
	client_ask(n->client, "SELECT %d", (long long)db);
	const struct resp_value *v = client_next(n->client, NULL);
	if (!v) {
		*f = n->client->failure;
		return -1;
	}
	if (v->type == RESP_ERROR)
		return client_refused(n->client, "SELECT", v->text, f);
	snprintf(n->cursor, sizeof(n->cursor), "0");
	n->ended = n->asked = false;
	n->n = n->n_expected = 0;
	seen_clear(&n->seen);
	return 0;
}

bool names_are_through(const struct names *n)
{
	return n->ended && n->n == 0;
}

void names_free(struct names *n)
{
	for (unsigned i = 0; i < NAMES_GROUPS; i++)
		copy_group_free(&n->groups[i]);
	seen_clear(&n->seen);
}

// Groups whose keys all have their fate. One whose sizes are still to come has none of them.
static bool groups_retire(struct names *n)
{
	unsigned before = n->n;
	while (n->n && n->groups[n->head].open == 0) {
		n->head = (n->head + 1) % NAMES_GROUPS;
		n->n--;
	}
	return n->n < before;
}

static void expect(struct names *n, bool scan, unsigned group, unsigned left)
{
	unsigned at = (n->first + n->n_expected++) % (NAMES_GROUPS + 1);
	n->expected[at].scan = scan;
	n->expected[at].group = group;
	n->expected[at].left = left;
	n->heard_ms = n->n_expected > 1 ? n->heard_ms : mono_ms();
}

static void scan_ask(struct names *n)
{
	if (n->match)
		client_ask(n->client, "SCAN %b MATCH %b COUNT %d", span_of(n->cursor),
			   span_of(n->match), (long long)NAMES_COUNT);
	else
		client_ask(n->client, "SCAN %b COUNT %d", span_of(n->cursor),
			   (long long)NAMES_COUNT);
	n->asked = true;
	expect(n, true, 0, 1);
}

static bool scan_may(const struct names *n)
{
	return !n->asked && !n->ended && n->n < NAMES_GROUPS &&
	       (!n->paused_until_ms || mono_ms() >= n->paused_until_ms);
}

static int group_fill(struct names *n, struct copy_group *g, const struct resp_value *keys,
		      unsigned n_keys)
{
	static const int no_db[2] = {-1, -1};
	size_t bytes = 1;
	for (unsigned i = 0; i < n_keys; i++)
		bytes += keys[i].text.len;
	int rc = copy_group_begin(g, no_db, n_keys + 1, bytes);
	for (unsigned i = 0; i < n_keys && rc == 0; i++) {
		int is_new = seen_add(&n->seen, keys[i].text);
		if (is_new > 0)
			copy_group_add(g, keys[i].text);
		rc = is_new < 0 ? is_new : 0;
	}
	g->open = g->n;
	n->named += g->n;
	return rc;
}

static void group_ready(struct copy_group *g, struct copy_list *ready)
{
	for (unsigned i = 0; i < g->n; i++)
		copy_list_add(ready, &g->items[i]);
}

static int scan_take(struct names *n, const struct resp_value *v, unsigned n_nodes,
		     struct copy_list *ready, struct failure *f)
{
	n->asked = false;
	if (error_is_busy(v)) {
		n->paused_until_ms = mono_ms() + BUSY_PAUSE_MS;
		n->busy_since_ms = n->busy_since_ms ? n->busy_since_ms : mono_ms();
		return 0;
	}
	n->busy_since_ms = 0;
	if (v->type == RESP_ERROR)
		return client_refused(n->client, "SCAN", v->text, f);
	if (v->type != RESP_ARRAY || n_nodes < 3 || v[1].text.len >= sizeof(n->cursor))
		return failure_set(f, ERROR_NOT_REDIS, "%s answers SCAN in a way of its own",
				   n->client->who);
	unsigned at = (n->head + n->n) % NAMES_GROUPS;
	struct copy_group *g = &n->groups[at];
	memcpy(n->cursor, v[1].text.p, v[1].text.len);
	n->cursor[v[1].text.len] = 0;
	n->ended = !strcmp(n->cursor, "0");
	if (group_fill(n, g, v + 3, n_nodes - 3))
		return failure_set(f, ERROR_MEMORY, "no memory for %llu keys",
				   (unsigned long long)n->named);
	n->n++;
	if (scan_may(n)) // its answer comes before the sizes: one round trip for both
		scan_ask(n);
	if (!n->measures)
		group_ready(g, ready);
	else if (g->n)
		expect(n, false, at, g->n);
	for (unsigned i = 0; n->measures && i < g->n; i++)
		client_ask(n->client, "MEMORY USAGE %b", g->items[i].key);
	return 0;
}

static void size_take(struct names *n, const struct resp_value *v, struct copy_list *ready)
{
	struct copy_group *g = &n->groups[n->expected[n->first].group];
	unsigned left = n->expected[n->first].left--;
	struct copy_item *item = &g->items[g->n - left];
	item->size = v->type == RESP_INTEGER ? (uint64_t)v->integer : 0;
	copy_list_add(ready, item);
}

static void expected_pop(struct names *n)
{
	n->first = (n->first + 1) % (NAMES_GROUPS + 1);
	n->n_expected--;
}

// @return 1 taken, 0 none has come, -1 failed
static int reply_take(struct names *n, struct copy_list *ready, struct failure *f)
{
	unsigned n_nodes;
	const struct resp_value *v = client_poll(n->client, &n_nodes);
	if (!v && n->client->failure.id) {
		*f = n->client->failure;
		return -1;
	}
	if (!v && n->n_expected && mono_ms() - n->heard_ms >= CLIENT_SILENCE_MS)
		return failure_set(f, ERROR_DEADLINE, "%s %s has not answered for %d s",
				   n->client->who, n->client->url, CLIENT_SILENCE_MS / 1000);
	if (!v || !n->n_expected)
		return 0;
	n->heard_ms = mono_ms();
	if (n->expected[n->first].scan) {
		expected_pop(n);
		return scan_take(n, v, n_nodes, ready, f) ? -1 : 1;
	}
	size_take(n, v, ready);
	if (n->expected[n->first].left == 0)
		expected_pop(n);
	return 1;
}

int names_turn(struct names *n, struct copy_list *ready, struct failure *f)
{
	bool moved = groups_retire(n);
	int rc;
	while ((rc = reply_take(n, ready, f)) > 0)
		moved = true;
	if (rc < 0)
		return -1;
	if (scan_may(n)) {
		scan_ask(n);
		moved = true;
	}
	client_flush(n->client);
	return moved;
}
