// SPDX-License-Identifier: BSD-3-Clause
// Members, the certificates that tell the time of their streams, and what they wait for.
#include "dataplane/group/handoff.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/group/handoff_priv.h"

#define FLUX_CERT_NS 10000000ull // while slots move, certificates are so near to one another
#define CIRCLE_WAITS 5

struct handoff *handoff_new(void)
{
	struct handoff *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	memset(h->home, HANDOFF_NOBODY, sizeof(h->home));
	h->astray = true;
	return h;
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		keys_drop(h, slot);
	for (unsigned i = 0; i < h->n_members; i++) {
		free(h->members[i].touched);
		free(h->members[i].losses);
	}
	free(h->keys);
	free(h->index);
	free(h);
}

// ---- Members

static unsigned member_find(const struct handoff *h, const char *name)
{
	unsigned i = 0;
	while (i < h->n_members && strcmp(h->members[i].name, name))
		i++;
	return i;
}

int handoff_join(struct handoff *h, const char *name)
{
	unsigned i = member_find(h, name);
	if (i == MEMBERS_MAX)
		i = handoff_reuse(h);
	if (i == MEMBERS_MAX)
		return -ENOSPC;
	struct handoff_member *m = &h->members[i];
	if (!m->touched)
		m->touched = calloc(SLOT_COUNT, sizeof(*m->touched));
	if (!m->losses)
		m->losses = calloc(SLOT_COUNT, sizeof(*m->losses));
	if (!m->touched || !m->losses)
		return -ENOMEM;
	if (i == h->n_members)
		h->n_members++;
	if (!m->name[0])
		snprintf(m->name, sizeof(m->name), "%s", name);
	m->here = true;
	m->floor_ns = h->now_ns;
	return (int)i;
}

void handoff_leave(struct handoff *h, unsigned member)
{
	h->members[member].here = false;
}

void handoff_resync(struct handoff *h, unsigned member, const char *format, ...)
{
	struct handoff_member *m = &h->members[member];
	va_list args;
	if (m->resync)
		return;
	va_start(args, format);
	vsnprintf(m->why, sizeof(m->why), format, args);
	va_end(args);
	m->resync = true;
}

// ---- Time

uint64_t handoff_sure_ns(const struct handoff_member *m, uint64_t offset)
{
	uint64_t sure_ns = m->past_ns;
	for (unsigned i = 0; i < m->n_certs && m->certs[i].offset <= offset; i++)
		sure_ns = m->certs[i].asked_ns;
	return sure_ns;
}

uint64_t handoff_before_ns(const struct handoff_member *m, uint64_t offset)
{
	for (unsigned i = 0; i < m->n_certs; i++)
		if (m->certs[i].offset > offset)
			return m->certs[i].answered_ns;
	return UINT64_MAX;
}

// One certificate fewer: the one that lies closest between its neighbours.
static void certs_thin(struct handoff_member *m)
{
	unsigned least = 1;
	for (unsigned i = 1; i + 1 < m->n_certs; i++)
		if (m->certs[i + 1].asked_ns - m->certs[i - 1].asked_ns <
		    m->certs[least + 1].asked_ns - m->certs[least - 1].asked_ns)
			least = i;
	m->n_certs--;
	memmove(m->certs + least, m->certs + least + 1, (m->n_certs - least) * sizeof(*m->certs));
}

void handoff_certify(struct handoff *h, unsigned member, uint64_t asked_ns, uint64_t offset)
{
	struct handoff_member *m = &h->members[member];
	if (m->n_certs && m->certs[m->n_certs - 1].offset > offset)
		return; // of a server that was behind
	m->known = offset;
	if (m->n_certs == HANDOFF_CERTS)
		certs_thin(m);
	m->certs[m->n_certs++] = (struct handoff_cert){asked_ns, h->now_ns, offset};
	memmove(m->recent + 1, m->recent, sizeof(m->recent) - sizeof(m->recent[0]));
	m->recent[0] = m->certs[m->n_certs - 1];
	handoff_frontier(h, member, m->frontier);
}

