// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_lzf.h"

void rdb_lzf_begin(struct rdb_lzf *z, const struct rdb_str *s)
{
	*z = (struct rdb_lzf){.in_left = s->body, .out_left = s->len};
}

// A control byte, and for a match the one or two bytes behind it.
static enum rdb_take control_take(struct rdb_lzf *z, const uint8_t **pp, const uint8_t *end)
{
	const uint8_t *p = *pp;
	size_t n = 1;

	if (z->in_left == 0)
		return RDB_TAKE_BAD;
	if (p == end)
		return RDB_TAKE_MORE;
	if (p[0] < 32) {
		z->n_literal = p[0] + 1u;
	} else {
		n = p[0] >> 5 == 7 ? 3 : 2;
		if (z->in_left < n)
			return RDB_TAKE_BAD;
		if ((size_t)(end - p) < n)
			return RDB_TAKE_MORE;
		z->n_match = (p[0] >> 5) + 2u + (n == 3 ? p[1] : 0);
		z->distance = ((p[0] & 31u) << 8 | p[n - 1]) + 1;
		if (z->distance > z->out_total)
			return RDB_TAKE_BAD;
	}
	if (z->n_literal + z->n_match > z->out_left || z->n_literal > z->in_left - n)
		return RDB_TAKE_BAD;
	z->in_left -= n;
	*pp = p + n;
	return RDB_TAKE_OK;
}

static uint32_t literal_copy(struct rdb_lzf *z, const uint8_t **pp, const uint8_t *end,
			     uint8_t *out, size_t room)
{
	size_t n = z->n_literal < room ? z->n_literal : room;

	if (n > (size_t)(end - *pp))
		n = (size_t)(end - *pp);
	memcpy(out, *pp, n);
	*pp += n;
	z->n_literal -= (uint32_t)n;
	z->in_left -= n;
	return (uint32_t)n;
}

static uint32_t match_copy(struct rdb_lzf *z, uint8_t *out, size_t room)
{
	uint32_t n = z->n_match < room ? z->n_match : (uint32_t)room;

	// Byte by byte: a match may overlap what it makes.
	for (uint32_t i = 0; i < n; i++)
		out[i] = *(out + i - z->distance);
	z->n_match -= n;
	return n;
}

enum rdb_take rdb_lzf_run(struct rdb_lzf *z, const uint8_t **pp, const uint8_t *end, uint8_t *out,
			  size_t n_out, size_t *n_done)
{
	size_t at = 0;
	enum rdb_take t = RDB_TAKE_OK;

	while (at < n_out) {
		uint32_t n;

		if (z->n_literal == 0 && z->n_match == 0) {
			t = control_take(z, pp, end);
			if (t != RDB_TAKE_OK)
				break;
		}
		if (z->n_match > 0)
			n = match_copy(z, out + at, n_out - at);
		else
			n = literal_copy(z, pp, end, out + at, n_out - at);
		if (n == 0) {
			t = RDB_TAKE_MORE;
			break;
		}
		at += n;
		z->out_total += n;
		z->out_left -= n;
	}
	*n_done = at;
	return t;
}
