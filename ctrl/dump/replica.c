// SPDX-License-Identifier: BSD-3-Clause
// Posing as a replica that wants the snapshot alone:
//
//   PING, AUTH -> REPLCONF capa eof capa psync2 -> REPLCONF rdb-only 1 -> PSYNC ? -1
//     -> +FULLRESYNC -> $len | $EOF:mark -> the snapshot -> close
//
// We announce no port and acknowledge nothing, so that neither Sentinel nor WAIT nor
// min-replicas-to-write counts on us. With rdb-only (Redis 6.2) the source keeps no stream for us.
//
// dump_as_replica() -> replica_try() -> options_offer(), header_await() -> snapshot_pass()
#include <errno.h>
#include <stdio.h>

#include "ctrl/dump/dump_priv.h"
#include "ctrl/dump/frame.h"
#include "ctrl/dump/intake.h"
#include "ctrl/dump/sieve.h"
#include "ctrl/scan/can.h"

#define LINE_MAX_LEN 1024

struct replica {
	struct dump *d;
	struct client client;
	struct intake in;
	struct frame frame;
	struct sieve sieve;
};

enum step { STEP_FAILED = -1, STEP_OK, STEP_AGAIN, STEP_REFUSED };

// What an error of the source means for us.
static enum step refusal_judge(struct replica *r, const char *what, struct span text)
{
	const struct resp_value v = {.type = RESP_ERROR, .text = text};
	if (psync_error_passes(text))
		return dump_wait(r->d, text) ? STEP_FAILED : STEP_AGAIN;
	client_refused(&r->client, what, text, r->d->failure);
	if (error_is_command(&v))
		return STEP_REFUSED;
	if (r->d->failure->id == ERROR_TARGET_REFUSES)
		r->d->failure->id = ERROR_PSYNC_REFUSED;
	return STEP_FAILED;
}

// An option that the source does not know is one that it does without.
static enum step option_take(struct replica *r)
{
	const struct resp_value *v = client_next(&r->client, NULL);
	if (!v) {
		*r->d->failure = r->client.failure;
		return STEP_FAILED;
	}
	if (v->type != RESP_ERROR || memmem(v->text.p, v->text.len, "option", 6))
		return STEP_OK;
	return refusal_judge(r, "REPLCONF", v->text);
}

static enum step options_offer(struct replica *r)
{
	client_ask(&r->client, "REPLCONF capa eof capa psync2");
	client_ask(&r->client, "REPLCONF rdb-only 1");
	enum step first = option_take(r);
	return first ? first : option_take(r);
}

// One line without its end; newlines alone keep the connection alive.
//
// @return 1 there is one, 0 not yet, -1 none can come
static int line_take(struct replica *r, char *line)
{
	struct span w = input_window(&r->in.input);
	size_t skip = 0;
	while (skip < w.len && w.p[skip] == '\n')
		skip++;
	input_used(&r->in.input, skip);
	w = input_window(&r->in.input);
	const char *end = w.len ? memchr(w.p, '\n', w.len) : NULL;
	size_t len = end ? (size_t)(end - w.p) : w.len;
	if (len >= LINE_MAX_LEN)
		return failure_set(r->d->failure, ERROR_NOT_REDIS,
				   "the source %s does not answer PSYNC as a Redis does",
				   r->client.url);
	if (!end)
		return 0;
	memcpy(line, w.p, len);
	line[len] = 0;
	while (len && line[len - 1] == '\r')
		line[--len] = 0;
	input_used(&r->in.input, (size_t)(end - w.p) + 1);
	return 1;
}