void handoff_forget_offsets(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	m->n_certs = 0;
	m->moved_until = m->frontier = m->judged = m->task_end = m->known = m->old_until = 0;
	m->wait.reason = HANDOFF_READY;
	m->floor_ns = h->now_ns;
	m->view_at = 0;
	memset(m->recent, 0, sizeof(m->recent));
	memset(m->touched, 0, SLOT_COUNT * sizeof(*m->touched));
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (h->tasks[i].member == member)
			h->tasks[i].state = TASK_NONE; // the snapshot tells of those that are on
	m->n_active = 0;
}

void handoff_frontier(struct handoff *h, unsigned member, uint64_t frontier)
{
	struct handoff_member *m = &h->members[member];
	unsigned n = 0;
	m->frontier = frontier;
	while (n < m->n_certs && m->certs[n].offset <= frontier)
		m->past_ns = m->certs[n++].asked_ns;
	m->n_certs -= n;
	memmove(m->certs, m->certs + n, m->n_certs * sizeof(*m->certs));
}

bool handoff_is_answered(const struct handoff *h, unsigned member, uint64_t offset)
{
	return h->members[member].frontier >= offset || h->is_idle(h->owner, member);
}

// Slots that it owned when it was asked before. From here on what is said of them is counted.
static void slots_lost(struct handoff *h, unsigned member, const struct handoff_view *view)
{
	const struct handoff_member *m = &h->members[member];
	bool known = view->node && m->node == view->node && !m->loading && m->view_at &&
		     m->view_ns > m->floor_ns;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (!bit_has(m->owns, slot) || bit_has(view->owns, slot))
			continue;
		if (known)
			m->losses[slot] = (struct handoff_loss){m->view_ns, h->now_ns, m->view_at};
		if (h->home[slot] != member)
			continue;
		h->owned_ns[slot] = m->view_ns;
		if (known && !h->flux[slot])
			slot_flux_begin(h, slot, member);
	}
}

// Where the stream of a member was at some time before a moment.
static uint64_t offset_before(const struct handoff_member *m, uint64_t moment_ns)
{
	unsigned i = 0;
	while (i < HANDOFF_RECENT && m->recent[i].answered_ns > moment_ns)
		i++;
	return i < HANDOFF_RECENT ? m->recent[i].offset : 0;
}

// Slots that it takes in for long, though their home was asked meanwhile and gives them to nobody:
// a server that starts with an old RDB calls them so, and has keys of them that no stream tells of.
static void slots_littered(struct handoff *h, unsigned member, const struct handoff_view *view)
{
	const struct handoff_member *m = &h->members[member];
	for (unsigned slot = bit_next(view->takes, 0); slot < SLOT_COUNT;
	     slot = bit_next(view->takes, slot + 1)) {
		unsigned home = h->home[slot];
		if (home == HANDOFF_NOBODY || home == member || !bit_has(m->takes, slot))
			continue;
		if (h->members[home].view_ns > m->view_ns &&
		    !bit_has(h->members[home].gives, slot))
			slot_litter(h, slot, member);
	}
}

void handoff_view(struct handoff *h, unsigned member, const struct handoff_view *view)
{
	struct handoff_member *m = &h->members[member];
	slots_littered(h, member, view);
	if (memcmp(m->owns, view->owns, sizeof(m->owns)) != 0) {
		slots_lost(h, member, view);
		h->astray = true;
	}
	m->view_ns = view->asked_ns;
	m->node = view->node;
	m->view_at = offset_before(m, view->asked_ns);
	memcpy(m->owns, view->owns, sizeof(m->owns));
	memcpy(m->gives, view->gives, sizeof(m->gives));
	memcpy(m->takes, view->takes, sizeof(m->takes));
	if (!m->claim_ns || view->asked_ns <= m->claim_ns)
		return;
	// It may have lost a slot between the view that the claim relied on and the claim.
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (h->home[slot] == member && h->since_ns[slot] <= m->claim_ns &&
		    !bit_has(m->owns, slot))
			slot_spoil(h, slot);
	m->claim_ns = 0;
	h->version++;
}

// ---- Waits

uint64_t handoff_moment_ns(const struct handoff *h, const struct handoff_at *at)
{
	const struct handoff_member *m = &h->members[at->member];
	bool waited = m->wait.reason != HANDOFF_READY && m->wait.begin == at->begin;
	uint64_t since_ns = waited ? m->wait.since_ns : h->now_ns;
	uint64_t before_ns = handoff_before_ns(m, at->begin);
	return before_ns < since_ns ? before_ns : since_ns;
}

