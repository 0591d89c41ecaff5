// SPDX-License-Identifier: BSD-3-Clause
// A log, a router and lanes without a target: what a lane is given, the test takes and answers, in
// any order that the batches' `after` allows.
#pragma once

#include "dataplane/route/route.h"
#include "tests/unit/test.h"

#define RIG_WINDOW (256 * 1024)

struct rig {
	struct link_config config;
	struct source_counters counters;
	struct lane_counters lane_counters[LANES_MAX];
	struct core core;
	struct lane *lanes;
	unsigned n_lanes;
	struct log log;
	unsigned cursor;
	struct place place;
	struct route route;
	uint32_t queue[LANES_MAX][LANE_BATCHES]; // given and not answered, oldest first
	unsigned n_queue[LANES_MAX];
	uint64_t seq[LANES_MAX], end[LANES_MAX]; // of the last one that was given
};

static inline struct rig *rig_new(unsigned n_lanes, unsigned batch_commands)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	settings_default(&r->config.settings);
	r->config.source.db = r->config.target.db = -1;
	r->config.settings.lanes = n_lanes;
	r->config.settings.batch_commands = batch_commands;
	r->config.settings.batch_bytes = 2048;
	snprintf(r->config.name, sizeof(r->config.name), "rig");
	snprintf(r->config.state_dir, sizeof(r->config.state_dir), "/tmp");
	r->config.source.db = r->config.target.db = -1;
	r->core.clock = &clock_kernel;
	r->n_lanes = n_lanes;
	r->lanes = aligned_alloc(64, n_lanes * sizeof(*r->lanes));
	memset(r->lanes, 0, n_lanes * sizeof(*r->lanes));
	for (unsigned i = 0; i < n_lanes; i++)
		assert_int_equal(lane_init(&r->lanes[i], i, n_lanes, r->lanes, &r->config,
					   &r->lane_counters[i], &r->core, &r->core, NULL, 7),
				 0);
	char text[LOG_TEXT_LEN];
	assert_int_equal(log_init(&r->log, &(struct log_config){.window_len = RIG_WINDOW}, text),
			 0);
	r->cursor = log_cursor_add(&r->log);
	place_init(&r->place, &r->config.settings, r->lanes, n_lanes);
	memset(r->place.marker.replid, 'a', 40);
	strcpy(r->place.marker.site, "-");
	r->place.marker.phase = MARKER_STREAM;
	assert_int_equal(route_init(&r->route, &r->log, &r->place, &r->counters, &r->config), 0);
	route_reset(&r->route, 0, 0);
	return r;
}

static inline void rig_free(struct rig *r)
{
	route_fini(&r->route);
	for (unsigned i = 0; i < r->n_lanes; i++)
		lane_fini(&r->lanes[i]);
	log_fini(&r->log);
	free(r->lanes);
	free(r);
}

// @return bytes that the window had room for
static inline size_t rig_receive(struct rig *r, const char *p, size_t len)
{
	size_t space;
	char *to = log_space(&r->log, &space);
	len = len < space ? len : space;
	memcpy(to, p, len);
	if (len)
		log_received(&r->log, len, 1000000 + r->log.tail, 1000);
	return len;
}

// Take what was handed to a lane.
static inline void rig_take(struct rig *r, unsigned lane)
{
	uint32_t handle;
	while (ring_pop(&r->lanes[lane].to_lane, &handle)) {
		const struct batch *b = &r->lanes[lane].pool[handle];
		assert_true(b->closed);
		assert_true(b->seq > r->seq[lane]);
		assert_true(b->end >= r->end[lane]);
		assert_true(b->begin <= b->end);
		r->seq[lane] = b->seq;
		r->end[lane] = b->end;
		assert_in_range(r->n_queue[lane], 0, LANE_BATCHES - 1);
		r->queue[lane][r->n_queue[lane]++] = handle;
	}
}

// The oldest batch of a lane, when what it comes after is done. @return NULL: there is none
static inline struct batch *rig_ready(struct rig *r, unsigned lane)
{
	rig_take(r, lane);
	if (!r->n_queue[lane])
		return NULL;
	struct batch *b = &r->lanes[lane].pool[r->queue[lane][0]];
	for (unsigned i = 0; i < r->n_lanes; i++)
		if (b->after_mask & 1u << i && atomic_load(&r->lanes[i].done_seq) < b->after[i])
			return NULL;
	return b;
}

// Answer the oldest batch of a lane.
static inline void rig_answer(struct rig *r, unsigned lane)
{
	atomic_store(&r->lanes[lane].done_seq, r->lanes[lane].pool[r->queue[lane][0]].seq);
	ring_push(&r->lanes[lane].from_lane, r->queue[lane][0]);
	r->n_queue[lane]--;
	memmove(r->queue[lane], r->queue[lane] + 1, r->n_queue[lane] * sizeof(r->queue[lane][0]));
}

static inline bool rig_is_idle(struct rig *r)
{
	for (unsigned i = 0; i < r->n_lanes; i++) {
		rig_take(r, i);
		if (r->n_queue[i])
			return false;
	}
	return true;
}

// As the link does it each turn.
static inline uint64_t rig_frontier(struct rig *r)
{
	place_collect(&r->place);
	uint64_t frontier = place_frontier(&r->place, r->route.routed);
	log_cursor_set(&r->log, r->cursor, frontier);
	return frontier;
}