static int line_await(struct replica *r, char *line)
{
	int rc;
	while ((rc = line_take(r, line)) == 0) {
		if (intake_turn(&r->in, SHORT_WAIT_MS, r->d->failure) < 0 || dump_goes_on(r->d))
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static enum step strange(struct replica *r, const char *line)
{
	failure_set(r->d->failure, ERROR_NOT_REDIS, "the source %s answers PSYNC by '%.60s'",
		    r->client.url, line);
	return STEP_FAILED;
}

static enum step header_await(struct replica *r)
{
	struct dump_progress *p = r->d->progress;
	struct psync_header header;
	char line[LINE_MAX_LEN];
	if (line_await(r, line))
		return STEP_FAILED;
	if (line[0] == '-')
		return refusal_judge(r, "PSYNC", span_of(line + 1));
	if (!psync_fullresync_read(span_of(line), &p->place))
		return strange(r, line);
	snprintf(p->waiting, sizeof(p->waiting), "the source to prepare its snapshot");
	if (line_await(r, line))
		return STEP_FAILED;
	p->waiting[0] = 0;
	if (line[0] == '-') // its disk or its memory: it may do better the next time
		return dump_wait(r->d, span_of(line + 1)) ? STEP_FAILED : STEP_AGAIN;
	if (!psync_header_read(span_of(line), &header))
		return strange(r, line);
	frame_begin(&r->frame, &header);
	p->bytes_total = header.len;
	return STEP_OK;
}

static int damaged(struct replica *r)
{
	return failure_set(r->d->failure, ERROR_RDB_CORRUPT, "the snapshot of the source %s: %s",
			   r->client.url, r->sieve.why);
}

static int passed(struct replica *r, int rc)
{
	if (rc == 0)
		return 0;
	return rc == -EBADMSG ? damaged(r) : dump_not_written(r->d, rc);
}

static void progress_take(struct replica *r, size_t used)
{
	struct dump_progress *p = r->d->progress;
	p->bytes += used;
	p->keys = r->sieve.n_keys;
	p->kept = r->sieve.n_kept;
	p->version = r->sieve.reader.version;
	p->magic = r->sieve.reader.magic;
}

static int snapshot_pass(struct replica *r)
{
	r->d->progress->phase = "snapshot";
	for (;;) {
		size_t used = 0;
		struct span view = frame_view(&r->frame, input_window(&r->in.input));
		if (view.len && passed(r, sieve_feed(&r->sieve, view, &used)))
			return -1;
		frame_used(&r->frame, used);
		input_used(&r->in.input, used);
		progress_take(r, used);
		if (dump_goes_on(r->d))
			return -1;
		if (r->frame.ended)
			return passed(r, sieve_end(&r->sieve, view.len - used));
		if (intake_turn(&r->in, SHORT_WAIT_MS, r->d->failure) < 0)
			return -1;
	}
}

static void snapshot_remarks(struct replica *r)
{
	const struct sieve *s = &r->sieve;
	if (s->unread)
		dump_note(r->d, "the file is kept as it came, its checksum is right; what this "
				"version cannot read in it: %s", s->why);
	else if (s->unsummed)
		dump_note(r->d, "the source writes no checksum (rdbchecksum no): damage on the "
				"way cannot be excluded");
	if (s->n_behind)
		dump_note(r->d, "%llu bytes stood behind the end of the RDB and %s",
			  (unsigned long long)s->n_behind,
			  s->filter ? "were left out" : "are in the file");
}

static int snapshot_take(struct replica *r)
{
	const struct dump_options *o = r->d->options;
	int rc = sieve_init(&r->sieve, o->filtered ? &o->filter : NULL, dump_write, r->d);
	if (rc == 0 && !o->filtered) // before hours are spent
		rc = fresh_file_reserve(&r->d->file, r->frame.header.len);
	rc = rc ? dump_not_written(r->d, rc) : snapshot_pass(r);
	if (rc == 0)
		snapshot_remarks(r);
	sieve_fini(&r->sieve);
	return rc;
}

static enum step snapshot_ask(struct replica *r)
{
	enum step step;
	if (intake_init(&r->in, &r->client, r->d->options->bytes_per_s)) {
		failure_set(r->d->failure, ERROR_MEMORY, "no memory for a snapshot");
		return STEP_FAILED;
	}
	client_ask(&r->client, "PSYNC ? -1");
	step = header_await(r);
	if (step == STEP_OK && snapshot_take(r))
		step = STEP_FAILED;
	intake_fini(&r->in);
	return step;
}

static enum step replica_try(struct replica *r)
{
	if (dump_connect(r->d, &r->client))
		return STEP_FAILED;
	enum step step = dump_look(r->d, &r->client) ? STEP_FAILED : options_offer(r);
	step = step ? step : snapshot_ask(r);
	client_close(&r->client);
	return step;
}

enum dump_end dump_as_replica(struct dump *d)
{
	struct replica r = {.d = d};
	enum step step;
	do
		step = replica_try(&r);
	while (step == STEP_AGAIN);
	return step == STEP_OK ? DUMP_DONE : step == STEP_REFUSED ? DUMP_REFUSED : DUMP_FAILED;
}
