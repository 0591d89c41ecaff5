// SPDX-License-Identifier: BSD-3-Clause
// walk_turn() -> groups_retire(), scan_take() -> group_fill() -> copier_take(), scan_ask()
#include "ctrl/scan/walk.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"

static int db_select(struct client *c, int db, struct failure *f)
{
	client_ask(c, "SELECT %d", (long long)db);
	const struct resp_value *v = client_next(c, NULL);
	if (!v) {
		*f = c->failure;
		return -1;
	}
	return v->type == RESP_ERROR ? client_refused(c, "SELECT", v->text, f) : 0;
}

int walk_begin(struct walk *w, struct client *scanned, struct client *known, const int db[2],
	       int scanned_db, int known_db, const char *cursor, struct failure *f)
{
	walk_forget(w);
	w->scanned = scanned;
	w->known = known;
	memcpy(w->db, db, sizeof(w->db));
	snprintf(w->cursor, sizeof(w->cursor), "%s", cursor);
	snprintf(w->through, sizeof(w->through), "%s", cursor);
	w->ended = false;
	if (db_select(scanned, scanned_db, f))
		return -1;
	return known ? db_select(known, known_db, f) : 0;
}

void walk_forget(struct walk *w)
{
	for (unsigned i = 0; i < WALK_GROUPS; i++)
		w->groups[i].group.open = 0;
	w->head = w->n = 0;
	w->asked = false;
	w->ended = true;
}

void walk_free(struct walk *w)
{
	for (unsigned i = 0; i < WALK_GROUPS; i++) {
		w->groups[i].group.open = 0;
		copy_group_free(&w->groups[i].group);
	}
}

bool walk_is_through(const struct walk *w)
{
	return w->ended && w->n == 0;
}

static bool groups_retire(struct walk *w)
{
	bool any = false;
	while (w->n && w->groups[w->head].group.open == 0) {
		memcpy(w->through, w->groups[w->head].next, sizeof(w->through));
		w->head = (w->head + 1) % WALK_GROUPS;
		w->n--;
		any = true;
	}
	return any;
}

void walk_settle(struct walk *w)
{
	groups_retire(w);
}

// Which keys the other side does not have: its answers, in the order of the keys.
//
// @return 0 or -1; unknown[i] for the i-th node
static int unknown_find(struct walk *w, const struct resp_value *keys, unsigned n, bool *unknown,
			struct failure *f)
{
	for (unsigned i = 0; i < n; i++)
		client_ask(w->known, "EXISTS %b", keys[i].text);
	for (unsigned i = 0; i < n; i++) {
		const struct resp_value *v = client_next(w->known, NULL);
		if (!v) {
			*f = w->known->failure;
			return -1;
		}
		if (v->type != RESP_INTEGER)
			return client_refused(w->known, "EXISTS", v->text, f);
		unknown[i] = v->integer == 0;
	}
	return 0;
}

static int group_fill(struct walk *w, struct copy_group *g, const struct resp_value *keys,
		      unsigned n, struct failure *f)
{
	size_t bytes = 1;
	for (unsigned i = 0; i < n; i++)
		bytes += keys[i].text.len;
	bool *unknown = malloc(n + 1);
	if (!unknown || copy_group_begin(g, w->db, n + 1, bytes)) {
		free(unknown);
		return failure_set(f, ERROR_MEMORY, "no memory for more keys");
	}
	memset(unknown, 1, n + 1);
	int rc = w->known ? unknown_find(w, keys, n, unknown, f) : 0;
	for (unsigned i = 0; i < n && rc == 0; i++)
		if (unknown[i] && !key_is_own(keys[i].text))
			copy_group_add(g, keys[i].text);
	free(unknown);
	w->seen += n;
	return rc;
}

// @return 1 taken, 0 not there yet, -1 failed
static int scan_take(struct walk *w, struct copier *c)
{
	unsigned n;
	const struct resp_value *v = client_poll(w->scanned, &n);
	if (!v && w->scanned->failure.id) {
		*c->failure = w->scanned->failure;
		return -1;
	}
	if (!v && mono_ms() - w->asked_ms >= CLIENT_SILENCE_MS)
		return failure_set(c->failure, ERROR_DEADLINE, "%s %s has not answered for %d s",
				   w->scanned->who, w->scanned->url, CLIENT_SILENCE_MS / 1000);
	if (!v)
		return 0;
	w->asked = false;
	if (error_is_busy(v)) {
		w->paused_until_ms = mono_ms() + BUSY_PAUSE_MS;
		return 0;
	}
	if (v->type == RESP_ERROR)
		return client_refused(w->scanned, "SCAN", v->text, c->failure);
	if (v->type != RESP_ARRAY || n < 3 || v[1].text.len >= CURSOR_LEN)
		return failure_set(c->failure, ERROR_NOT_REDIS,
				   "%s answers SCAN in a way of its own", w->scanned->who);
	struct walk_group *g = &w->groups[(w->head + w->n) % WALK_GROUPS];
	memcpy(w->cursor, v[1].text.p, v[1].text.len);
	w->cursor[v[1].text.len] = 0;
	memcpy(g->next, w->cursor, sizeof(g->next));
	w->ended = !strcmp(w->cursor, "0");
	if (group_fill(w, &g->group, v + 3, n - 3, c->failure))
		return -1;
	w->n++;
	copier_take(c, &g->group);
	return 1;
}

int walk_turn(struct walk *w, struct copier *c)
{
	bool moved = groups_retire(w);
	if (w->asked) {
		int rc = scan_take(w, c);
		if (rc < 0)
			return -1;
		moved |= rc > 0;
	}
	bool paused = w->paused_until_ms && mono_ms() < w->paused_until_ms;
	if (!w->asked && !w->ended && w->n < WALK_GROUPS && !paused) {
		client_ask(w->scanned, "SCAN %b COUNT %d", span_of(w->cursor),
			   (long long)WALK_COUNT);
		client_flush(w->scanned);
		w->asked = true;
		w->asked_ms = mono_ms();
		moved = true;
	}
	return moved;
}
