// SPDX-License-Identifier: BSD-3-Clause
// report_event() -> key_begin() | counted | key_end() -> add(), top_add(), prefix_add()
#include "ctrl/decode/report.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "ctrl/decode/printer.h"

static const struct {
	const char *name;
	uint64_t limit_ms; // expires within
} expiries[REPORT_EXPIRIES] = {
	{"expired", 0},          {"1 minute", 60000},       {"1 hour", 3600000},
	{"1 day", 86400000},     {"1 week", 604800000},     {"30 days", 2592000000},
	{"later", UINT64_MAX},   {"never", 0},
};

const char *report_expiry_name(unsigned i)
{
	return expiries[i].name;
}

int report_init(struct report *r, uint64_t now_ms)
{
	memset(r, 0, sizeof(*r));
	r->now_ms = now_ms;
	r->commands.first_s = r->commands.last_s = -1;
	r->prefixes = calloc(REPORT_PREFIX_SLOTS, sizeof(*r->prefixes));
	r->commands.known = calloc(command_row_count, sizeof(*r->commands.known));
	return r->prefixes && r->commands.known ? 0 : -ENOMEM;
}

void report_fini(struct report *r)
{
	free(r->prefixes);
	free(r->commands.known);
	r->prefixes = NULL;
	r->commands.known = NULL;
}

static void add(struct report_count *c, const struct report_key *k)
{
	c->keys++;
	c->bytes += k->bytes;
	c->elements += k->elements;
	c->expiring += k->expire_at_ms != -1;
}

static unsigned expiry_class(const struct report *r, int64_t at_ms)
{
	uint64_t now_ms = r->taken_ms ? r->taken_ms : r->now_ms;
	unsigned i = 1;
	if (at_ms == -1)
		return REPORT_EXPIRIES - 1;
	if (at_ms < 0 || (uint64_t)at_ms <= now_ms)
		return 0;
	while ((uint64_t)at_ms - now_ms > expiries[i].limit_ms)
		i++;
	return i;
}

static unsigned size_class(uint64_t bytes)
{
	unsigned i = bytes ? 64 - (unsigned)__builtin_clzll(bytes) : 0;
	return i < REPORT_SIZES ? i : REPORT_SIZES - 1;
}

// ---- The biggest

static uint64_t weight(const struct report_key *k, bool by_elements)
{
	return by_elements ? k->elements : k->bytes;
}

static void top_add(struct report_key *top, unsigned *n, const struct report_key *k,
		    bool by_elements)
{
	unsigned at = *n;
	if (at == REPORT_TOP && weight(k, by_elements) <= weight(&top[at - 1], by_elements))
		return;
	at -= at == REPORT_TOP;
	while (at > 0 && weight(&top[at - 1], by_elements) < weight(k, by_elements)) {
		top[at] = top[at - 1];
		at--;
	}
	top[at] = *k;
	*n += *n < REPORT_TOP;
	for (unsigned i = 0; i < *n; i++) // a module's name is in the row itself
		if (top[i].type_text[0])
			top[i].type = top[i].type_text;
}

// ---- Prefixes

// The key up to its first separator, or nothing. Digits are no part of it: user1042 is user.
static size_t prefix_len(struct span key)
{
	for (size_t i = 0; i < key.len && i < REPORT_PREFIX_LEN - 1; i++) {
		char c = key.p[i];
		if (strchr(":/|.#", c) && c)
			return i + 1;
		if (c >= '0' && c <= '9')
			return i;
	}
	return 0;
}

static void prefix_add(struct report *r, const struct report_key *k)
{
	struct span key = {k->key, k->len < REPORT_KEY_LEN ? k->len : REPORT_KEY_LEN};
	size_t len = prefix_len(key);
	size_t i = XXH3_64bits(key.p, len) % REPORT_PREFIX_SLOTS;
	for (struct report_prefix *p; (p = &r->prefixes[i])->count.keys;
	     i = (i + 1) % REPORT_PREFIX_SLOTS) {
		if (p->len == len && !memcmp(p->text, key.p, len)) {
			add(&p->count, k);
			return;
		}
	}
	if (r->n_prefixes == REPORT_PREFIX_SLOTS / 2) {
		add(&r->other_prefixes, k);
		return;
	}
	r->n_prefixes++;
	r->prefixes[i].len = (uint8_t)len;
	memcpy(r->prefixes[i].text, key.p, len);
	add(&r->prefixes[i].count, k);
}

