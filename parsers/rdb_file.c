// SPDX-License-Identifier: BSD-3-Clause
// What is in the file between the values: header, opcodes, end.
//
//   header -> opcode -> opcode ... -> end
//              |  ^
//              v  |
//             value (rdb_value.c)
#include <stdio.h>

#include "parsers/rdb_priv.h"
#include "parsers/rdb_skim.h"

#define HEADER_LEN         9
#define REDIS_VERSION_MAX  15
#define VALKEY_VERSION_MIN 80
#define VALKEY_VERSION_MAX 81
#define SUM_VERSION_MIN    5 // older files end with the EOF opcode

// "0011" -> 11; -1 when it is no number.
static int digits(const uint8_t *p, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

int rdb_header_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (c->end - c->p < HEADER_LEN)
		return rdb_more(r, c, HEADER_LEN, "header");
	int version, min = 1, max = REDIS_VERSION_MAX;

	if (memcmp(c->p, "REDIS", 5) == 0) {
		r->magic = RDB_MAGIC_REDIS;
		version = digits(c->p + 5, 4);
	} else if (memcmp(c->p, "VALKEY", 6) == 0) {
		r->magic = RDB_MAGIC_VALKEY;
		version = digits(c->p + 6, 3);
		min = VALKEY_VERSION_MIN;
		max = VALKEY_VERSION_MAX;
	} else {
		return rdb_fail(r, c, "not an RDB: it begins with neither REDIS nor VALKEY");
	}
	if (version < min)
		return rdb_fail(r, c, "not an RDB: impossible version %.9s", (const char *)c->p);
	if (version > max && !r->set.lenient)
		return rdb_fail(r, c, "RDB version %.9s is newer than what we know (%d)",
				(const char *)c->p, max);
	r->newer = version > max;
	r->version = version;
	c->p += HEADER_LEN;
	r->step = rdb_opcode_step;
	return RDB_AGAIN;
}

static int done_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	return RDB_DONE;
}

static int eof_take(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	uint64_t sum = 0;

	rdb_sum_end(r, c, c->p + 1); // the sum covers the opcode, not itself
	if (r->version >= SUM_VERSION_MIN)
		sum = rdb_le64(c->p + 1);
	ev->kind = RDB_EOF;
	ev->crc = sum == 0 ? RDB_CRC_NONE : sum == r->crc ? RDB_CRC_OK : RDB_CRC_WRONG;
	if (ev->crc == RDB_CRC_WRONG)
		snprintf(r->error, sizeof(r->error),
			 "the RDB's checksum is %016llx, its bytes make %016llx: it is damaged",
			 (unsigned long long)sum, (unsigned long long)r->crc);
	c->p += r->version >= SUM_VERSION_MIN ? 9 : 1;
	r->summing = false;
	r->n_ahead = 0;
	r->step = done_step;
	return RDB_EVENT;
}

static int eof_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	size_t len = r->version >= SUM_VERSION_MIN ? 9 : 1;

	if ((size_t)(c->end - c->p) < len)
		return rdb_more(r, c, len, "checksum");
	return eof_take(r, c, ev);
}

// Take `n` plain lengths behind the opcode.
static int lengths(struct rdb_reader *r, struct rdb_cursor *c, uint64_t *v, int n, const char *what)
{
	const uint8_t *p = c->p + 1;

	for (int i = 0; i < n; i++) {
		enum rdb_take t = rdb_len_take(&p, c->end, &v[i]);

		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, what);
	}
	c->p = p;
	return RDB_AGAIN;
}

// Take `n` whole strings behind the opcode.
static int strings(struct rdb_reader *r, struct rdb_cursor *c, struct span *out, size_t n,
		   const char *what)
{
	const uint8_t *p = c->p + 1;
	struct rdb_str s[2];
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = rdb_str_take(r, c, &p, &s[i], what);
		if (rc != RDB_AGAIN)
			return rc;
	}
	rc = rdb_str_decode(r, c, s, out, n);
	if (rc == RDB_AGAIN)
		c->p = p;
	return rc;
}

static int expire_ms_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (c->end - c->p < 9)
		return rdb_more(r, c, 9, "expiry");
	r->expire_at_ms = (int64_t)rdb_le64(c->p + 1);
	c->p += 9;
	return RDB_AGAIN;
}

static int expire_s_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (c->end - c->p < 5)
		return rdb_more(r, c, 5, "expiry");
	r->expire_at_ms = (int64_t)(int32_t)rdb_le32(c->p + 1) * 1000;
	c->p += 5;
	return RDB_AGAIN;
}

