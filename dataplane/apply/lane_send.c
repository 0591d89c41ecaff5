// SPDX-License-Identifier: BSD-3-Clause
// lane_send() -> batch_may_go() -> batch_compose() -> iov_gather() -> stream_writev()
#include "dataplane/apply/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IOV_MAX_HERE      256
#define BATCHES_PER_WRITE 16
#define WRITE_MAX         (1024 * 1024)     // of one system call
#define BYTES_PER_TURN    (4 * 1024 * 1024) // so that a giant does not keep the core to itself
#define FORGET_EVERY      (4 * 1024 * 1024)
#define MULTI             "*1\r\n$5\r\nMULTI\r\n"
#define EXEC              "*1\r\n$4\r\nEXEC\r\n"
#define ASK_MEMORY        "*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n"
#define SELECT_0          "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"

static bool is_exactly_once(const struct lane *l)
{
	return l->config->settings.delivery == DELIVERY_EXACTLY_ONCE;
}

static void put(char **at, const char *text, size_t len)
{
	memcpy(*at, text, len);
	*at += len;
}

static void prefix_compose(struct batch *b)
{
	char *at = b->prefix;
	put(&at, MULTI, sizeof(MULTI) - 1);
	if (b->db_first > 0)
		at += snprintf(at, sizeof(b->prefix) - sizeof(MULTI),
			       "*2\r\n$6\r\nSELECT\r\n$%d\r\n%d\r\n",
			       snprintf(NULL, 0, "%d", b->db_first), b->db_first);
	b->n_prefix = (size_t)(at - b->prefix);
	b->n_queued = b->n_items + (b->db_first > 0) + (b->db_last > 0);
}

static size_t marker_put(struct lane *l, const struct lane *of, const struct batch *b, char *at)
{
	struct marker m = b->marker;
	m.run = l->run;
	m.seq = of == l ? b->seq : b->after[of->index];
	m.client = of->client_id;
	return marker_set(at, of->marker_key_span, &m);
}

// @return false when out of memory
static bool suffix_compose(struct lane *l, struct batch *b)
{
	unsigned n_markers = !is_exactly_once(l) ? 0 : b->marker_all ? l->n_lanes : 1;
	size_t need = (n_markers + 1) * (size_t)MARKER_SET_LEN + sizeof(SELECT_0) + sizeof(EXEC) +
		      sizeof(ASK_MEMORY);
	if (need > b->suffix_max) {
		free(b->suffix);
		b->suffix = malloc(need);
		b->suffix_max = b->suffix ? need : 0;
		if (!b->suffix)
			return false;
	}
	char *at = b->suffix;
	if (b->db_last > 0)
		put(&at, SELECT_0, sizeof(SELECT_0) - 1);
	for (unsigned i = 0; i < l->n_lanes && n_markers; i++)
		if (b->marker_all || i == l->index)
			at += marker_put(l, &l->all[i], b, at);
	if (b->marker_all && n_markers && b->marker.epoch) {
		at += marker_epoch_set(at, l->config->name, b->marker.epoch);
		n_markers++;
	}
	put(&at, EXEC, sizeof(EXEC) - 1);
	b->asks_memory = caution_due(l);
	if (b->asks_memory) {
		put(&at, ASK_MEMORY, sizeof(ASK_MEMORY) - 1);
		caution_asked(l);
	}
	b->n_suffix = (size_t)(at - b->suffix);
	b->n_queued += n_markers;
	return true;
}

static bool batch_compose(struct lane *l, struct batch *b)
{
	b->n_prefix = b->n_suffix = 0;
	b->n_queued = b->n_items;
	b->asks_memory = false;
	if (!b->framed)
		return true;
	prefix_compose(b);
	return suffix_compose(l, b);
}

bool lane_dependencies_met(struct lane *l, const struct batch *b)
{
	for (unsigned i = 0; i < l->n_lanes; i++) {
		struct lane *other = &l->all[i];
		if (!(b->after_mask & 1u << i) ||
		    atomic_load_explicit(&other->done_seq, memory_order_acquire) >= b->after[i])
			continue;
		atomic_fetch_or(&other->waiters, 1ull << l->index);
		if (atomic_load(&other->done_seq) >= b->after[i])
			continue;
		counter_add(&l->counters->dependency_waits, 1);
		return false;
	}
	return true;
}

static size_t batch_bytes(const struct batch *b)
{
	return b->n_prefix + b->len + b->n_suffix;
}

// Whether one more batch may be begun.
static bool batch_may_go(struct lane *l)
{
	const struct link_settings *set = &l->config->settings;
	if (l->n_sent == l->n_queued || l->refused)
		return false;
	// Keys of a snapshot may be sent again in any order; nothing of theirs asks how near it is.
	bool ordered = lane_batch(l, l->n_sent)->framed;
	if (l->n_sent && (l->waiting_since_ns || (ordered && caution_holds(l))))
		return false;
	if (l->n_sent && (l->inflight_commands >= set->inflight_commands ||
			  l->inflight_bytes >= set->inflight_bytes))
		return false;
	struct batch *b = lane_batch(l, l->n_sent);
	if (b->after_mask && !lane_dependencies_met(l, b))
		return false;
	if (!batch_compose(l, b)) {
		lane_fail(l, ERROR_MEMORY, "no memory for a marker");
		return false;
	}
	if (b->n_withheld && !lane_park_withheld(l, b))
		return false;
	l->n_sent++;
	l->inflight_commands += b->n_queued;
	l->inflight_bytes += batch_bytes(b);
	return true;
}

