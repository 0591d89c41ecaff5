// SPDX-License-Identifier: BSD-3-Clause
// lane_replies() -> replies_eat() -> run_eat() | reply_take() -> batch_answered()
//
// Replies come in the order of the commands. Of a framed batch: +OK, +QUEUED for each command
// inside, then one array with a reply for each. Of a plain batch: one reply a command.
#include "dataplane/apply/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsers/noperm.h"

#define QUEUED          "+QUEUED\r\n"
#define QUEUED_LEN      9
#define READS_PER_TURN  8
#define PAUSE_FIRST_NS  20000000ull
#define PAUSE_MAX_NS    1000000000ull
#define MS_NS           1000000ull

static struct batch *batch_at_hand(struct lane *l)
{
	return lane_batch(l, l->n_passed);
}

// The next reply is the first of a batch, which need not have been sent yet.
static void stage_begin(struct lane *l)
{
	l->n_seen = 0;
	l->n_parked = 0;
	l->refused_here = l->multi_refused = false;
	l->stage = STAGE_FIRST;
}

void lane_replies_reset(struct lane *l)
{
	inbox_reset(&l->inbox);
	l->n_passed = 0;
	l->refused = l->applied_after = false;
	stage_begin(l);
}

// ---- A batch is done

static void latency_count(struct lane *l, const struct batch *b)
{
	if (!b->received_ns || !b->n_commands)
		return;
	uint64_t now = l->core->clock->read().mono_ns;
	uint64_t us = now > b->received_ns ? (now - b->received_ns) / 1000 : 0;
	counter_add(&l->counters->latency_us[latency_bucket(us)], b->n_commands);
}

static void waiters_ring(struct lane *l)
{
	uint64_t waiters = atomic_exchange(&l->waiters, 0);
	for (unsigned i = 0; waiters >> i; i++)
		if (waiters & 1ull << i && l->all[i].core != l->core)
			core_wake(l->all[i].core);
}

static void fates_count(struct lane *l, const struct batch *b, uint64_t n_parked)
{
	struct lane_counters *c = l->counters;
	uint64_t parked = n_parked + b->n_withheld;
	parked = parked < b->n_commands ? parked : b->n_commands;
	bool snapshot = b->marker.phase == MARKER_SNAPSHOT;
	counter_add(snapshot ? &c->snapshot_parked : &c->parked_commands, parked);
	counter_add(snapshot ? &c->snapshot_applied : &c->applied_commands, b->n_commands - parked);
	counter_add(&c->batches, 1);
}

void lane_hand_back(struct lane *l, uint64_t n_parked, bool skipped)
{
	struct batch *b = lane_batch(l, 0);
	uint64_t seq = b->seq;
	fates_count(l, b, n_parked);
	if (skipped)
		counter_add(&l->counters->skipped_batches, 1);
	else
		latency_count(l, b);
	ring_push(&l->from_lane, l->queue[l->head % LANE_BATCHES]);
	l->head++;
	l->n_queued--;
	atomic_store(&l->done_seq, seq);
	if (atomic_load(&l->waiters))
		waiters_ring(l);
	if (l->core != l->home)
		core_wake(l->home);
}

// The oldest batch has its fate: count it and hand it back.
//
// @param skipped  the marker showed that it was applied before; its replies are lost
void lane_batch_done(struct lane *l, bool skipped)
{
	struct batch *b = lane_batch(l, 0);
	if (b->framed)
		l->framed_done_seq = b->seq;
	else
		l->plain_done_seq = b->seq;
	if (l->n_sent) {
		l->inflight_commands -= b->n_queued;
		l->inflight_bytes -= b->n_prefix + b->len + b->n_suffix;
		l->n_sent--;
		l->send_place -= l->send_place > 0;
	}
	if (b->seq >= l->torn_seq)
		l->torn_seq = 0;
	lane_hand_back(l, l->n_parked, skipped);
}

// ---- Refusals

// The batch at hand was refused as a whole: it and what was sent after it go again later.
static void refusal_begin(struct lane *l)
{
	if (!l->refused) {
		l->refused = true;
		l->refused_safe = true;
		l->applied_after = false;
		counter_add(&l->counters->retries, 1);
	}
}

// Also where it stands behind EXECABORT.
static bool refusal_is_oom(const struct lane *l)
{
	return strstr(l->refusal, "OOM ") != NULL;
}

