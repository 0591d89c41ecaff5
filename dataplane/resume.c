// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/resume.h"

// The stream to go on with is that of the newest marker: the highest epoch, then the highest
// offset.
static const struct marker *newest(const struct lane_found *found, unsigned n_found)
{
	const struct marker *best = NULL;
	for (unsigned i = 0; i < n_found; i++) {
		const struct marker *m = &found[i].marker;
		if (m->phase != MARKER_STREAM)
			continue;
		if (!best || m->epoch > best->epoch ||
		    (m->epoch == best->epoch && m->offset > best->offset))
			best = m;
	}
	return best;
}

static void held_collect(const struct lane_found *found, unsigned n_found, const char *replid,
			 uint64_t *held, struct resume_point *at)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		held[slot] = UINT64_MAX; // not known
	for (unsigned i = 0; i < n_found; i++) {
		const struct marker *m = &found[i].marker;
		if (m->phase != MARKER_STREAM || strcmp(m->replid, replid))
			continue;
		for (unsigned slot = found[i].first_slot; slot <= found[i].last_slot; slot++)
			if (held[slot] == UINT64_MAX || held[slot] < m->offset)
				held[slot] = m->offset;
		if (m->offset > at->held_end)
			at->held_end = m->offset;
	}
}

// The database that was selected at an offset is told by the marker that ends there.
static int32_t database_at(const struct lane_found *found, unsigned n_found, const char *replid,
			   uint64_t offset)
{
	for (unsigned i = 0; i < n_found; i++)
		if (found[i].marker.offset == offset && !strcmp(found[i].marker.replid, replid))
			return found[i].marker.db;
	return 0;
}

bool resume_find(const struct lane_found *found, unsigned n_found, uint64_t *held,
		 struct resume_point *at)
{
	const struct marker *m = newest(found, n_found);
	memset(at, 0, sizeof(*at));
	if (!m)
		return false;
	held_collect(found, n_found, m->replid, held, at);
	uint64_t lowest = UINT64_MAX;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (held[slot] == UINT64_MAX)
			return false;
		if (held[slot] < lowest)
			lowest = held[slot];
	}
	memcpy(at->replid, m->replid, sizeof(at->replid));
	at->offset = lowest;
	at->db = database_at(found, n_found, m->replid, lowest);
	return true;
}
