// SPDX-License-Identifier: BSD-3-Clause
// follow_begin() -> notifications_on(), subscribe() ; follow_turn() -> event_take() -> dirty_add(),
// groups_give() -> copier_take()
#include "ctrl/scan/follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"

#define CHANNEL "__keyevent@"
#define PING_MS 10000
#define PATTERN "__keyevent@*__:*"
#define CLASSES "g$lshzxetd" // those of A that every version has, but for modules' own

static int refused(const struct client *c, const char *what, struct failure *f)
{
	return failure_set(f, ERROR_NOPERM,
			   "%s %s refuses %s, which --follow needs: switch notifications on there "
			   "(CONFIG SET notify-keyspace-events EA, or the service's own setting) "
			   "and add --trust-notifications",
			   c->who, c->url, what);
}

// Whether a setting lets every event through that names a key.
static bool settings_suffice(const char *s)
{
	if (!strchr(s, 'E'))
		return false;
	for (const char *class = CLASSES; *class && !strchr(s, 'A'); class ++)
		if (!strchr(s, *class))
			return false;
	return true;
}

static int notifications_on(struct follow *w, struct client *c, struct failure *f)
{
	char wanted[40];
	unsigned n;
	client_ask(c, "CONFIG GET notify-keyspace-events");
	const struct resp_value *v = client_next(c, &n);
	if (v && (v->type != RESP_ARRAY || n < 3))
		return refused(c, "CONFIG GET", f);
	if (!v) {
		*f = c->failure;
		return -1;
	}
	char now[sizeof(w->settings)];
	snprintf(now, sizeof(now), "%.*s", (int)v[2].text.len, v[2].text.p);
	if (settings_suffice(now))
		return 0;
	memcpy(w->settings, now, sizeof(now));
	snprintf(wanted, sizeof(wanted), "%sEA", w->settings);
	client_ask(c, "CONFIG SET notify-keyspace-events %b", span_of(wanted));
	v = client_next(c, NULL);
	if (v && v->type == RESP_ERROR)
		return refused(c, "CONFIG SET", f);
	if (!v) {
		*f = c->failure;
		return -1;
	}
	w->changed = true;
	return 0;
}

static int subscribe(struct follow *w, const struct endpoint *source, struct failure *f)
{
	if (client_open(&w->client, source, "the source", f))
		return -1;
	client_ask(&w->client, "PSUBSCRIBE %b", span_of(PATTERN));
	const struct resp_value *v = client_next(&w->client, NULL);
	if (!v) {
		*f = w->client.failure;
		return -1;
	}
	return v->type == RESP_ERROR ? client_refused(&w->client, "PSUBSCRIBE", v->text, f) : 0;
}

int follow_begin(struct follow *w, struct client *c, const struct endpoint *source, int only_db,
		 int target_db, bool trust, struct failure *f)
{
	w->only_db = only_db;
	w->target_db = target_db;
	if (!trust && notifications_on(w, c, f))
		return -1;
	return subscribe(w, source, f);
}

void follow_end(struct follow *w, struct client *c)
{
	if (!w->changed || c->fd < 0 || c->failure.id)
		return; // the next life does it
	client_ask(c, "CONFIG SET notify-keyspace-events %b", span_of(w->settings));
	while (c->pending && client_skip(c) == 0)
		;
	w->changed = c->failure.id != 0;
}

void follow_forget(struct follow *w)
{
	client_close(&w->client);
	w->heard_ms = 0;
	for (unsigned i = 0; i < FOLLOW_GROUPS; i++)
		w->groups[i].open = 0;
	dirty_clear(&w->dirty); // all is gone through again
}

void follow_free(struct follow *w)
{
	follow_forget(w);
	for (unsigned i = 0; i < FOLLOW_GROUPS; i++)
		copy_group_free(&w->groups[i]);
}

// A message: "pmessage", pattern, channel, key.
static void event_take(struct follow *w, const struct resp_value *v, unsigned n)
{
	size_t prefix = strlen(CHANNEL);
	if (v->type != RESP_ARRAY || n != 5 || v[3].text.len <= prefix || v[4].type != RESP_STRING)
		return;
	struct span channel = {v[3].text.p + prefix, v[3].text.len - prefix};
	int db = (int)span_digits(channel);
	if ((w->only_db >= 0 && db != w->only_db) || key_is_own(v[4].text))
		return;
	w->events++;
	if (dirty_add(&w->dirty, db, v[4].text) < 0)
		w->lost = true; // more than we remember
}

// A connection that carries nothing may be gone without a word: it is asked now and then.
static int silence_judge(struct follow *w, bool heard, struct failure *f)
{
	uint64_t now = mono_ms();
	if (heard || !w->heard_ms)
		w->heard_ms = w->pinged_ms = now;
	if (now - w->pinged_ms >= PING_MS) {
		client_ask(&w->client, "PING");
		client_flush(&w->client);
		w->pinged_ms = now;
	}
	if (now - w->heard_ms < CLIENT_SILENCE_MS)
		return 0;
	return failure_set(f, ERROR_DEADLINE, "the source %s has not answered for %d s",
			   w->client.url, CLIENT_SILENCE_MS / 1000);
}

static bool events_take(struct follow *w)
{
	unsigned n, taken = 0;
	const struct resp_value *v;
	while (taken < 10000 && (v = client_poll(&w->client, &n))) {
		event_take(w, v, n);
		taken++;
	}
	return taken > 0;
}

// The next keys, as long as they lie in one database.
static int group_give(struct follow *w, struct copy_group *g, struct copier *c)
{
	const struct dirty_key *first = w->dirty.first;
	size_t bytes = 1;
	unsigned n = 0;
	for (const struct dirty_key *k = first; k && k->db == first->db && n < FOLLOW_GROUP_KEYS;
	     k = k->next, n++)
		bytes += k->len;
	int db[2] = {first->db, w->only_db >= 0 ? w->target_db : first->db};
	if (copy_group_begin(g, db, n, bytes))
		return failure_set(c->failure, ERROR_MEMORY, "no memory for more keys");
	for (; n; n--) {
		struct dirty_key *k = dirty_take(&w->dirty);
		copy_group_add(g, (struct span){k->key, k->len});
		free(k);
	}
	copier_take(c, g);
	return 0;
}

int follow_turn(struct follow *w, struct copier *c)
{
	bool moved = events_take(w);
	if (w->client.failure.id) {
		*c->failure = w->client.failure;
		return -1;
	}
	if (silence_judge(w, moved, c->failure))
		return -1;
	for (unsigned i = 0; i < FOLLOW_GROUPS && w->dirty.n; i++) {
		if (w->groups[i].open)
			continue;
		if (group_give(w, &w->groups[i], c))
			return -1;
		moved = true;
	}
	return moved;
}

void follow_listen(struct follow *w)
{
	events_take(w);
}
