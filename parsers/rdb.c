// SPDX-License-Identifier: BSD-3-Clause
// rdb_next() -> r->step(), until one has an event or wants more bytes.
#include "parsers/rdb.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/crc64.h"
#include "parsers/rdb_lzf.h"
#include "parsers/rdb_priv.h"

int rdb_reader_init(struct rdb_reader *r, const struct rdb_settings *set)
{
	memset(r, 0, sizeof(*r));
	if (set->big_len < 1 || set->big_len > set->window_len ||
	    set->scratch_len < set->big_len + RDB_LZF_REACH || set->scratch_len > SIZE_MAX / 4)
		return -EINVAL;
	r->set = *set;
	r->step = rdb_header_step;
	r->summing = true;
	r->expire_at_ms = -1;
	r->idle_s = -1;
	r->freq = -1;
	return 0;
}

void rdb_reader_fini(struct rdb_reader *r)
{
	free(r->scratch);
	free(r->templates);
	free(r->template_names);
	r->scratch = r->template_names = NULL;
	r->templates = NULL;
	r->scratch_cap = r->template_names_cap = r->templates_cap = r->n_templates = 0;
}

static int failed_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	return RDB_BAD;
}

int rdb_fail(struct rdb_reader *r, const struct rdb_cursor *c, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(r->error, sizeof(r->error), "%s (at byte %llu of the RDB)", what,
		 (unsigned long long)(r->pos + (uint64_t)(c->p - c->start)));
	r->step = failed_step;
	return RDB_BAD;
}

// A sum over a few dozen bytes costs as much as one over a kilobyte. So it runs ahead of the bytes
// that are used, and what turns out to lie behind the end of the file is taken out again.
#define SUM_BLOCK_LEN 16384

static void sum_ahead(struct rdb_reader *r, const struct rdb_cursor *c)
{
	size_t used = (size_t)(c->p - c->start), to = used + SUM_BLOCK_LEN;

	if (used <= r->n_ahead) {
		r->n_ahead -= used;
		return;
	}
	if (to > (size_t)(c->end - c->start))
		to = (size_t)(c->end - c->start);
	r->crc = crc64(r->crc, c->start + r->n_ahead, to - r->n_ahead);
	r->n_ahead = to - used;
}

void rdb_sum_end(struct rdb_reader *r, const struct rdb_cursor *c, const uint8_t *to)
{
	const uint8_t *at = c->start + r->n_ahead;

	if (to > at)
		r->crc = crc64(r->crc, at, (size_t)(to - at));
	else
		r->crc = crc64_undo(r->crc, to, (size_t)(at - to));
}

int rdb_more(struct rdb_reader *r, struct rdb_cursor *c, uint64_t len, const char *what)
{
	if (len > r->set.window_len)
		return rdb_fail(r, c, "%s needs %llu bytes at once, the window has only %zu", what,
				(unsigned long long)len, r->set.window_len);
	r->need_len = (size_t)len;
	return RDB_MORE;
}

int rdb_untaken(struct rdb_reader *r, struct rdb_cursor *c, enum rdb_take t, const char *what)
{
	if (t == RDB_TAKE_MORE)
		return rdb_more(r, c, (uint64_t)(c->end - c->p) + 1, what);
	return rdb_fail(r, c, "%s: impossible encoding", what);
}

int rdb_scratch_grow(struct rdb_reader *r, const struct rdb_cursor *c, uint64_t len,
		     const char *what)
{
	size_t cap = r->scratch_cap ? r->scratch_cap : 4096;

	if (len <= r->scratch_cap)
		return RDB_AGAIN;
	if (len > r->set.scratch_len)
		return rdb_fail(r, c, "%s needs %llu bytes of scratch, the limit is %zu", what,
				(unsigned long long)len, r->set.scratch_len);
	while (cap < len)
		cap *= 2;
	if (cap > r->set.scratch_len)
		cap = r->set.scratch_len;
	char *p = realloc(r->scratch, cap);

	if (p == NULL)
		return rdb_fail(r, c, "%s: no memory for %zu bytes", what, cap);
	r->scratch = p;
	r->scratch_cap = cap;
	return RDB_AGAIN;
}

