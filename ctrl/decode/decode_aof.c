// SPDX-License-Identifier: BSD-3-Clause
// decode_commands() -> extent_look() -> commands_read() -> event_take() -> decode_command()
//                                    -> end_judge()
//
// A regular file is read twice: where its good commands end is known before the first one is shown.
// What comes through a pipe is shown as it comes.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctrl/aof/extent.h"
#include "ctrl/decode/decode_priv.h"

#define PEEK_LEN 65536

void decode_command(struct run *r, const struct aof_event *ev)
{
	if (r->d->report)
		report_command(r->d->report, ev);
	if (r->d->printer)
		r->d->printer->ops->command(r->d->printer, ev);
}

// ---- Filter

// The first two words of the long command at the window's beginning, as far as they are short.
static void words_peek(struct run *r, struct span words[2])
{
	struct resp_skim s;
	size_t at = 0, used;
	if (input_fill(&r->in, PEEK_LEN))
		return; // told when the words themselves are wanted
	struct span in = input_window(&r->in);
	in.len = in.len < PEEK_LEN ? in.len : PEEK_LEN;
	resp_skim_init(&s);
	while (s.n_args < 2 &&
	       resp_skim_next(&s, (struct span){in.p + at, in.len - at}, &used) == SKIM_ARG) {
		at += used;
		words[s.n_args - 1] = (struct span){in.p + s.arg.at, (size_t)s.arg.len};
	}
}

struct matching {
	struct span glob;
	bool any;
};

static void key_match(void *arg, struct span key, bool written)
{
	struct matching *m = arg;
	m->any = m->any || glob_matches(m->glob, key);
}

// Of a long command, argument 1 stands for its keys.
static bool match_fits(const struct run *r, const struct aof_event *ev, const struct span words[2])
{
	struct matching m = {.glob = span_of(r->d->filter.match)};
	struct command_keys keys = {0};
	if (ev->kind == AOF_COMMAND)
		command_keys_each(&keys, ev, key_match, &m);
	else if (words[1].p)
		key_match(&m, words[1], true);
	return m.any;
}

// A command that is about more than keys goes with every database, a transaction's frame as well.
static bool db_fits(const struct run *r, const struct aof_event *ev, const struct span words[2])
{
	const struct command *c = words[0].p ? command_find(words[0], words[1]) : NULL;
	if (c && (c->flags & COMMAND_FRAME))
		return !span_caseeq(words[0], "SELECT"); // "db" says it
	return ev->db == r->d->filter.db || (c && c->scope == SCOPE_GLOBAL);
}

static bool command_is_wanted(struct run *r, const struct aof_event *ev)
{
	const struct decode_filter *f = &r->d->filter;
	struct span words[2] = {{NULL, 0}, {NULL, 0}};
	if (f->type && strcasecmp(f->type, "command"))
		return false;
	if (!f->match && !f->one_db)
		return true;
	for (uint32_t i = 0; ev->kind == AOF_COMMAND && i < ev->argc && i < 2; i++)
		words[i] = ev->argv[i];
	if (ev->kind == AOF_BIG_BEGIN)
		words_peek(r, words);
	return (!f->match || match_fits(r, ev, words)) && (!f->one_db || db_fits(r, ev, words));
}

// ---- Events

// @return whether to go on
static bool event_take(struct run *r, const struct aof_event *ev)
{
	struct decode *d = r->d;
	if (ev->kind == AOF_ANNOTATION)
		return true;
	if (ev->kind == AOF_TIMESTAMP) {
		r->any_time = true;
		r->enough = d->has_until && ev->at_s > d->until_s;
		if (d->report && !r->enough)
			report_time(d->report, ev->at_s);
		return !r->enough;
	}
	if (ev->kind == AOF_COMMAND || ev->kind == AOF_BIG_BEGIN) {
		d->n_commands++;
		r->dropping = !command_is_wanted(r, ev);
		d->n_shown += !r->dropping;
	}
	if (!r->dropping)
		decode_command(r, ev);
	if (ev->kind == AOF_COMMAND || ev->kind == AOF_BIG_END)
		r->enough = d->filter.limit && d->n_shown == d->filter.limit;
	return !r->enough;
}

