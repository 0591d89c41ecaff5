// SPDX-License-Identifier: BSD-3-Clause
// What the source is asked about a key, and what follows from its answers:
//
//   item_begin() -> size_took() | type_took() -> length_took() -> item_place() -> values_ask() ->
//   value_took() -> write_payload() | write_value() | write_delete()
#include <stdio.h>

#include "ctrl/clock.h"
#include "ctrl/scan/copy_priv.h"

#define TRIES_MAX     5
#define SIZE_UNKNOWN  1024 // counted for a value whose size nobody knows
#define BIG_WAITING   16   // so many big ones, and small ones wait for them

static int ask(struct copier *c, struct copy_item *item, const char *format, enum copy_ask kind)
{
	struct client *source = &c->pair->client[SOURCE];
	int db = item->group->db[SOURCE];
	if (db != c->db_asked) {
		client_ask(source, "SELECT %d", (long long)db);
		if (copy_expect(c, &c->asked, item, ASK_SELECT))
			return -1;
		c->db_asked = db;
	}
	client_ask(source, format, item->key);
	return copy_expect(c, &c->asked, item, kind);
}

static bool by_type(const struct copier *c, const struct copy_item *item)
{
	return item->by_type || c->options.by_type || !c->can.dump || !c->can.restore;
}

int item_begin(struct copier *c, struct copy_item *item)
{
	item->size = 0;
	item->type = VALUE_NONE;
	item->typed = !c->can.memory_usage || by_type(c, item);
	if (c->can.memory_usage && ask(c, item, "MEMORY USAGE %b", ASK_SIZE))
		return -1;
	return item->typed ? ask(c, item, "TYPE %b", ASK_TYPE) : 0;
}

int item_done(struct copier *c, struct copy_item *item, enum copy_fate fate)
{
	item->fate = (uint8_t)fate;
	item->group->open--;
	if (fate == COPY_COPIED) {
		c->counts.keys++;
		c->counts.by_type += by_type(c, item);
		c->waiting_since_ms = 0;
		c->waiting[0] = 0;
	}
	c->counts.gone += fate == COPY_GONE;
	c->counts.refused += fate == COPY_REFUSED;
	return 0;
}

int item_refused(struct copier *c, struct copy_item *item, struct span why)
{
	int len = (int)(why.len < 150 ? why.len : 150);
	if (!c->why_refused[0])
		snprintf(c->why_refused, sizeof(c->why_refused), "%.*s", len, why.p);
	return item_done(c, item, COPY_REFUSED);
}

// It changed between two questions.
int item_again(struct copier *c, struct copy_item *item)
{
	c->counts.again++;
	if (++item->tries < TRIES_MAX)
		return item_begin(c, item);
	copy_list_add(&c->big, item); // where it is read under WATCH
	return 0;
}

static void item_place(struct copier *c, struct copy_item *item, int64_t length)
{
	bool big = item->size > c->options.big_value && item->type != VALUE_OTHER;
	if (by_type(c, item) && item->type != VALUE_STRING)
		big = big || length > COPY_SMALL || item->type == VALUE_STREAM ||
		      (item->type == VALUE_HASH && c->can.field_ttl_read);
	copy_list_add(big ? &c->big : &c->ready, item);
}

// ---- Answers before the value -----------------------------------------------------------------

static int size_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	if (v->type == RESP_INTEGER)
		item->size = (uint64_t)v->integer;
	if (item->typed) // its answer comes next
		return 0;
	if (error_is_command(v)) {
		c->can.memory_usage = false;
		return item_begin(c, item);
	}
	if (v->type == RESP_ERROR)
		return item_refused(c, item, v->text);
	if (v->type == RESP_NIL)
		return write_delete(c, item);
	item_place(c, item, 0);
	return 0;
}

static int type_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	if (v->type == RESP_ERROR)
		return item_refused(c, item, v->text);
	item->type = (uint8_t)value_type_find(v->text);
	if (item->type == VALUE_NONE)
		return write_delete(c, item);
	if (item->type != VALUE_OTHER)
		return ask(c, item, value_type_row(item->type)->length, ASK_LENGTH);
	if (!by_type(c, item))
		item_place(c, item, 0);
	else
		return item_refused(c, item,
				    SPAN_LIT("a module's value needs DUMP and RESTORE"));
	return 0;
}

static int length_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	if (v->type == RESP_ERROR)
		return value_is_error(v, "WRONGTYPE") ? item_again(c, item)
						      : item_refused(c, item, v->text);
	if (item->size == 0)
		item->size = (uint64_t)v->integer * (item->type == VALUE_STRING ? 1 : 64);
	item_place(c, item, v->integer);
	return 0;
}

static int expiry_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	item->expiry_ms = v->type == RESP_INTEGER ? v->integer : -2; // not told: once more
	if (!c->can.expire_time && item->expiry_ms >= 0)
		item->expiry_ms += expiry_now_ms(c);
	return 0;
}

