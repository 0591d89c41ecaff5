// SPDX-License-Identifier: BSD-3-Clause
// link_create() -> slot_begin() ; links_tick() -> due_send()
#include "ctrl/daemon/links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/preflight.h"
#include "ctrl/link_config.h"

static struct link_slot *slot_of(const struct daemon *d, unsigned i)
{
	return &d->supervisor.shared.contract->links[i];
}

static enum link_phase phase_raw(const struct daemon *d, unsigned i)
{
	return (enum link_phase)atomic_load(&slot_of(d, i)->state.phase);
}

// Of the work that lies in the slot.
static enum link_phase phase_of(const struct daemon *d, unsigned i)
{
	const struct link *l = &d->links.links[i];
	enum link_phase phase = phase_raw(d, i);
	if (phase == PHASE_IDLE && l->want != WANT_NOTHING)
		return PHASE_CONNECTING;
	return phase < PHASE_COUNT ? phase : PHASE_FAILED;
}

enum link_phase link_phase(const struct daemon *d, unsigned i)
{
	const struct link *l = &d->links.links[i];
	enum link_phase phase = phase_of(d, i);
	if (l->replaced)
		return PHASE_CONNECTING;
	// That it was stopped is not yet how it ends.
	return l->forbidden && phase == PHASE_DONE ? PHASE_DRAINING : phase;
}

bool link_ended(const struct daemon *d, unsigned i)
{
	enum link_phase phase = phase_of(d, i);
	return phase == PHASE_IDLE || phase == PHASE_DONE || phase == PHASE_FAILED;
}

bool links_all_ended(const struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used && (!link_ended(d, i) || d->links.links[i].replaced))
			return false;
	return true;
}

int link_find(const struct daemon *d, const char *name, struct failure *f)
{
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used && !strcmp(slot_of(d, i)->config.name, name))
			return (int)i;
	return failure_set(f, ERROR_LINK_UNKNOWN, "there is no link named '%.64s'", name);
}

// Put a link to its start. The dataplane does not look at the slot of a link that has ended.
static void slot_begin(struct daemon *d, unsigned i)
{
	struct link *l = &d->links.links[i];
	struct link_slot *slot = slot_of(d, i);
	memset(&slot->state, 0, sizeof(slot->state));
	memset(slot->lanes, 0, sizeof(slot->lanes));
	atomic_store(&slot->state.started_ms, wall_ms());
	l->want = WANT_RUN;
	l->due = DUE(COMMAND_LINK_START);
	l->forbidden = ERROR_NONE;
	preflight_start(d, i);
	dataplane_want(d);
}

static int slot_fill(struct daemon *d, unsigned i, const struct link_config *c, struct failure *f)
{
	struct link_config *own = &slot_of(d, i)->config;
	*own = *c;
	own->source.link = own->target.link = ++d->supervisor.shared.contract->n_links_begun;
	int rc = state_dir_link(&d->state, c->name, own->state_dir, sizeof(own->state_dir));
	if (rc == 0)
		return 0;
	memset(own, 0, sizeof(*own));
	return failure_set(f, ERROR_STATE_DIR, "the folder of link %s in %s cannot be made: %s",
			   c->name, d->state.path, strerror(-rc));
}

// Ask for a change; what contradicts it and was not sent yet is taken back.
static void want(struct link *l, enum link_want w, enum command_verb verb)
{
	const unsigned flow = DUE(COMMAND_LINK_PAUSE) | DUE(COMMAND_LINK_RESUME);
	if (verb == COMMAND_LINK_PAUSE || verb == COMMAND_LINK_RESUME)
		l->due &= ~flow;
	l->due |= DUE(verb);
	l->want = w;
}

// A link that the dataplane never heard of has nothing to drain.
static bool end_unheard(struct daemon *d, unsigned i)
{
	struct link *l = &d->links.links[i];
	if (!(l->due & DUE(COMMAND_LINK_START)))
		return false;
	l->due = 0;
	l->want = WANT_NOTHING;
	atomic_store(&slot_of(d, i)->state.phase, PHASE_DONE);
	return true;
}

static void stop(struct daemon *d, unsigned i)
{
	if (!link_ended(d, i) && !end_unheard(d, i))
		want(&d->links.links[i], WANT_STOP, COMMAND_LINK_STOP);
}

static int link_replace(struct daemon *d, unsigned i, const struct link_config *c,
			struct failure *f)
{
	struct link *l = &d->links.links[i];
	if (!l->next)
		l->next = malloc(sizeof(*l->next));
	if (!l->next)
		return failure_set(f, ERROR_MEMORY, "no memory for another link");
	*l->next = *c;
	l->replaced = true;
	stop(d, i);
	return 0;
}

static int link_again(struct daemon *d, unsigned i, const struct link_config *c, bool replace,
		      struct failure *f)
{
	if (!link_ended(d, i) && link_config_same(&slot_of(d, i)->config, c)) {
		log_put(&d->log, EVENT_INFO, c->name, "runs already, with the same settings");
		return (int)i;
	}
	if (!replace)
		return failure_set(f, ERROR_CONFIG, "there is a link named %s already", c->name);
	return link_replace(d, i, c, f) ? -1 : (int)i;
}

int link_create(struct daemon *d, struct link_config *c, bool replace, struct failure *f)
{
	struct failure none;
	int i = link_find(d, c->name, &none);
	if (daemon_config_net(&d->config, c, f))
		return -1;
	if (i >= 0)
		return link_again(d, (unsigned)i, c, replace, f);
	if (d->stage != DAEMON_RUNS)
		return failure_set(f, ERROR_LINK_STATE, "this flyoverd is about to leave");
	for (i = 0; i < LINKS_MAX && d->links.links[i].used; i++)
		;
	if (i == LINKS_MAX)
		return failure_set(f, ERROR_CONFIG, "one flyoverd holds %d links at most",
				   LINKS_MAX);
	if (slot_fill(d, (unsigned)i, c, f))
		return -1;
	d->links.links[i] = (struct link){.used = true};
	log_put(&d->log, EVENT_INFO, c->name, "created");
	slot_begin(d, (unsigned)i);
	return i;
}

