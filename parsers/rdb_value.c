// SPDX-License-Identifier: BSD-3-Clause
// A key and its value.
//
//            +-> RDB_STRING
//   value ---+-> RDB_STRING_BEGIN -> part ... -> end
//            +-> raw: skim until the end is found -> RDB_RAW
//                 |
//                 +-> longer than big_len: rdb_big.c, or a module: RDB_SKIPPED
#include "parsers/rdb_lzf.h"
#include "parsers/rdb_priv.h"
#include "parsers/rdb_skim.h"

int rdb_key_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, struct rdb_str *key)
{
	*p = c->p + 1;
	return rdb_str_take(r, c, p, key, "key");
}

void rdb_key_event(struct rdb_reader *r, struct rdb_event *ev, enum rdb_event_kind kind,
		   uint8_t type)
{
	ev->kind = kind;
	ev->type = type;
	ev->value_kind = r->type->kind;
	ev->footer_version = r->type->footer_version;
	ev->encoding = r->type->name;
	ev->module_id = 0;
	ev->expire_at_ms = r->expire_at_ms;
	ev->idle_s = r->idle_s;
	ev->freq = r->freq;
	r->expire_at_ms = -1;
	r->idle_s = -1;
	r->freq = -1;
}

static int string_end_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	ev->kind = RDB_STRING_END;
	r->step = rdb_opcode_step;
	return RDB_EVENT;
}

// The next part of a long string, always as long as big_len allows: what the caller gets does not
// depend on how the bytes arrived.
static int part_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	size_t n = r->left < r->set.big_len ? (size_t)r->left : r->set.big_len;

	if ((size_t)(c->end - c->p) < n)
		return rdb_more(r, c, n, "part of a long string");
	ev->kind = RDB_STRING_PART;
	ev->value = (struct span){(const char *)c->p, n};
	c->p += n;
	r->left -= n;
	if (r->left == 0)
		r->step = string_end_step;
	return RDB_EVENT;
}

static rdb_step lzf_part_step;

static int lzf_begin_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	// rdb_reader_init() saw to it that this is below the limit.
	if (rdb_scratch_grow(r, c, RDB_LZF_REACH + r->set.big_len, "long string") == RDB_BAD)
		return RDB_BAD;
	r->scratch_used = RDB_LZF_REACH;
	r->step = lzf_part_step;
	return RDB_AGAIN;
}

// The part was delivered: its end is history for the next one.
static int lzf_shift_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	size_t n = r->scratch_used - RDB_LZF_REACH;

	memmove(r->scratch, r->scratch + n, RDB_LZF_REACH);
	r->scratch_used = RDB_LZF_REACH;
	r->left -= n;
	r->step = lzf_part_step;
	if (r->left > 0)
		return RDB_AGAIN;
	if (!rdb_lzf_ended(&r->lzf))
		return rdb_fail(r, c, "LZF data is longer than what it makes");
	r->scratch_used = 0;
	r->step = string_end_step;
	return RDB_AGAIN;
}

// The same for a compressed string. In scratch: RDB_LZF_REACH bytes of history, then the part, up
// to scratch_used.
static int lzf_part_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	size_t n = r->left < r->set.big_len ? (size_t)r->left : r->set.big_len;
	size_t have = r->scratch_used - RDB_LZF_REACH, done;
	uint8_t *part = (uint8_t *)r->scratch + RDB_LZF_REACH;
	enum rdb_take t = rdb_lzf_run(&r->lzf, &c->p, c->end, part + have, n - have, &done);

	r->scratch_used += done;
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "LZF data");
	ev->kind = RDB_STRING_PART;
	ev->value = (struct span){(const char *)part, n};
	r->step = lzf_shift_step;
	return RDB_EVENT;
}

// `p` stands behind the header of the value.
static int long_string_begin(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
			     const struct rdb_str s[2], const uint8_t *p)
{
	if (rdb_str_decode(r, c, &s[0], &ev->key, 1) == RDB_BAD)
		return RDB_BAD;
	rdb_key_event(r, ev, RDB_STRING_BEGIN, *c->p);
	ev->total_len = s[1].len;
	r->left = s[1].len;
	c->p = p;
	r->step = s[1].len > 0 ? part_step : string_end_step;
	if (s[1].how == RDB_STR_PLAIN || s[1].len == 0)
		return RDB_EVENT;
	// The key may be in scratch, and must live until the next call: begin the parts there.
	rdb_lzf_begin(&r->lzf, &s[1]);
	r->step = lzf_begin_step;
	return RDB_EVENT;
}

static int string_value(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p;
	struct rdb_str s[2];
	struct span out[2];
	int rc = rdb_key_take(r, c, &p, &s[0]);

	if (rc != RDB_AGAIN)
		return rc;
	enum rdb_take t = rdb_str_head(&p, c->end, &s[1]);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "string");
	size_t head = (size_t)(p - c->p);

	if (s[1].len > r->set.big_len || s[1].body > r->set.window_len - head)
		return long_string_begin(r, c, ev, s, p);
	if (s[1].body > (uint64_t)(c->end - p))
		return rdb_more(r, c, head + s[1].body, "string");
	if (rdb_str_decode(r, c, s, out, 2) == RDB_BAD)
		return RDB_BAD;
	ev->key = out[0];
	ev->value = out[1];
	rdb_key_event(r, ev, RDB_STRING, *c->p);
	c->p = p + s[1].body;
	return RDB_EVENT;
}

