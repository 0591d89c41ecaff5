// SPDX-License-Identifier: BSD-3-Clause
// decode_run() -> event_next() -> event_take() -> report_event(), printer's event()
#include "ctrl/decode/decode.h"

#include <errno.h>
#include <string.h>

#include "ctrl/decode/input.h"
#include "ctrl/decode/report.h"

#define MB            (1024ull * 1024)
#define WINDOW_MAX    (1024 * MB) // above the longest argument of a server
#define SCRATCH_MAX   (1024 * MB)
#define BIG_LEN       (8 * MB)    // longer strings are shown in parts
#define PROGRESS_STEP (8 * MB)

struct run {
	struct decode *d;
	struct input in;
	struct rdb_reader reader;
	struct rdb_event ev;
	bool dropping;      // the key at hand is not shown
	uint64_t db;
	uint64_t key_begin; // where the key at hand begins in the file
	uint64_t told_at;   // bytes at the last progress
};

static bool starts_key(const struct rdb_event *ev)
{
	return ev->kind == RDB_STRING || ev->kind == RDB_STRING_BEGIN || ev->kind == RDB_RAW ||
	       ev->kind == RDB_BIG_BEGIN || (ev->kind == RDB_SKIPPED && ev->key.p);
}

static bool is_filtered(const struct decode_filter *f)
{
	return f->one_db || f->match || f->type || f->limit;
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
	return !is_filtered(f);
}

#define COMMAND_WORDS_MAX 1024

// A command of the file, whose layout the reader has checked.
static void command_show(struct run *r)
{
	struct span argv[COMMAND_WORDS_MAX];
	const char *p = r->ev.value.p;
	size_t argc = (size_t)span_digits((struct span){p + 1, 10});
	if (argc > COMMAND_WORDS_MAX || !r->d->printer)
		return;
	p = memchr(p, '\n', 24);
	for (size_t i = 0; i < argc; i++) {
		argv[i].len = (size_t)span_digits((struct span){p + 2, 10});
		argv[i].p = (const char *)memchr(p + 1, '\n', 24) + 1;
		p = argv[i].p + argv[i].len + 1;
	}
	r->d->printer->ops->command(r->d->printer, r->db, argv, argc);
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

static int damaged(struct failure *f, const char *sentence, uint64_t n_keys)
{
	return failure_set(f, ERROR_FILE_DAMAGED, "%s, after %llu keys", sentence,
			   (unsigned long long)n_keys);
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
			return damaged(f, r->reader.error, r->d->n_keys);
		input_used(&r->in, used);
		int rc = input_fill(&r->in, r->reader.need_len);
		if (rc)
			return failure_set(f, ERROR_FILE, "cannot read %s: %s", r->d->path,
					   strerror(-rc));
		if (r->in.len < r->reader.need_len)
			return damaged(f, rdb_truncated(&r->reader, r->in.len), r->d->n_keys);
	}
}

static void tell(struct run *r)
{
	r->d->n_bytes = r->reader.pos;
	r->d->version = r->reader.version;
	r->d->magic = r->reader.magic == RDB_MAGIC_VALKEY ? "VALKEY" : "REDIS";
	r->d->newer = r->reader.newer;
	r->told_at = r->reader.pos;
	if (r->d->progress)
		r->d->progress(r->d->progress_arg, r->d);
}

static int output_check(const struct run *r, struct failure *f)
{
	int error = r->d->printer ? r->d->printer->out->error : 0;
	return error ? failure_set(f, ERROR_OUTPUT, "cannot write what was decoded: %s",
				   strerror(-error))
		     : 0;
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
				return damaged(f, r->reader.error, r->d->n_keys);
			continue;
		}
		event_take(r);
		if (ends_key(&r->ev)) {
			r->key_begin = r->reader.pos;
			if (r->d->filter.limit && r->d->n_shown == r->d->filter.limit)
				return 0;
		}
		if (r->reader.pos - r->told_at >= PROGRESS_STEP) {
			tell(r);
			if (output_check(r, f))
				return -1;
		}
	}
	return rc;
}

static int decode_opened(struct run *r, struct failure *f)
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
	if (d->printer)
		ops->begin(d->printer);
	int rc = events_run(r, f);
	tell(r);
	d->n_skipped = r->reader.n_skipped;
	rdb_reader_fini(&r->reader);
	if (!d->printer)
		return rc;
	ops->end(d->printer, rc == 0);
	output_flush(d->printer->out);
	return rc ? rc : output_check(r, f);
}

int decode_run(struct decode *d, struct failure *f)
{
	struct run r = {.d = d};
	int rc = input_open(&r.in, d->path, WINDOW_MAX);
	d->total = r.in.total;
	if (rc)
		rc = failure_set(f, rc == -EACCES || rc == -EPERM ? ERROR_FILE_RIGHTS : ERROR_FILE,
				 "cannot read %s: %s", d->path, strerror(-rc));
	else
		rc = decode_opened(&r, f);
	input_close(&r.in);
	return rc;
}
