// SPDX-License-Identifier: BSD-3-Clause
// lane_turn() -> lane_carry_out_wish(), lane_take(), lane_step() -> lane_replies(), lane_send()
#include "dataplane/apply/lane.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/cluster_lane.h"
#include "parsers/slot.h"

#define BACKOFF_FIRST_NS 50000000ull
#define BACKOFF_MAX_NS   2000000000ull
#define MS_NS            1000000ull
#define LARGE_BATCH_LEN  (2 * MB)
#define TEXT_SPARE       4096 // of a batch, beyond the length at which it is closed

static int pool_init(struct lane *l)
{
	l->pool = calloc(LANE_BATCHES, sizeof(*l->pool));
	if (!l->pool)
		return -ENOMEM;
	const struct link_settings *set = &l->config->settings;
	for (unsigned i = 0; i < LANE_BATCHES; i++)
		if (batch_init(&l->pool[i], set->batch_bytes + TEXT_SPARE,
			       (unsigned)set->batch_commands + 8))
			return -ENOMEM;
	return 0;
}

int lane_init(struct lane *l, unsigned index, unsigned n_lanes, struct lane *all,
	      const struct link_config *config, struct lane_counters *counters, struct core *core,
	      struct core *home, struct park *park, uint64_t run)
{
	l->index = index;
	l->n_lanes = n_lanes;
	l->all = all;
	l->config = config;
	l->counters = counters;
	l->core = core;
	l->home = home;
	l->park = park;
	l->run = run;
	unsigned first = slots_first(index, n_lanes), end = slots_first(index + 1, n_lanes);
	l->marker_key_span.len = marker_key(l->marker_key, config->name, first, end - 1);
	l->marker_key_span.p = l->marker_key;
	l->hello = NULL;
	if (pool_init(l) || ring_init(&l->to_lane, LANE_BATCHES) ||
	    ring_init(&l->from_lane, LANE_BATCHES))
		return -ENOMEM;
	return 0;
}

void lane_fini(struct lane *l)
{
	lane_drop(l);
	for (unsigned i = 0; l->pool && i < LANE_BATCHES; i++)
		batch_fini(&l->pool[i]);
	cluster_lane_free(l->cluster);
	free(l->pool);
	free(l->found);
	free(l->found_owner);
	l->cluster = NULL;
	l->pool = NULL;
	l->found = NULL;
	l->found_owner = NULL;
	ring_fini(&l->to_lane);
	ring_fini(&l->from_lane);
}

// ---- Home core

void lane_wish(struct lane *l, bool open)
{
	uint32_t generation = (atomic_load_explicit(&l->wish, memory_order_relaxed) >> 1) + 1;
	atomic_store_explicit(&l->wish, generation << 1 | open, memory_order_release);
	core_wake(l->core);
}

bool lane_settled(const struct lane *l)
{
	struct lane *u = (struct lane *)l;
	return atomic_load_explicit(&u->generation, memory_order_acquire) ==
	       atomic_load_explicit(&u->wish, memory_order_relaxed) >> 1;
}

void lane_push(struct lane *l, uint32_t handle)
{
	l->pool[handle].closed = true;
	bool pushed = ring_push(&l->to_lane, handle);
	if (!pushed)
		abort(); // the ring holds the whole pool
	if (l->core != l->home)
		core_wake(l->core);
}

struct server_version lane_release(const struct lane *l)
{
	uint32_t v = atomic_load_explicit((_Atomic uint32_t *)&l->release, memory_order_relaxed);
	return (struct server_version){.at = (uint16_t)v, .valkey = v >> 16 & 1};
}

// ---- Own core

void lane_drop(struct lane *l)
{
	if (l->cluster)
		cluster_lane_drop(l->cluster);
	if (l->stream)
		stream_close(l->stream);
	l->stream = NULL;
	resp_replies_free(l->hello);
	l->hello = NULL;
	inbox_reset(&l->inbox);
	relief_reset(l);
	// One that is lost in its greeting has sent nothing that counts, and the one before it may
	// not be closed yet.
	if (l->client_id && atomic_load_explicit(&l->state, memory_order_relaxed) == LANE_READY)
		l->old_client_id = l->client_id;
	l->client_id = 0;
	atomic_store_explicit(&l->state, LANE_CLOSED, memory_order_release);
}

static void verdict_set(struct lane *l, enum lane_verdict verdict, enum error_id error,
			const char *format, va_list args)
{
	if (atomic_load_explicit(&l->verdict, memory_order_relaxed) != LANE_FINE)
		return; // the first reason is the true one
	l->error = error;
	vsnprintf(l->text, sizeof(l->text), format, args);
	lane_drop(l);
	atomic_store_explicit(&l->verdict, verdict, memory_order_release);
	core_wake(l->home);
}

