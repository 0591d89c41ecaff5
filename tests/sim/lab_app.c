// SPDX-License-Identifier: BSD-3-Clause
// What an application does with its end of a connection: only what TCP's events told it of, so that
// an event which does not come is a run that hangs.
//
//   side_step() -> take_events() -> quits() -> reads() -> writes() -> ends()
#include "tests/sim/lab_priv.h"

#include <errno.h>
#include <string.h>

#define PIECE_DEFAULT 65536u
#define READ_LEN      PATTERN_LEN // what pattern_at() can be asked for
#define NS_PER_S      1000000000u
#define SLOW_BURST_NS 10000000u // a slow reader comes as often

static bool is_deaf(const struct lab *l, const struct side *s)
{
	uint64_t gone_ns = l->now_ns - s->opened_ns;

	return s->is_opened && gone_ns >= s->app.deaf_from_ns && gone_ns < s->app.deaf_until_ns;
}

static void take_events(struct lab *l, struct side *s, unsigned events)
{
	if (events & TCP_OPENED) {
		if (s->is_opened)
			lab_fail(l, "flow %u end %u: opened twice", s->flow, s->end);
		s->is_opened = s->can_write = true;
		s->opened_ns = l->now_ns;
		s->read_credit_ns = l->now_ns;
	}
	if (events & TCP_READABLE)
		s->can_read = true;
	if (events & TCP_WRITABLE)
		s->can_write = true;
	if (events & TCP_FAILED) {
		s->error = tcp_error(s->tcp);
		s->can_read = true;
		if (!s->error)
			lab_fail(l, "flow %u end %u: failed without an error", s->flow, s->end);
	}
}

// Hold what was read against the pattern.
static void compare(struct lab *l, struct side *s, const uint8_t *bytes, size_t len)
{
	if (memcmp(bytes, pattern_at(l, s->flow, !s->end, s->received), len) != 0)
		lab_fail(l, "flow %u end %u: wrong bytes read at %llu", s->flow, s->end,
			 (unsigned long long)s->received);
	s->received += len;
	if (s->received > l->flows[s->flow].sides[!s->end].sent)
		lab_fail(l, "flow %u end %u: read more than was written", s->flow, s->end);
}

// @return bytes that may be read now
static size_t read_room(const struct lab *l, const struct side *s)
{
	if (is_deaf(l, s))
		return 0;
	if (!s->app.read_rate)
		return READ_LEN;
	if (l->now_ns < s->read_credit_ns)
		return 0;
	uint64_t n = s->app.read_rate * SLOW_BURST_NS / NS_PER_S;
	return n < 1 ? 1 : n > READ_LEN ? READ_LEN : n;
}

static bool reads(struct lab *l, struct side *s)
{
	uint8_t bytes[READ_LEN];
	bool did = false;
	size_t room;

	while (s->can_read && !s->is_ended && (room = read_room(l, s))) {
		size_t readable = tcp_readable(s->tcp);
		ssize_t n = tcp_read(s->tcp, bytes, room, l->now_ns);
		if (n == -EAGAIN) {
			if (readable)
				lab_fail(l, "flow %u end %u: readable, but nothing to read",
					 s->flow, s->end);
			s->can_read = false;
			break;
		}
		did = true;
		if (n <= 0) {
			s->is_ended = true;
			if (n < 0 && !s->error)
				lab_fail(l, "flow %u end %u: read gives %zd", s->flow, s->end, n);
			break;
		}
		compare(l, s, bytes, (size_t)n);
		if (s->app.read_rate)
			s->read_credit_ns = l->now_ns + SLOW_BURST_NS;
	}
	return did;
}

static uint64_t write_limit(const struct side *s)
{
	uint64_t limit = s->app.send;

	if (s->app.per_in) {
		uint64_t may = s->app.first + s->received / s->app.per_in * s->app.per_out;
		if (may < limit)
			limit = may;
	}
	return limit;
}

