// SPDX-License-Identifier: BSD-3-Clause
// source_walk() -> scan_next() -> portion_compare() -> missing_compare() | subjects_compare()
// target_walk() -> scan_next() -> portion_known() -> extras_find()
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ctrl/check/check_priv.h"
#include "ctrl/check/client_cluster.h"
#include "ctrl/clock.h"

static int no_memory(struct check *c)
{
	return failure_set(c->failure, ERROR_MEMORY, "no memory for more keys");
}

static int portion_room(struct portion *p, unsigned keys, size_t bytes)
{
	if (keys > p->keys_room) {
		struct subject *more = realloc(p->keys, keys * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->keys = more;
		p->keys_room = keys;
	}
	if (bytes > p->room) {
		char *more = realloc(p->bytes, bytes);
		if (!more)
			return -ENOMEM;
		p->bytes = more;
		p->room = bytes;
	}
	return 0;
}

// Take over what SCAN answered: cursor and keys. Our own are left out.
static int portion_fill(struct portion *p, const struct resp_value *v, unsigned n)
{
	size_t bytes = 1;
	for (unsigned i = 3; i < n; i++)
		bytes += v[i].text.len;
	if (portion_room(p, n, bytes))
		return -ENOMEM;
	memcpy(p->cursor, v[1].text.p, v[1].text.len);
	p->cursor[v[1].text.len] = 0;
	p->n = 0;
	char *room = p->bytes;
	for (unsigned i = 3; i < n; i++) {
		if (key_is_own(v[i].text))
			continue;
		memcpy(room, v[i].text.p, v[i].text.len);
		p->keys[p->n++].key = (struct span){room, v[i].text.len};
		room += v[i].text.len;
	}
	return 0;
}

// Limits that were set: what was read is paid for, and waited for.
static int pace_keep(struct check *c)
{
	uint64_t received = c->pair.client[SOURCE].received;
	pace_pay(&c->bytes_pace, received - c->bytes_paid);
	c->bytes_paid = received;
	for (;;) {
		uint64_t now = mono_ms();
		unsigned ms = pace_wait_ms(&c->keys_pace, now);
		ms = ms ? ms : pace_wait_ms(&c->bytes_pace, now);
		if (check_goes_on(c))
			return -1;
		if (ms == 0)
			return 0;
		ms = ms < 100 ? ms : 100;
		nanosleep(&(struct timespec){0, ms * 1000000l}, NULL);
	}
}

// Small steps where they are limited.
static uint64_t scan_count(const struct check *c)
{
	uint64_t per_s = c->options->keys_per_s;
	return per_s && per_s / 10 < BATCH_KEYS ? per_s / 10 + 1 : BATCH_KEYS;
}

// The next keys of one side. @return 1 when there were more to come, 0 after the last, -1 failed
static int scan_next(struct check *c, enum side side)
{
	struct client *client = &c->pair.client[side];
	struct portion *p = &c->portion;
	unsigned n;
	if (pace_keep(c))
		return -1;
	client_ask(client, "SCAN %b COUNT %d", span_of(p->cursor), (long long)scan_count(c));
	const struct resp_value *v = client_next(client, &n);
	if (!v)
		return pair_failed(&c->pair, c->failure);
	if (v->type == RESP_ERROR)
		return client_refused(client, "SCAN", v->text, c->failure);
	if (v->type != RESP_ARRAY || n < 3 || v[1].text.len >= sizeof(p->cursor))
		return failure_set(c->failure, ERROR_NOT_REDIS,
				   "%s answers SCAN in a way of its own", client->who);
	if (portion_fill(p, v, n))
		return no_memory(c);
	pace_pay(&c->keys_pace, p->n);
	return strcmp(p->cursor, "0") != 0;
}

// One server, or every master of a cluster.
static int servers_walk(struct check *c, enum side side, int (*walk)(struct check *c))
{
	struct client *client = &c->pair.client[side];
	int more = client_walk_begin(client, c->failure);
	while (more > 0 && !walk(c))
		more = client_walk_next(client, c->failure);
	return more ? -1 : 0;
}

// Ask how many of a batch there are: by one command, where its keys may be of several slots.
//
// @return replies to come
static unsigned count_ask(struct client *client, const struct subject *s, unsigned n)
{
	struct span argv[BATCH_KEYS + 1] = {SPAN_LIT("EXISTS")};
	unsigned step = client_is_cluster(client) ? 1 : BATCH_KEYS, asked = 0;
	for (unsigned at = 0; at < n; at += step, asked++) {
		unsigned part = n - at < step ? n - at : step;
		for (unsigned i = 0; i < part; i++)
			argv[i + 1] = s[at + i].key;
		client_put(client, part + 1, argv);
	}
	return asked;
}

static int count_take(struct compare *c, enum side side, unsigned asked, int64_t *count)
{
	*count = 0;
	for (; asked; asked--) {
		const struct resp_value *v = client_next(&c->pair->client[side], NULL);
		if (!v)
			return pair_failed(c->pair, c->failure);
		if (v->type == RESP_ERROR)
			return client_refused(&c->pair->client[side], "EXISTS", v->text,
					      c->failure);
		*count += v->integer;
	}
	return 0;
}

int keys_count_in(struct compare *c, const struct subject *s, unsigned n, int64_t count[2])
{
	unsigned asked[2];
	for (int i = 0; i < 2; i++)
		asked[i] = count_ask(&c->pair->client[i], s, n);
	pair_flush(c->pair);
	return count_take(c, SOURCE, asked[SOURCE], &count[SOURCE]) ||
			       count_take(c, TARGET, asked[TARGET], &count[TARGET])
		       ? -1
		       : 0;
}

static int batch_compare(struct check *c, struct subject *s, unsigned n)
{
	int64_t count[2] = {0, 1};
	if (c->mostly_missing && keys_count_in(&c->compare, s, n, count))
		return -1;
	if (count[TARGET] == 0 ? subjects_missing(&c->compare, s, n)
			       : subjects_compare(&c->compare, s, n))
		return -1;
	unsigned missing = 0;
	for (unsigned i = 0; i < n; i++)
		missing += s[i].difference == DIFF_MISSING;
	c->mostly_missing = missing > n / 2;
	return 0;
}

static int portion_compare(struct check *c)
{
	struct portion *p = &c->portion;
	for (unsigned at = 0; at < p->n; at += BATCH_KEYS) {
		unsigned n = p->n - at < BATCH_KEYS ? p->n - at : BATCH_KEYS;
		if (batch_compare(c, p->keys + at, n))
			return -1;
	}
	for (unsigned i = 0; i < p->n; i++)
		if (p->keys[i].difference != DIFF_NONE &&
		    suspect_add(c, p->keys[i].key, p->keys[i].difference))
			return -1;
	return 0;
}

static int source_server_walk(struct check *c)
{
	int more;
	strcpy(c->portion.cursor, "0");
	do {
		more = scan_next(c, SOURCE);
		if (more < 0 || portion_compare(c))
			return -1;
		c->result->keys += c->portion.n;
		if (c->options->progress)
			c->options->progress(c->options->arg, c->db[SOURCE], c->result->keys);
	} while (more);
	return 0;
}

int source_walk(struct check *c)
{
	return servers_walk(c, SOURCE, source_server_walk);
}

// Whether the source has every key of the portion.
static int portion_known(struct check *c, bool *all)
{
	struct portion *p = &c->portion;
	for (unsigned at = 0; at < p->n && *all; at += BATCH_KEYS) {
		unsigned n = p->n - at < BATCH_KEYS ? p->n - at : BATCH_KEYS;
		int64_t count;
		unsigned asked = count_ask(&c->pair.client[SOURCE], p->keys + at, n);
		if (count_take(&c->compare, SOURCE, asked, &count))
			return -1;
		*all = count == n;
	}
	return 0;
}

static int extras_find(struct check *c)
{
	struct client *source = &c->pair.client[SOURCE];
	struct portion *p = &c->portion;
	for (unsigned i = 0; i < p->n; i++)
		client_ask(source, "EXISTS %b", p->keys[i].key);
	for (unsigned i = 0; i < p->n; i++) {
		const struct resp_value *v = client_next(source, NULL);
		if (!v)
			return pair_failed(&c->pair, c->failure);
		p->keys[i].difference = v->integer ? DIFF_NONE : DIFF_EXTRA;
	}
	for (unsigned i = 0; i < p->n; i++)
		if (p->keys[i].difference != DIFF_NONE &&
		    suspect_add(c, p->keys[i].key, DIFF_EXTRA))
			return -1;
	return 0;
}

static int target_server_walk(struct check *c)
{
	int more;
	strcpy(c->portion.cursor, "0");
	do {
		bool all = true;
		more = scan_next(c, TARGET);
		if (more < 0 || portion_known(c, &all))
			return -1;
		if (!all && extras_find(c))
			return -1;
	} while (more);
	return 0;
}

int target_walk(struct check *c)
{
	return servers_walk(c, TARGET, target_server_walk);
}