int rdb_str_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, struct rdb_str *s,
		 const char *what)
{
	enum rdb_take t = rdb_str_head(p, c->end, s);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, what);
	if (s->body > INT64_MAX)
		return rdb_fail(r, c, "%s: impossible length", what);
	if (s->body > (uint64_t)(c->end - *p))
		return rdb_more(r, c, (uint64_t)(*p - c->p) + s->body, what);
	*p += s->body;
	return RDB_AGAIN;
}

int rdb_str_decode(struct rdb_reader *r, struct rdb_cursor *c, const struct rdb_str *s,
		   struct span *out, size_t n)
{
	uint64_t len = r->scratch_used;

	// All the room first: a later growth would move what an earlier string points to.
	for (size_t i = 0; i < n; i++) {
		if (s[i].how != RDB_STR_LZF)
			continue;
		if (s[i].len > r->set.scratch_len - len)
			return rdb_fail(r, c, "compressed string of %llu bytes exceeds the scratch "
					"limit of %zu", (unsigned long long)s[i].len,
					r->set.scratch_len);
		len += s[i].len;
	}
	if (len > r->scratch_cap && rdb_scratch_grow(r, c, len, "compressed string") == RDB_BAD)
		return RDB_BAD;
	len = r->scratch_used;
	for (size_t i = 0; i < n; i++) {
		if (s[i].how == RDB_STR_LZF && s[i].len == 0) { // there may be no scratch yet
			if (s[i].body > 0)
				return rdb_fail(r, c, "LZF data does not decompress");
			out[i] = (struct span){"", 0};
		} else if (s[i].how == RDB_STR_PLAIN) {
			out[i] = (struct span){(const char *)s[i].at, s[i].len};
		} else if (s[i].how == RDB_STR_INT) {
			out[i] = rdb_num_text(s[i].num, r->num[i]);
		} else {
			if (!rdb_str_unlzf(&s[i], r->scratch + len))
				return rdb_fail(r, c, "LZF data does not decompress");
			out[i] = (struct span){r->scratch + len, s[i].len};
			len += s[i].len;
		}
	}
	return RDB_AGAIN;
}

int rdb_str_keep(struct rdb_reader *r, struct rdb_cursor *c, const struct rdb_str *s, size_t off,
		 size_t *len)
{
	struct span text = {(const char *)s->at, s->len};

	if (s->how == RDB_STR_INT)
		text = rdb_num_text(s->num, r->num[0]);
	if (s->how == RDB_STR_LZF)
		text.len = s->len;
	if (text.len > SIZE_MAX / 4)
		return rdb_fail(r, c, "node or name: impossible length");
	if (rdb_scratch_grow(r, c, off + text.len + 1, "node or name") == RDB_BAD)
		return RDB_BAD;
	if (s->how == RDB_STR_LZF) {
		if (!rdb_str_unlzf(s, r->scratch + off))
			return rdb_fail(r, c, "LZF data does not decompress");
	} else {
		memcpy(r->scratch + off, text.p, text.len);
	}
	*len = text.len;
	return RDB_AGAIN;
}

enum rdb_result rdb_next(struct rdb_reader *r, struct span in, struct rdb_event *ev, size_t *used)
{
	const uint8_t *p = (const uint8_t *)in.p;
	struct rdb_cursor c = {.start = p, .p = p, .end = p + in.len};
	int rc;

	assert(in.len >= r->n_ahead); // the window must not shrink
	do
		rc = r->step(r, &c, ev);
	while (rc == RDB_AGAIN);
	assert(c.p >= c.start && c.p <= c.end);
	*used = (size_t)(c.p - c.start);
	if (r->summing)
		sum_ahead(r, &c);
	r->pos += *used;
	return rc;
}

const char *rdb_truncated(struct rdb_reader *r, size_t n_unused)
{
	snprintf(r->error, sizeof(r->error),
		 "the RDB is truncated at byte %llu: at least %llu bytes are missing",
		 (unsigned long long)(r->pos + n_unused),
		 (unsigned long long)(r->need_len > n_unused ? r->need_len - n_unused : 1));
	return r->error;
}
