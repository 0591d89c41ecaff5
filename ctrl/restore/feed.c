// SPDX-License-Identifier: BSD-3-Clause
// What a replica gets: feed_begin() ; feed_turn() -> run_next() -> snapshot_run(), stream_run(),
// tail_run()
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "ctrl/clock.h"
#include "ctrl/restore/primary_priv.h"

#define TURN_LEN      (4u * 1024 * 1024) // most bytes before others are looked at
#define PING_EVERY_MS 10000
#define PACE_SLICES   20 // a second of a paced feed has so many runs
#define RDB_END_LEN   8  // the checksum of an RDB

static const char ping[] = "*1\r\n$4\r\nPING\r\n";
static const char empty_rdb[EMPTY_RDB_LEN] = "REDIS0009\xff"; // and a checksum of zero: none

static unsigned slice_of(uint64_t per_s, unsigned most)
{
	uint64_t slice = per_s / PACE_SLICES + 1;
	return per_s && slice < most ? (unsigned)slice : most;
}

static int feed_open(struct primary *p, struct feed *d, bool snapshot, struct failure *f)
{
	const struct primary_settings *set = &p->set;
	// Keys can only be counted where the snapshot is taken apart.
	bool counts = snapshot && set->keys_per_s;
	const struct walk_settings walk = {
		.files = set->plan->files,
		.snapshot_len = counts ? 0 : set->plan->snapshot_len,
		.stream_limit = set->plan->stream_len,
		.until_s = set->plan->until_s,
		.big_value = set->big_value,
		.run_items = slice_of(set->keys_per_s, UINT_MAX),
		.run_len = slice_of(set->bytes_per_s, WALK_RUN_MAX),
	};
	d->digest = XXH3_createState();
	if (!d->digest)
		return failure_set(f, ERROR_MEMORY, "no memory for a digest");
	XXH3_128bits_reset(d->digest);
	return walk_open(&d->walk, &walk, f);
}

void feed_begin(struct primary *p, struct conn *c, uint64_t offset)
{
	struct feed *d = &c->feed;
	struct failure f;
	bool snapshot = offset == UINT64_MAX;
	uint64_t now = mono_ms();
	feed_end(d);
	if (feed_open(p, d, snapshot, &f) || (!snapshot && walk_snapshot_pass(&d->walk, &f))) {
		primary_fail(p, &f);
		c->gone = true;
		return;
	}
	d->stage = snapshot ? FEED_SNAPSHOT : FEED_STREAM;
	d->skip = snapshot ? 0 : offset - PLAN_BASE_OFFSET; // PINGs may be among it
	pace_init(&d->keys, p->set.keys_per_s, now);
	pace_init(&d->bytes, p->set.bytes_per_s, now);
}

void feed_end(struct feed *d)
{
	if (d->digest)
		walk_close(&d->walk);
	XXH3_freeState(d->digest);
	*d = (struct feed){0};
}

// ---- Runs

// The survey has proven these bytes: others must not follow what it has promised.
static int digest_check(const struct primary *p, struct feed *d, XXH128_hash_t expected,
			struct failure *f)
{
	if (XXH128_isEqual(XXH3_128bits_digest(d->digest), expected))
		return 0;
	return failure_set(f, ERROR_RESTORE_CHANGED, "%s was written to while it was restored",
			   p->set.plan->name);
}

// Overwrite the part of the run that covers the snapshot's bytes from `at` on.
static void run_patch(struct span run, uint64_t begin, uint64_t at, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at + i >= begin && at + i < begin + run.len)
			((char *)run.p)[at + i - begin] = bytes[i]; // it lies in our own window
}

// A file without commands is all that there is: no stream follows that might give a key whose time
// is over a longer life. Without the time at which it was taken the dataplane goes by the clock,
// and leaves such keys out. The checksum was held against the bytes before, and no longer fits.
static void snapshot_patch(const struct plan *plan, struct span run, uint64_t begin)
{
	static const char none[RDB_END_LEN];
	if (plan->stream_len || !plan->ctime_at || plan->rdb_version < 5)
		return;
	run_patch(run, begin, plan->ctime_at, "taken", 5);
	run_patch(run, begin, plan->snapshot_len - RDB_END_LEN, none, RDB_END_LEN);
}