int64_t expiry_now_ms(const struct copier *c)
{
	return (int64_t)wall_ms() + c->can.source_ahead_ms;
}

// ---- The value --------------------------------------------------------------------------------

static uint64_t window_share(const struct copy_item *item)
{
	return item->size ? item->size : SIZE_UNKNOWN;
}

static bool window_open(const struct copier *c)
{
	uint64_t now = mono_ms();
	if (c->n_asked >= COPY_ASKED_MAX || c->asked_bytes >= COPY_WINDOW_BYTES ||
	    c->put_bytes >= COPY_WINDOW_BYTES || now < c->paused_until_ms)
		return false;
	// Small ones wait for big ones to have their turn.
	bool due = c->big.first && now >= c->rest_until_ms;
	return !due || (!c->rests && c->big.n < BIG_WAITING);
}

static int value_ask(struct copier *c, struct copy_item *item)
{
	const char *expiry = c->can.expire_time ? "PEXPIRETIME %b" : "PTTL %b";
	bool typed = by_type(c, item);
	if (typed && item->type == VALUE_NONE) // DUMP was to be had until now
		return item_begin(c, item);
	if (c->options.keep_idle && !typed &&
	    ask(c, item, c->can.lfu ? "OBJECT FREQ %b" : "OBJECT IDLETIME %b", ASK_HINT))
		return -1;
	if (ask(c, item, expiry, ASK_EXPIRY))
		return -1;
	c->n_asked++;
	c->asked_bytes += window_share(item);
	pace_pay(&c->keys_pace, 1);
	pace_pay(&c->bytes_pace, window_share(item));
	return typed ? ask(c, item, value_type_row(item->type)->all, ASK_VALUE)
		     : ask(c, item, "DUMP %b", ASK_DUMP);
}

int values_ask(struct copier *c)
{
	while (c->ready.first && window_open(c)) {
		uint64_t now = mono_ms();
		if (pace_wait_ms(&c->keys_pace, now) || pace_wait_ms(&c->bytes_pace, now))
			break;
		if (value_ask(c, copy_list_take(&c->ready)))
			return -1;
	}
	return 0;
}

static int dump_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	if (error_is_command(v)) {
		c->can.dump = false;
		return item_begin(c, item);
	}
	if (v->type == RESP_ERROR)
		return item_refused(c, item, v->text);
	if (v->type != RESP_STRING || v->text.len < 12)
		return write_delete(c, item);
	if (item->expiry_ms == -2) // made anew after its expiry was asked for
		return item_again(c, item);
	return write_payload(c, item, v->text);
}

static int value_took(struct copier *c, struct copy_item *item, const struct resp_value *v,
		      unsigned n)
{
	if (v->type == RESP_ERROR)
		return value_is_error(v, "WRONGTYPE") ? item_again(c, item)
						      : item_refused(c, item, v->text);
	if (v->type == RESP_NIL || (v->type == RESP_ARRAY && v->elements == 0))
		return write_delete(c, item);
	if (item->expiry_ms == -2)
		return item_again(c, item);
	return write_value(c, item, v, n);
}

static bool source_is_busy(struct copier *c, const struct copy_expected *e,
			   const struct resp_value *v)
{
	if (!error_is_busy(v) || e->kind == ASK_SELECT || e->kind == ASK_HINT ||
	    e->kind == ASK_EXPIRY)
		return false;
	if (e->kind == ASK_SIZE && e->item->typed) // TYPE's answer comes next
		return true;
	if (e->kind == ASK_DUMP || e->kind == ASK_VALUE) {
		c->n_asked--;
		c->asked_bytes -= window_share(e->item);
	}
	c->paused_until_ms = mono_ms() + BUSY_PAUSE_MS;
	e->item->type = VALUE_NONE;
	copy_list_add(&c->ready, e->item);
	return true;
}

int source_reply(struct copier *c, struct copy_expected e, const struct resp_value *v, unsigned n)
{
	if (source_is_busy(c, &e, v))
		return 0;
	switch ((enum copy_ask)e.kind) {
	case ASK_SIZE:
		return size_took(c, e.item, v);
	case ASK_TYPE:
		return type_took(c, e.item, v);
	case ASK_LENGTH:
		return length_took(c, e.item, v);
	case ASK_HINT:
		e.item->hint = v->type == RESP_INTEGER ? v->integer : -1;
		return 0;
	case ASK_EXPIRY:
		return expiry_took(c, e.item, v);
	case ASK_SELECT:
		return v->type == RESP_ERROR ? client_refused(&c->pair->client[SOURCE], "SELECT",
							      v->text, c->failure)
					     : 0;
	case ASK_DUMP:
	case ASK_VALUE:
		break;
	}
	c->n_asked--;
	c->asked_bytes -= window_share(e.item);
	return e.kind == ASK_DUMP ? dump_took(c, e.item, v) : value_took(c, e.item, v, n);
}