// Two members at the ends of moves wait for one another's streams: no certificate told which of the
// ends was first, and none will.
static bool waits_in_circle(const struct handoff *h, unsigned member)
{
	const struct handoff_wait *w = &h->members[member].wait, *other;
	if (w->reason != HANDOFF_PASSING || w->other == HANDOFF_NOBODY || w->other == member)
		return false;
	other = &h->members[w->other].wait;
	return other->reason == HANDOFF_PASSING && other->other == member &&
	       handoff_is_answered(h, member, w->begin) &&
	       handoff_is_answered(h, w->other, other->begin) &&
	       h->now_ns > w->since_ns + CIRCLE_WAITS * h->third_ns_max &&
	       h->now_ns > other->since_ns + CIRCLE_WAITS * h->third_ns_max;
}

enum handoff_verdict handoff_waits(struct handoff *h, const struct handoff_at *at,
				   enum handoff_reason reason, unsigned slot, unsigned other)
{
	struct handoff_member *m = &h->members[at->member];
	struct handoff_wait *w = &m->wait;
	char text[TEXT_LEN];
	if (w->reason != reason || w->begin != at->begin) {
		bool same = w->reason != HANDOFF_READY && w->begin == at->begin;
		w->since_ns = same ? w->since_ns : h->now_ns;
		w->reason = reason;
		w->begin = at->begin;
	}
	w->slot = slot;
	w->other = other;
	w->moment_ns = handoff_moment_ns(h, at);
	if (h->now_ns <= w->since_ns + h->wait_ns_max && !waits_in_circle(h, at->member))
		return HANDOFF_WAIT;
	handoff_wait_text(h, at->member, text);
	handoff_resync(h, at->member, "%.180s, and that takes too long", text);
	w->reason = HANDOFF_READY;
	return HANDOFF_RESYNC;
}

void handoff_wait_text(const struct handoff *h, unsigned member, char *out)
{
	const struct handoff_wait *w = &h->members[member].wait;
	const char *other = w->other < h->n_members ? h->members[w->other].name : "";
	*out = 0;
	switch (w->reason) {
	case HANDOFF_READY:
		break;
	case HANDOFF_DISK:
		snprintf(out, TEXT_LEN, "which slots move is being written to the disk");
		break;
	case HANDOFF_ANSWERS:
		snprintf(out, TEXT_LEN,
			 "slot %u moves: the target has to answer what shard %s wrote to it",
			 w->slot, other);
		break;
	case HANDOFF_PASSING:
		snprintf(out, TEXT_LEN,
			 "slot %u has moved: what shard %s wrote before has to be applied first",
			 w->slot, other);
		break;
	case HANDOFF_ROOM:
		snprintf(out, TEXT_LEN, "more than %d keys are in slots that move",
			 HANDOFF_KEYS_MAX);
		break;
	}
}

static bool any_moves(const struct handoff *h)
{
	bool moves = h->n_flux;
	for (unsigned i = 0; i < HANDOFF_TASKS && !moves; i++)
		moves = h->tasks[i].state == TASK_ACTIVE;
	return moves;
}

bool handoff_moves(struct handoff *h)
{
	bool moves = h->moves != h->moves_noted || h->n_moved || h->n_dirty;
	h->moves_noted = h->moves;
	return moves;
}

uint64_t handoff_wants_ns(const struct handoff *h, unsigned member)
{
	uint64_t wants_ns = 0;
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_wait *w = &h->members[i].wait;
		if (i != member && w->reason == HANDOFF_PASSING && w->since_ns > wants_ns)
			wants_ns = w->since_ns;
	}
	if (h->n_flux && h->flux_ns > wants_ns)
		wants_ns = h->flux_ns;
	if (h->now_ns > FLUX_CERT_NS && h->now_ns - FLUX_CERT_NS > wants_ns && any_moves(h))
		wants_ns = h->now_ns - FLUX_CERT_NS;
	if (h->claim_ns > wants_ns)
		wants_ns = h->claim_ns;
	const struct handoff_member *m = &h->members[member];
	uint64_t has_ns = m->n_certs ? m->certs[m->n_certs - 1].asked_ns : m->past_ns;
	return has_ns > wants_ns ? 0 : wants_ns;
}