static int freq_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (c->end - c->p < 2)
		return rdb_more(r, c, 2, "FREQ");
	r->freq = c->p[1];
	c->p += 2;
	return RDB_AGAIN;
}

static int idle_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	uint64_t idle;
	int rc = lengths(r, c, &idle, 1, "IDLE");

	if (rc == RDB_AGAIN)
		r->idle_s = idle > INT64_MAX ? INT64_MAX : (int64_t)idle;
	return rc;
}

// Redis Enterprise: some clock of the key, one length.
static int ram_lru_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	uint64_t unused;

	return lengths(r, c, &unused, 1, "RAM_LRU");
}

static int selectdb_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	int rc = lengths(r, c, &ev->db, 1, "SELECTDB");

	ev->kind = RDB_SELECTDB;
	return rc == RDB_AGAIN ? RDB_EVENT : rc;
}

static int resizedb_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	uint64_t v[2];
	int rc = lengths(r, c, v, 2, "RESIZEDB");

	if (rc != RDB_AGAIN)
		return rc;
	ev->kind = RDB_RESIZEDB;
	ev->n_keys = v[0];
	ev->n_expires = v[1];
	return RDB_EVENT;
}

static int aux_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	struct span kv[2];
	int rc = strings(r, c, kv, 2, "AUX field");

	if (rc != RDB_AGAIN)
		return rc;
	ev->kind = RDB_AUX;
	ev->key = kv[0];
	ev->value = kv[1];
	return RDB_EVENT;
}

struct opcode {
	uint8_t byte;
	bool redis, valkey;
	const char *name;
	rdb_step *step;     // takes the opcode itself, too
	const char *layout; // passed over, see rdb_skim.h; where there is a step, too: with skim
};

// The most frequent first.
static const struct opcode opcodes[] = {
	{252, true, true, "EXPIRETIME_MS", expire_ms_step, NULL},
	{253, true, true, "EXPIRETIME", expire_s_step, NULL},
	{248, true, true, "IDLE", idle_step, NULL},
	{249, true, true, "FREQ", freq_step, NULL},
	{250, true, true, "AUX", aux_step, NULL},
	{254, true, true, "SELECTDB", selectdb_step, NULL},
	{251, true, true, "RESIZEDB", resizedb_step, NULL},
	{244, true, true, "SLOT_INFO", NULL, "lll"},
	{245, true, true, "FUNCTION2", rdb_function_step, NULL},
	{247, true, true, "MODULE_AUX", NULL, "m"},
	{255, true, true, "EOF", eof_step, NULL},
	{107, true, false, "RAM_LRU", ram_lru_step, NULL},
	{246, true, true, "FUNCTION of 7.0 RC", rdb_function_pre_step, NULL},
	{242, true, false, "HASH_TEMPLATE", rdb_template_step, "l(s)"},
	{243, true, false, "KEY_META", NULL, "(4t)"},
	{243, false, true, "SLOT_IMPORT", NULL, "s(ll)"},
	{242, false, true, "inline replication command", rdb_command_step, NULL},
};

static const struct opcode *opcode_find(enum rdb_magic magic, uint8_t byte)
{
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		if (opcodes[i].byte == byte &&
		    (magic == RDB_MAGIC_REDIS ? opcodes[i].redis : opcodes[i].valkey))
			return &opcodes[i];
	return NULL;
}

int rdb_opcode_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (c->p == c->end)
		return rdb_more(r, c, 1, "opcode");
	if (*c->p < 64)
		return rdb_value_step(r, c, ev);
	const struct opcode *op = opcode_find(r->magic, *c->p);

	if (op == NULL)
		return rdb_fail(r, c, "unknown opcode %u in an RDB of version %d", *c->p,
				r->version);
	if (op->step && !(r->set.skim && op->layout))
		return op->step(r, c, ev);
	ev->kind = RDB_SKIPPED;
	ev->name = op->name;
	ev->key = (struct span){NULL, 0};
	ev->module_id = 0;
	if (op->layout[0] == 'm') {
		int rc = rdb_module_look(r, c, c->p + 1, ev);

		if (rc != RDB_AGAIN)
			return rc;
	}
	r->n_skipped++;
	rdb_skim_begin(&r->skim, op->layout);
	c->p++;
	r->step = rdb_skip_step;
	return RDB_EVENT;
}

// Pass over what r->skim describes, releasing the bytes as they come.
int rdb_skip_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	enum rdb_take t = rdb_skim_run(&r->skim, &c->p, c->end, UINT64_MAX);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "skipped value");
	r->skip_end = r->pos + (uint64_t)(c->p - c->start);
	r->step = rdb_opcode_step;
	return RDB_AGAIN;
}
