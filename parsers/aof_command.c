// SPDX-License-Identifier: BSD-3-Clause
// aof_command_step() -> command_take() -> frame_note()
//                    -> long_begin(), then aof_big_step() -> word_take() | big_end()
//
// A command within big_len goes through the reader of resp.h, which is shown no more than that.
#include <assert.h>
#include <stdlib.h>

#include "parsers/aof_priv.h"

#define NO_MEMORY "out of memory"
#define LINE_LEN  24 // longest header of a word that can be one, with room

// What a command means to whoever reads on: the transaction and the database it leaves behind.
//
// @return a sentence, or NULL when all is well
static const char *frame_note(struct aof_reader *r, struct span name, struct span db)
{
	if (span_caseeq(name, "MULTI")) {
		if (r->in_multi)
			return "a MULTI stands within a transaction";
		r->in_multi = true;
	} else if (span_caseeq(name, "EXEC")) {
		if (!r->in_multi)
			return "an EXEC has no MULTI";
		r->in_multi = false;
	} else if (db.p && span_caseeq(name, "SELECT")) {
		for (size_t i = 0; i < db.len; i++)
			if (db.p[i] < '0' || db.p[i] > '9' || db.len > 9)
				return "a SELECT names no database";
		r->db = span_digits(db);
	}
	return NULL;
}

// The command is whole and has been taken.
static void command_count(struct aof_reader *r, struct aof_event *ev)
{
	r->n_commands++;
	if (!r->in_multi)
		r->good = r->pos;
	ev->in_multi = ev->in_multi && r->in_multi;
}

// ---- In one

static bool argv_reserve(struct aof_reader *r, uint32_t n)
{
	if (n <= r->argv_max)
		return true;
	struct span *more = realloc(r->argv, 2ull * n * sizeof(*more));
	if (!more)
		return false;
	r->argv = more;
	r->argv_max = 2 * n;
	return true;
}

static enum aof_result command_take(struct aof_reader *r, struct span in,
				    const struct resp_frame *f, struct aof_event *ev, size_t *used)
{
	size_t len = (size_t)(f->end - f->begin);
	if (!argv_reserve(r, f->argc))
		return aof_fail(r, in, 0, NO_MEMORY);
	for (unsigned i = 0; i < f->argc; i++)
		r->argv[i] = (struct span){in.p + f->argv[i].at, (size_t)f->argv[i].len};
	const char *wrong = frame_note(r, r->argv[0],
				       f->argc == 2 ? r->argv[1] : (struct span){NULL, 0});
	if (wrong)
		return aof_fail(r, in, 0, wrong);
	ev->kind = AOF_COMMAND;
	ev->argv = r->argv;
	ev->argc = f->argc;
	aof_take(r, ev, len, used);
	command_count(r, ev);
	return AOF_EVENT;
}

// Go over a command from its beginning, as far as it is there.
static enum skim_verdict command_skim(struct resp_skim *s, struct span in)
{
	enum skim_verdict v;
	size_t at = 0, used;
	resp_skim_init(s);
	do {
		v = resp_skim_next(s, (struct span){in.p + at, in.len - at}, &used);
		at += used;
	} while (v == SKIM_ARG);
	return v;
}

// Where and why the command at the window's beginning is none. What the reader alone refuses
// (leading zeros) is told at its beginning.
static enum aof_result command_fail(struct aof_reader *r, struct span in)
{
	struct resp_skim s;
	size_t at = 0;
	if (command_skim(&s, in) != SKIM_BAD)
		return aof_fail(r, in, 0, "a command is not an array of bulk strings");
	if (s.in_body || s.n_args)
		at = (size_t)(s.arg.at + s.arg.len) + (s.in_body ? 0 : 2);
	else if (s.argc)
		at = (size_t)((const char *)memchr(in.p, '\n', in.len) + 1 - in.p);
	return aof_fail(r, in, at, s.error);
}

static enum aof_result big_begin(struct aof_reader *r, struct span in, struct aof_event *ev,
				 size_t *used)
{
	size_t most = in.len < LINE_LEN ? in.len : LINE_LEN, n;
	const char *end = memchr(in.p, '\n', most);
	size_t len = end ? (size_t)(end + 1 - in.p) : most;
	resp_skim_init(&r->skim);
	if (resp_skim_next(&r->skim, (struct span){in.p, len}, &n) != SKIM_MORE || !r->skim.argc)
		return command_fail(r, in);
	r->state = AOF_IN_BIG;
	r->word_at = 0;
	ev->kind = AOF_BIG_BEGIN;
	ev->argc = r->skim.argc;
	return aof_take(r, ev, len, used);
}