// @return 1 a run is there, 0 the snapshot is at its end, -1 f
static int snapshot_run(struct primary *p, struct feed *d, struct failure *f)
{
	const struct plan *plan = p->set.plan;
	if (!plan->snapshot_len) {
		bool first = d->sent == 0;
		if (first)
			d->run = (struct span){empty_rdb, EMPTY_RDB_LEN};
		d->sent = EMPTY_RDB_LEN;
		return first;
	}
	int rc = walk_snapshot(&d->walk, &d->run, f);
	if (rc <= 0)
		return rc;
	XXH3_128bits_update(d->digest, d->run.p, d->run.len);
	uint64_t begin = d->sent;
	d->sent += d->run.len;
	// The last run completes the snapshot: not before all of it was seen to be the same.
	if (d->sent >= plan->snapshot_len && digest_check(p, d, plan->snapshot_digest, f))
		return -1;
	snapshot_patch(plan, d->run, begin);
	return 1;
}

// What the replica has already is passed over; the run may then be empty.
//
// @return 1 a run is there, 0 the stream is at its end, -1 f
static int stream_run(struct primary *p, struct feed *d, struct failure *f)
{
	const struct plan *plan = p->set.plan;
	if (!plan->stream_len)
		return 0;
	int rc = walk_stream(&d->walk, &d->run, f);
	if (rc == 0)
		return digest_check(p, d, plan->stream_digest, f);
	if (rc < 0)
		return rc;
	XXH3_128bits_update(d->digest, d->run.p, d->run.len);
	size_t skip = d->run.len < d->skip ? d->run.len : (size_t)d->skip;
	d->skip -= skip;
	d->run.p += skip;
	d->run.len -= skip;
	p->commands_served |= d->run.len != 0;
	return 1;
}

// @return 1 a run is there, 0 it is not time yet
static int tail_run(struct feed *d, uint64_t now_ms)
{
	if (now_ms < d->ping_at_ms)
		return 0;
	d->ping_at_ms = now_ms + PING_EVERY_MS;
	d->run = (struct span){ping, sizeof(ping) - 1};
	return 1;
}

// @return 1 a run is there, 0 there is none before *wake_ms, -1 f
static int run_next(struct primary *p, struct feed *d, uint64_t now_ms, uint64_t *wake_ms,
		    struct failure *f)
{
	int rc = d->stage == FEED_SNAPSHOT ? snapshot_run(p, d, f) : 0;
	if (rc)
		return rc;
	if (d->stage == FEED_SNAPSHOT) {
		d->stage = FEED_STREAM;
		XXH3_128bits_reset(d->digest);
	}
	rc = d->stage == FEED_STREAM ? stream_run(p, d, f) : 0;
	if (rc)
		return rc;
	if (d->stage == FEED_STREAM) {
		d->stage = FEED_TAIL;
		d->walk.n_items = 0;
		d->ping_at_ms = now_ms + PING_EVERY_MS;
	}
	rc = tail_run(d, now_ms);
	if (!rc && d->ping_at_ms < *wake_ms)
		*wake_ms = d->ping_at_ms;
	return rc;
}

// ---- Out

// @return how long it has to wait
static unsigned pace_ms(struct feed *d, uint64_t now_ms)
{
	unsigned keys = pace_wait_ms(&d->keys, now_ms), bytes = pace_wait_ms(&d->bytes, now_ms);
	return keys > bytes ? keys : bytes;
}

// @return 1 some bytes went, 0 the socket takes none, -1 it is gone
static int run_send(struct conn *c)
{
	struct feed *d = &c->feed;
	ssize_t n = send(c->fd, d->run.p, d->run.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -1;
	d->run.p += n;
	d->run.len -= (size_t)n;
	return 1;
}

// The survey had found the file sound.
static void feed_failed(struct primary *p, struct conn *c, struct failure *f)
{
	if (f->id == ERROR_RESTORE_DAMAGED)
		f->id = ERROR_RESTORE_CHANGED;
	primary_fail(p, f);
	c->gone = true;
}

bool feed_turn(struct primary *p, struct conn *c, uint64_t now_ms, uint64_t *wake_ms)
{
	struct feed *d = &c->feed;
	struct failure f;
	size_t done = 0;
	while (done < TURN_LEN) {
		if (!d->run.len) {
			unsigned ms = pace_ms(d, now_ms);
			int rc = ms ? 0 : run_next(p, d, now_ms, wake_ms, &f);
			if (ms && now_ms + ms < *wake_ms)
				*wake_ms = now_ms + ms;
			if (rc < 0)
				feed_failed(p, c, &f);
			if (rc <= 0)
				return false;
			pace_pay(&d->keys, d->walk.n_items);
			pace_pay(&d->bytes, d->run.len);
			done += d->run.len ? d->run.len : WALK_RUN_MAX;
		}
		int rc = d->run.len ? run_send(c) : 1;
		c->gone |= rc < 0;
		if (rc <= 0)
			return rc == 0;
	}
	*wake_ms = now_ms; // there is more
	return false;
}
