// SPDX-License-Identifier: BSD-3-Clause
// Opcodes that are rare: libraries of functions, of releases and of release candidates, and the
// commands that a save without fork puts between the keys (Valkey 9.2).
#include "parsers/rdb_priv.h"

// "#!ENGINE name=NAME ..." at the beginning of a library.
static void library_look(struct rdb_event *ev)
{
	struct span code = ev->value;
	const char *end = memchr(code.p, '\n', code.len), *at;

	ev->key = ev->field = (struct span){code.p, 0};
	if (code.len < 2 || memcmp(code.p, "#!", 2) != 0)
		return;
	size_t len = end ? (size_t)(end - code.p) : code.len;

	ev->field.p += 2;
	while (2 + ev->field.len < len && ev->field.p[ev->field.len] > ' ')
		ev->field.len++;
	at = memmem(code.p, len, " name=", 6);
	if (at == NULL)
		return;
	ev->key.p = at + 6;
	while (ev->key.p + ev->key.len < code.p + len && ev->key.p[ev->key.len] > ' ')
		ev->key.len++;
}

int rdb_function_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p + 1;
	struct rdb_str s;
	int rc = rdb_str_take(r, c, &p, &s, "function library");

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &s, &ev->value, 1) == RDB_BAD)
		return RDB_BAD;
	library_look(ev);
	ev->kind = RDB_FUNCTION;
	c->p = p;
	return RDB_EVENT;
}

// Name, engine, whether there is a description, the description, the source: the release candidates
// of Redis 7.0.
int rdb_function_pre_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p + 1;
	struct rdb_str s[3], unused;
	struct span out[3];
	uint64_t has_text = 0;

	if (!r->set.lenient)
		return rdb_fail(r, c, "opcode 246 (FUNCTION of 7.0 RC) is not supported");
	int rc = rdb_str_take(r, c, &p, &s[0], "function library");

	if (rc == RDB_AGAIN)
		rc = rdb_str_take(r, c, &p, &s[1], "function library");
	if (rc != RDB_AGAIN)
		return rc;
	enum rdb_take t = rdb_len_take(&p, c->end, &has_text);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "function library");
	if (has_text)
		rc = rdb_str_take(r, c, &p, &unused, "function library");
	if (rc == RDB_AGAIN)
		rc = rdb_str_take(r, c, &p, &s[2], "function library");
	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, s, out, 3) == RDB_BAD)
		return RDB_BAD;
	ev->kind = RDB_FUNCTION;
	ev->key = out[0];
	ev->field = out[1];
	ev->value = out[2];
	c->p = p;
	return RDB_EVENT;
}

// "*3\r\n" or "$3\r\n". The number must be short enough for no server to refuse it.
static enum rdb_take resp_number(const uint8_t **pp, const uint8_t *end, char mark, uint64_t *v)
{
	const uint8_t *p = *pp;

	if (p == end)
		return RDB_TAKE_MORE;
	if (*p++ != (uint8_t)mark)
		return RDB_TAKE_BAD;
	*v = 0;
	for (int i = 0; i < 10 && p < end && *p >= '0' && *p <= '9'; i++)
		*v = *v * 10 + (uint64_t)(*p++ - '0');
	if (p < end && *p != '\r')
		return RDB_TAKE_BAD;
	if (end - p < 2)
		return RDB_TAKE_MORE;
	*pp = p + 2;
	return p[1] == '\n' ? RDB_TAKE_OK : RDB_TAKE_BAD;
}

int rdb_command_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *start = c->p + 1, *p = start;
	uint64_t n, len;

	if (!r->set.lenient)
		return rdb_fail(r, c, "opcode 242 (inline replication command) is not supported");
	enum rdb_take t = resp_number(&p, c->end, '*', &n);

	for (uint64_t i = 0; t == RDB_TAKE_OK && i < n; i++) {
		t = resp_number(&p, c->end, '$', &len);
		if (t == RDB_TAKE_OK && (uint64_t)(c->end - p) < len + 2)
			return rdb_more(r, c, (uint64_t)(p - c->p) + len + 2, "command");
		if (t == RDB_TAKE_OK)
			p += len + 2;
	}
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "command");
	ev->kind = RDB_COMMAND;
	ev->value = (struct span){(const char *)start, (size_t)(p - start)};
	c->p = p;
	return RDB_EVENT;
}
