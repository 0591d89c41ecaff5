// SPDX-License-Identifier: BSD-3-Clause
// resume_find() -> nothing_found() | history_find() -> held_collect() -> point_tell()
#include "dataplane/resume.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void full(struct resume_point *at, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void full(struct resume_point *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	at->kind = RESUME_FULL;
	vsnprintf(at->text, sizeof(at->text), format, args);
	va_end(args);
}

// The stream to go on with is that of the newest marker: the highest epoch, then the highest
// offset.
static const struct marker *newest(const struct resume_facts *facts)
{
	const struct marker *best = NULL;
	for (unsigned i = 0; i < facts->n_found; i++) {
		const struct marker *m = &facts->found[i].marker;
		if (m->phase != MARKER_STREAM)
			continue;
		if (!best || m->epoch > best->epoch ||
		    (m->epoch == best->epoch && m->offset > best->offset))
			best = m;
	}
	return best;
}

bool resume_counts(const struct marker *m, const char *replid, const struct chain *chain)
{
	if (m->phase != MARKER_STREAM)
		return false;
	if (!strcmp(m->replid, replid))
		return true;
	return !strcmp(chain_newest(chain), replid) &&
	       chain_look(chain, m->replid, m->offset, NULL) == CHAIN_PROVEN;
}

// ---- No marker to go by

static void nothing_found(const struct resume_facts *facts, struct resume_point *at)
{
	const struct checkpoint *saved = facts->saved;
	if (facts->n_found) {
		full(at, "the full sync before this one did not reach its end");
	} else if (!saved || !saved->marked) {
		at->kind = RESUME_NEW;
		snprintf(at->text, sizeof(at->text), "the link begins");
	} else if (strcmp(saved->target, facts->target)) {
		full(at, "the checkpoint is of another target, %.80s, and this one has no markers",
		     saved->target);
	} else if (!facts->n_keys) {
		full(at,
		     "the target is empty, though it had answered the stream up to offset %" PRIu64,
		     saved->frontier);
	} else {
		full(at,
		     "the markers are gone from the target (FLUSHALL, eviction, another server), "
		     "though it had answered the stream up to offset %" PRIu64,
		     saved->frontier);
	}
}

// ---- The history

// What the checkpoint says against the newest marker. @return false when they contradict each other
static bool witnesses_agree(const struct resume_facts *facts, const struct marker *m,
			    struct resume_point *at)
{
	const struct checkpoint *saved = facts->saved;
	if (saved && !saved->exactly_once && m->epoch <= saved->epoch) {
		full(at, "the life before this one wrote without markers (delivery at-least-once)");
		return false;
	}
	if (!saved || !saved->marked || m->epoch != saved->epoch || m->run == saved->run)
		return true;
	// A life that finds its own epoch taken draws a higher one, so this cannot be one of ours.
	full(at,
	     "marker and checkpoint contradict each other: both are of epoch %" PRIu64
	     ", but of different lives",
	     m->epoch);
	return false;
}

// The id under which the source is asked. @return false when nothing proves the marker's
static bool history_find(const struct resume_facts *facts, const struct marker *m,
			 struct resume_point *at)
{
	const struct checkpoint *saved = facts->saved;
	uint64_t end = 0;
	memcpy(at->replid, m->replid, sizeof(at->replid));
	switch (chain_look(facts->chain, m->replid, m->offset, &end)) {
	case CHAIN_PROVEN:
		memcpy(at->replid, chain_newest(facts->chain), sizeof(at->replid));
		return true;
	case CHAIN_UNKNOWN:
		return true; // the source alone has to prove it
	case CHAIN_BEHIND:
		break;
	}
	if (!saved || m->epoch > saved->epoch)
		return true; // somebody else went on with the old id: the source has to prove it
	full(at,
	     "the target holds offset %" PRIu64
	     " of the history %.8s..., which the stream left at %" PRIu64,
	     m->offset, m->replid, end);
	return false;
}

// What the nodes had of these slots at least, whichever of them had them: what each one's best
// claim for all of them says, the least of it.
static uint64_t least_claimed(const struct resume_facts *facts, const struct lane_found *of,
			      const struct resume_point *at)
{
	uint64_t best[UINT8_MAX + 1] = {0}, least = of->marker.offset;
	for (unsigned i = 0; i < facts->n_found; i++) {
		const struct lane_found *f = &facts->found[i];
		bool covers = f->first_slot <= of->first_slot && f->last_slot >= of->last_slot;
		if (covers && !f->of_slot && best[f->node] < f->marker.offset &&
		    resume_counts(&f->marker, at->replid, facts->chain))
			best[f->node] = f->marker.offset;
	}
	for (unsigned node = 0; node <= UINT8_MAX; node++)
		if (best[node] && best[node] < least)
			least = best[node];
	return least;
}

