// SPDX-License-Identifier: BSD-3-Clause
// rebuild_key() -> rebuild_begin() -> pieces_copy() -> is_steady() -> rebuild_commit()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/scan/rebuild_priv.h"

#define PIECE_MAX      512
#define LEFT_OVER_LIFE 86400 // seconds that an unfinished value stays after a crash

// ---- Questions and writes ---------------------------------------------------------------------

const struct resp_value *rebuild_read(struct rebuild *b, unsigned *n)
{
	const struct resp_value *v = client_next(b->source, n);
	if (!v)
		pair_failed(b->c->pair, b->c->failure);
	else if (v->type == RESP_ERROR)
		b->vanished = true;
	return v && v->type != RESP_ERROR ? v : NULL;
}

void rebuild_put(struct rebuild *b, unsigned argc, const struct span *argv)
{
	client_put(b->target, argc, argv);
	b->n_put++;
	for (unsigned i = 2; i < argc; i++)
		b->c->counts.bytes += argv[i].len;
	if (b->mortal)
		return;
	b->mortal = true;
	client_ask(b->target, "EXPIRE %b %d", b->temporary, (long long)LEFT_OVER_LIFE);
	b->n_put++;
}

static void put_words(struct rebuild *b, const char *format, struct span key, long long number)
{
	client_ask(b->target, format, key, number);
	b->n_put++;
}

int rebuild_answers(struct rebuild *b)
{
	client_flush(b->source);
	for (; b->n_put; b->n_put--) {
		unsigned n;
		const struct resp_value *v = client_next(b->target, &n);
		if (!v)
			return pair_failed(b->c->pair, b->c->failure);
		for (unsigned i = 0; i < n; i++)
			if (v[i].type == RESP_ERROR && !b->refused[0])
				snprintf(b->refused, sizeof(b->refused), "%.*s",
					 (int)(v[i].text.len < 150 ? v[i].text.len : 150),
					 v[i].text.p);
	}
	const struct copy_options *o = &b->c->options;
	if (o->go_on && !o->go_on(o->go_on_arg))
		return failure_set(b->c->failure, ERROR_INTERRUPTED, "ended by a signal");
	return 0;
}

// ---- Strings and lists ------------------------------------------------------------------------

static void ask_range(struct rebuild *b, const char *format, int64_t from, int64_t len)
{
	client_ask(b->source, format, b->key, (long long)from, (long long)(from + len - 1));
}

static int string_copy(struct rebuild *b)
{
	struct span argv[3] = {SPAN_LIT("APPEND"), b->temporary};
	ask_range(b, "GETRANGE %b %d %d", 0, REBUILD_BYTES);
	for (int64_t at = 0;; at += REBUILD_BYTES) {
		const struct resp_value *v = rebuild_read(b, NULL);
		if (!v || v->type != RESP_STRING)
			return b->c->failure->id ? -1 : 0;
		bool more = v->text.len == REBUILD_BYTES;
		if (more)
			ask_range(b, "GETRANGE %b %d %d", at + REBUILD_BYTES, REBUILD_BYTES);
		argv[2] = v->text;
		if (v->text.len || at == 0)
			rebuild_put(b, 3, argv);
		if (rebuild_answers(b))
			return -1;
		if (!more)
			return 0;
	}
}

static int list_copy(struct rebuild *b)
{
	struct span *argv = b->c->argv;
	ask_range(b, "LRANGE %b %d %d", 0, b->piece);
	for (int64_t at = 0;; at += b->piece) {
		unsigned n;
		const struct resp_value *v = rebuild_read(b, &n);
		if (!v || v->type != RESP_ARRAY)
			return b->c->failure->id ? -1 : 0;
		bool more = v->elements == b->piece;
		if (more)
			ask_range(b, "LRANGE %b %d %d", at + b->piece, b->piece);
		argv[0] = SPAN_LIT("RPUSH");
		argv[1] = b->temporary;
		for (unsigned i = 1; i < n; i++)
			argv[i + 1] = v[i].text;
		if (n > 1)
			rebuild_put(b, n + 1, argv);
		if (rebuild_answers(b))
			return -1;
		if (!more)
			return 0;
	}
}