// The command is long, or a word is announced that makes it long: it goes on word by word. Of a
// line end of which the reader has seen one byte the skim judges this one.
static enum aof_result long_begin(struct aof_reader *r, struct span in, struct span shown,
				  struct aof_event *ev, size_t *used)
{
	struct resp_skim s;
	if (command_skim(&s, shown) == SKIM_BAD)
		return command_fail(r, in);
	return big_begin(r, in, ev, used);
}

enum aof_result aof_command_step(struct aof_reader *r, struct span in, struct aof_event *ev,
				 size_t *used)
{
	struct resp_frame f;
	struct span shown = {in.p, in.len < r->big_len ? in.len : r->big_len};
	if (resp_stream_position(r->resp) != r->pos)
		resp_stream_reset(r->resp, r->pos);
	enum resp_verdict v = resp_stream_next(r->resp, shown, &f);
	if (v == RESP_OK)
		return command_take(r, in, &f, ev, used);
	if (v == RESP_BAD)
		return command_fail(r, in);
	uint64_t least = resp_stream_frame_least(r->resp);
	if (least > r->big_len || shown.len == r->big_len)
		return long_begin(r, in, shown, ev, used);
	return aof_more(r, least > in.len ? (size_t)least : in.len + 1);
}

// ---- Word by word

static enum aof_result big_end(struct aof_reader *r, struct span in, struct aof_event *ev,
			       size_t *used)
{
	struct span name = {r->skim.name, r->skim.name_len};
	if (name.len > SKIM_NAME_LEN)
		name.len = 0; // too long for any that matters
	const char *wrong = frame_note(r, name, (struct span){NULL, 0});
	if (wrong)
		return aof_fail(r, in, 0, wrong);
	r->state = AOF_BETWEEN;
	ev->kind = AOF_BIG_END;
	ev->argc = r->skim.argc;
	aof_take(r, ev, 0, used);
	command_count(r, ev);
	return AOF_EVENT;
}

// The header of the next word: look at it, and take nothing.
//
// @param look  in: a copy of the skim; out: behind the header
// @param len   out: of the line
static enum aof_result header_look(struct aof_reader *r, struct span in, struct resp_skim *look,
				   size_t *len)
{
	const char *end = memchr(in.p, '\n', in.len < LINE_LEN ? in.len : LINE_LEN);
	if (!end && in.len < LINE_LEN)
		return aof_more(r, in.len + 1);
	*len = end ? (size_t)(end + 1 - in.p) : LINE_LEN;
	if (resp_skim_next(look, (struct span){in.p, *len}, &(size_t){0}) == SKIM_BAD || !end)
		return aof_fail(r, in, 0, look->error ? look->error : "a header line is too long");
	return AOF_EVENT;
}

static enum aof_result word_take(struct aof_reader *r, struct span in, struct aof_event *ev,
				 size_t *used)
{
	struct resp_skim look = r->skim;
	size_t line_len = 0, n;
	enum aof_result result = r->word_at ? AOF_EVENT : header_look(r, in, &look, &line_len);
	if (result != AOF_EVENT)
		return result;
	uint64_t left = look.arg.len - r->word_at;
	bool last = left <= r->big_len;
	size_t piece = last ? (size_t)left : r->big_len;
	size_t take = line_len + piece + (last ? 2 : 0);
	if (in.len < take)
		return aof_more(r, take);
	ev->kind = AOF_BIG_WORD;
	ev->index = r->skim.n_args;
	ev->argc = r->skim.argc;
	ev->word_len = look.arg.len;
	ev->word_at = r->word_at;
	ev->word = (struct span){in.p + line_len, piece};
	if (resp_skim_next(&r->skim, (struct span){in.p, take}, &n) == SKIM_BAD)
		return aof_fail(r, in, line_len + piece, r->skim.error);
	assert(n == take);
	r->word_at = last ? 0 : r->word_at + piece;
	return aof_take(r, ev, take, used);
}

enum aof_result aof_big_step(struct aof_reader *r, struct span in, struct aof_event *ev,
			     size_t *used)
{
	if (r->skim.n_args == r->skim.argc)
		return big_end(r, in, ev, used);
	return word_take(r, in, ev, used);
}