static struct span batch_part(const struct batch *b, unsigned part)
{
	if (part == 0)
		return (struct span){b->prefix, b->n_prefix};
	if (part <= b->n_segments)
		return b->segments[part - 1];
	return (struct span){b->suffix, b->n_suffix};
}

// What is left of the batches that have begun. @return entries filled
static int iov_gather(struct lane *l, struct iovec *iov, int max)
{
	int n = 0;
	unsigned part = l->send_part;
	size_t skip = l->send_at, room = WRITE_MAX;
	for (unsigned place = l->send_place; place < l->n_sent; place++, part = 0) {
		const struct batch *b = lane_batch(l, place);
		for (; part <= b->n_segments + 1; part++, skip = 0) {
			struct span s = batch_part(b, part);
			if (s.len == skip)
				continue;
			if (n == max || !room)
				return n;
			size_t len = s.len - skip < room ? s.len - skip : room;
			iov[n++] = (struct iovec){(void *)(s.p + skip), len};
			room -= len;
		}
	}
	return n;
}

// Pages of a giant's file that the stream has taken leave our memory, in large steps.
static void sent_forget(struct lane *l)
{
	if (l->send_place == l->n_sent)
		return;
	const struct batch *b = lane_batch(l, l->send_place);
	const char *at = batch_part(b, l->send_part).p + l->send_at;
	if (!b->file || !memory_file_has(b->file, at))
		return;
	size_t sent = (size_t)(at - b->file->base);
	if (sent >= l->forgotten + FORGET_EVERY) {
		memory_file_forget(b->file, l->forgotten, sent);
		l->forgotten = sent;
	}
}

// A whole batch was sent.
static void place_passed(struct lane *l, const struct batch *b)
{
	if (b->file)
		memory_file_forget(b->file, l->forgotten, b->file->len);
	l->forgotten = 0;
	l->send_place++;
	l->send_part = 0;
}

static void sent_advance(struct lane *l, size_t sent)
{
	while (l->send_place < l->n_sent) {
		const struct batch *b = lane_batch(l, l->send_place);
		for (; l->send_part <= b->n_segments + 1; l->send_part++, l->send_at = 0) {
			size_t left = batch_part(b, l->send_part).len - l->send_at;
			if (sent < left) {
				l->send_at += sent;
				return;
			}
			sent -= left;
		}
		place_passed(l, b);
	}
}

// @return bytes written, or -1 when the stream takes no more for now
static ssize_t lane_write(struct lane *l)
{
	struct iovec iov[IOV_MAX_HERE];
	int n = iov_gather(l, iov, IOV_MAX_HERE);
	ssize_t sent = n ? stream_writev(l->stream, iov, n) : 0;
	if (sent == -EAGAIN)
		return -1;
	if (sent < 0) {
		lane_lost(l, stream_why(l->stream, (int)-sent));
		return -1;
	}
	counter_add(&l->counters->sent_bytes, (uint64_t)sent);
	sent_advance(l, (size_t)sent);
	sent_forget(l);
	return sent;
}

static void relief_write(struct lane *l)
{
	struct relief *r = &l->relief;
	struct iovec iov = {r->text + r->at, r->len - r->at};
	ssize_t sent = stream_writev(l->stream, &iov, 1);
	if (sent >= 0)
		r->at += (size_t)sent;
	else if (sent != -EAGAIN)
		lane_lost(l, stream_why(l->stream, (int)-sent));
}

bool lane_send(struct lane *l)
{
	size_t written = 0;
	while (relief_is_busy(l) && l->relief.at < l->relief.len &&
	       (l->stream->flags & STREAM_WRITABLE)) {
		relief_write(l);
		if (!l->stream)
			return false;
	}
	while (l->stream && (l->stream->flags & STREAM_WRITABLE)) {
		while (l->n_sent - l->send_place < BATCHES_PER_WRITE && batch_may_go(l))
			;
		if (l->send_place == l->n_sent)
			return false;
		ssize_t n = lane_write(l);
		if (n < 0)
			return false;
		written += (size_t)n;
		if (written >= BYTES_PER_TURN)
			return true;
	}
	return false;
}

void lane_send_rewind(struct lane *l, unsigned from)
{
	for (unsigned i = from; i < l->n_sent; i++) {
		const struct batch *b = lane_batch(l, i);
		l->inflight_commands -= b->n_queued;
		l->inflight_bytes -= batch_bytes(b);
		counter_add(&l->counters->resent_batches, 1);
	}
	l->n_sent = l->send_place = from;
	l->send_part = 0;
	l->send_at = l->forgotten = 0;
}