static int phase_refuses(const struct daemon *d, unsigned i, const char *verb, struct failure *f)
{
	return failure_set(f, ERROR_LINK_STATE, "link %s is %s and cannot be %s",
			   slot_of(d, i)->config.name, link_phase_text(link_phase(d, i)), verb);
}

int link_pause(struct daemon *d, unsigned i, struct failure *f)
{
	struct link *l = &d->links.links[i];
	if (link_ended(d, i) || l->want == WANT_DRAIN || l->want == WANT_STOP)
		return phase_refuses(d, i, "paused", f);
	want(l, WANT_PAUSE, COMMAND_LINK_PAUSE);
	return 0;
}

int link_resume(struct daemon *d, unsigned i, struct failure *f)
{
	struct link *l = &d->links.links[i];
	if (link_ended(d, i)) {
		if (d->stage != DAEMON_RUNS)
			return phase_refuses(d, i, "resumed: flyoverd is about to leave", f);
		slot_begin(d, i);
		return 0;
	}
	if (l->want != WANT_PAUSE)
		return l->want == WANT_RUN ? 0 : phase_refuses(d, i, "resumed", f);
	want(l, WANT_RUN, COMMAND_LINK_RESUME);
	return 0;
}

// What was to come in the place of a link does not come.
static void replace_cancel(struct link *l)
{
	if (l->next)
		explicit_bzero(l->next, sizeof(*l->next));
	free(l->next);
	l->next = NULL;
	l->replaced = false;
}

int link_drain(struct daemon *d, unsigned i, struct failure *f)
{
	replace_cancel(&d->links.links[i]);
	if (!link_ended(d, i) && !end_unheard(d, i) && d->links.links[i].want != WANT_STOP)
		want(&d->links.links[i], WANT_DRAIN, COMMAND_LINK_DRAIN);
	return 0;
}

int link_stop(struct daemon *d, unsigned i, struct failure *f)
{
	replace_cancel(&d->links.links[i]);
	stop(d, i);
	return 0;
}

int link_delete(struct daemon *d, unsigned i, struct failure *f)
{
	struct link *l = &d->links.links[i];
	if (!link_ended(d, i) || l->replaced)
		return failure_set(f, ERROR_LINK_STATE, "link %s is %s; drain it first",
				   slot_of(d, i)->config.name, link_phase_text(link_phase(d, i)));
	log_put(&d->log, EVENT_INFO, slot_of(d, i)->config.name, "deleted");
	preflight_end(d, i);
	explicit_bzero(slot_of(d, i), sizeof(struct link_slot));
	*l = (struct link){0};
	return 0;
}

void links_drain(struct daemon *d)
{
	struct failure f;
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used)
			link_drain(d, i, &f);
}

// Commands go in the order of their numbers: START first, then what happened to the link since.
static void due_send(struct daemon *d, unsigned i)
{
	struct link *l = &d->links.links[i];
	for (unsigned verb = COMMAND_LINK_START; verb <= COMMAND_LINK_STOP; verb++) {
		struct command_record r = {.verb = verb, .link = i};
		if (!(l->due & DUE(verb)))
			continue;
		if (contract_command_push(d->supervisor.shared.contract, r))
			return; // the ring is full: the next tick goes on here
		l->due &= ~DUE(verb);
	}
}

void link_forbid(struct daemon *d, unsigned i, enum error_id id, const char *sentence)
{
	struct link *l = &d->links.links[i];
	if (l->forbidden || l->replaced || link_ended(d, i))
		return;
	l->forbidden = id;
	snprintf(l->forbidden_text, sizeof(l->forbidden_text), "%s", sentence);
	stop(d, i);
}

// A link that was stopped for its own good has failed.
static void forbid_finish(struct daemon *d, unsigned i)
{
	struct link *l = &d->links.links[i];
	struct link_state *state = &slot_of(d, i)->state;
	shared_text_set(&state->failure, l->forbidden_text);
	shared_text_set(&state->waiting, "");
	atomic_store(&state->error, l->forbidden);
	atomic_store(&state->phase, PHASE_FAILED);
	log_put(&d->log, EVENT_ERROR, slot_of(d, i)->config.name, "failed: %s", l->forbidden_text);
	l->want = WANT_NOTHING;
	l->forbidden = ERROR_NONE;
}

static void replace_finish(struct daemon *d, unsigned i)
{
	struct link *l = &d->links.links[i];
	struct failure f = {0};
	struct link_config *next = l->next;
	l->replaced = false;
	l->next = NULL;
	if (slot_fill(d, i, next, &f))
		log_put(&d->log, EVENT_ERROR, next->name, "%s", f.sentence);
	else
		slot_begin(d, i);
	explicit_bzero(next, sizeof(*next));
	free(next);
}

void links_tick(struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link *l = &d->links.links[i];
		if (!l->used)
			continue;
		if (l->replaced && link_ended(d, i))
			replace_finish(d, i);
		preflight_tick(d, i);
		if (l->forbidden && link_ended(d, i))
			forbid_finish(d, i);
		if (l->due && d->supervisor.stage == DATAPLANE_RUNS && !preflight_holds(d, i))
			due_send(d, i);
	}
}

void links_fini(struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		preflight_end(d, i);
		replace_cancel(&d->links.links[i]);
	}
}