// @param good  offset behind the last command that is wanted
//
// @return 1 as far as `good` or as is enough; 0 the input has ended before; -1 error
static int commands_read(struct run *r, uint64_t good, struct failure *f)
{
	struct aof_reader *c = &r->commands;
	struct aof_event ev;
	size_t used;
	// The end of a long command takes no bytes.
	while (c->pos < good || c->state == AOF_IN_BIG) {
		enum aof_result result = aof_next(c, input_window(&r->in), &ev, &used);
		if (result == AOF_BAD)
			return decode_damaged(r, c->error, f);
		if (result == AOF_EVENT && !event_take(r, &ev))
			return 1;
		input_used(&r->in, used);
		if (c->pos - r->told_at >= PROGRESS_STEP && decode_tell(r, c->pos, f))
			return -1;
		if (result == AOF_EVENT)
			continue;
		int rc = input_fill(&r->in, c->need_len);
		if (rc)
			return decode_unreadable(r, rc, f);
		if (r->in.len < c->need_len)
			return 0;
	}
	return 1;
}

// ---- Ends

static bool is_last(const struct run *r)
{
	return r->file == &r->files.v[r->files.n - 1];
}

void decode_note(struct decode *d, const char *format, ...)
{
	size_t n = strlen(d->note);
	va_list ap;
	va_start(ap, format);
	if (n)
		n += (size_t)snprintf(d->note + n, DECODE_NOTE_LEN - n, "; ");
	if (n < DECODE_NOTE_LEN)
		vsnprintf(d->note + n, DECODE_NOTE_LEN - n, format, ap);
	va_end(ap);
}

// A file that ends early: only the last one may, since its server crashed while it wrote.
//
// @param shown  what is behind the last good point was shown nevertheless
static int end_judge(struct run *r, enum aof_ending ending, const char *sentence, bool shown,
		     struct failure *f)
{
	if (ending == AOF_WHOLE || ending == AOF_EMPTY)
		return 0;
	bool half_shown = shown && r->commands.state == AOF_IN_BIG && !r->dropping;
	if (!is_last(r) || r->d->strict || half_shown)
		return decode_damaged(r, sentence, f);
	decode_note(r->d, "%.200s: %s, which %s", r->file->path, sentence,
	     !shown || ending == AOF_CUT
		     ? "were left out"
		     : "came through a pipe: the whole commands among them were shown");
	return 0;
}

// The base of a folder is what was there when a rewrite began: there is nothing before it.
static int until_judge(struct run *r, struct failure *f)
{
	r->enough = true;
	if (r->file->type != AOF_PART_BASE)
		return 0;
	return failure_set(f, ERROR_UNTIL_TIME,
			   "%s, the base of this AOF, is later than --until-time", r->file->path);
}

// @return 1 e holds; 0 the file cannot be read twice, or need not be; -1 error
static int extent_look(struct run *r, uint64_t from, struct aof_extent *e, struct failure *f)
{
	const struct decode *d = r->d;
	if (!strcmp(r->file->path, "-") || (!is_last(r) && !d->has_until))
		return 0;
	int rc = aof_extent_find(r->file->path, from, d->has_until ? d->until_s : AOF_UNTIL_NONE,
				 e);
	if (rc == -ESPIPE)
		return 0;
	return rc ? decode_unreadable(r, rc, f) : 1;
}

static int commands_show(struct run *r, uint64_t from, struct failure *f)
{
	struct aof_extent e;
	int known = extent_look(r, from, &e, f);
	if (known < 0)
		return -1;
	r->any_time = r->any_time || (known && e.until);
	int rc = commands_read(r, known ? e.good : UINT64_MAX, f);
	if (rc < 0)
		return -1;
	if (!known) {
		enum aof_ending ending = rc ? AOF_WHOLE : aof_end(&r->commands, r->in.len);
		return end_judge(r, ending, r->commands.error, true, f);
	}
	if (r->enough)
		return 0;
	if (!rc)
		return decode_damaged(r, "the file became shorter while it was read", f);
	if (e.until)
		return until_judge(r, f);
	return e.damaged ? decode_damaged(r, e.error, f)
			 : end_judge(r, e.ending, e.error, false, f);
}

int decode_commands(struct run *r, uint64_t from, struct failure *f)
{
	if (aof_reader_init(&r->commands, BIG_LEN))
		return failure_set(f, ERROR_MEMORY, "no memory");
	if (r->d->report)
		report_commands_begin(r->d->report);
	if (from)
		aof_rdb_passed(&r->commands, from);
	int rc = commands_show(r, from, f);
	aof_reader_fini(&r->commands);
	return rc;
}

void decode_time_note(struct run *r)
{
	if (r->d->has_until && r->d->n_commands && !r->any_time)
		decode_note(r->d, "no times stand in this AOF (aof-timestamp-enabled was off), so "
			   "--until-time took all of it");
}
