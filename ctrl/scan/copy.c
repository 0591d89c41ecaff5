// SPDX-License-Identifier: BSD-3-Clause
// copier_turn() -> replies_take() -> source_reply(), target_reply() ; values_ask() ; rebuild_key()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/scan/copy_priv.h"
#include "ctrl/scan/rebuild.h"

#define TURN_REPLIES 256 // of one side before the other has its turn

int copier_init(struct copier *c, struct pair *p, const struct copy_options *o, struct failure *f)
{
	*c = (struct copier){.options = *o, .pair = p, .failure = f, .heard_ms = mono_ms()};
	c->db_asked = c->db_put = -1;
	pace_init(&c->keys_pace, o->keys_per_s, mono_ms());
	pace_init(&c->bytes_pace, o->bytes_per_s, mono_ms());
	c->argv = calloc(COPY_ARGS_MAX, sizeof(*c->argv));
	if (!c->argv)
		return failure_set(f, ERROR_MEMORY, "no memory to copy keys");
	if (can_probe(&c->can, p, f)) {
		copier_free(c);
		return -1;
	}
	return 0;
}

void copier_free(struct copier *c)
{
	free(c->argv);
	free(c->asked.list);
	free(c->put.list);
	c->argv = NULL;
	c->asked.list = c->put.list = NULL;
}

void copier_forget(struct copier *c)
{
	c->db_asked = c->db_put = -1;
	c->asked.n = c->put.n = 0;
	c->ready = c->big = (struct copy_list){0};
	c->asked_bytes = c->put_bytes = 0;
	c->n_asked = 0;
	c->heard_ms = mono_ms();
}

void copier_take(struct copier *c, struct copy_group *g)
{
	g->open = g->n;
	if (copier_idle(c))
		c->heard_ms = mono_ms();
	for (unsigned i = 0; i < g->n; i++)
		if (item_begin(c, &g->items[i]))
			return; // the failure shows in the next turn
}

bool copier_idle(const struct copier *c)
{
	return c->asked.n == 0 && c->put.n == 0 && !c->ready.first && !c->big.first;
}

typedef int reply_take(struct copier *c, struct copy_expected e, const struct resp_value *v,
		       unsigned n);

// @return how many were taken, -1 failed
static int replies_take(struct copier *c, enum side side)
{
	struct client *client = &c->pair->client[side];
	struct copy_fifo *f = side == SOURCE ? &c->asked : &c->put;
	reply_take *take = side == SOURCE ? source_reply : target_reply;
	int taken = 0;
	while (f->n && taken < TURN_REPLIES) {
		unsigned n;
		const struct resp_value *v = client_poll(client, &n);
		if (!v)
			break;
		struct copy_expected e = f->list[f->head];
		f->head = (f->head + 1) % f->room;
		f->n--;
		if (take(c, e, v, n))
			return -1;
		taken++;
	}
	return client->failure.id ? pair_failed(c->pair, c->failure) : taken;
}

static int silence_judge(struct copier *c, bool moved)
{
	uint64_t now = mono_ms();
	if (moved || (c->asked.n == 0 && c->put.n == 0))
		c->heard_ms = now;
	if (now - c->heard_ms < CLIENT_SILENCE_MS)
		return 0;
	const struct client *silent = &c->pair->client[c->put.n ? TARGET : SOURCE];
	return failure_set(c->failure, ERROR_DEADLINE, "%s %s has not answered for %d s",
			   silent->who, silent->url, CLIENT_SILENCE_MS / 1000);
}

static bool big_is_due(const struct copier *c)
{
	uint64_t now = mono_ms();
	return c->big.first && c->asked.n == 0 && c->put.n == 0 && now >= c->paused_until_ms &&
	       now >= c->rest_until_ms;
}

// A big value that changes again and again must not keep everybody busy.
static int big_copy(struct copier *c)
{
	uint64_t began = mono_ms();
	int rc = rebuild_key(c, copy_list_take(&c->big));
	uint64_t now = mono_ms();
	c->rest_until_ms = c->rests ? now + 3 * (now - began) : 0;
	return rc;
}

int copier_turn(struct copier *c)
{
	if (c->failure->id)
		return -1;
	if (values_ask(c))
		return -1;
	pair_flush(c->pair);
	int read = replies_take(c, SOURCE);
	if (read < 0)
		return -1;
	client_flush(&c->pair->client[TARGET]);
	int written = replies_take(c, TARGET);
	if (written < 0 || silence_judge(c, read + written > 0))
		return -1;
	if (big_is_due(c))
		return big_copy(c) ? -1 : 1;
	return read + written > 0;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// The limits may end a wait before a server does.
void copier_wait(struct copier *c, struct client *const *also, unsigned n, unsigned ms)
{
	struct client *list[2 + COPY_ALSO_MAX] = {&c->pair->client[SOURCE],
						  &c->pair->client[TARGET]};
	for (unsigned i = 0; i < n; i++)
		list[2 + i] = also[i];
	uint64_t now = mono_ms();
	unsigned slow = pace_wait_ms(&c->keys_pace, now);
	if (slow == 0)
		slow = pace_wait_ms(&c->bytes_pace, now);
	if (c->ready.first && slow)
		ms = least(ms, slow);
	if (c->big.first && c->rest_until_ms > now)
		ms = least(ms, (unsigned)(c->rest_until_ms - now));
	if (c->ready.first && c->paused_until_ms > now)
		ms = least(ms, (unsigned)(c->paused_until_ms - now));
	clients_wait(list, 2 + n, ms);
}

int copier_finish(struct copier *c)
{
	while (!copier_idle(c)) {
		int rc = copier_turn(c);
		if (rc < 0)
			return -1;
		if (rc == 0)
			copier_wait(c, NULL, 0, 100);
		if (c->options.go_on && !c->options.go_on(c->options.go_on_arg))
			return failure_set(c->failure, ERROR_INTERRUPTED, "ended by a signal");
	}
	return 0;
}
