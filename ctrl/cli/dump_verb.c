// SPDX-License-Identifier: BSD-3-Clause
// `flyover dump`: verb_dump() -> request_read() -> dump_run() -> told by shown_update(), end_show()
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <jansson.h>

#include "ctrl/cli/amount.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/job.h"
#include "ctrl/cli/progress.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/dump/dump.h"
#include "ctrl/endpoint.h"

#define WAIT_DEFAULT_MS 60000
#define RATE_MAX        (1ull << 50)
#define DB_MAX          INT32_MAX

struct shown {
	struct progress progress;
	const char *path;
	int signal_fd;
	bool asked_to_end;
};

// ---- The request ------------------------------------------------------------------------------

static int filter_read(const struct options *o, int url_db, struct dump_options *d,
		       struct failure *f)
{
	uint64_t db = 0;
	if (amount_read(o->db, "db", AMOUNT_COUNT, DB_MAX, &db, f))
		return -1;
	if (o->db && url_db >= 0 && db != (uint64_t)url_db)
		return failure_set(f, ERROR_USAGE, "the URL names database %d, and --db %llu",
				   url_db, (unsigned long long)db);
	d->filter = (struct decode_filter){
		.one_db = o->db || url_db >= 0,
		.db = o->db ? db : url_db >= 0 ? (uint64_t)url_db : 0,
		.match = o->match,
		.type = o->type,
	};
	d->filtered = d->filter.one_db || o->match || o->type;
	return 0;
}

static int request_read(const struct options *o, struct dump_options *d, struct link_config *link,
			struct failure *f)
{
	uint64_t wait_ms = WAIT_DEFAULT_MS;
	memset(link, 0, sizeof(*link));
	if (!o->out)
		return failure_set(f, ERROR_USAGE, "`flyover dump` needs -o FILE, or -o - for the "
						   "standard output");
	d->path = o->out;
	d->force = o->force;
	d->by_scan = o->by_scan;
	if (amount_read(o->max_bytes_per_s, "max-bytes-per-s", AMOUNT_BYTES, RATE_MAX,
			&d->bytes_per_s, f) ||
	    amount_read(o->wait_timeout, "wait-timeout", AMOUNT_TIME, 86400000, &wait_ms, f))
		return -1;
	d->wait_ms = (unsigned)wait_ms;
	if (endpoint_set(&link->source, o->args[0], f)) {
		failure_prefix(f, "the source");
		return -1;
	}
	return filter_read(o, link->source.db, d, f) || job_credentials(o, link, f) ? -1 : 0;
}

// ---- Signals ----------------------------------------------------------------------------------

static int signals_take(struct shown *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); // a reader that goes away is told by write()
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -1 : 0;
}

static bool until_signal(void *arg)
{
	struct shown *s = arg;
	struct signalfd_siginfo info;
	s->asked_to_end |= read(s->signal_fd, &info, sizeof(info)) == sizeof(info);
	return !s->asked_to_end;
}

// ---- What people see --------------------------------------------------------------------------

static int percent_of(const struct dump_progress *p)
{
	uint64_t all = p->bytes_total ? p->bytes_total : p->keys_total;
	uint64_t have = p->bytes_total ? p->bytes : p->keys;
	if (!strcmp(p->phase, "done"))
		return 100;
	uint64_t percent = all ? have * 100 / all : 0;
	return percent > 99 ? 99 : (int)percent;
}

static const char *magic_text(const struct dump_progress *p)
{
	return p->magic == RDB_MAGIC_VALKEY ? "VALKEY" : "REDIS";
}

