// SPDX-License-Identifier: BSD-3-Clause
// Full syncs of the model, while all else goes on:
//
//   sync_offer() -> sync_claim() -> key_load() .. -> sync_over()
//
// The snapshot is of the moment of the offer. Its master says later who owns what, and only then
// the full sync begins.
#include <stdio.h>
#include <string.h>

#include "tests/unit/handoff_model.h"

static void view_bit(uint64_t *bits, unsigned slot, bool is_set)
{
	uint64_t bit = 1ull << slot * 100 % 64;
	bits[slot * 100 / 64] &= ~bit;
	bits[slot * 100 / 64] |= is_set ? bit : 0;
}

void view_tell(struct model *m, unsigned shard)
{
	struct handoff_view view = {.asked_ns = m->now, .node = 1 + shard};
	if (!shard) // those that nobody writes to
		memset(view.owns, 0xff, sizeof(view.owns));
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct move *v = &m->moves[i];
		bool moves = v->on && v->way == CLASSIC;
		view_bit(view.owns, i, m->owner[i] == shard);
		view_bit(view.gives, i, moves && v->from == shard);
		view_bit(view.takes, i, moves && v->to == shard);
	}
	handoff_view(m->h, shard, &view);
}

static void sync_offer(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	for (unsigned slot = 0; slot < SLOTS; slot++)
		trace(m, slot, "full sync of shard%u offered at #%u of #%u: %s", shard, s->n,
		      s->routed, m->h->members[shard].why);
	sent_answer(m, shard, s->n_sent);
	s->sync.stage = SYNC_OFFERED;
	s->sync.n = s->n;
	s->sync.n_loaded = 0;
	s->sync.state = s->state;
	memcpy(s->sync.moves, m->moves, sizeof(m->moves));
}

// What the snapshot says of a task that was on.
static void snapshot_task(struct model *m, unsigned shard, unsigned slot)
{
	const struct sync *sync = &m->shards[shard].sync;
	const struct move *v = &sync->moves[slot];
	char text[100];
	if (!v->on || v->way != TASK || v->to != shard)
		return;
	snprintf(text, sizeof(text), "t%u:node%u:node%u:import:streaming:%u-%u", v->number, v->from,
		 v->to, slot * 100, slot * 100);
	handoff_snapshot_task(m->h, v->to, span_of(text), (uint64_t)COMMAND_LEN * sync->n);
}

static void sync_claim(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	m->n_resyncs++;
	s->sync.n_claims++;
	view_tell(m, shard);
	handoff_claim(m->h, shard);
	s->sync.former = s->routed;
	s->sync.stage = SYNC_LOADING;
	s->received = s->routed = s->sync.n;
	s->seen = s->sync.state;
	memset(s->trimmed, 0, sizeof(s->trimmed));
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		trace(m, slot, "full sync of shard%u begins", shard);
		key_trace(m, slot);
	}
}

static void key_load(struct model *m, unsigned shard, unsigned number)
{
	struct shard *s = &m->shards[shard];
	unsigned slot = number / KEYS, key = number % KEYS;
	char name[32];
	if (!number)
		for (unsigned i = 0; i < SLOTS; i++)
			snapshot_task(m, shard, i);
	key_name(name, slot, key);
	if (s->sync.state.of[slot][key][0] &&
	    handoff_loads(m->h, shard, 0, span_of(name), (uint64_t)COMMAND_LEN * s->sync.n))
		strcpy(m->target.of[slot][key], s->sync.state.of[slot][key]);
}

// What the target has and the snapshot has not goes.
static void sync_over(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	for (unsigned slot = 0; slot < SLOTS; slot++)
		for (unsigned key = 0; key < KEYS; key++) {
			char name[32];
			key_name(name, slot, key);
			if (!s->sync.state.of[slot][key][0] &&
			    handoff_sweeps(m->h, shard, 0, span_of(name)))
				m->target.of[slot][key][0] = 0;
		}
	s->sync.stage = SYNC_NONE;
	s->sync.due = false;
	handoff_loaded(m->h, shard);
	handoff_frontier(m->h, shard, (uint64_t)COMMAND_LEN * s->sync.n);
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		trace(m, slot, "full sync of shard%u is over", shard);
		key_trace(m, slot);
	}
}

bool sync_step(struct model *m, unsigned shard)
{
	struct sync *sync = &m->shards[shard].sync;
	if (sync->stage == SYNC_NONE && !m->h->members[shard].resync && !sync->due)
		return false;
	if (sync->stage == SYNC_NONE)
		sync_offer(m, shard);
	else if (sync->stage == SYNC_OFFERED && !below(m, 3))
		sync_claim(m, shard);
	else if (sync->stage == SYNC_LOADING && sync->n_loaded == SLOTS * KEYS)
		sync_over(m, shard);
	else if (sync->stage == SYNC_LOADING && handoff_may_load(m->h, shard))
		key_load(m, shard, sync->n_loaded++);
	return true;
}

void sync_all(struct model *m)
{
	for (unsigned i = 0; i < m->n_shards; i++) {
		sync_offer(m, i);
		sync_claim(m, i);
		sync_over(m, i);
	}
}

void sync_lost(struct model *m, unsigned shard, bool crashed)
{
	struct shard *s = &m->shards[shard];
	bool loads = s->sync.stage == SYNC_LOADING;
	s->sync.stage = SYNC_NONE;
	if (!loads)
		return;
	// One that had begun before this one has left the target half way.
	s->sync.due |= !crashed || s->sync.n_loaded || below(m, 2);
	if (!s->sync.due) // not even the markers were touched
		s->received = s->routed = s->sync.former;
}
