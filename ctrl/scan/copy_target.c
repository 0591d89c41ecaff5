// SPDX-License-Identifier: BSD-3-Clause
// What is written to the target, and what follows from its answers:
//
//   write_payload() -> RESTORE -> restore_took() -> done | another way
//   write_value()   -> MULTI DEL write PEXPIREAT EXEC -> last_took()
//   write_delete()  -> DEL -> delete_took()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/scan/copy_priv.h"
#include "parsers/rdb.h"
#include "parsers/rdb_footer.h"

#define PAUSE_MS 250 // before a target that has no room is asked again

static struct client *target_of(struct copier *c)
{
	return &c->pair->client[TARGET];
}

static void put_pay(struct copier *c, struct copy_item *item, size_t len)
{
	item->put_len += len;
	c->put_bytes += len;
	c->counts.bytes += len;
}

static void put_clear(struct copier *c, struct copy_item *item)
{
	c->put_bytes -= item->put_len;
	item->put_len = 0;
}

static int target_select(struct copier *c, struct copy_item *item)
{
	int db = item->group->db[TARGET];
	if (db == c->db_put)
		return 0;
	c->db_put = db;
	client_ask(target_of(c), "SELECT %d", (long long)db);
	return copy_expect(c, &c->put, item, PUT_SELECT);
}

int write_delete(struct copier *c, struct copy_item *item)
{
	if (target_select(c, item))
		return -1;
	client_ask(target_of(c), "DEL %b", item->key);
	return copy_expect(c, &c->put, item, PUT_DELETE);
}

// ---- RESTORE ----------------------------------------------------------------------------------

// The expiry as RESTORE wants it: 0 none, absolute, or what is left of it.
static long long restore_ttl(const struct copier *c, const struct copy_item *item)
{
	if (item->expiry_ms < 0)
		return 0;
	if (c->can.absolute_ttl)
		return item->expiry_ms > 0 ? item->expiry_ms : 1;
	int64_t left = item->expiry_ms - expiry_now_ms(c);
	return left > 0 ? left : 1;
}

static int restore_put(struct copier *c, struct copy_item *item, struct span payload)
{
	char ttl[24], hint[24];
	struct span argv[8] = {SPAN_LIT("RESTORE"), item->key, {ttl, 0}, payload,
			       SPAN_LIT("REPLACE")};
	unsigned n = 5;
	if (target_select(c, item))
		return -1;
	argv[2].len = (size_t)snprintf(ttl, sizeof(ttl), "%lld", restore_ttl(c, item));
	if (c->can.absolute_ttl)
		argv[n++] = SPAN_LIT("ABSTTL");
	if (c->can.absolute_ttl && item->hint >= 0) {
		argv[n++] = c->can.lfu ? SPAN_LIT("FREQ") : SPAN_LIT("IDLETIME");
		snprintf(hint, sizeof(hint), "%lld", (long long)item->hint);
		argv[n++] = span_of(hint);
	}
	client_put(target_of(c), n, argv);
	put_pay(c, item, payload.len);
	return copy_expect(c, &c->put, item, PUT_RESTORE);
}