// ---- Sets, sorted sets, hashes ----------------------------------------------------------------

static void ask_scan(struct rebuild *b, struct span cursor)
{
	client_ask(b->source, "%b %b %b COUNT %d", span_of(value_type_row(b->type)->scan), b->key,
		   cursor, (long long)b->piece);
}

// What one SCAN of elements gave, which may be more than was asked for.
static void elements_put(struct rebuild *b, const struct resp_value *v, unsigned n)
{
	static const char *const words[] = {
		[VALUE_SET] = "SADD", [VALUE_ZSET] = "ZADD", [VALUE_HASH] = "HSET"};
	struct span *argv = b->c->argv;
	for (unsigned at = 0; at < n;) {
		unsigned argc = 2;
		argv[0] = span_of(words[b->type]);
		argv[1] = b->temporary;
		for (; at < n && argc + 2 <= COPY_ARGS_MAX; at += value_type_row(b->type)->width) {
			if (b->type == VALUE_ZSET && at + 1 < n)
				argv[argc++] = v[at + 1].text;
			argv[argc++] = v[at].text;
			if (b->type == VALUE_HASH && at + 1 < n)
				argv[argc++] = v[at + 1].text;
		}
		rebuild_put(b, argc, argv);
	}
}

// The fields of a piece, copied: the next answer wipes them out. @return to be freed
static struct span *fields_copy(const struct resp_value *v, unsigned n)
{
	size_t bytes = 1;
	for (unsigned i = 0; i < n; i += 2)
		bytes += v[i].text.len;
	struct span *fields = malloc((n / 2 + 1) * sizeof(*fields) + bytes);
	char *room = fields ? (char *)(fields + n / 2 + 1) : NULL;
	for (unsigned i = 0; fields && i + 1 < n; i += 2) {
		memcpy(room, v[i].text.p, v[i].text.len);
		fields[i / 2] = (struct span){room, v[i].text.len};
		room += v[i].text.len;
	}
	return fields;
}

// Fields with a time of their own to live, since Redis 7.4.
static int field_ttls_copy(struct rebuild *b, const struct span *fields, unsigned n)
{
	char count[16];
	unsigned nodes;
	struct span *argv = malloc((n + 4) * sizeof(*argv));
	if (!argv)
		return failure_set(b->c->failure, ERROR_MEMORY, "no memory to copy keys");
	snprintf(count, sizeof(count), "%u", n);
	argv[0] = SPAN_LIT("HPEXPIRETIME");
	argv[1] = b->key;
	argv[2] = SPAN_LIT("FIELDS");
	argv[3] = span_of(count);
	memcpy(argv + 4, fields, n * sizeof(*fields));
	client_put(b->source, n + 4, argv);
	free(argv);
	const struct resp_value *v = rebuild_read(b, &nodes);
	if (!v)
		return b->c->failure->id ? -1 : 0;
	for (unsigned i = 1; i < nodes && i <= n; i++) {
		if (v[i].type != RESP_INTEGER || v[i].integer <= 0)
			continue;
		if (!b->c->can.field_ttl_write) {
			b->c->counts.field_ttls_lost++;
			continue;
		}
		client_ask(b->target, "HPEXPIREAT %b %d FIELDS 1 %b", b->temporary,
			   (long long)v[i].integer, fields[i - 1]);
		b->n_put++;
	}
	return 0;
}

