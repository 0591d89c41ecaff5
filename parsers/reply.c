// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/reply.h"

#define LINE_MAX_LEN (64 * 1024)

static bool number_parse(struct span s, int64_t *out)
{
	bool negative = s.len && s.p[0] == '-';
	size_t i = negative;
	uint64_t v = 0;
	if (i == s.len || s.len - i > 19)
		return false;
	for (; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	if (v > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)-v : (int64_t)v;
	return true;
}

enum reply_verdict reply_scan_line(struct span in, struct reply *r)
{
	if (!in.len)
		return REPLY_MORE;
	if (!memchr("+-:$*", in.p[0], 5))
		return REPLY_BAD;
	size_t look = in.len < LINE_MAX_LEN ? in.len : LINE_MAX_LEN;
	const char *end = memchr(in.p, '\n', look);
	if (!end)
		return look == LINE_MAX_LEN ? REPLY_BAD : REPLY_MORE;
	if (end[-1] != '\r')
		return REPLY_BAD;
	r->type = in.p[0];
	r->line = (struct span){in.p + 1, (size_t)(end - in.p) - 2};
	r->len = (size_t)(end - in.p) + 1;
	r->integer = 0;
	if (r->type == '+' || r->type == '-')
		return REPLY_OK;
	if (!number_parse(r->line, &r->integer))
		return REPLY_BAD;
	if (r->type != ':' && r->integer < -1)
		return REPLY_BAD;
	return REPLY_OK;
}

// A bulk string's body and its CR LF.
static enum reply_verdict body_scan(struct span in, struct reply *r)
{
	if (r->integer < 0)
		return REPLY_OK;
	uint64_t need = (uint64_t)r->len + (uint64_t)r->integer + 2;
	if (need < (uint64_t)r->integer)
		return REPLY_BAD;
	if (in.len < need)
		return REPLY_MORE;
	if (in.p[need - 2] != '\r' || in.p[need - 1] != '\n')
		return REPLY_BAD;
	r->len = (size_t)need;
	return REPLY_OK;
}

enum reply_verdict reply_scan(struct span in, struct reply *r)
{
	int64_t left[REPLY_DEPTH_MAX]; // elements still to come, of each array that is open
	int depth = 0;
	size_t at = 0;
	struct reply item;
	for (bool first = true;; first = false) {
		struct span rest = {in.p + at, in.len - at};
		enum reply_verdict v = reply_scan_line(rest, &item);
		if (v == REPLY_OK && item.type == '$')
			v = body_scan(rest, &item);
		if (v != REPLY_OK)
			return v;
		if (first)
			*r = item;
		at += item.len;
		if (item.type == '*' && item.integer > 0) {
			if (depth == REPLY_DEPTH_MAX)
				return REPLY_BAD;
			left[depth++] = item.integer;
			continue;
		}
		while (depth && --left[depth - 1] == 0)
			depth--;
		if (!depth)
			break;
	}
	r->len = at;
	return REPLY_OK;
}