// @param of_slots  the markers of single slots, or all others
static void held_collect(const struct resume_facts *facts, bool of_slots, uint64_t *held,
			 struct resume_point *at)
{
	for (unsigned i = 0; i < facts->n_found; i++) {
		const struct lane_found *f = &facts->found[i];
		const struct marker *m = &f->marker;
		if (f->of_slot != of_slots || !resume_counts(m, at->replid, facts->chain))
			continue;
		uint64_t offset = f->astray ? least_claimed(facts, f, at) : m->offset;
		for (unsigned slot = f->first_slot; slot <= f->last_slot; slot++) {
			if (facts->owner && !of_slots && facts->owner[slot] != f->node)
				continue;
			if (held[slot] == UINT64_MAX || held[slot] < offset)
				held[slot] = offset;
		}
		if (offset > at->held_end)
			at->held_end = offset;
	}
}

// @return UINT64_MAX when a slot is not covered
static uint64_t held_lowest(const uint64_t *held)
{
	uint64_t lowest = UINT64_MAX;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (held[slot] == UINT64_MAX)
			return UINT64_MAX;
		if (held[slot] < lowest)
			lowest = held[slot];
	}
	return lowest;
}

// The database that was selected at an offset is told by the marker that ends there.
static int32_t database_at(const struct resume_facts *facts, const struct resume_point *at)
{
	for (unsigned i = 0; i < facts->n_found; i++) {
		const struct marker *m = &facts->found[i].marker;
		if (!facts->found[i].of_slot && m->offset == at->offset &&
		    resume_counts(m, at->replid, facts->chain))
			return m->db;
	}
	return 0;
}

// Whether some node holds what the last full sync has replaced everywhere. Why that had to be, its
// markers do not tell: they may be of the time when they said too much.
static bool is_older_than_sync(const struct resume_facts *facts, const struct resume_point *at)
{
	const struct chain *chain = facts->chain;
	return facts->owner && chain->n && at->offset < chain->runs[0].first;
}

// ---- Words

static void point_tell(const struct resume_facts *facts, const struct marker *m,
		       struct resume_point *at)
{
	const struct checkpoint *saved = facts->saved;
	char *out = at->text;
	size_t len = sizeof(at->text);
	bool known = saved && saved->marked;
	if (!known)
		snprintf(out, len,
			 "the target holds the stream up to offset %" PRIu64
			 "; its markers alone say so, since there is no checkpoint here",
			 at->offset);
	else if (m->epoch > saved->epoch)
		snprintf(out, len,
			 "the target holds the stream up to offset %" PRIu64
			 "; its markers of epoch %" PRIu64
			 " count, the checkpoint here is of epoch %" PRIu64,
			 at->offset, m->epoch, saved->epoch);
	else if (at->older)
		snprintf(out, len,
			 "the target came back older than it was: its markers say offset %" PRIu64
			 ", it had answered %" PRIu64 "; it is fed again from there",
			 at->offset, saved->frontier);
	else
		snprintf(out, len,
			 "the target holds the stream up to offset %" PRIu64
			 ", markers and checkpoint agree",
			 at->offset);
}

void resume_find(const struct resume_facts *facts, uint64_t *held, struct resume_point *at)
{
	const struct marker *m = newest(facts);
	const struct checkpoint *saved = facts->saved;
	memset(at, 0, sizeof(*at));
	if (!m) {
		nothing_found(facts, at);
		return;
	}
	if (!witnesses_agree(facts, m, at) || !history_find(facts, m, at))
		return;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		held[slot] = UINT64_MAX; // not known
	held_collect(facts, false, held, at);
	at->offset = held_lowest(held);
	held_collect(facts, true, held, at);
	if (at->offset == UINT64_MAX) {
		full(at, "the markers in the target do not cover every slot, or are of several "
			 "histories");
		return;
	}
	bool proven = chain_look(facts->chain, m->replid, m->offset, NULL) == CHAIN_PROVEN;
	if (is_older_than_sync(facts, at) && proven) {
		full(at,
		     "a node of the target came back older than the last full sync, with the "
		     "stream up to offset %" PRIu64,
		     at->offset);
		return;
	}
	at->kind = RESUME_AT;
	at->db = database_at(facts, at);
	// Offsets can be compared within one history only.
	at->older = saved && saved->marked && proven && at->offset < saved->frontier;
	point_tell(facts, m, at);
}