static int by_bytes(const void *a, const void *b)
{
	const struct report_prefix *const *p = a, *const *q = b;
	return (*p)->count.bytes < (*q)->count.bytes ? 1 : -1;
}

unsigned report_prefixes(const struct report *r, const struct report_prefix **out)
{
	const struct report_prefix **all = calloc(r->n_prefixes + 1, sizeof(*all));
	unsigned n = 0;
	for (unsigned i = 0; all && i < REPORT_PREFIX_SLOTS; i++)
		if (r->prefixes[i].count.keys)
			all[n++] = &r->prefixes[i];
	if (n)
		qsort(all, n, sizeof(*all), by_bytes);
	n = n < REPORT_PREFIXES ? n : REPORT_PREFIXES;
	if (n)
		memcpy(out, all, n * sizeof(*all));
	free(all);
	return n;
}

// ---- Events

static void key_begin(struct report *r, const struct rdb_event *ev, uint64_t db, uint64_t begin)
{
	struct report_key *k = &r->now;
	k->type_text[0] = '\0';
	k->type = printer_type(ev, k->type_text);
	k->encoding = ev->encoding;
	k->db = db;
	k->elements = 1;
	k->expire_at_ms = ev->expire_at_ms;
	k->len = ev->key.len;
	if (k->len)
		memcpy(k->key, ev->key.p, k->len < REPORT_KEY_LEN ? k->len : REPORT_KEY_LEN);
	r->now_kind = ev->value_kind;
	r->now_type = ev->type < REPORT_ENCODINGS ? ev->type : 0;
	r->now_begin = begin;
}

static void key_end(struct report *r, uint64_t pos)
{
	struct report_key *k = &r->now;
	k->bytes = pos - r->now_begin;
	add(&r->all, k);
	add(&r->types[r->now_kind], k);
	add(&r->encodings[r->now_type], k);
	r->encoding_names[r->now_type] = k->encoding;
	add(k->db < REPORT_DATABASES ? &r->databases[k->db] : &r->other_databases, k);
	add(&r->sizes[size_class(k->bytes)], k);
	add(&r->expiries[expiry_class(r, k->expire_at_ms)], k);
	top_add(r->top, &r->n_top, k, false);
	top_add(r->most, &r->n_most, k, true);
	prefix_add(r, k);
}

void report_skipped(struct report *r, uint64_t pos)
{
	if (r->now_skipped)
		key_end(r, pos);
	r->now_skipped = false;
}

static void aux_take(struct report *r, const struct rdb_event *ev)
{
	if (span_eq(ev->key, SPAN_LIT("ctime")))
		r->taken_ms = span_digits(ev->value) * 1000;
	else if (span_eq(ev->key, SPAN_LIT("used-mem")))
		r->used_memory = span_digits(ev->value);
	else if (span_eq(ev->key, SPAN_LIT("redis-ver")) ||
		 span_eq(ev->key, SPAN_LIT("valkey-ver")))
		snprintf(r->server, sizeof(r->server), "%s %.*s",
			 ev->key.p[0] == 'v' ? "Valkey" : "Redis", (int)ev->value.len,
			 ev->value.p);
}

void report_event(struct report *r, const struct rdb_event *ev, uint64_t db, uint64_t key_at,
		  uint64_t pos)
{
	switch (ev->kind) {
	case RDB_AUX:
		aux_take(r, ev);
		return;
	case RDB_FUNCTION:
		r->n_functions++;
		r->function_bytes += ev->value.len;
		return;
	case RDB_SKIPPED:
		r->n_skipped++;
		if (!ev->key.p)
			return;
		key_begin(r, ev, db, key_at);
		r->now_skipped = true;
		return;
	case RDB_STRING:
	case RDB_RAW:
		key_begin(r, ev, db, key_at);
		key_end(r, pos);
		return;
	case RDB_STRING_BEGIN:
		key_begin(r, ev, db, key_at);
		return;
	case RDB_BIG_BEGIN:
		key_begin(r, ev, db, key_at);
		r->now.elements = 0;
		return;
	case RDB_STRING_END:
	case RDB_BIG_END:
		key_end(r, pos);
		return;
	case RDB_HASH_ITEM:
		r->field_expiries += ev->field_expire_at_ms != -1;
		r->now.elements++;
		return;
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
	case RDB_ZSET_ITEM:
	case RDB_ARRAY_ITEM:
	case RDB_STREAM_ENTRY:
		r->now.elements++;
		return;
	default:
		return;
	}
}
