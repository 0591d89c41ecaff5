// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode`: verb_decode() -> request_read() -> decode_run() -> warnings, report_print()
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/aof/instant.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/decode/decode.h"
#include "ctrl/decode/report.h"

#define OUTPUT_CAP     (256 * 1024)
#define LIVE_MS        250
#define PLAIN_MS       5000

struct live {
	bool on, terminal, open;
	uint64_t started_ms, shown_ms;
};

static void live_show(void *arg, const struct decode *d)
{
	struct live *l = arg;
	uint64_t now = mono_ms(), ms = now - l->started_ms + 1;
	char keys[24], rate[24], speed[24];
	double bytes_s = (double)d->n_bytes * 1000.0 / (double)ms;
	if (!l->on || now - l->shown_ms < (l->terminal ? LIVE_MS : PLAIN_MS))
		return;
	l->shown_ms = now;
	fprintf(stderr, "%sdecode", l->terminal ? "\r\033[K" : "");
	if (d->total)
		fprintf(stderr, " %2llu%%", (unsigned long long)(d->n_bytes * 100 / d->total));
	fprintf(stderr, "  %s keys", figure_count(d->n_keys, keys));
	if (d->n_commands)
		fprintf(stderr, "  %s commands", figure_count(d->n_commands, keys));
	fprintf(stderr, "  %s/s  %s/s",
		figure_short((double)(d->n_keys + d->n_commands) * 1000.0 / (double)ms, rate),
		figure_bytes(bytes_s, speed));
	if (d->total > d->n_bytes && bytes_s > 0) {
		unsigned long long s = (unsigned long long)((double)(d->total - d->n_bytes) /
							    bytes_s) + 1;
		fprintf(stderr, "  ETA %llu:%02llu", s / 60, s % 60);
	}
	if (!l->terminal)
		fputc('\n', stderr);
	l->open = l->terminal;
	fflush(stderr);
}

static int number_read(const char *text, const char *name, uint64_t *v, struct failure *f)
{
	char *end;
	if (!text)
		return 0;
	errno = 0;
	*v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return failure_set(f, ERROR_USAGE, "--%s: '%s' is not a number", name, text);
	return 0;
}

static int filter_read(const struct options *o, struct decode_filter *filter, struct failure *f)
{
	filter->match = o->match;
	filter->type = o->type;
	filter->one_db = o->db != NULL;
	if (number_read(o->db, "db", &filter->db, f) ||
	    number_read(o->limit, "limit", &filter->limit, f))
		return -1;
	return o->limit && !filter->limit ? failure_set(f, ERROR_USAGE, "--limit is at least 1")
					  : 0;
}

// What is written, and where.
struct places {
	const struct printer_ops *ops; // NULL: the report alone
	int fd;
	FILE *report; // NULL: none
	bool html;
};

static int places_open(const struct options *o, struct places *p, struct failure *f)
{
	*p = (struct places){.fd = STDOUT_FILENO, .html = o->report && *o->report};
	// A report alone, unless data were asked for as well.
	if (!o->report || o->format || o->out) {
		p->ops = printer_find(o->format ? o->format : "jsonl");
		if (!p->ops)
			return failure_set(f, ERROR_USAGE,
					   "--format is json, jsonl, resp or keys, not '%s'",
					   o->format);
	}
	if (o->out && strcmp(o->out, "-"))
		p->fd = open(o->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (p->fd < 0)
		return failure_set(f, ERROR_OUTPUT, "cannot write %s: %s", o->out, strerror(errno));
	if (p->html)
		p->report = fopen(o->report, "we");
	else if (o->report)
		p->report = p->ops && p->fd == STDOUT_FILENO ? stderr : stdout;
	if (o->report && !p->report)
		return failure_set(f, ERROR_OUTPUT, "cannot write %s: %s", o->report,
				   strerror(errno));
	return 0;
}

static int places_close(struct places *p, const struct options *o, struct failure *f)
{
	int rc = 0;
	if (p->fd > STDERR_FILENO && close(p->fd))
		rc = failure_set(f, ERROR_OUTPUT, "cannot write %s: %s", o->out, strerror(errno));
	if (p->report && (p->html ? fclose(p->report) : fflush(p->report)))
		rc = failure_set(f, ERROR_OUTPUT, "cannot write the report: %s", strerror(errno));
	return rc;
}

// What the reader of the data should know, "" for nothing.
static void warning_write(const struct decode *d, char *text, size_t len)
{
	int n = snprintf(text, len, "%s", d->note);
	const char *mark = n ? "; " : "";
	if (d->newer)
		snprintf(text + n, len - (size_t)n,
			 "%sversion %d of this %s file is newer than what we know; its types are "
			 "known as far as they went", mark, d->version, d->magic);
	else if (d->unsummed && d->version >= 5)
		snprintf(text + n, len - (size_t)n,
			 "%sthe file has no checksum: damage cannot be excluded", mark);
}

static void report_print(const struct places *p, const struct report *r, const struct decode *d,
			 const char *warning)
{
	const struct report_file file = {.path = d->path, .magic = d->magic,
					 .version = d->version, .bytes = d->n_bytes,
					 .warning = *warning ? warning : NULL};
	if (p->report && p->html)
		report_html(r, &file, p->report);
	else if (p->report)
		report_text(r, &file, p->report);
}

static int decode_places(const struct options *o, const struct places *p, struct decode *d,
			 struct failure *f)
{
	struct output out;
	struct printer printer;
	struct report report;
	char warning[DECODE_NOTE_LEN + 256];
	if (output_init(&out, p->fd, OUTPUT_CAP) || printer_init(&printer, p->ops, &out) ||
	    report_init(&report, wall_ms()))
		return failure_set(f, ERROR_MEMORY, "no memory");
	d->printer = p->ops ? &printer : NULL;
	d->report = p->report ? &report : NULL;
	int rc = decode_run(d, f);
	warning_write(d, warning, sizeof(warning));
	if (((struct live *)d->progress_arg)->open)
		fputs("\r\033[K", stderr);
	// A reader that had enough, such as head, is no failure.
	if (rc && out.error == -EPIPE)
		rc = 0;
	if (d->n_bytes || !rc)
		report_print(p, &report, d, warning);
	if (!rc && *warning && !p->report)
		fprintf(stderr, "flyover: note: %s\n", warning);
	report_fini(&report);
	printer_fini(&printer);
	output_fini(&out);
	return rc;
}

int verb_decode(const struct options *o, struct failure *f)
{
	struct places places;
	struct live live = {.started_ms = mono_ms(), .terminal = isatty(STDERR_FILENO)};
	struct decode d = {.path = o->args[0], .magic = "RDB", .strict = o->strict,
			   .has_until = o->until_time != NULL, .progress = live_show,
			   .progress_arg = &live};
	signal(SIGPIPE, SIG_IGN); // a reader that goes away is told by write(), and no failure
	if (filter_read(o, &d.filter, f) ||
	    instant_read(o->until_time, "until-time", &d.until_s, f) ||
	    places_open(o, &places, f))
		return -1;
	// On one terminal, the data are the progress.
	live.on = !live.terminal || !places.ops || places.fd != STDOUT_FILENO ||
		  !isatty(STDOUT_FILENO);
	live.shown_ms = live.started_ms;
	int rc = decode_places(o, &places, &d, f);
	struct failure closing = {0};
	if (places_close(&places, o, &closing) && !rc) {
		*f = closing;
		rc = -1;
	}
	return rc;
}
