// SPDX-License-Identifier: BSD-3-Clause
// decode_run() -> file_decode() -> rdb_decode() -> event_next() -> event_take()
//                                -> decode_commands()
#include "ctrl/decode/decode_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_MAX  (1024 * MB) // above the longest argument of a server
#define SCRATCH_MAX (1024 * MB)

static bool starts_key(const struct rdb_event *ev)
{
	return ev->kind == RDB_STRING || ev->kind == RDB_STRING_BEGIN || ev->kind == RDB_RAW ||
	       ev->kind == RDB_BIG_BEGIN || (ev->kind == RDB_SKIPPED && ev->key.p);
}

// Whether an event that belongs to no key is shown: only where no keys were asked for.
static bool other_is_wanted(const struct run *r)
{
	const struct decode_filter *f = &r->d->filter;
	if (r->ev.kind == RDB_SELECTDB)
		return true;
	if (f->type && r->ev.kind == RDB_FUNCTION)
		return !strcasecmp(f->type, "function");
	if (f->type && r->ev.kind == RDB_AUX)
		return !strcasecmp(f->type, "aux");
	return !decode_is_filtered(f);
}

#define COMMAND_WORDS_MAX 1024

// A command of the file, whose layout the reader has checked.
static void command_show(struct run *r)
{
	struct span argv[COMMAND_WORDS_MAX];
	const char *p = r->ev.value.p;
	size_t argc = (size_t)span_digits((struct span){p + 1, 10});
	if (!argc || argc > COMMAND_WORDS_MAX)
		return;
	p = memchr(p, '\n', 24);
	for (size_t i = 0; i < argc; i++) {
		argv[i].len = (size_t)span_digits((struct span){p + 2, 10});
		argv[i].p = (const char *)memchr(p + 1, '\n', 24) + 1;
		p = argv[i].p + argv[i].len + 1;
	}
	const struct aof_event ev = {.kind = AOF_COMMAND, .db = r->db, .at_s = -1,
				     .begin = r->reader.pos - r->ev.value.len,
				     .end = r->reader.pos, .argv = argv, .argc = (uint32_t)argc};
	decode_command(r, &ev);
}

static bool is_element(const struct rdb_event *ev)
{
	return ev->kind > RDB_BIG_BEGIN && ev->kind < RDB_BIG_END;
}

// The short way, for what there is most of.
static void element_take(struct run *r)
{
	if (r->dropping)
		return;
	if (r->d->report)
		report_event(r->d->report, &r->ev, r->db, r->key_begin, r->reader.pos);
	if (r->d->printer)
		r->d->printer->ops->event(r->d->printer, &r->ev);
}

static void event_take(struct run *r)
{
	struct decode *d = r->d;
	bool other = false;
	if (r->ev.kind == RDB_SELECTDB)
		r->db = r->ev.db;
	if (starts_key(&r->ev)) {
		d->n_keys++;
		r->dropping = !filter_wants(&d->filter, r->db, &r->ev);
		d->n_shown += !r->dropping;
	} else {
		other = r->ev.kind <= RDB_SKIPPED;
	}
	if (other ? !other_is_wanted(r) : r->dropping)
		return;
	if (d->report)
		report_event(d->report, &r->ev, r->db, r->key_begin, r->reader.pos);
	if (r->ev.kind == RDB_COMMAND)
		command_show(r);
	else if (d->printer)
		d->printer->ops->event(d->printer, &r->ev);
}

// The bytes of a skipped value have been passed over by now.
static void skipped_take(struct run *r)
{
	if (r->reader.skip_end <= r->key_begin)
		return;
	r->key_begin = r->reader.skip_end;
	if (r->d->report)
		report_skipped(r->d->report, r->key_begin);
}

static bool ends_key(const struct rdb_event *ev)
{
	return ev->kind <= RDB_STRING || ev->kind == RDB_RAW || ev->kind == RDB_STRING_END ||
	       ev->kind == RDB_BIG_END;
}

