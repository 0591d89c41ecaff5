// SPDX-License-Identifier: BSD-3-Clause
// harvest_database() -> harvest_turn() -> names_turn(), values_ask(), values_take() -> part_take()
// -> expiry_took() | value_begin(), value_end()
#include "ctrl/dump/harvest.h"

#include <stdlib.h>

#include "ctrl/cli/escape.h"
#include "ctrl/clock.h"
#include "parsers/noperm.h"
#include "parsers/psync.h"

#define WINDOW_BYTES (8u << 20)
#define SIZE_UNKNOWN (32u << 10) // counted for a value whose size nobody tells

// ---- One key ----------------------------------------------------------------------------------

static uint64_t window_share(const struct copy_item *item)
{
	return item->size ? item->size : SIZE_UNKNOWN;
}

static void values_ask(struct harvest *h)
{
	const char *expiry = h->can.expire_time ? "PEXPIRETIME %b" : "PTTL %b";
	while (h->ready.first && h->n_asked < ASKED_MAX && h->asked_bytes < WINDOW_BYTES &&
	       mono_ms() >= h->paused_until_ms) {
		struct copy_item *item = copy_list_take(&h->ready);
		if (h->n_asked == 0)
			intake_awaits(&h->in);
		client_ask(&h->values, expiry, item->key);
		client_ask(&h->values, "DUMP %b", item->key);
		h->asked[(h->head + h->n_asked++) % ASKED_MAX] = item;
		h->asked_bytes += window_share(item);
	}
}

// The first one that was asked has its answer.
static void item_done(struct harvest *h)
{
	struct copy_item *item = h->asked[h->head];
	h->head = (h->head + 1) % ASKED_MAX;
	h->n_asked--;
	h->asked_bytes -= window_share(item);
	h->expiry_came = false;
	if (h->again)
		copy_list_add(&h->ready, item);
	else
		item->group->open--;
	h->again = false;
}

// @return a sentence about the key at hand: -1
static int key_failed(struct harvest *h, enum error_id id, const char *what, struct span why)
{
	const struct copy_item *item = h->asked[h->head];
	char *key = escape_text(item->key.p, item->key.len), advice[200];
	noperm_advice(why, h->values.user, advice, sizeof(advice));
	failure_set(h->d->failure, id, "key \"%.100s\" of the source %s %s%.*s%s",
		    key ? key : "?", h->values.url, what, why.len < 150 ? (int)why.len : 150,
		    why.p, advice);
	free(key);
	return -1;
}

static int error_took(struct harvest *h, struct span text)
{
	if (!psync_error_passes(text))
		return key_failed(h, ERROR_NOPERM, "cannot be read (--match leaves it out): ",
				  text);
	h->again = true;
	h->busy_since_ms = h->busy_since_ms ? h->busy_since_ms : mono_ms();
	h->paused_until_ms = mono_ms() + BUSY_PAUSE_MS;
	return 0;
}

static int strange(struct harvest *h)
{
	return failure_set(h->d->failure, ERROR_NOT_REDIS,
			   "the source %s does not answer as a Redis does", h->values.url);
}

static int expiry_took(struct harvest *h, enum reply_part part, const struct reply_event *ev)
{
	struct copy_item *item = h->asked[h->head];
	h->expiry_came = true;
	item->expiry_ms = part == REPLY_NUMBER ? ev->number : -2;
	if (!h->can.expire_time && item->expiry_ms >= 0)
		item->expiry_ms += (int64_t)wall_ms() + h->can.source_ahead_ms;
	if (part == REPLY_ERROR)
		return error_took(h, ev->text);
	return part == REPLY_NUMBER ? 0 : strange(h);
}

static int verdict_judge(struct harvest *h, enum payload_verdict verdict)
{
	static const struct {
		enum error_id id;
		const char *sentence;
	} rows[] = {
		[PAYLOAD_DAMAGED] = {ERROR_RDB_CORRUPT, "came damaged: its checksum is wrong"},
		[PAYLOAD_NEWER] = {ERROR_CUT_SHORT, "is of a later version than the source told"},
		[PAYLOAD_NO_FILE] =
			{ERROR_RDB_UNSUPPORTED,
			 "has a type that DUMP gives in a form which stands in no file"},
	};
	if (verdict == PAYLOAD_OK)
		return 0;
	return key_failed(h, rows[verdict].id, rows[verdict].sentence, (struct span){"", 0});
}

