// SPDX-License-Identifier: BSD-3-Clause
// outlet_turn() -> outlet_connect() | outlet_hello_replies() | outlet_replies(), outlet_write()
#include "dataplane/apply/outlet.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"

#define BACKOFF_FIRST_NS 20000000ull
#define BACKOFF_MAX_NS   2000000000ull
#define MS_NS            1000000ull
#define BYTES_PER_TURN   (4 * 1024 * 1024)
#define CHECK_EVERY_NS   10000000ull
#define POKE_EVERY_NS    100000000ull // while the node is away
#define FORGET_EVERY     (4 * 1024 * 1024)

struct outlet *outlet_new(struct cluster_lane *c, uint8_t index, const struct cluster_node *node)
{
	struct outlet *o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->cluster = c;
	o->index = index;
	snprintf(o->id, sizeof(o->id), "%s", node->id[0] ? node->id : "-");
	snprintf(o->host, sizeof(o->host), "%s", node->host);
	o->port = node->port;
	o->claim_slot = SLOT_COUNT - 1;
	return o;
}

void outlet_close(struct outlet *o)
{
	// One that has not come to closing its predecessor has sent nothing that need be closed.
	if (o->client_id && o->state >= OUTLET_CHECK) {
		o->old_client_id = o->client_id;
		memcpy(o->old_run_id, o->run_id, sizeof(o->old_run_id));
	}
	if (o->stream)
		stream_close(o->stream);
	o->stream = NULL;
	o->state = OUTLET_CLOSED;
	resp_replies_free(o->hello);
	o->hello = NULL;
	inbox_reset(&o->inbox);
	o->client_id = 0;
	o->n_text = o->part = o->n_parts = 0;
	o->composing = o->in_transaction = o->refers = o->refused = false;
	o->stage = ANSWER_FIRST;
	o->seen = NULL;
}

void outlet_free(struct outlet *o)
{
	if (!o)
		return;
	outlet_close(o);
	free(o);
}

