// SPDX-License-Identifier: BSD-3-Clause
// scan_run() -> state_prepare() -> scan_life(), again while connections are lost
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctrl/clock.h"
#include "ctrl/endpoint.h"
#include "ctrl/scan/scan_priv.h"

#define RETRY_MS 200

static int state_prepare(struct scan *s)
{
	struct scan_state *state = &s->state;
	char source[ENDPOINT_TEXT_LEN], target[ENDPOINT_TEXT_LEN];
	endpoint_text(s->source, source);
	endpoint_text(s->target, target);
	*state = (struct scan_state){.db = -1};
	if (s->options->state_dir) {
		if (state_dir_open(&s->dir, s->options->state_dir, 0, s->failure))
			return -1;
		if (scan_state_read(&s->dir, state, s->failure) < 0)
			return -1;
	}
	if (strcmp(state->source, source) || strcmp(state->target, target))
		*state = (struct scan_state){.db = -1};
	snprintf(state->source, sizeof(state->source), "%s", source);
	snprintf(state->target, sizeof(state->target), "%s", target);
	return 0;
}

static bool is_asked_to_end(const struct scan *s)
{
	return s->options->go_on && !s->options->go_on(s->options->arg);
}

static bool is_connection(enum error_id id)
{
	return id == ERROR_CONNECT || id == ERROR_DEADLINE || id == ERROR_RESOLVE;
}

// A connection that was lost is made again, for a while.
static int lives_run(struct scan *s)
{
	uint64_t lost_ms = 0;
	for (;;) {
		unsigned connects = s->progress->connects;
		int rc = scan_life(s);
		scan_life_end(s);
		if (rc == 0 || !s->connected || !is_connection(s->failure->id))
			return rc;
		if (s->progress->connects > connects) { // it had been there
			lost_ms = mono_ms();
			scan_note(s, "%s; connecting again", s->failure->sentence);
		}
		if (mono_ms() - lost_ms >= s->options->wait_ms)
			return -1;
		s->progress->phase = "connecting";
		s->progress->waiting = "a connection";
		if (is_asked_to_end(s))
			return failure_set(s->failure, ERROR_INTERRUPTED,
					   "ended while a connection was lost");
		nanosleep(&(struct timespec){0, RETRY_MS * 1000000l}, NULL);
		if (s->options->progress)
			s->options->progress(s->options->arg, s->progress);
		*s->failure = (struct failure){0};
	}
}

int scan_run(const struct endpoint *source, const struct endpoint *target,
	     const struct scan_options *o, struct scan_progress *p, struct failure *f)
{
	struct scan *s = calloc(1, sizeof(*s));
	*p = (struct scan_progress){.phase = "connecting", .waiting = ""};
	if (!s)
		return failure_set(f, ERROR_MEMORY, "no memory for a scan");
	s->source = source;
	s->target = target;
	s->options = o;
	s->progress = p;
	s->failure = f;
	s->dir.fd = s->dir.lock_fd = -1;
	s->follow.client.fd = -1;
	for (int i = 0; i < 2; i++)
		s->copying.client[i].fd = s->scanning.client[i].fd = -1;
	*f = (struct failure){0};
	int rc = state_prepare(s);
	rc = rc ? rc : lives_run(s);
	walk_free(&s->walk);
	follow_free(&s->follow);
	state_dir_close(&s->dir);
	free(s);
	return rc;
}