static void refusal_show(struct lane *l)
{
	char why[TEXT_LEN];
	snprintf(why, sizeof(why), "%s: %.180s",
		 refusal_is_oom(l) ? "the target is out of memory (maxmemory)" : "the target says",
		 l->refusal);
	shared_text_set(&l->waiting, why);
}

// All that was in flight is answered. Batches behind the refused one may have been accepted;
// sending all of them again in order is right only when every one of them may be repeated.
static void refusal_end(struct lane *l)
{
	if (l->applied_after && !l->refused_safe) {
		lane_resync(l, "the target refused a batch (%s) and took a later one", l->refusal);
		return;
	}
	if (l->applied_after)
		l->torn_seq = lane_batch(l, l->n_sent - 1)->seq;
	if (refusal_is_oom(l))
		caution_refused(l);
	l->n_passed = 0;
	lane_send_rewind(l, 0);
	if (!l->waiting_since_ns) {
		l->waiting_since_ns = l->now.mono_ns;
		l->wait_limit_ns = l->config->settings.wait_timeout * MS_NS;
		atomic_store(&l->wait_deadline_ms,
			     l->now.wall_ms + l->config->settings.wait_timeout);
	}
	if (l->now.mono_ns - l->waiting_since_ns > l->wait_limit_ns) {
		lane_fail(l, ERROR_DEADLINE, "the target refuses for longer than wait-timeout: %s",
			  l->refusal);
		return;
	}
	refusal_show(l);
	l->backoff_ns = l->backoff_ns ? 2 * l->backoff_ns : PAUSE_FIRST_NS;
	if (l->backoff_ns > PAUSE_MAX_NS)
		l->backoff_ns = PAUSE_MAX_NS;
	l->retry_at_ns = l->now.mono_ns + l->backoff_ns;
	relief_begin(l, refusal_is_oom(l));
}

static void waiting_is_over(struct lane *l)
{
	l->backoff_ns = 0;
	if (!l->waiting_since_ns)
		return;
	l->waiting_since_ns = 0;
	atomic_store(&l->wait_deadline_ms, 0);
	shared_text_set(&l->waiting, "");
}

static void batch_answered(struct lane *l)
{
	struct batch *b = batch_at_hand(l);
	if (l->refused_here)
		refusal_begin(l);
	if (l->refused) {
		l->refused_safe &= b->idempotent;
		l->applied_after |= !l->refused_here;
		l->n_passed++;
		stage_begin(l);
		if (l->n_passed == l->n_sent)
			refusal_end(l);
		return;
	}
	lane_batch_done(l, false);
	waiting_is_over(l);
	stage_begin(l);
}

// What belongs to it has been answered, but for INFO behind it.
static void batch_over(struct lane *l)
{
	if (batch_at_hand(l)->asks_memory)
		l->stage = STAGE_MEMORY;
	else
		batch_answered(l);
}

// ---- Errors

static const char *command_name(const struct batch *b, unsigned item, char *out, size_t len)
{
	char bytes[96];
	size_t n = batch_item_bytes(b, item, bytes, sizeof(bytes));
	n = n < sizeof(bytes) ? n : sizeof(bytes);
	// "*3\r\n$3\r\nSET\r\n...": the name stands between the second and the third line end
	const char *name = memchr(bytes, '\n', n);
	name = name ? memchr(name + 1, '\n', n - (size_t)(name + 1 - bytes)) : NULL;
	const char *end = name ? memchr(name, '\r', n - (size_t)(name - bytes)) : NULL;
	snprintf(out, len, "%.*s", end ? (int)(end - name - 1) : 0, end ? name + 1 : "");
	return out;
}

void lane_refused_for_good(struct lane *l, const struct batch *b, int item, enum error_id error,
			   struct span line)
{
	char name[40] = "", advice[TEXT_LEN];
	if (item >= 0 && (unsigned)item < b->n_items)
		command_name(b, (unsigned)item, name, sizeof(name));
	noperm_advice(line, l->config->target.user, advice, sizeof(advice));
	lane_fail(l, error, "the target refuses %s: %.*s%s", *name ? name : "a batch",
		  (int)line.len, line.p, advice);
}