static uint32_t piece_len(const struct side *s)
{
	return s->app.piece && s->app.piece < PATTERN_LEN ? s->app.piece : PIECE_DEFAULT - 512;
}

static bool writes(struct lab *l, struct side *s)
{
	bool did = false;

	while (s->can_write && s->sent < write_limit(s) && l->now_ns >= s->next_write_ns) {
		uint64_t left = write_limit(s) - s->sent, len = piece_len(s) - s->piece_at;
		if (len > left)
			len = left;
		const struct iovec iov = {
			(void *)(uintptr_t)pattern_at(l, s->flow, s->end, s->sent), len};
		ssize_t n = tcp_write(s->tcp, &iov, 1, l->now_ns);
		if (n == -EAGAIN) {
			s->can_write = false;
			break;
		}
		did = true;
		if (n <= 0 || (uint64_t)n > len) {
			if (!s->error)
				lab_fail(l, "flow %u end %u: write of %llu gives %zd", s->flow,
					 s->end, (unsigned long long)len, n);
			s->can_write = false;
			break;
		}
		s->sent += (uint64_t)n;
		s->piece_at += (uint64_t)n;
		if (s->piece_at == piece_len(s) || s->sent == write_limit(s)) {
			s->piece_at = 0;
			s->next_write_ns = l->now_ns + s->app.pause_ns;
		}
	}
	return did;
}

static void close_side(struct lab *l, struct side *s)
{
	s->is_closed = true;
	if (s->flow_of_stack)
		flow_close(s->flow_of_stack, l->now_ns);
	else
		tcp_close(s->tcp, l->now_ns);
}

static bool ends(struct lab *l, struct side *s)
{
	bool did = false;

	if (!s->error && s->is_opened && !s->is_shut && s->sent == s->app.send) {
		s->is_shut = did = true;
		tcp_shutdown(s->tcp, l->now_ns);
	}
	if (s->is_ended && (s->is_shut || s->error)) {
		did = true;
		close_side(l, s);
	}
	return did;
}

static uint64_t quit_ns(const struct lab *l, const struct side *s)
{
	return l->set.begin_ns + s->app.quit_ns;
}

static bool quits(struct lab *l, struct side *s)
{
	if (s->app.quit == LAB_SHUT || l->now_ns < quit_ns(l, s))
		return false;
	if (s->app.quit == LAB_ABORT)
		tcp_abort(s->tcp, l->now_ns);
	close_side(l, s);
	return true;
}

bool side_step(struct lab *l, struct side *s, unsigned events)
{
	take_events(l, s, events);
	if (s->is_closed)
		return events;
	if (quits(l, s))
		return true;
	if (!s->is_opened && !s->error)
		return events;
	// What a reply allows is written in the same turn.
	bool did = reads(l, s);
	if (!s->error)
		did |= writes(l, s);
	if (!is_deaf(l, s))
		did |= ends(l, s);
	return did || events;
}

uint64_t side_deadline(const struct lab *l, const struct side *s)
{
	uint64_t at_ns = LAB_NEVER;

	if (!s->tcp || s->is_closed)
		return LAB_NEVER;
	if (s->app.quit != LAB_SHUT)
		at_ns = quit_ns(l, s);
	if (s->can_write && s->sent < write_limit(s) && s->next_write_ns < at_ns)
		at_ns = s->next_write_ns;
	if (is_deaf(l, s)) {
		uint64_t until_ns = s->opened_ns + s->app.deaf_until_ns;
		return until_ns < at_ns ? until_ns : at_ns;
	}
	if (s->can_read && !s->is_ended && s->read_credit_ns < at_ns)
		at_ns = s->read_credit_ns; // past, for who has just got his ears back
	return at_ns;
}

void side_gone(struct lab *l, struct side *s)
{
	s->is_gone = true;
	s->gone_ns = l->now_ns;
	s->tcp = NULL;
	s->flow_of_stack = NULL;
}