void outlet_back_off(struct outlet *o, const char *format, ...)
{
	struct cluster_lane *c = o->cluster;
	struct lane *l = c->lane;
	char why[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	enum error_id error = o->stream && o->stream->reason ? ERROR_TLS : ERROR_CONNECT;
	if (outlet_is_ready(o))
		counter_add(&l->counters->target_disconnects, 1);
	outlet_close(o);
	slots_of_outlet_lost(c, o);
	map_poke(c);
	if (!o->since_ns)
		o->since_ns = l->now.mono_ns;
	if (l->config->settings.fail_fast && !l->was_ready) {
		lane_fail(l, error, "%s", why);
		return;
	}
	if (wait_is_over(c, o->since_ns, why))
		return;
	wait_show(c, "%s", why);
	o->backoff_ns = o->backoff_ns ? 2 * o->backoff_ns : BACKOFF_FIRST_NS;
	if (o->backoff_ns > BACKOFF_MAX_NS)
		o->backoff_ns = BACKOFF_MAX_NS;
	o->retry_at_ns = l->now.mono_ns + o->backoff_ns;
}

static void outlet_connect(struct outlet *o)
{
	struct lane *l = o->cluster->lane;
	struct stream_peer peer =
		endpoint_peer_at(&l->config->target, o->host, o->host, o->port);
	int rc = stream_connect(l->core->loop, &peer, &o->stream);
	if (rc) {
		o->stream = NULL;
		outlet_back_off(o, "cannot connect to the target's node %s:%u: %s", o->host,
				o->port,
				rc == -EHOSTUNREACH ? "the name does not resolve" : strerror(-rc));
		return;
	}
	o->hello_deadline_ns = l->now.mono_ns + l->config->settings.connect_timeout * MS_NS;
	o->state = OUTLET_CONNECTING;
}

static void outlet_connecting(struct outlet *o)
{
	if (o->stream->flags & STREAM_FAILED)
		outlet_back_off(o, "cannot connect to the target's node %s:%u: %s", o->host,
				o->port, stream_why(o->stream, o->stream->error));
	else if (o->stream->flags & STREAM_OPEN)
		outlet_hello_begin(o);
}

void outlet_push(struct outlet *o, struct unit u)
{
	assert(o->state >= OUTLET_CHECK && o->tail - o->head < UNITS_MAX);
	o->units[o->tail++ % UNITS_MAX] = u;
}

// ---- Output

void outlet_copy(struct outlet *o, const char *p, size_t len)
{
	char *to = o->text + o->n_text;
	struct iovec *last = o->n_parts ? &o->parts[o->n_parts - 1] : NULL;
	assert(outlet_has_room(o, len));
	memcpy(to, p, len);
	o->n_text += len;
	if (last && (char *)last->iov_base + last->iov_len == to)
		last->iov_len += len;
	else
		o->parts[o->n_parts++] = (struct iovec){to, len};
}

void outlet_refer(struct outlet *o, const char *p, size_t len)
{
	assert(o->n_parts < OUTLET_PARTS);
	o->parts[o->n_parts++] = (struct iovec){(void *)p, len};
	o->refers = true;
}

// Pages of a giant's file that the stream has taken leave our memory.
static void sent_forget(const struct outlet *o)
{
	const struct batch *b = o->seen;
	const struct iovec *last = &o->parts[o->n_parts - 1];
	const char *end = (const char *)last->iov_base + last->iov_len;
	if (b && b->file && memory_file_has(b->file, last->iov_base)) {
		size_t sent = (size_t)(end - b->file->base);
		size_t from = sent > 2 * FORGET_EVERY ? sent - 2 * FORGET_EVERY : 0;
		memory_file_forget(b->file, from, sent);
	}
}

static void parts_advance(struct outlet *o, size_t sent)
{
	for (; o->part < o->n_parts; o->part++) {
		struct iovec *p = &o->parts[o->part];
		if (sent < p->iov_len) {
			p->iov_base = (char *)p->iov_base + sent;
			p->iov_len -= sent;
			return;
		}
		sent -= p->iov_len;
	}
	if (o->refers)
		sent_forget(o);
	o->n_text = o->part = o->n_parts = 0;
	o->refers = false;
}

// @return bytes that the stream took
static size_t outlet_write(struct outlet *o)
{
	ssize_t n = stream_writev(o->stream, o->parts + o->part, (int)(o->n_parts - o->part));
	if (n == -EAGAIN)
		return 0;
	if (n < 0) {
		outlet_back_off(o, "the connection to the target's node %s:%u was lost: %s",
				o->host, o->port, stream_why(o->stream, (int)-n));
		return 0;
	}
	counter_add(&o->cluster->lane->counters->sent_bytes, (uint64_t)n);
	parts_advance(o, (size_t)n);
	return (size_t)n;
}

void outlet_send(struct outlet *o)
{
	size_t written = 0;
	while (o->stream && o->state >= OUTLET_CHECK && (o->stream->flags & STREAM_WRITABLE)) {
		outlet_stage(o);
		if (o->part == o->n_parts)
			return;
		size_t n = outlet_write(o);
		written += n;
		if (written >= BYTES_PER_TURN)
			o->cluster->more = true;
		if (!n || written >= BYTES_PER_TURN)
			return;
	}
}

// Somebody may have taken over from a node that is away, sooner than it is tried again.
static void closed_look(struct outlet *o, uint64_t *deadline_ns)
{
	uint64_t now = o->cluster->lane->now.mono_ns;
	if (o->retry_at_ns < *deadline_ns)
		*deadline_ns = o->retry_at_ns;
	if (!o->since_ns)
		return;
	if (now >= o->poke_at_ns) {
		map_poke(o->cluster);
		o->poke_at_ns = now + POKE_EVERY_NS;
	}
	if (o->poke_at_ns < *deadline_ns)
		*deadline_ns = o->poke_at_ns;
}

static void hello_deadline_look(struct outlet *o, uint64_t *deadline_ns)
{
	uint64_t now = o->cluster->lane->now.mono_ns;
	bool waits = o->state == OUTLET_CONNECTING || o->state == OUTLET_HELLO;
	if (o->state == OUTLET_CHECK && now + CHECK_EVERY_NS < *deadline_ns)
		*deadline_ns = now + CHECK_EVERY_NS;
	if (waits && now >= o->hello_deadline_ns)
		outlet_back_off(o, "the target's node %s:%u does not answer within connect-timeout",
				o->host, o->port);
	else if (waits && o->hello_deadline_ns < *deadline_ns)
		*deadline_ns = o->hello_deadline_ns;
	if (o->state == OUTLET_CLOSED)
		closed_look(o, deadline_ns);
}

void outlet_turn(struct outlet *o, uint64_t *deadline_ns)
{
	if (o->state == OUTLET_CLOSED && o->cluster->lane->now.mono_ns >= o->retry_at_ns)
		outlet_connect(o);
	if (o->state == OUTLET_CONNECTING)
		outlet_connecting(o);
	if (o->state == OUTLET_HELLO)
		outlet_hello_replies(o);
	if (o->state == OUTLET_CHECK)
		outlet_check(o);
	if (o->state >= OUTLET_CHECK)
		outlet_replies(o);
	if (o->state >= OUTLET_CHECK)
		outlet_send(o);
	hello_deadline_look(o, deadline_ns);
}