static json_t *object_of(const struct shown *s, const struct dump_progress *p)
{
	json_t *counters = json_pack("{s:I, s:I, s:I}", "snapshot_bytes", (json_int_t)p->bytes,
				     "snapshot_total_bytes", (json_int_t)p->bytes_total,
				     "snapshot_total_keys", (json_int_t)p->keys_total);
	return json_pack("{s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:i, s:s, "
			 "s:I, s:s, s:o}",
			 "phase", p->phase, "percent", percent_of(p), "way",
			 p->by_scan ? "scan" : "replica", "file", s->path, "keys",
			 (json_int_t)p->keys, "kept", (json_int_t)p->kept, "gone",
			 (json_int_t)p->gone, "keys_total", (json_int_t)p->keys_total, "bytes",
			 (json_int_t)p->bytes, "bytes_total", (json_int_t)p->bytes_total, "written",
			 (json_int_t)p->written, "magic", magic_text(p), "rdb_version", p->version,
			 "replid", p->place.replid, "received_offset", (json_int_t)p->place.offset,
			 "waiting", p->waiting, "counters", counters);
}

static void shown_update(void *arg, const struct dump_progress *p)
{
	struct shown *s = arg;
	json_t *o = object_of(s, p);
	progress_show(&s->progress, o, mono_ms());
	json_decref(o);
}

static void note_print(void *arg, const char *sentence)
{
	struct shown *s = arg;
	FILE *out = s->progress.style == PROGRESS_JSON ? s->progress.out : stderr;
	progress_clear(&s->progress);
	if (s->progress.style == PROGRESS_JSON) {
		json_t *o = json_pack("{s:s, s:s}", "phase",
				      s->progress.phase[0] ? s->progress.phase : "connecting",
				      "note", sentence);
		json_dumpf(o, out, JSON_COMPACT);
		json_decref(o);
	} else {
		fprintf(out, "flyover: note: %s", sentence);
	}
	fputc('\n', out);
	fflush(out);
}

static void summary_print(const struct shown *s, const struct dump_progress *p)
{
	char keys[24], written[24], number[24];
	fprintf(s->progress.out, "done: %s keys, %s in %.1f s: %s, RDB version %d%s%s",
		figure_count(p->kept, keys), figure_bytes((double)p->written, written),
		(double)(mono_ms() - s->progress.started_ms) / 1000.0, s->path, p->version,
		p->server.text[0] ? " of " : "", p->server.text);
	if (p->keys > p->kept + p->gone)
		fprintf(s->progress.out, "; left out: %s",
			figure_count(p->keys - p->kept - p->gone, number));
	if (p->gone)
		fprintf(s->progress.out, "; gone meanwhile: %s", figure_count(p->gone, number));
	fputc('\n', s->progress.out);
}

static void end_show(struct shown *s, struct dump_progress *p, int rc, const struct failure *f)
{
	p->phase = rc ? "failed" : "done";
	json_t *o = object_of(s, p), *error = NULL;
	if (rc)
		error = json_pack("{s:s, s:s}", "name", error_row(f->id)->name, "sentence",
				  f->sentence);
	progress_clear(&s->progress);
	if (s->progress.style == PROGRESS_JSON)
		progress_end(&s->progress, o, p->phase, error, mono_ms());
	else if (rc == 0)
		summary_print(s, p);
	json_decref(error);
	json_decref(o);
}

int verb_dump(const struct options *o, struct failure *f)
{
	struct shown shown = {.path = o->out, .signal_fd = -1};
	struct dump_options d = {.progress = shown_update,
				 .note = note_print,
				 .go_on = until_signal,
				 .arg = &shown};
	struct dump_progress p = {.phase = "connecting"};
	struct link_config link;
	bool data_on_stdout = o->out && !strcmp(o->out, "-");
	progress_init(&shown.progress, o->json, data_on_stdout ? stderr : stdout, 0,
		      mono_ms());
	int rc = request_read(o, &d, &link, f);
	if (rc == 0 && data_on_stdout && isatty(STDOUT_FILENO))
		rc = failure_set(f, ERROR_USAGE, "an RDB is nothing for a terminal: redirect the "
						 "standard output, or name a file with -o");
	if (rc == 0 && signals_take(&shown))
		rc = failure_set(f, ERROR_INTERNAL, "no signal descriptor");
	bool ran = rc == 0;
	rc = rc ? rc : dump_run(&link.source, &d, &p, f);
	explicit_bzero(&link, sizeof(link));
	if (ran)
		end_show(&shown, &p, rc, f);
	if (shown.signal_fd >= 0)
		close(shown.signal_fd);
	return rc;
}
