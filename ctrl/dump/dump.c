// SPDX-License-Identifier: BSD-3-Clause
// dump_run() -> fresh_file_open() -> dump_as_replica() | dump_by_scan() -> fresh_file_keep()
#include "ctrl/dump/dump.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "ctrl/check/databases.h"
#include "ctrl/clock.h"
#include "ctrl/dump/dump_priv.h"

#define RETRY_MS 500

int dump_goes_on(struct dump *d)
{
	const struct dump_options *o = d->options;
	uint64_t now = mono_ms();
	if (now - d->shown_ms < SHORT_WAIT_MS)
		return 0;
	d->shown_ms = now;
	d->progress->written = d->file.len;
	if (o->progress)
		o->progress(o->arg, d->progress);
	if (!o->go_on || o->go_on(o->arg))
		return 0;
	return failure_set(d->failure, ERROR_CUT_SHORT, "ended after %llu keys",
			   (unsigned long long)d->progress->keys);
}

void dump_note(struct dump *d, const char *format, ...)
{
	char sentence[600];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (d->options->note)
		d->options->note(d->options->arg, sentence);
}

int dump_wait(struct dump *d, struct span why)
{
	char *waiting = d->progress->waiting;
	uint64_t begin = mono_ms();
	if (!d->waiting_since_ms)
		d->waiting_since_ms = begin;
	int len = why.len < 100 ? (int)why.len : 100;
	if (begin - d->waiting_since_ms >= d->options->wait_ms)
		return failure_set(d->failure, ERROR_DEADLINE,
				   "the source still says, after %u s (--wait-timeout): %.*s",
				   d->options->wait_ms / 1000, len, why.p);
	snprintf(waiting, sizeof(d->progress->waiting), "the source, which says: %.*s", len, why.p);
	do {
		if (dump_goes_on(d))
			return -1;
		nanosleep(&(struct timespec){0, SHORT_WAIT_MS * 1000000l}, NULL);
	} while (mono_ms() - begin < RETRY_MS);
	waiting[0] = 0;
	return 0;
}

int dump_connect(struct dump *d, struct client *c)
{
	while (client_open(c, d->source, "the source", d->failure)) {
		struct failure why = *d->failure;
		if (!c->passes || dump_wait(d, span_of(why.sentence)))
			return -1;
	}
	return 0;
}

int dump_look(struct dump *d, struct client *c)
{
	struct databases all = {0};
	bool one_db = d->options->filter.one_db;
	client_ask(c, "INFO server");
	client_ask(c, "INFO keyspace");
	for (int i = 0; i < 2; i++) {
		const struct resp_value *v = client_next(c, NULL);
		if (!v) {
			*d->failure = c->failure;
			return -1;
		}
		if (v->type != RESP_STRING)
			continue;
		if (i == 0)
			server_version_read(v->text, &d->progress->server);
		if (i == 1)
			databases_add(&all, v->text);
		// A replica sends everything, whatever is wanted of it.
		if (i == 1 && !(d->progress->by_scan && one_db))
			d->progress->keys_total = databases_keys(&all, SOURCE, v->text);
	}
	return 0;
}

int dump_write(void *arg, struct span bytes)
{
	struct dump *d = arg;
	return fresh_file_write(&d->file, bytes);
}

int dump_not_written(struct dump *d, int rc)
{
	return failure_set(d->failure, ERROR_OUTPUT, "cannot write %s: %s", d->file.path,
			   strerror(-rc));
}

static int ways_try(struct dump *d)
{
	struct dump_progress *p = d->progress;
	enum dump_end end = d->options->by_scan ? DUMP_REFUSED : dump_as_replica(d);
	if (end != DUMP_REFUSED)
		return end;
	if (!d->options->by_scan)
		dump_note(d, "%s: the keys are read one by one", d->failure->sentence);
	dump_note(d, "the file is not of one moment: each key is in the state of its own turn");
	p->by_scan = true;
	d->waiting_since_ms = 0;
	return dump_by_scan(d);
}

// A source that goes away or falls silent in the middle did let us connect; and there is no target.
static int failed(const struct dump_progress *p, struct failure *f)
{
	bool begun = !strcmp(p->phase, "snapshot");
	if (f->id == ERROR_TARGET_REFUSES)
		f->id = ERROR_SOURCE_REFUSES;
	if (begun && (f->id == ERROR_CONNECT || f->id == ERROR_DEADLINE)) {
		failure_prefix(f, "the snapshot broke off");
		f->id = ERROR_CUT_SHORT;
	}
	return -1;
}

int dump_run(const struct endpoint *source, const struct dump_options *o, struct dump_progress *p,
	     struct failure *f)
{
	struct dump d = {.source = source, .options = o, .progress = p, .failure = f};
	*p = (struct dump_progress){.phase = "connecting", .by_scan = o->by_scan};
	if (fresh_file_open(&d.file, o->path, o->force, f))
		return -1;
	int rc = ways_try(&d) ? failed(p, f) : 0;
	p->waiting[0] = 0;
	rc = rc ? rc : fresh_file_keep(&d.file, f);
	p->written = d.file.len;
	fresh_file_drop(&d.file);
	return rc;
}
