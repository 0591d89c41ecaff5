// SPDX-License-Identifier: BSD-3-Clause
// A log on a simulated disk, and who it serves: a source whose bytes are a function of their
// offset, and a target that views and applies them.
#pragma once

#include <unistd.h>

#include "dataplane/log/log.h"
#include "tests/unit/sim_disk.h"
#include "tests/unit/test.h"

#define PERIOD   1000003 // of the bytes that the source sends
#define RUNS_MAX 64

struct rig {
	struct random random;
	struct sim_disk disk;
	struct log_config config;
	struct log log;
	unsigned cursor;
	char root[64], folder[96];
	unsigned n_lives;
	struct clock_reading now;
	char *bytes; // two periods

	uint64_t viewed, applied; // by whom the log serves
	struct log_run runs[RUNS_MAX];
	unsigned n_runs;
	bool may_be_damaged;      // power failed and nothing was ever synced
};

// ---- The source's bytes

static inline char *source_bytes(void)
{
	struct random r = {42};
	char *p = malloc(2 * PERIOD);
	for (size_t i = 0; i < PERIOD; i++)
		p[i] = p[PERIOD + i] = (char)random_next(&r);
	return p;
}

static inline const char *source_at(const struct rig *r, uint64_t offset)
{
	return r->bytes + offset % PERIOD;
}

// ---- The rig

static inline void rig_open(struct rig *r)
{
	char text[LOG_TEXT_LEN];
	int rc = log_init(&r->log, &r->config, text);
	if (rc)
		fail_msg("%s", text);
	r->cursor = log_cursor_add(&r->log);
}

static inline struct rig *rig_new(uint64_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->random.state = seed;
	r->disk.random.state = seed + 1;
	r->disk.space = UINT64_MAX;
	snprintf(r->root, sizeof(r->root), "/dev/shm/flyover-log-XXXXXX");
	assert_non_null(mkdtemp(r->root));
	snprintf(r->folder, sizeof(r->folder), "%s/0", r->root);
	r->bytes = source_bytes();
	r->now = (struct clock_reading){1000000000, 1000};
	r->config = (struct log_config){.window_len = 64 * 1024,
					.folder = r->folder,
					.disk_limit = 1024 * 1024,
					.sync = LOG_SYNC_INTERVAL,
					.sync_interval_ms = 100,
					.owner = "test",
					.wake_fd = -1,
					.seam = sim_disk_seam(&r->disk),
					.record_len = 16 * 1024};
	return r;
}

static inline void rig_begin(struct rig *r, const char *replid, uint64_t offset)
{
	log_reset(&r->log, replid, offset);
	r->viewed = r->applied = offset;
	r->n_runs = 1;
	r->runs[0].first = offset;
	snprintf(r->runs[0].replid, sizeof(r->runs[0].replid), "%s", replid);
}

static inline void rig_free(struct rig *r)
{
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	sim_disk_remove(r->folder);
	assert_int_equal(rmdir(r->root), 0);
	free(r->bytes);
	free(r);
}

static inline void turn(struct rig *r, uint64_t ms)
{
	uint64_t deadline = UINT64_MAX;
	r->now.mono_ns += ms * 1000000;
	r->now.wall_ms += ms;
	log_turn(&r->log, &r->now, &deadline);
	assert_true(r->log.head <= r->log.end && r->log.end <= r->log.tail);
}

// @return bytes that were taken
static inline size_t receive(struct rig *r, size_t len)
{
	size_t done = 0, space;
	while (done < len) {
		char *to = log_space(&r->log, &space);
		size_t n = len - done < space ? len - done : space;
		if (!n)
			break;
		n = 1 + random_below(&r->random, n);
		n = n < PERIOD ? n : PERIOD;
		memcpy(to, source_at(r, r->log.tail), n);
		log_received(&r->log, n, r->now.mono_ns, r->now.wall_ms);
		done += n;
	}
	return done;
}

// View up to `to`, and compare with what the source sent.
static inline void view(struct rig *r, uint64_t to)
{
	while (r->viewed < to) {
		size_t len;
		const char *p = log_view(&r->log, r->viewed, &len);
		assert_true(len > 0);
		len = len < to - r->viewed ? len : (size_t)(to - r->viewed);
		len = len < PERIOD ? len : PERIOD;
		if (memcmp(p, source_at(r, r->viewed), len))
			fail_msg("other bytes at offset %" PRIu64, r->viewed);
		r->viewed += len;
	}
}

static inline void apply(struct rig *r, uint64_t to)
{
	r->applied = to;
	log_cursor_set(&r->log, r->cursor, to);
}

// Let the target take everything. It ends, whatever is on the disk.
static inline void drain(struct rig *r)
{
	for (unsigned i = 0; r->applied < r->log.tail; i++) {
		const char *text = "";
		bool damaged = log_damage(&r->log, &text);
		if (damaged && r->may_be_damaged)
			rig_begin(r, "again", r->applied);
		else if (damaged || i > 10000000)
			fail_msg("no end at %" PRIu64 " of %" PRIu64 " (end %" PRIu64 "): %s %s",
				 r->applied, r->log.tail, r->log.end, log_trouble(&r->log), text);
		turn(r, 50);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
}

// Files that nobody needs go one by one. It ends, whatever is on the disk.
static inline void wait_for_the_disk_to_be_empty(struct rig *r)
{
	for (unsigned i = 0; log_figures(&r->log).disk_bytes; i++) {
		if (i > 100000)
			fail_msg("files stay: %s", log_trouble(&r->log));
		turn(r, 50);
	}
	assert_true(sim_disk_used(r->folder) < 1000);
}

// Close in order, and open again.
static inline void rig_restart(struct rig *r)
{
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	rig_open(r);
}