static int members_copy(struct rebuild *b)
{
	bool ttls = b->type == VALUE_HASH && b->c->can.field_ttl_read;
	char cursor[24] = "0";
	ask_scan(b, span_of(cursor));
	do {
		unsigned n;
		const struct resp_value *v = rebuild_read(b, &n);
		if (!v || v->type != RESP_ARRAY || n < 3 || v[1].text.len >= sizeof(cursor))
			return b->c->failure->id ? -1 : 0;
		memcpy(cursor, v[1].text.p, v[1].text.len);
		cursor[v[1].text.len] = 0;
		elements_put(b, v + 3, n - 3);
		struct span *fields = ttls ? fields_copy(v + 3, n - 3) : NULL;
		int rc = fields && n > 3 ? field_ttls_copy(b, fields, (n - 3) / 2) : 0;
		free(fields);
		if (rc)
			return -1;
		if (strcmp(cursor, "0"))
			ask_scan(b, span_of(cursor));
		if (rebuild_answers(b))
			return -1;
	} while (strcmp(cursor, "0"));
	return 0;
}

static int pieces_copy(struct rebuild *b)
{
	switch (b->type) {
	case VALUE_STRING:
		return string_copy(b);
	case VALUE_LIST:
		return list_copy(b);
	case VALUE_STREAM:
		return rebuild_stream(b);
	default:
		return members_copy(b);
	}
}

// ---- Before and after -------------------------------------------------------------------------

static unsigned piece_size(const struct copy_item *item, int64_t length)
{
	uint64_t each = length > 0 ? item->size / (uint64_t)length + 1 : 1;
	uint64_t n = REBUILD_BYTES / each;
	return n < 1 ? 1 : n > PIECE_MAX ? PIECE_MAX : (unsigned)n;
}

static int type_read(struct rebuild *b)
{
	const struct can *can = &b->c->can;
	if (can->watch)
		client_ask(b->source, "UNWATCH");
	if (can->watch)
		client_ask(b->source, "WATCH %b", b->key);
	client_ask(b->source, "TYPE %b", b->key);
	client_ask(b->source, can->expire_time ? "PEXPIRETIME %b" : "PTTL %b", b->key);
	if (can->watch && (client_skip(b->source) || client_skip(b->source)))
		return pair_failed(b->c->pair, b->c->failure);
	const struct resp_value *v = rebuild_read(b, NULL);
	if (b->c->failure->id)
		return -1;
	b->type = v ? value_type_find(v->text) : VALUE_NONE;
	v = rebuild_read(b, NULL);
	if (b->c->failure->id)
		return -1;
	b->expiry_ms = v && v->type == RESP_INTEGER ? v->integer : -1;
	if (!can->expire_time && b->expiry_ms >= 0)
		b->expiry_ms += expiry_now_ms(b->c);
	return 0;
}

static int rebuild_begin(struct rebuild *b, struct copy_item *item)
{
	b->vanished = b->mortal = false;
	b->refused[0] = 0;
	if (type_read(b))
		return -1;
	if (b->type == VALUE_NONE || b->type == VALUE_OTHER)
		return 0;
	client_ask(b->source, value_type_row(b->type)->length, b->key);
	const struct resp_value *v = rebuild_read(b, NULL);
	if (b->c->failure->id)
		return -1;
	b->length = v && v->type == RESP_INTEGER ? v->integer : 0;
	b->piece = piece_size(item, b->length);
	put_words(b, "DEL %b", b->temporary, 0);
	return rebuild_answers(b);
}

// Whether the key is as it was when it was begun with. Without WATCH only its length tells.
static int is_steady(struct rebuild *b, bool *steady)
{
	bool watched = b->c->can.watch;
	if (watched)
		client_ask(b->source, "MULTI");
	client_ask(b->source, watched ? "EXEC" : value_type_row(b->type)->length, b->key);
	if (watched && client_skip(b->source))
		return pair_failed(b->c->pair, b->c->failure);
	const struct resp_value *v = client_next(b->source, NULL);
	if (!v)
		return pair_failed(b->c->pair, b->c->failure);
	*steady = !b->vanished && (watched ? v->type == RESP_ARRAY
					   : v->type == RESP_INTEGER && v->integer == b->length);
	return 0;
}