// @return 1 an event is at hand, 0 the end, -1 error
static int event_next(struct run *r, struct failure *f)
{
	size_t used = 0;
	for (;;) {
		enum rdb_result result =
			rdb_next(&r->reader, input_window(&r->in), &r->ev, &used);
		if (result == RDB_EVENT || result == RDB_DONE)
			input_used(&r->in, used);
		if (result == RDB_EVENT)
			return 1;
		if (result == RDB_DONE)
			return 0;
		if (result == RDB_BAD)
			return decode_damaged(r, r->reader.error, f);
		input_used(&r->in, used);
		int rc = input_fill(&r->in, r->reader.need_len);
		if (rc)
			return decode_unreadable(r, rc, f);
		if (r->in.len < r->reader.need_len)
			return decode_damaged(r, rdb_truncated(&r->reader, r->in.len), f);
	}
}

int decode_damaged(struct run *r, const char *sentence, struct failure *f)
{
	const struct decode *d = r->d;
	int n = r->files.multi ? snprintf(f->sentence, SENTENCE_LEN, "%.200s: ", r->file->name) : 0;
	char commands[48] = "";
	if (d->n_commands)
		snprintf(commands, sizeof(commands), " and %llu commands",
			 (unsigned long long)d->n_commands);
	f->id = ERROR_FILE_DAMAGED;
	snprintf(f->sentence + n, SENTENCE_LEN - (size_t)n, "%s, after %llu keys%s", sentence,
		 (unsigned long long)d->n_keys, commands);
	return -1;
}

int decode_unreadable(struct run *r, int error, struct failure *f)
{
	return failure_set(f, error == -EACCES || error == -EPERM ? ERROR_FILE_RIGHTS : ERROR_FILE,
			   "cannot read %s: %s", r->file->path, strerror(-error));
}

static int output_check(const struct run *r, struct failure *f)
{
	int error = r->d->printer ? r->d->printer->out->error : 0;
	return error ? failure_set(f, ERROR_OUTPUT, "cannot write what was decoded: %s",
				   strerror(-error))
		     : 0;
}

int decode_tell(struct run *r, uint64_t pos, struct failure *f)
{
	r->d->n_bytes = r->before + pos;
	r->told_at = pos;
	if (r->d->progress)
		r->d->progress(r->d->progress_arg, r->d);
	return output_check(r, f);
}

// ---- An RDB

// The base of an AOF holds what was there when it was written, and nothing can be undone of it.
static int time_check(struct run *r, struct failure *f)
{
	char taken[INSTANT_LEN];
	if (!r->d->has_until || r->ev.kind != RDB_AUX || !span_eq(r->ev.key, SPAN_LIT("ctime")))
		return 0;
	int64_t at_s = (int64_t)span_digits(r->ev.value);
	if (at_s <= r->d->until_s)
		return 0;
	return failure_set(f, ERROR_UNTIL_TIME,
			   "%s begins with an RDB of %s, which is later than --until-time",
			   r->file->path, instant_write(at_s, taken));
}

static int events_run(struct run *r, struct failure *f)
{
	int rc;
	while ((rc = event_next(r, f)) > 0) {
		if (is_element(&r->ev) && r->reader.pos - r->told_at < PROGRESS_STEP) {
			element_take(r);
			continue;
		}
		skipped_take(r);
		if (r->ev.kind == RDB_EOF) {
			r->d->unsummed = r->ev.crc == RDB_CRC_NONE;
			if (r->ev.crc == RDB_CRC_WRONG)
				return decode_damaged(r, r->reader.error, f);
			continue;
		}
		if (time_check(r, f))
			return -1;
		event_take(r);
		if (ends_key(&r->ev)) {
			r->key_begin = r->reader.pos;
			r->enough = r->d->filter.limit && r->d->n_shown == r->d->filter.limit;
			if (r->enough)
				return 0;
		}
		if (r->reader.pos - r->told_at >= PROGRESS_STEP &&
		    decode_tell(r, r->reader.pos, f))
			return -1;
	}
	return rc;
}

