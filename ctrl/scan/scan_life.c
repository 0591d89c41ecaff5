// SPDX-License-Identifier: BSD-3-Clause
// scan_life() -> connect_all() -> begin() -> life_turn() until the end -> drain()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/scan/scan_priv.h"
#include "parsers/info.h"

#define LOOK_MS 1000
#define SHOW_MS 100
#define IDLE_MS 100

static const char *const flushing[] = {"cmdstat_flushall", "cmdstat_flushdb", "cmdstat_swapdb"};

static int connect_all(struct scan *s)
{
	struct client *list[] = {
		&s->copying.client[SOURCE], &s->copying.client[TARGET],
		&s->scanning.client[SOURCE], &s->scanning.client[TARGET]};
	for (unsigned i = 0; i < 4; i++)
		if (client_open(list[i], i % 2 ? s->target : s->source,
				i % 2 ? "the target" : "the source", s->failure))
			return -1;
	return 0;
}

// How often everything of a database was changed by one command; no notification tells that.
static int flushes_read(struct scan *s, int64_t *calls)
{
	struct client *c = &s->scanning.client[SOURCE];
	char text[160];
	client_ask(c, "INFO commandstats");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return pair_failed(&s->scanning, s->failure);
	*calls = v->type == RESP_STRING ? 0 : -1;
	for (unsigned i = 0; v->type == RESP_STRING && i < 3; i++)
		if (info_field(v->text, flushing[i], text, sizeof(text)))
			*calls += (int64_t)span_digits(
				span_of(text + strcspn(text, "0123456789")));
	return 0;
}

static int follow_prepare(struct scan *s)
{
	int from = s->source->db, to = s->target->db;
	if (follow_begin(&s->follow, &s->scanning.client[SOURCE], s->source, from >= 0 ? from : to,
			 to >= 0 ? to : from, s->options->trust_notifications, s->failure))
		return -1;
	if (flushes_read(s, &s->flushes))
		return -1;
	if (s->flushes < 0 && !s->connected)
		scan_note(s, "the source does not tell INFO: a FLUSHALL there cannot be seen");
	if (s->follow.changed && !s->connected)
		scan_note(s, "notify-keyspace-events of the source is EA now, and is put back "
			     "at the end");
	return 0;
}

// Whether the pass can go on where the state says.
static bool can_resume(struct scan *s)
{
	const struct scan_state *state = &s->state;
	bool same = s->run_id[0] && !strcmp(state->run_id, s->run_id);
	if (state->db < 0 || state->complete)
		return false;
	if (s->options->follow) {
		scan_note(s, "changes went unseen meanwhile: everything is gone through again");
		return false;
	}
	if (!same)
		scan_note(s, "the source was started anew: its cursors do not hold, the scan "
			     "begins anew");
	return same;
}

static void show(struct scan *s);

// Between the pieces of a big value.
static bool big_goes_on(void *arg)
{
	struct scan *s = arg;
	const struct copy_options *o = &s->options->copy;
	if (s->options->follow)
		follow_listen(&s->follow);
	show(s);
	return !o->go_on || o->go_on(o->go_on_arg);
}

static int begin(struct scan *s)
{
	struct copier before = s->copier;
	struct copy_options options = s->options->copy;
	options.go_on = big_goes_on;
	options.go_on_arg = s;
	if (copier_init(&s->copier, &s->copying, &options, s->failure))
		return -1;
	s->copier.counts = before.counts;
	memcpy(s->copier.why_refused, before.why_refused, sizeof(before.why_refused));
	snprintf(s->run_id, sizeof(s->run_id), "%s", s->copier.can.run_id);
	if (s->options->follow && follow_prepare(s))
		return -1;
	bool resume = can_resume(s);
	if (resume && !s->connected) {
		s->progress->resumed = true;
		s->copier.counts.keys = s->state.keys;
		s->copier.counts.gone = s->state.gone;
		scan_note(s, "going on in database %d at the cursor of the last run",
			  s->state.db);
	}
	// What was deleted while nobody looked is extra now.
	s->sweep = extra_keys_go(s) && (s->connected || s->state.db >= 0) && !resume;
	if (s->options->extra_keys == EXTRA_KEYS_DELETE)
		s->sweep = true;
	if (pass_begin(s, resume))
		return -1;
	s->connected = true;
	s->progress->connects++;
	return 0;
}