static int value_begin(struct harvest *h, const struct reply_event *ev)
{
	struct copy_item *item = h->asked[h->head];
	// Made anew after its expiry was asked for: once more.
	h->again = h->again || item->expiry_ms == -2;
	h->passes_over = h->again;
	if (h->passes_over)
		return 0;
	return verdict_judge(h, payload_begin(&h->payload, (uint64_t)ev->number, ev->text,
					      item->key, item->expiry_ms,
					      &h->d->options->filter));
}

static int value_end(struct harvest *h)
{
	struct dump_progress *p = h->d->progress;
	if (!h->passes_over && verdict_judge(h, payload_end(&h->payload)))
		return -1;
	if (!h->passes_over) {
		h->busy_since_ms = 0;
		p->keys++;
		p->kept += h->payload.kept;
	}
	item_done(h);
	return 0;
}

static int value_gone(struct harvest *h)
{
	if (!h->again) {
		h->d->progress->keys++;
		h->d->progress->gone++;
	}
	item_done(h);
	return 0;
}

static int part_take(struct harvest *h, enum reply_part part, const struct reply_event *ev)
{
	if (part == REPLY_BAD || h->n_asked == 0)
		return strange(h);
	if (!h->expiry_came)
		return expiry_took(h, part, ev);
	switch (part) {
	case REPLY_STRING:
		return value_begin(h, ev);
	case REPLY_BYTES:
		if (!h->passes_over)
			payload_feed(&h->payload, ev->text);
		return 0;
	case REPLY_STRING_END:
		return value_end(h);
	case REPLY_NIL:
		return value_gone(h);
	case REPLY_ERROR:
		if (error_took(h, ev->text))
			return -1;
		item_done(h);
		return 0;
	default:
		return strange(h);
	}
}

// @return 1 something was taken, 0 not, -1 failed
static int values_take(struct harvest *h)
{
	struct reply_event ev;
	size_t used;
	bool any = false;
	for (;;) {
		struct span w = input_window(&h->in.input);
		enum reply_part part = replies_next(&h->replies, w, &ev, &used);
		if (part == REPLY_MORE)
			return any;
		if (part_take(h, part, &ev))
			return -1;
		if (h->w.error)
			return dump_not_written(h->d, h->w.error);
		input_used(&h->in.input, used);
		any = true;
	}
}

// ---- All of them ------------------------------------------------------------------------------

// Scripts that run for ever are not waited for.
static int busy_judge(struct harvest *h)
{
	uint64_t since = h->busy_since_ms ? h->busy_since_ms : h->names.busy_since_ms;
	unsigned limit_ms = h->d->options->wait_ms;
	if (!since || mono_ms() - since < limit_ms)
		return 0;
	return failure_set(h->d->failure, ERROR_DEADLINE,
			   "the source %s has been busy for %u s (--wait-timeout)", h->values.url,
			   limit_ms / 1000);
}

static int harvest_turn(struct harvest *h)
{
	struct dump *d = h->d;
	struct client *both[] = {&h->naming.client[SOURCE], &h->values};
	int named = names_turn(&h->names, &h->ready, d->failure);
	if (named < 0)
		return -1;
	values_ask(h);
	client_flush(&h->values);
	int came = h->n_asked ? intake_turn(&h->in, 0, d->failure) : 0;
	int taken = came < 0 ? -1 : values_take(h);
	if (taken < 0)
		return -1;
	d->progress->bytes = h->in.input.n_read;
	// Who is to read no faster must not look at what could be read.
	unsigned pause_ms = pace_wait_ms(&h->in.pace, mono_ms());
	bool idle = named + came + taken == 0;
	if (idle && pause_ms)
		clients_wait(both, 1, pause_ms < SHORT_WAIT_MS ? pause_ms : SHORT_WAIT_MS);
	else if (idle)
		clients_wait(both, 2, SHORT_WAIT_MS);
	return busy_judge(h) ? -1 : dump_goes_on(d);
}

static int select_values(struct harvest *h, int db)
{
	client_ask(&h->values, "SELECT %d", (long long)db);
	const struct resp_value *v = client_next(&h->values, NULL);
	if (v && v->type != RESP_ERROR)
		return 0;
	if (v)
		return client_refused(&h->values, "SELECT", v->text, h->d->failure);
	*h->d->failure = h->values.failure;
	return -1;
}

int harvest_database(struct harvest *h, int db)
{
	if (select_values(h, db) || names_begin(&h->names, db, h->d->failure))
		return -1;
	rdb_write_selectdb(&h->w, (uint64_t)db);
	do {
		if (harvest_turn(h))
			return -1;
	} while (!names_are_through(&h->names));
	return 0;
}
