// SPDX-License-Identifier: BSD-3-Clause
// resp_stream_next() -> head_take() -> arg_take() ... -> frame_end()
//
// What was read of a frame is kept as numbers, never as pointers: the bytes may have moved when
// more of them are there.
#include <stdlib.h>

#include "parsers/resp.h"

#define ARGS_FIRST 256
#define DIGITS_MAX 18 // of a length: the sums made of two of them do not overflow

struct resp_stream {
	uint64_t frame; // position of the frame at hand
	uint64_t at;    // bytes of it that were taken: its header, whole arguments, a length
	uint32_t argc;  // announced; 0 before that
	uint32_t n_args;
	bool in_arg;  // the length of an argument was taken
	uint64_t len; // and is this
	struct resp_arg *args;
	uint32_t args_max;
	const char *error;
};

void resp_stream_reset(struct resp_stream *s, uint64_t position)
{
	s->frame = position;
	s->at = 0;
	s->argc = s->n_args = 0;
	s->in_arg = false;
	s->error = "";
}

struct resp_stream *resp_stream_new(uint64_t position)
{
	struct resp_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->args_max = ARGS_FIRST;
	s->args = malloc(s->args_max * sizeof(*s->args));
	if (!s->args) {
		free(s);
		return NULL;
	}
	resp_stream_reset(s, position);
	return s;
}

void resp_stream_free(struct resp_stream *s)
{
	if (!s)
		return;
	free(s->args);
	free(s);
}

static enum resp_verdict stream_bad(struct resp_stream *s, const char *what)
{
	s->error = what;
	return RESP_BAD;
}

// A header: its type, digits without a zero in front, CR LF.
//
// @return RESP_OK with *v filled and taken; RESP_MORE; RESP_BAD
static inline enum resp_verdict number_take(struct resp_stream *s, char type, const char *p,
					    const char *end, uint64_t *v)
{
	if (p == end)
		return RESP_MORE;
	if (*p != type)
		return RESP_BAD;
	const char *digits = ++p, *most = end - p > DIGITS_MAX ? p + DIGITS_MAX : end;
	uint64_t number = 0;
	for (; p < most && (uint8_t)(*p - '0') < 10; p++)
		number = number * 10 + (uint64_t)(*p - '0');
	if (p == end)
		return RESP_MORE;
	if (*p != '\r' || p == digits || (*digits == '0' && p - digits > 1))
		return RESP_BAD;
	if (++p == end)
		return RESP_MORE;
	if (*p++ != '\n')
		return RESP_BAD;
	s->at += (uint64_t)(p - digits) + 1;
	*v = number;
	return RESP_OK;
}

static enum resp_verdict head_take(struct resp_stream *s, const char *p, const char *end)
{
	uint64_t argc = 0;
	enum resp_verdict v = number_take(s, '*', p, end, &argc);
	if (v == RESP_BAD)
		return stream_bad(s, "a frame is not an array of bulk strings");
	if (v == RESP_OK && (argc == 0 || argc > INT32_MAX))
		return stream_bad(s, "a command announces an impossible number of arguments");
	s->argc = (uint32_t)argc;
	return v;
}

static bool args_grow(struct resp_stream *s)
{
	struct resp_arg *more = realloc(s->args, 2ull * s->args_max * sizeof(*more));
	if (!more)
		return false;
	s->args = more;
	s->args_max *= 2;
	return true;
}

static inline enum resp_verdict arg_take(struct resp_stream *s, const char *p, uint64_t len)
{
	if (!s->in_arg) {
		enum resp_verdict v = number_take(s, '$', p + s->at, p + len, &s->len);
		if (v == RESP_BAD)
			return stream_bad(s, "a frame is not an array of bulk strings");
		if (v == RESP_MORE)
			return v;
		s->in_arg = true;
	}
	if (len - s->at < s->len + 2)
		return RESP_MORE;
	const char *line_end = p + s->at + s->len;
	if (line_end[0] != '\r' || line_end[1] != '\n')
		return stream_bad(s, "an argument does not end where it was announced to");
	if (s->n_args == s->args_max && !args_grow(s))
		return stream_bad(s, "out of memory");
	s->args[s->n_args++] = (struct resp_arg){s->at, s->len};
	s->at += s->len + 2;
	s->in_arg = false;
	return RESP_OK;
}

static enum resp_verdict frame_end(struct resp_stream *s, struct resp_frame *f)
{
	f->begin = s->frame;
	f->end = s->frame + s->at;
	f->argc = s->argc;
	f->argv = s->args;
	resp_stream_reset(s, f->end);
	return RESP_OK;
}

enum resp_verdict resp_stream_next(struct resp_stream *s, struct span in, struct resp_frame *f)
{
	enum resp_verdict v = RESP_OK;
	if (*s->error)
		return RESP_BAD;
	if (!s->argc) {
		if (in.len && *in.p == '\n') { // says nothing, and counts
			s->at = 1;
			return frame_end(s, f);
		}
		v = head_take(s, in.p, in.p + in.len);
	}
	while (v == RESP_OK && s->n_args < s->argc)
		v = arg_take(s, in.p, in.len);
	return v == RESP_OK ? frame_end(s, f) : v;
}

uint64_t resp_stream_position(const struct resp_stream *s)
{
	return s->frame;
}

uint64_t resp_stream_frame_least(const struct resp_stream *s)
{
	return s->in_arg ? s->at + s->len + 2 : s->at;
}

uint64_t resp_stream_frame_argc(const struct resp_stream *s)
{
	return s->argc;
}

const char *resp_stream_error(const struct resp_stream *s)
{
	return s->error;
}