// Everything anew, since something went unseen.
static int pass_again(struct scan *s, const char *why)
{
	scan_note(s, "%s: everything is gone through again%s", why,
		  extra_keys_go(s) ? "" : "; keys that are gone stay (--extra-keys=keep)");
	s->follow.lost = false;
	s->progress->following = false;
	s->copier.rests = false;
	s->sweep = extra_keys_go(s);
	return pass_begin(s, false);
}

static int source_look(struct scan *s)
{
	int64_t calls;
	uint64_t now = mono_ms();
	if (s->stage != STAGE_FOLLOW || now - s->looked_ms < LOOK_MS)
		return 0;
	s->looked_ms = now;
	if (flushes_read(s, &calls))
		return -1;
	bool flushed = s->flushes >= 0 && calls > s->flushes;
	s->flushes = calls >= 0 ? calls : s->flushes; // a busy server does not tell
	if (flushed)
		return pass_again(s, "the source was flushed, or databases were swapped");
	if (s->follow.lost)
		return pass_again(s, "more has changed than can be remembered");
	return 0;
}

static void show(struct scan *s)
{
	struct scan_progress *p = s->progress;
	uint64_t now = mono_ms();
	if (now - s->shown_ms < SHOW_MS)
		return;
	s->shown_ms = now;
	p->phase = s->stage == STAGE_FOLLOW ? "stream" : "snapshot";
	p->waiting = s->copier.waiting;
	p->counts = s->copier.counts;
	p->events = s->follow.events;
	p->queued = s->follow.dirty.n + s->copier.ready.n + s->copier.big.n;
	snprintf(p->refused, sizeof(p->refused), "%s", s->copier.why_refused);
	if (s->options->progress)
		s->options->progress(s->options->arg, p);
}

static int life_turn(struct scan *s)
{
	int moved = copier_turn(&s->copier), more = moved < 0 ? -1 : pass_turn(s);
	int seen = more < 0 || !s->options->follow ? 0 : follow_turn(&s->follow, &s->copier);
	if (more < 0 || seen < 0 || source_look(s))
		return -1;
	if (moved + more + seen == 0) {
		struct client *also[COPY_ALSO_MAX];
		unsigned n = 0;
		if (s->walk.asked)
			also[n++] = s->walk.scanned;
		if (s->options->follow)
			also[n++] = &s->follow.client;
		copier_wait(&s->copier, also, n, IDLE_MS);
	}
	show(s);
	return 0;
}

// What is under way is finished; the rest waits for the next run.
static int drain(struct scan *s)
{
	bool through = s->stage == STAGE_FOLLOW;
	s->progress->phase = "draining";
	if (copier_finish(&s->copier))
		return -1;
	while (through && s->follow.dirty.n) {
		if (follow_turn(&s->follow, &s->copier) < 0 || copier_finish(&s->copier))
			return -1;
	}
	walk_settle(&s->walk);
	through_take(s);
	if (state_keep(s, through))
		return -1;
	if (through)
		return 0;
	return failure_set(s->failure, ERROR_INTERRUPTED,
			   "ended before everything was gone through, with %llu keys copied",
			   (unsigned long long)s->copier.counts.keys);
}

int scan_life(struct scan *s)
{
	if (connect_all(s) || begin(s))
		return -1;
	while (s->stage != STAGE_DONE) {
		if (s->options->go_on && !s->options->go_on(s->options->arg))
			return drain(s);
		if (life_turn(s))
			return -1;
	}
	return 0;
}

void scan_life_end(struct scan *s)
{
	s->shown_ms = 0;
	s->progress->counts = s->copier.counts;
	snprintf(s->progress->refused, sizeof(s->progress->refused), "%s", s->copier.why_refused);
	follow_end(&s->follow, &s->scanning.client[SOURCE]);
	follow_forget(&s->follow);
	walk_forget(&s->walk);
	copier_forget(&s->copier);
	copier_free(&s->copier);
	for (int i = 0; i < 2; i++) {
		client_close(&s->copying.client[i]);
		client_close(&s->scanning.client[i]);
	}
}
