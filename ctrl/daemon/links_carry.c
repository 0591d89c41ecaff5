// SPDX-License-Identifier: BSD-3-Clause
// Links through the death of either process: links_adopt() after ours, links_orphaned(),
// links_move() and links_fail() after the dataplane's.
#include <string.h>

#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/links.h"

static struct link_slot *slot_of(const struct daemon *d, unsigned i)
{
	return &d->supervisor.shared.contract->links[i];
}

void links_adopt(struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link *l = &d->links.links[i];
		if (!slot_of(d, i)->config.name[0])
			continue;
		l->used = true;
		switch (atomic_load(&slot_of(d, i)->state.phase)) {
		case PHASE_IDLE: // the order to start may have died with the one who gave it
			l->want = WANT_RUN;
			l->due = DUE(COMMAND_LINK_START);
			break;
		case PHASE_PAUSED:
			l->want = WANT_PAUSE;
			break;
		case PHASE_DRAINING:
			l->want = WANT_DRAIN;
			break;
		default:
			l->want = link_ended(d, i) ? WANT_NOTHING : WANT_RUN;
		}
	}
}

void links_orphaned(struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link_state *state = &slot_of(d, i)->state;
		if (!d->links.links[i].used || link_ended(d, i))
			continue;
		if (d->links.links[i].want == WANT_STOP) {
			atomic_store(&state->phase, PHASE_DONE);
			continue;
		}
		atomic_store(&state->phase, PHASE_CONNECTING);
		shared_text_set(&state->waiting, "the dataplane, which is started again");
	}
}

// What is due for a link that begins again, from what was wanted of it.
static unsigned due_again(enum link_want want)
{
	switch (want) {
	case WANT_PAUSE:
		return DUE(COMMAND_LINK_START) | DUE(COMMAND_LINK_PAUSE);
	case WANT_DRAIN:
		return DUE(COMMAND_LINK_START) | DUE(COMMAND_LINK_DRAIN);
	case WANT_STOP:
		return DUE(COMMAND_LINK_START) | DUE(COMMAND_LINK_STOP);
	default:
		return DUE(COMMAND_LINK_START);
	}
}

void links_move(struct daemon *d, const struct contract *old, struct contract *fresh)
{
	fresh->n_links_begun = old->n_links_begun;
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link *l = &d->links.links[i];
		if (!l->used)
			continue;
		if (link_ended(d, i)) {
			memcpy(&fresh->links[i], &old->links[i], sizeof(old->links[i]));
			continue;
		}
		fresh->links[i].config = old->links[i].config;
		atomic_store(&fresh->links[i].state.started_ms,
			     atomic_load(&((struct contract *)old)->links[i].state.started_ms));
		l->due = due_again(l->want);
	}
}

void links_fail(struct daemon *d, enum error_id id, const char *sentence)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link *l = &d->links.links[i];
		struct link_state *state = &slot_of(d, i)->state;
		if (!l->used || link_ended(d, i))
			continue;
		shared_text_set(&state->failure, sentence);
		shared_text_set(&state->waiting, "");
		atomic_store(&state->error, id);
		atomic_store(&state->phase, PHASE_FAILED);
		l->want = WANT_NOTHING;
		l->due = 0;
		log_put(&d->log, EVENT_ERROR, slot_of(d, i)->config.name, "failed: %s", sentence);
	}
}