static int rdb_decode(struct run *r, struct failure *f)
{
	struct decode *d = r->d;
	const struct printer_ops *ops = d->printer ? d->printer->ops : NULL;
	const struct rdb_settings set = {
		.window_len = WINDOW_MAX,
		.big_len = BIG_LEN,
		.scratch_len = SCRATCH_MAX,
		.module_len = ops && ops->modules ? 0 : 1,
		.elements = (ops && ops->values) || d->report,
		.lenient = true,
	};
	if (rdb_reader_init(&r->reader, &set))
		return failure_set(f, ERROR_INTERNAL, "settings of the reader are impossible");
	r->db = r->key_begin = 0;
	int rc = events_run(r, f);
	d->version = r->reader.version;
	d->magic = r->reader.magic == RDB_MAGIC_VALKEY ? "VALKEY" : "REDIS";
	d->newer = r->reader.newer;
	d->n_skipped += r->reader.n_skipped;
	rdb_reader_fini(&r->reader);
	return rc;
}

// ---- Files

// What begins at the window: an RDB, or commands. Without a word of its name or its folder for an
// AOF, a file is taken for an RDB unless it looks like commands.
static bool commands_begin(struct run *r, bool is_aof)
{
	struct span in = input_window(&r->in);
	if (in.len && (in.p[0] == '*' || in.p[0] == '#'))
		return true;
	return is_aof && (!in.len || (in.p[0] != 'R' && in.p[0] != 'V'));
}

static int file_read(struct run *r, struct failure *f)
{
	bool is_aof = aof_file_is_aof(&r->files, r->file);
	uint64_t from = 0;
	int rc = input_fill(&r->in, 1);
	if (rc)
		return decode_unreadable(r, rc, f);
	if (!commands_begin(r, is_aof)) {
		if (rdb_decode(r, f))
			return -1;
		from = r->reader.pos;
		rc = r->enough ? 0 : input_fill(&r->in, 1);
		if (rc)
			return decode_unreadable(r, rc, f);
		if (r->enough || !r->in.len)
			return 0;
		if (!commands_begin(r, is_aof)) {
			decode_note(r->d,
				    "what follows the RDB from byte %llu on is no AOF and was "
				    "left out",
				    (unsigned long long)from);
			return 0;
		}
	}
	return decode_commands(r, from, f);
}

static int file_decode(struct run *r, struct failure *f)
{
	struct printer *p = r->d->printer;
	int rc = input_open(&r->in, r->file->path, WINDOW_MAX);
	if (rc) {
		rc = decode_unreadable(r, rc, f);
	} else {
		if (p && !r->begun)
			p->ops->begin(p);
		if (p)
			p->file = r->files.multi ? r->file->name : NULL;
		r->begun = true;
		r->told_at = 0;
		rc = file_read(r, f);
		r->before += r->in.n_read - r->in.len;
		r->d->n_bytes = r->before;
	}
	input_close(&r->in);
	return rc;
}

static int files_decode(struct run *r, struct failure *f)
{
	struct printer *p = r->d->printer;
	int rc = 0;
	r->d->total = r->files.len;
	r->d->magic = "AOF";
	for (size_t i = 0; i < r->files.n && !rc && !r->enough; i++) {
		r->file = &r->files.v[i];
		rc = file_decode(r, f);
	}
	if (!rc)
		decode_time_note(r);
	if (r->d->progress)
		r->d->progress(r->d->progress_arg, r->d);
	if (!p || !r->begun)
		return rc;
	p->ops->end(p, rc == 0);
	output_flush(p->out);
	return rc ? rc : output_check(r, f);
}

int decode_run(struct decode *d, struct failure *f)
{
	struct run r = {.d = d};
	if (aof_files_open(&r.files, d->path, f))
		return -1;
	int rc = files_decode(&r, f);
	aof_files_close(&r.files);
	return rc;
}
