// SPDX-License-Identifier: BSD-3-Clause
// resp_skim_next() -> line_take() -> header_take() | body_take() -> event_take()
#include "parsers/resp_skim.h"

void resp_skim_init(struct resp_skim *s)
{
	memset(s, 0, sizeof(*s));
}

static void bad(struct resp_skim *s, const char *what)
{
	s->error = what;
}

static void command_begin(struct resp_skim *s)
{
	s->begin = s->position;
	s->argc = s->n_args = 0;
	s->name_len = 0;
	s->ended = false;
}

// The digits of a header line, all of them and nothing else.
static bool number_take(const struct resp_skim *s, uint64_t *v)
{
	unsigned n = s->n_line - 1; // without the carriage return
	if (n < 2 || n > 20 || s->line[n] != '\r')
		return false;
	*v = 0;
	for (unsigned i = 1; i < n; i++) {
		if (s->line[i] < '0' || s->line[i] > '9')
			return false;
		*v = *v * 10 + (uint64_t)(s->line[i] - '0');
	}
	return true;
}

static void header_take(struct resp_skim *s)
{
	uint64_t v = 0;
	char type = s->line[0];
	bool number = number_take(s, &v);
	s->n_line = 0;
	if (!number || type != (s->argc ? '$' : '*')) {
		bad(s, "a frame is not an array of bulk strings");
	} else if (!s->argc) {
		if (!v || v > INT32_MAX)
			bad(s, "a command announces an impossible number of arguments");
		s->argc = (uint32_t)v;
	} else if (v > SKIM_BULK_MAX) {
		bad(s, "a command announces an argument of more than 4 GB");
	} else {
		s->arg = (struct resp_arg){.at = s->position - s->begin, .len = v};
		if (!s->n_args)
			s->name_len = v;
		s->body_left = v + 2;
		s->in_body = true;
	}
}

// @return bytes used
static size_t line_take(struct resp_skim *s, struct span in)
{
	size_t i = 0;
	while (i < in.len && !s->error) {
		char c = in.p[i++];
		s->position++;
		if (c == '\n' && !s->n_line && !s->argc) {
			s->ended = true; // a bare newline
			return i;
		}
		if (c == '\n') {
			header_take(s);
			return i;
		}
		if (s->n_line == sizeof(s->line))
			bad(s, "a header line is too long");
		else
			s->line[s->n_line++] = c;
	}
	return i;
}

// What is kept or looked at of a body: how a name begins, and the line end behind it.
static void body_look(struct resp_skim *s, const char *p, size_t n)
{
	uint64_t at = s->arg.len + 2 - s->body_left;
	for (size_t i = 0; !s->n_args && i < n && at + i < s->arg.len && at + i < SKIM_NAME_LEN;
	     i++)
		s->name[at + i] = p[i];
	size_t tail = at + n > s->arg.len ? (size_t)(at + n - s->arg.len) : 0; // of the line end
	tail = tail < n ? tail : n;
	for (size_t i = n - tail; i < n; i++)
		if (p[i] != (at + i == s->arg.len ? '\r' : '\n'))
			bad(s, "an argument does not end where it was announced to");
}

static size_t body_take(struct resp_skim *s, struct span in)
{
	size_t n = in.len < s->body_left ? in.len : (size_t)s->body_left;
	body_look(s, in.p, n);
	s->body_left -= n;
	s->position += n;
	return n;
}

enum skim_verdict resp_skim_next(struct resp_skim *s, struct span in, size_t *used)
{
	*used = 0;
	if (s->ended)
		command_begin(s);
	while (!s->error) {
		if (s->argc && s->n_args == s->argc) {
			s->ended = true;
			return SKIM_COMMAND;
		}
		struct span rest = {in.p + *used, in.len - *used};
		if (s->in_body && !s->body_left) {
			s->in_body = false;
			s->n_args++;
			return SKIM_ARG;
		}
		if (!rest.len)
			return SKIM_MORE;
		*used += s->in_body ? body_take(s, rest) : line_take(s, rest);
		if (s->ended && !s->error)
			return SKIM_COMMAND;
	}
	return SKIM_BAD;
}