// Put the finished value in the key's place.
static int rebuild_commit(struct rebuild *b)
{
	bool whole = b->c->can.multi, expires = b->expiry_ms >= 0;
	struct span rename[3] = {SPAN_LIT("RENAME"), b->temporary, b->key};
	if (whole)
		put_words(b, "MULTI", b->key, 0);
	else
		put_words(b, expires ? "PEXPIREAT %b %d" : "PERSIST %b", b->temporary,
			  b->expiry_ms);
	put_words(b, "DEL %b", b->key, 0);
	rebuild_put(b, 3, rename);
	if (whole) {
		put_words(b, expires ? "PEXPIREAT %b %d" : "PERSIST %b", b->key, b->expiry_ms);
		put_words(b, "EXEC", b->key, 0);
	}
	return rebuild_answers(b);
}

// A module's value of any size: there is no other way.
static int module_copy(struct rebuild *b, struct copy_item *item)
{
	client_ask(b->source, "DUMP %b", b->key);
	const struct resp_value *v = rebuild_read(b, NULL);
	if (!v || v->type != RESP_STRING || v->text.len < 12)
		return b->c->failure->id ? -1 : item_begin(b->c, item);
	item->expiry_ms = b->expiry_ms;
	return write_payload(b->c, item, v->text);
}

static int refusal_take(struct rebuild *b, struct copy_item *item)
{
	struct span why = span_of(b->refused);
	int rc = target_error(b->c, why, "a write");
	if (rc < 0)
		return -1;
	if (rc == 0)
		return item_refused(b->c, item, why);
	copy_list_add(&b->c->big, item);
	return 0;
}

// @return 1 changed under way, 0 the item is through, -1 failed
static int rebuild_try(struct rebuild *b, struct copy_item *item, bool last)
{
	bool steady = true;
	if (rebuild_begin(b, item))
		return -1;
	if (b->type == VALUE_NONE)
		return write_delete(b->c, item);
	if (b->type == VALUE_OTHER)
		return module_copy(b, item);
	if (pieces_copy(b) || is_steady(b, &steady))
		return -1;
	if (b->refused[0])
		return refusal_take(b, item);
	if (!steady && (!last || b->vanished))
		return 1;
	b->c->counts.unsteady += !steady;
	if (rebuild_commit(b))
		return -1;
	if (strstr(b->refused, "no such key")) // all of its elements are gone by now
		return 1;
	if (b->refused[0])
		return refusal_take(b, item);
	b->c->counts.rebuilt++;
	b->c->counts.pending_lost += b->claims_lost;
	return item_done(b->c, item, COPY_COPIED);
}

// Both databases, blocking.
static int databases_select(struct copier *c, const int db[2])
{
	if (db[SOURCE] == c->db_asked && db[TARGET] == c->db_put)
		return 0;
	c->db_asked = db[SOURCE];
	c->db_put = db[TARGET];
	return pair_select(c->pair, db, c->failure);
}

int rebuild_key(struct copier *c, struct copy_item *item)
{
	struct rebuild b = {
		.c = c,
		.source = &c->pair->client[SOURCE],
		.target = &c->pair->client[TARGET],
		.key = item->key,
		.temporary = span_of(c->options.temporary),
	};
	if (databases_select(c, item->group->db))
		return -1;
	for (unsigned i = 1; i <= REBUILD_TRIES; i++) {
		int rc = rebuild_try(&b, item, i == REBUILD_TRIES);
		c->heard_ms = mono_ms();
		if (rc <= 0)
			return rc;
		c->counts.again++;
		b.claims_lost = 0;
	}
	if (++item->tries < REBUILD_TRIES) {
		copy_list_add(&c->big, item);
		return 0;
	}
	return item_refused(c, item, SPAN_LIT("the key changes all the while it is read"));
}