void lane_fail(struct lane *l, enum error_id error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	verdict_set(l, LANE_FAIL, error, format, args);
	va_end(args);
}

void lane_resync(struct lane *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	atomic_store_explicit(&l->spoilt, 1, memory_order_release);
	verdict_set(l, LANE_RESYNC, ERROR_NONE, format, args);
	va_end(args);
}

void lane_look(struct lane *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	verdict_set(l, LANE_LOOK, ERROR_NONE, format, args);
	va_end(args);
}

void lane_back_off(struct lane *l, enum error_id error, const char *format, ...)
{
	char why[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (l->stream && l->was_ready)
		counter_add(&l->counters->target_disconnects, 1);
	lane_drop(l);
	const struct link_settings *set = &l->config->settings;
	if (!l->waiting_since_ns) {
		l->waiting_since_ns = l->now.mono_ns;
		l->wait_limit_ns = set->wait_timeout * MS_NS;
		atomic_store(&l->wait_deadline_ms, l->now.wall_ms + set->wait_timeout);
	}
	if (set->fail_fast && !l->was_ready && error != ERROR_DEADLINE) {
		lane_fail(l, error, "%s", why);
		return;
	}
	if (l->now.mono_ns - l->waiting_since_ns > l->wait_limit_ns) {
		lane_fail(l, ERROR_DEADLINE, "%s, for longer than wait-timeout", why);
		return;
	}
	shared_text_set(&l->waiting, why);
	l->backoff_ns = l->backoff_ns ? 2 * l->backoff_ns : BACKOFF_FIRST_NS;
	if (l->backoff_ns > BACKOFF_MAX_NS)
		l->backoff_ns = BACKOFF_MAX_NS;
	l->retry_at_ns = l->now.mono_ns + l->backoff_ns;
}

enum error_id lane_stream_error(const struct lane *l)
{
	return l->stream->reason ? ERROR_TLS : ERROR_CONNECT;
}

// Servers close a connection without a word, or before the word arrives, when a command or what a
// transaction has queued exceeds what they allow.
void lane_lost(struct lane *l, const char *why)
{
	const struct batch *b = l->n_sent ? lane_batch(l, 0) : NULL;
	if (b && b->len > LARGE_BATCH_LEN)
		lane_back_off(
			l, ERROR_CONNECT,
			"the connection to the target was lost with %zu bytes of one command or "
			"transaction on their way: %s; should that go on, look at its "
			"proto-max-bulk-len and client-query-buffer-limit",
			b->len, why);
	else
		lane_back_off(l, lane_stream_error(l), "the connection to the target was lost: %s",
			      why);
}

static void lane_connect(struct lane *l)
{
	int rc = seek_connect(&l->seek, l->core, l->now.mono_ns, &l->stream);
	l->seeks = rc == -EAGAIN;
	if (l->seeks)
		return;
	if (rc) {
		lane_back_off(l, l->seek.error, "%s", l->seek.why);
		return;
	}
	l->hello_deadline_ns = l->now.mono_ns + l->config->settings.connect_timeout * MS_NS;
	atomic_store_explicit(&l->state, LANE_CONNECTING, memory_order_relaxed);
}

// The sentinels name another master: the former one takes writes that nobody will keep.
static void lane_follow(struct lane *l)
{
	if (!seek_is_moved(&l->seek))
		return;
	if (l->stream)
		lane_back_off(l, ERROR_CONNECT, "the sentinels name another server as the target");
	l->retry_at_ns = l->now.mono_ns;
}

// Everything goes back unanswered; the home core knows what to do with it.
static void lane_give_back(struct lane *l)
{
	uint32_t handle;
	for (; l->n_queued; l->n_queued--, l->head++)
		ring_push(&l->from_lane, l->queue[l->head % LANE_BATCHES]);
	while (ring_pop(&l->to_lane, &handle))
		ring_push(&l->from_lane, handle);
	l->head = l->n_sent = l->send_place = 0;
	l->inflight_bytes = l->inflight_commands = 0;
	l->framed_done_seq = l->plain_done_seq = 0;
	l->refused = l->opened = false;
	relief_reset(l);
	if (l->cluster)
		cluster_lane_forget(l->cluster);
	// Nobody will send again now what its marker claims too early.
	if (l->torn_seq)
		atomic_store_explicit(&l->spoilt, 1, memory_order_release);
	l->torn_seq = 0;
}

static void lane_carry_out_wish(struct lane *l)
{
	uint32_t wish = atomic_load_explicit(&l->wish, memory_order_acquire);
	uint32_t generation = atomic_load_explicit(&l->generation, memory_order_relaxed);
	if (generation == wish >> 1)
		return;
	lane_drop(l);
	lane_give_back(l);
	l->retry_at_ns = 0;
	l->backoff_ns = l->waiting_since_ns = 0;
	shared_text_set(&l->waiting, "");
	atomic_store(&l->verdict, LANE_FINE);
	atomic_store_explicit(&l->generation, wish >> 1, memory_order_release);
	core_wake(l->home);
}

bool lane_others_opened(struct lane *l)
{
	uint32_t ours = atomic_load_explicit(&l->generation, memory_order_relaxed);
	for (unsigned i = 0; i < l->n_lanes; i++) {
		struct lane *other = &l->all[i];
		if (other == l)
			continue;
		// In this order: what it was before the wish does not count.
		if (atomic_load_explicit(&other->generation, memory_order_acquire) != ours ||
		    atomic_load_explicit(&other->state, memory_order_acquire) != LANE_READY)
			return false;
	}
	return true;
}

static bool lane_wanted_open(struct lane *l)
{
	return (atomic_load_explicit(&l->wish, memory_order_relaxed) & 1) &&
	       atomic_load_explicit(&l->verdict, memory_order_relaxed) == LANE_FINE;
}

static void lane_take(struct lane *l)
{
	uint32_t handle;
	while (ring_pop(&l->to_lane, &handle)) {
		l->queue[(l->head + l->n_queued) % LANE_BATCHES] = handle;
		l->n_queued++;
	}
}

static void lane_connecting(struct lane *l)
{
	char place[TEXT_LEN];
	if (l->stream->flags & STREAM_FAILED) {
		seek_failed(&l->seek);
		lane_back_off(l, lane_stream_error(l), "cannot connect to the target %s: %s",
			      seek_place(&l->seek, place), stream_why(l->stream, l->stream->error));
	} else if (l->stream->flags & STREAM_OPEN) {
		lane_hello_begin(l);
	}
}

static void lane_check_hello_deadline(struct lane *l)
{
	char place[TEXT_LEN];
	uint32_t state = atomic_load_explicit(&l->state, memory_order_relaxed);
	if (state == LANE_CLOSED || state == LANE_READY || l->now.mono_ns < l->hello_deadline_ns)
		return;
	if (state == LANE_CONNECTING)
		seek_failed(&l->seek);
	lane_back_off(l, lane_stream_error(l),
		      "the target %s does not answer within connect-timeout%s%s",
		      seek_place(&l->seek, place), l->stream->reason ? ": " : "",
		      l->stream->reason ? l->stream->reason : "");
}

// @return more to do at once
static bool cluster_step(struct lane *l, uint64_t *deadline_ns)
{
	return lane_wanted_open(l) && cluster_lane_turn(l->cluster, deadline_ns);
}

static bool lane_step(struct lane *l)
{
	bool more = false;
	switch (atomic_load_explicit(&l->state, memory_order_relaxed)) {
	case LANE_CLOSED:
		if (lane_wanted_open(l) && l->now.mono_ns >= l->retry_at_ns)
			lane_connect(l);
		break;
	case LANE_CONNECTING:
		lane_connecting(l);
		break;
	case LANE_HELLO:
	case LANE_FENCE:
	case LANE_MARKER:
		lane_hello_turn(l);
		lane_hello_replies(l);
		break;
	case LANE_READY:
		more = lane_replies(l);
		if (l->stream)
			more |= lane_send(l);
		break;
	}
	lane_check_hello_deadline(l);
	return more;
}

bool lane_turn(void *lane, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct lane *l = lane;
	l->now = *now;
	lane_carry_out_wish(l);
	lane_take(l);
	if (l->cluster)
		return cluster_step(l, deadline_ns);
	if (lane_wanted_open(l))
		lane_follow(l);
	uint32_t before = atomic_load_explicit(&l->state, memory_order_relaxed);
	bool more = lane_step(l);
	uint32_t state = atomic_load_explicit(&l->state, memory_order_relaxed);
	if (state == LANE_CLOSED && lane_wanted_open(l) && !l->seeks)
		*deadline_ns = l->retry_at_ns;
	else if (state != LANE_CLOSED && state != LANE_READY)
		*deadline_ns = l->hello_deadline_ns;
	else if (state == LANE_READY && l->refused)
		*deadline_ns = l->retry_at_ns;
	return more || state != before;
}