int rdb_module_look(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t *p,
		    struct rdb_event *ev)
{
	enum rdb_take t = rdb_len_take(&p, c->end, &ev->module_id);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "module");
	ev->module_version = ev->module_id & 1023;
	return RDB_AGAIN;
}

// A value that is not wanted, or a module's that the window cannot hold: nobody can send it on
// then, and nobody can take it apart.
static int value_skip_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p;
	struct rdb_str key;
	bool module = r->type->kind == RDB_KIND_MODULE;
	int rc = rdb_key_take(r, c, &p, &key);

	if (rc == RDB_AGAIN && module)
		rc = rdb_module_look(r, c, p, ev);
	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &key, &ev->key, 1) == RDB_BAD)
		return RDB_BAD;
	rdb_key_event(r, ev, RDB_SKIPPED, *c->p);
	if (module)
		rdb_module_look(r, c, p, ev);
	ev->name = r->set.skim ? "value" : "module value larger than the window";
	r->n_skipped++;
	rdb_skim_begin(&r->skim, r->type->layout);
	c->p = p;
	r->step = rdb_skip_step;
	return RDB_EVENT;
}

// Look for the end of the body, from where the last call came to.
static int raw_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p + r->skim_off;
	uint64_t room = r->set.window_len - r->body_off;
	bool module = r->type->kind == RDB_KIND_MODULE;
	uint64_t limit = module ? r->set.module_len : r->set.big_len;

	if (limit == 0 || limit > room)
		limit = room;
	enum rdb_take t = rdb_skim_run(&r->skim, &p, c->end, limit);

	r->skim_off = (size_t)(p - c->p);
	uint64_t have = (uint64_t)(c->end - c->p);
	uint64_t need = r->skim.skip ? have + r->skim.skip : have + 1;

	if (t == RDB_TAKE_OVER || (t == RDB_TAKE_MORE && need > r->set.window_len)) {
		r->step = module ? value_skip_step : rdb_big_begin_step;
		return RDB_AGAIN;
	}
	if (t == RDB_TAKE_MORE)
		return rdb_more(r, c, need, "value");
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, r->type->name);

	const uint8_t *unused;
	struct rdb_str key;

	if (rdb_key_take(r, c, &unused, &key) == RDB_BAD ||
	    rdb_str_decode(r, c, &key, &ev->key, 1) == RDB_BAD)
		return RDB_BAD;
	rdb_key_event(r, ev, RDB_RAW, *c->p);
	if (module)
		rdb_module_look(r, c, c->p + r->body_off, ev);
	ev->value = (struct span){(const char *)c->p + r->body_off, r->skim_off - r->body_off};
	c->p = p;
	r->step = rdb_opcode_step;
	return RDB_EVENT;
}

// A value that cannot be read, and whose end is not known: say whose it is.
static int refused_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p;
	struct rdb_str s;
	struct span key;
	char text[41];
	size_t n = 0;
	int rc = rdb_key_take(r, c, &p, &s);

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &s, &key, 1) == RDB_BAD)
		return RDB_BAD;
	for (; n < key.len && n < sizeof(text) - 1; n++)
		text[n] = key.p[n] >= ' ' && key.p[n] < 0x7f ? key.p[n] : '?';
	text[n] = '\0';
	if (r->type)
		return rdb_fail(r, c, "key \"%s\": value type %u (%s) is not supported", text,
				*c->p, r->type->name);
	return rdb_fail(r, c, "key \"%s\": unknown value type %u in an RDB of version %d", text,
			*c->p, r->version);
}

static bool comes_as_elements(const struct rdb_reader *r, uint8_t type)
{
	bool wanted = r->set.elements || (type < 64 && r->set.element_types[r->magic] >> type & 1);

	return r->type->always_elements || (wanted && r->type->shape != RDB_SHAPE_OPAQUE);
}

int rdb_value_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p;
	struct rdb_str key;
	int rc;

	r->type = rdb_type_find(r->magic, *c->p);
	if (r->type == NULL || r->type->layout == NULL)
		return refused_step(r, c, ev);
	if (r->set.skim)
		return value_skip_step(r, c, ev);
	if (r->type->shape == RDB_SHAPE_STRING)
		return string_value(r, c, ev);
	rc = rdb_key_take(r, c, &p, &key);
	if (rc != RDB_AGAIN)
		return rc;
	r->body_off = (size_t)(p - c->p);
	r->skim_off = r->body_off;
	rdb_skim_begin(&r->skim, r->type->layout);
	r->step = comes_as_elements(r, *c->p) ? rdb_big_begin_step : raw_step;
	return RDB_AGAIN;
}