unsigned lane_item_park(struct lane *l, const struct batch *b, int item, struct span line)
{
	if (item < 0 || (unsigned)item >= b->n_items || b->items[item].kind == ITEM_INTERNAL)
		return 0;
	if (l->config->settings.on_error == ON_ERROR_STOP) {
		lane_refused_for_good(l, b, item, ERROR_TARGET_REFUSES, line);
		return 0;
	}
	bool snapshot = b->marker.phase == MARKER_SNAPSHOT;
	int rc = park_item(l->park, b, (unsigned)item, snapshot ? "snapshot" : "stream",
			   l->now.wall_ms, line);
	if (rc)
		lane_fail(l, ERROR_DISK, "cannot park a command in %s: %s", l->park->path,
			  strerror(-rc));
	return 1;
}

// An error for the command itself: it ran, or would have, and was refused.
static void error_at_item(struct lane *l, int item, struct span line)
{
	enum error_id error;
	enum refusal refusal = refusal_of(line, &error);
	bool plain = l->stage == STAGE_PLAIN;
	if (plain && (refusal == REFUSAL_WAIT || refusal == REFUSAL_MOVE)) {
		l->refused_here = true;
		snprintf(l->refusal, sizeof(l->refusal), "%.*s", (int)line.len, line.p);
	} else if (plain && refusal == REFUSAL_STOP) {
		lane_refused_for_good(l, batch_at_hand(l), item, error, line);
		return;
	} else {
		l->n_parked += lane_item_park(l, batch_at_hand(l), item, line);
	}
	if (refusal == REFUSAL_MOVE && l->stream)
		lane_back_off(l, error, "the target says: %.*s", (int)line.len, line.p);
}

// An error before EXEC: the whole batch will be refused.
static void error_at_queueing(struct lane *l, int item, struct span line)
{
	enum error_id error;
	enum refusal refusal = refusal_of(line, &error);
	if (l->refused_here && (refusal == REFUSAL_ABORT || l->multi_refused))
		return; // an earlier error has told
	snprintf(l->refusal, sizeof(l->refusal), "%.*s", (int)line.len, line.p);
	l->refused_here = true;
	if (refusal == REFUSAL_STOP || refusal == REFUSAL_PARK)
		lane_refused_for_good(l, batch_at_hand(l), item, error, line);
	else if (refusal == REFUSAL_MOVE)
		lane_back_off(l, error, "the target says: %.*s", (int)line.len, line.p);
}

// ---- Replies

static int item_of(const struct lane *l, const struct batch *b)
{
	return (int)l->n_seen - (b->framed && b->db_first > 0);
}

// A reply that does not belong where it stands: somebody else's words.
static void reply_unexpected(struct lane *l, const struct reply *r)
{
	int len = r->line.len < 60 ? (int)r->line.len : 60;
	lane_fail(l, ERROR_REPLY_GARBAGE, "the target answered '%c%.*s' where that cannot be",
		  r->type, len, r->line.p);
}

static void exec_take(struct lane *l, const struct reply *r)
{
	struct batch *b = batch_at_hand(l);
	if (r->type == '-') {
		error_at_queueing(l, -1, r->line);
		l->refused_here = true;
		if (l->stream)
			batch_over(l);
	} else if (r->type == '*' && r->integer == (int64_t)b->n_queued) {
		l->stage = STAGE_ELEMENTS;
		l->n_seen = 0;
		if (!b->n_queued)
			batch_over(l);
	} else {
		reply_unexpected(l, r);
	}
}

static void reply_take(struct lane *l, const struct reply *r)
{
	struct batch *b = batch_at_hand(l);
	switch (l->stage) {
	case STAGE_FIRST:
		break;
	case STAGE_MULTI:
		if (r->type == '-')
			error_at_queueing(l, -1, r->line);
		else if (!span_eq(r->line, SPAN_LIT("OK")))
			reply_unexpected(l, r);
		l->multi_refused = r->type == '-';
		l->stage = b->n_queued ? STAGE_QUEUED : STAGE_EXEC;
		break;
	case STAGE_QUEUED:
		if (r->type == '-')
			error_at_queueing(l, item_of(l, b), r->line);
		else if (l->multi_refused)
			lane_resync(l, "the target refused MULTI (%s) and ran what follows it",
				    l->refusal);
		else if (!span_eq(r->line, SPAN_LIT("QUEUED")))
			reply_unexpected(l, r);
		if (++l->n_seen == b->n_queued)
			l->stage = STAGE_EXEC;
		break;
	case STAGE_EXEC:
		exec_take(l, r);
		break;
	case STAGE_ELEMENTS:
	case STAGE_PLAIN:
		if (r->type == '-')
			error_at_item(l, item_of(l, b), r->line);
		if (++l->n_seen == b->n_queued && l->stream)
			batch_over(l);
		break;
	case STAGE_MEMORY:
		caution_take(l, (struct span){r->line.p + r->line.len + 2,
					      r->type == '$' && r->integer > 0 ? (size_t)r->integer
									       : 0});
		batch_answered(l);
		break;
	}
}

