// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/dump/replies.h"

#define STRING_LEN_MAX (1ll << 40) // far above what a server holds in one value

// @return false when it is no number
static bool number_read(struct span line, int64_t *v)
{
	bool negative = line.len && line.p[0] == '-';
	struct span digits = {line.p + negative, line.len - negative};
	*v = (int64_t)span_digits(digits);
	for (size_t i = 0; i < digits.len; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	*v = negative ? -*v : *v;
	return digits.len > 0 && digits.len < 19;
}

static enum reply_part string_begin(struct replies *r, struct span in, size_t head,
				    struct reply_event *ev, size_t *used)
{
	size_t have = in.len - head;
	if (ev->number < -1 || ev->number > STRING_LEN_MAX)
		return REPLY_BAD;
	if (ev->number >= 0 && have < REPLY_HEAD_MIN && have < (uint64_t)ev->number)
		return REPLY_MORE;
	*used = head;
	if (ev->number < 0)
		return REPLY_NIL;
	r->left = (uint64_t)ev->number;
	r->at = r->left ? REPLIES_STRING : REPLIES_STRING_END;
	ev->text = (struct span){in.p + head, have < r->left ? have : (size_t)r->left};
	return REPLY_STRING;
}

static enum reply_part line_take(struct replies *r, struct span in, struct reply_event *ev,
				 size_t *used)
{
	const char *end = in.len ? memchr(in.p, '\n', in.len) : NULL;
	if (!end)
		return in.len > REPLY_LINE_MAX ? REPLY_BAD : REPLY_MORE;
	size_t head = (size_t)(end - in.p) + 1;
	if (head < 3 || end[-1] != '\r')
		return REPLY_BAD;
	ev->text = (struct span){in.p + 1, head - 3};
	bool is_number = number_read(ev->text, &ev->number);
	if (in.p[0] == '$')
		return is_number ? string_begin(r, in, head, ev, used) : REPLY_BAD;
	enum reply_part part = REPLY_BAD;
	if (in.p[0] == ':' && is_number)
		part = REPLY_NUMBER;
	else if (in.p[0] == '+' || in.p[0] == '-')
		part = in.p[0] == '+' ? REPLY_STATUS : REPLY_ERROR;
	*used = part == REPLY_BAD ? 0 : head;
	return part;
}

enum reply_part replies_next(struct replies *r, struct span in, struct reply_event *ev,
			     size_t *used)
{
	*used = 0;
	if (r->at == REPLIES_LINE)
		return line_take(r, in, ev, used);
	if (r->at == REPLIES_STRING) {
		if (in.len == 0)
			return REPLY_MORE;
		*used = in.len < r->left ? in.len : (size_t)r->left;
		ev->text = (struct span){in.p, *used};
		r->left -= *used;
		r->at = r->left ? REPLIES_STRING : REPLIES_STRING_END;
		return REPLY_BYTES;
	}
	if (in.len < 2)
		return REPLY_MORE;
	if (memcmp(in.p, "\r\n", 2))
		return REPLY_BAD;
	*used = 2;
	r->at = REPLIES_LINE;
	return REPLY_STRING_END;
}