// The RDB version that a payload names, and the lowest one that has its type.
static uint16_t payload_version(struct span payload)
{
	const uint8_t *p = (const uint8_t *)payload.p + payload.len - RDB_FOOTER_LEN;
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint16_t payload_version_least(struct span payload)
{
	enum rdb_magic magic = payload_version(payload) >= 80 ? RDB_MAGIC_VALKEY : RDB_MAGIC_REDIS;
	return rdb_type_version(magic, (uint8_t)payload.p[0]);
}

static int refooted_put(struct copier *c, struct copy_item *item, struct span payload)
{
	struct span body = {payload.p + 1, payload.len - 1 - RDB_FOOTER_LEN};
	char *copy = malloc(payload.len);
	if (!copy)
		return failure_set(c->failure, ERROR_MEMORY, "no memory to copy keys");
	memcpy(copy, payload.p, payload.len);
	rdb_restore_footer((uint8_t)payload.p[0], payload_version_least(payload), body,
			   (uint8_t *)copy + payload.len - RDB_FOOTER_LEN);
	int rc = restore_put(c, item, (struct span){copy, payload.len});
	free(copy);
	return rc;
}

int write_payload(struct copier *c, struct copy_item *item, struct span payload)
{
	item->payload = (uint8_t)payload.p[0];
	enum payload_way way = (enum payload_way)c->payload_ways[item->payload];
	if (way == PAYLOAD_NEW_FOOTER && payload_version_least(payload) == 0)
		way = PAYLOAD_BY_TYPE; // a type that we know nothing about
	if (way == PAYLOAD_AS_IS)
		return restore_put(c, item, payload);
	if (way == PAYLOAD_NEW_FOOTER)
		return refooted_put(c, item, payload);
	item->by_type = true;
	return item_begin(c, item);
}

// ---- Commands of the type ---------------------------------------------------------------------

static int put_command(struct copier *c, struct copy_item *item, enum copy_put kind, unsigned n,
		       const struct span *argv)
{
	client_put(target_of(c), n, argv);
	return copy_expect(c, &c->put, item, kind);
}

static int put_words(struct copier *c, struct copy_item *item, enum copy_put kind,
		     const char *format, int64_t number)
{
	client_ask(target_of(c), format, item->key, (long long)number);
	return copy_expect(c, &c->put, item, kind);
}

static unsigned value_argv(const struct copy_item *item, const struct resp_value *v, unsigned n,
			   struct span *argv)
{
	static const char *const words[] = {
		[VALUE_STRING] = "SET", [VALUE_LIST] = "RPUSH", [VALUE_SET] = "SADD",
		[VALUE_ZSET] = "ZADD",  [VALUE_HASH] = "HSET",
	};
	unsigned argc = 2;
	argv[0] = span_of(words[item->type]);
	argv[1] = item->key;
	if (item->type == VALUE_STRING)
		argv[argc++] = v->text;
	for (unsigned i = 1; i < n; i++) { // a member comes before its score, and is put after it
		unsigned from = item->type == VALUE_ZSET ? ((i - 1) ^ 1) + 1 : i;
		argv[argc++] = v[from].text;
	}
	return argc;
}

int write_value(struct copier *c, struct copy_item *item, const struct resp_value *v, unsigned n)
{
	if (n + 4 > COPY_ARGS_MAX) { // it has grown
		copy_list_add(&c->big, item);
		return 0;
	}
	unsigned argc = value_argv(item, v, n, c->argv);
	bool expires = item->expiry_ms >= 0;
	bool whole = c->can.multi && (expires || item->type != VALUE_STRING);
	size_t len = 0;
	for (unsigned i = 2; i < argc; i++)
		len += c->argv[i].len;
	put_pay(c, item, len);
	if (target_select(c, item))
		return -1;
	if (whole && put_words(c, item, PUT_QUEUED, "MULTI", 0))
		return -1;
	if (item->type != VALUE_STRING && put_words(c, item, PUT_QUEUED, "DEL %b", 0))
		return -1;
	if (put_command(c, item, whole || expires ? PUT_QUEUED : PUT_LAST, argc, c->argv))
		return -1;
	if (expires && put_words(c, item, whole ? PUT_QUEUED : PUT_LAST, "PEXPIREAT %b %d",
				 item->expiry_ms ? item->expiry_ms : 1))
		return -1;
	return whole ? put_words(c, item, PUT_LAST, "EXEC", 0) : 0;
}

// ---- Answers ----------------------------------------------------------------------------------

static bool begins(struct span text, const char *word)
{
	return text.len >= strlen(word) && !memcmp(text.p, word, strlen(word));
}

static int target_wait(struct copier *c, struct span text)
{
	uint64_t now = mono_ms();
	if (!c->waiting_since_ms)
		c->waiting_since_ms = now;
	c->paused_until_ms = now + PAUSE_MS;
	snprintf(c->waiting, sizeof(c->waiting), "%.*s", (int)(text.len < 90 ? text.len : 90),
		 text.p);
	if (now - c->waiting_since_ms < c->options.wait_ms)
		return 1;
	return failure_set(c->failure, ERROR_TARGET_REFUSES,
			   "the target %s has refused every write for %u s: %s",
			   target_of(c)->url, c->options.wait_ms / 1000, c->waiting);
}

int target_error(struct copier *c, struct span text, const char *command)
{
	static const char *const pass[] = {"OOM",     "LOADING",    "BUSY ",    "MISCONF",
					   "TRYAGAIN", "NOREPLICAS", "MASTERDOWN"};
	for (unsigned i = 0; i < sizeof(pass) / sizeof(pass[0]); i++)
		if (begins(text, pass[i]))
			return target_wait(c, text);
	if (begins(text, "READONLY"))
		return failure_set(c->failure, ERROR_TARGET_READONLY, "the target %s is a replica",
				   target_of(c)->url);
	struct resp_value v = {.type = RESP_ERROR, .text = text};
	if (begins(text, "NOAUTH") || error_is_command(&v))
		return client_refused(target_of(c), command, text, c->failure);
	return 0;
}

static bool contains(struct span text, const char *words)
{
	return memmem(text.p, text.len, words, strlen(words)) != NULL;
}

static int restore_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	uint8_t *way = &c->payload_ways[item->payload];
	if (v->type != RESP_ERROR)
		return item_done(c, item, COPY_COPIED);
	if (error_is_command(v)) {
		c->can.restore = false;
		return item_begin(c, item);
	}
	if (contains(v->text, "DUMP payload version")) {
		// Others under way may have found it out already.
		if (item->tries == 0 && *way != PAYLOAD_BY_TYPE)
			*way = PAYLOAD_NEW_FOOTER;
		else
			*way = PAYLOAD_BY_TYPE;
		item->tries++;
		return item_begin(c, item);
	}
	if (contains(v->text, "Bad data format")) {
		item->by_type = true;
		return item_begin(c, item);
	}
	int rc = target_error(c, v->text, "RESTORE");
	return rc < 0 ? -1 : rc ? item_begin(c, item) : item_refused(c, item, v->text);
}