// Runs of the two replies that make nearly all of the traffic. @return bytes eaten
static size_t run_eat(struct lane *l, struct span in)
{
	const struct batch *b = batch_at_hand(l);
	// The last reply of a stage changes it, so that one is left to reply_take().
	uint32_t most = b->n_queued > l->n_seen + 1 ? b->n_queued - l->n_seen - 1 : 0;
	const char *p = in.p, *end = in.p + in.len;
	uint32_t n = 0;
	if (l->stage == STAGE_QUEUED) {
		for (; n < most && end - p >= QUEUED_LEN && !memcmp(p, QUEUED, QUEUED_LEN); n++)
			p += QUEUED_LEN;
	} else if (l->stage == STAGE_ELEMENTS || l->stage == STAGE_PLAIN) {
		for (; n < most && end - p >= 5 && !memcmp(p, "+OK\r\n", 5); n++)
			p += 5;
	}
	l->n_seen += n;
	return (size_t)(p - in.p);
}

// A delete's answer does not matter: it is sent again, and has its fate, in its batch.
static enum reply_verdict relief_take(struct lane *l, struct span in, struct reply *r)
{
	enum reply_verdict v = reply_scan(in, r);
	if (v == REPLY_OK)
		relief_answered(l);
	else if (v == REPLY_BAD)
		lane_fail(l, ERROR_REPLY_GARBAGE, "the target sent a reply that is not RESP");
	return v;
}

// Take every whole reply. @return bytes eaten
static size_t replies_eat(struct lane *l, struct span in)
{
	size_t at = 0;
	struct reply r;
	while (l->stream && (relief_is_busy(l) || l->n_passed < l->n_sent)) {
		if (relief_is_busy(l)) {
			enum reply_verdict v =
				relief_take(l, (struct span){in.p + at, in.len - at}, &r);
			if (v == REPLY_MORE)
				return at;
			at += v == REPLY_OK ? r.len : in.len - at;
			continue;
		}
		if (l->stage == STAGE_FIRST)
			l->stage = batch_at_hand(l)->framed ? STAGE_MULTI : STAGE_PLAIN;
		at += run_eat(l, (struct span){in.p + at, in.len - at});
		struct span rest = {in.p + at, in.len - at};
		enum reply_verdict v =
			l->stage == STAGE_EXEC ? reply_scan_line(rest, &r) : reply_scan(rest, &r);
		if (v == REPLY_MORE)
			return at;
		if (v == REPLY_BAD) {
			lane_fail(l, ERROR_REPLY_GARBAGE,
				  "the target sent a reply that is not RESP");
			return at;
		}
		at += r.len;
		reply_take(l, &r);
	}
	if (l->stream && at < in.len)
		lane_fail(l, ERROR_REPLY_GARBAGE,
			  "the target sent a reply that nothing was asked for");
	return at;
}

static void replies_received(struct lane *l, size_t n)
{
	size_t eaten = replies_eat(l, inbox_received(&l->inbox, n));
	if (l->stream) // else dropped on the way, buffers and all
		inbox_eaten(&l->inbox, eaten);
}

bool lane_replies(struct lane *l)
{
	uint64_t done = atomic_load_explicit(&l->done_seq, memory_order_relaxed);
	for (int i = 0; i < READS_PER_TURN && l->stream && (l->stream->flags & STREAM_READABLE);
	     i++) {
		size_t len;
		char *at = inbox_space(&l->inbox, &len);
		if (!at) {
			lane_fail(l, ERROR_MEMORY, "a reply of the target is longer than 1 GB");
			break;
		}
		ssize_t n = stream_read(l->stream, at, len);
		if (n == -EAGAIN)
			break;
		if (n <= 0)
			lane_lost(l, n ? stream_why(l->stream, (int)-n) : "closed by the target");
		else
			replies_received(l, (size_t)n);
	}
	if (l->refused && l->stream && !l->n_sent && !relief_is_busy(l) &&
	    l->now.mono_ns >= l->retry_at_ns)
		l->refused = false;
	return atomic_load_explicit(&l->done_seq, memory_order_relaxed) != done ||
	       (l->stream && (l->stream->flags & STREAM_READABLE));
}
