// SPDX-License-Identifier: BSD-3-Clause
// What a link remembers of held expiries over its own death, see route/hold.h:
//
//   snapshot loaded -> link_holds_saved() -> the stream begins -> ... -> released
//   resumed before that -> link_holds_load() -> lifetimes -> the stream goes on
//
// and when held keys are given back: link_holds_look(), again and again while there are any.
#include <errno.h>
#include <stdlib.h>

#include "dataplane/link_priv.h"

#define ANSWER_WAIT_NS 5000000000ull // for the probe, which may not be let in
#define SKEW_MS        1000          // between the source's clock and ours

static void holds_put(struct link *link)
{
	struct holds *h = &link->route.holds;
	char *bytes = NULL;
	size_t len = h->n ? holds_pack(h, &bytes) : 0;
	if (h->n && !len)
		return; // no memory: what is on disk is still right, if perhaps not all
	link->n_holds_saved = h->n;
	replacer_put(link->files, HOLDS_FILE, bytes, len);
}

// Before the first marker of the stream: from then on no full sync would set these keys again.
bool link_holds_saved(struct link *link)
{
	if (!link->files)
		return true;
	if (!link->holds_put) {
		holds_put(link);
		link->holds_put = true;
	}
	if (!link_point_settled(link))
		return false;
	if (!replacer_is_idle(link->files))
		link_note(
			link, EVENT_WARN,
			"held expiries cannot be saved in %.100s: after a crash now, %u keys would "
			"expire a day late",
			link->config->state_dir, link->route.holds.n);
	return true;
}

// A key that was renamed meanwhile is held under another name. Once those of the snapshot were
// given back nothing is saved any more.
void link_holds_turn(struct link *link)
{
	if (link->stage == LINK_STREAMING && link->n_holds_saved && !link->release_at &&
	    link->route.holds.n > link->n_holds_saved)
		holds_put(link);
}

// @return false when there are none to ask for
bool link_holds_load(struct link *link, uint64_t offset)
{
	struct holds *h = &link->route.holds;
	const struct checkpoint *c = &link->point;
	char *bytes;
	size_t len;
	holds_fini(h);
	link->release_at = 0;
	if (!link->files || file_load(link->config->state_dir, HOLDS_FILE, HOLDS_FILE_LEN_MAX,
				      &bytes, &len))
		return false;
	if (c->released && offset >= c->released) {
		free(bytes);
		replacer_put(link->files, HOLDS_FILE, NULL, 0);
		return false;
	}
	int rc = holds_unpack(h, (struct span){bytes, len});
	free(bytes);
	link->n_holds_saved = h->n;
	if (rc)
		link_note(
			link, EVENT_WARN,
			"the file of held expiries in %.100s is left out: %s; some keys may expire "
			"a day late",
			link->config->state_dir, rc == -EBADMSG ? "it is damaged" : strerror(-rc));
	if (h->n)
		lifetimes_begin(&link->lifetimes, h);
	return h->n;
}

// They were given back, in batches that begin here.
void link_holds_released(struct link *link)
{
	link->release_at = link->route.routed + 1;
}

void link_holds_asked(struct link *link)
{
	const struct lifetimes *l = &link->lifetimes;
	if (l->refusal[0])
		link_note(
			link, EVENT_WARN,
			"held expiries cannot be given back, since the target does not let us ask "
			"for them (ACL SETUSER user +time +pttl): %.100s",
			l->refusal);
	else
		core_log(link->core, EVENT_INFO, link->index,
			 "%u keys still have the expiry that they were held with, %u do not",
			 l->n_kept, l->n_changed);
}

// ---- Giving back

// How far ahead the source is, nobody knows: it was away.
void link_behind(struct link *link)
{
	link->route.behind = true;
	link->ask.open = false;
}

// Everything that the source had written when it was asked has been applied. Keys whose time was
// over by then cannot live on there. Others that might expire before what comes next is applied
// wait for the next answer.
//
// @return as route_release(); on -1 the link has failed
int link_holds_release(struct link *link, uint64_t asked_ms)
{
	uint64_t now_ms = link->now.wall_ms, lag = now_ms > asked_ms ? now_ms - asked_ms : 0;
	int rc = route_release(&link->route, (int64_t)asked_ms - SKEW_MS,
			       (int64_t)(now_ms + HOLD_NEAR_MS + 2 * lag));
	if (rc < 0)
		link_fail(link, link->route.error, link->route.text);
	if (rc > 0)
		link->route.behind = false;
	return rc;
}

static void source_ask(struct link *link)
{
	link->ask.open = true;
	link->ask.known = false;
	link->ask.answers = link->probe.answers + (link->probe.asked ? 2 : 1);
	link->ask.since_ns = link->now.mono_ns;
	link->ask.asked_ms = link->now.wall_ms;
}

static bool answer_find(struct link *link)
{
	bool answered = link->probe.answers >= link->ask.answers;
	bool late = link->now.mono_ns > link->ask.since_ns + ANSWER_WAIT_NS;
	if (!link->ask.known && (answered || late)) {
		link->ask.offset = answered ? link->probe.offset : link->log.tail;
		link->ask.known = true;
	}
	return link->ask.known;
}

// While the source is away nothing is given back: what it writes meanwhile comes later.
void link_holds_look(struct link *link)
{
	const struct route *r = &link->route;
	if (link->stage != LINK_STREAMING || !atomic_load(&link->slot->state.caught_up) ||
	    (!holds_any(&r->holds) && !r->behind))
		return;
	if (link->source.state != SOURCE_STREAM)
		link->ask.open = false;
	else if (!link->ask.open)
		source_ask(link);
	else if (answer_find(link) &&
		 counter_get(&link_counters(link)->frontier_offset) >= link->ask.offset &&
		 link_holds_release(link, link->ask.asked_ms) > 0)
		link->ask.open = false;
}