static int delete_took(struct copier *c, struct copy_item *item, const struct resp_value *v)
{
	if (v->type != RESP_ERROR)
		return item_done(c, item, COPY_GONE);
	int rc = target_error(c, v->text, "DEL");
	return rc < 0 ? -1 : rc ? item_begin(c, item) : item_refused(c, item, v->text);
}

static int last_took(struct copier *c, struct copy_item *item, const struct resp_value *v,
		     unsigned n)
{
	struct span why = span_of(c->queue_refused);
	for (unsigned i = 0; i < n && why.len == 0; i++)
		if (v[i].type == RESP_ERROR)
			why = v[i].text;
	int rc = why.len ? target_error(c, why, "a write") : 0;
	if (rc < 0)
		return -1;
	int done = rc ? item_begin(c, item)
		      : why.len ? item_refused(c, item, why) : item_done(c, item, COPY_COPIED);
	c->queue_refused[0] = 0;
	return done;
}

int target_reply(struct copier *c, struct copy_expected e, const struct resp_value *v, unsigned n)
{
	if (e.kind != PUT_QUEUED && e.kind != PUT_SELECT)
		put_clear(c, e.item);
	switch ((enum copy_put)e.kind) {
	case PUT_RESTORE:
		return restore_took(c, e.item, v);
	case PUT_DELETE:
		return delete_took(c, e.item, v);
	case PUT_LAST:
		return last_took(c, e.item, v, n);
	case PUT_SELECT:
		return v->type == RESP_ERROR
			       ? client_refused(target_of(c), "SELECT", v->text, c->failure)
			       : 0;
	case PUT_QUEUED:
		break;
	}
	if (v->type == RESP_ERROR && !c->queue_refused[0])
		snprintf(c->queue_refused, sizeof(c->queue_refused), "%.*s",
			 (int)(v->text.len < 150 ? v->text.len : 150), v->text.p);
	return 0;
}
