// SPDX-License-Identifier: BSD-3-Clause
// Two ends of TCP and what lies between them, in virtual time. One end may be the test itself,
// which then writes segments by hand (tcp_script.h).
#pragma once

#include <errno.h>

#include "dataplane/tcp/tcp.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"
#include "tests/tcp_settings.h"

#define MS       1000000ull
#define SECOND   (1000 * MS)
#define PIPE_MAX 4096

static inline struct tcp_settings rig_settings(void)
{
	struct tcp_settings set = tcp_settings_usual();

	set.receive_max = set.send_max = 16 << 20;
	set.receive_first = 128 << 10;
	set.connect_timeout_ns = 10 * SECOND;
	return set;
}

static inline struct tcp_tuple rig_tuple(bool is_server)
{
	struct tcp_tuple t = {
		.family = 4,
		.local = {10, 0, 0, is_server ? 2 : 1},
		.remote = {10, 0, 0, is_server ? 1 : 2},
		.local_port = is_server ? 6379 : 40000,
		.remote_port = is_server ? 40000 : 6379,
	};

	return t;
}

static inline struct tcp_host *rig_host(const struct tcp_settings *set, uint8_t secret)
{
	uint8_t key[16] = {secret};
	struct tcp_host *h = tcp_host_new(set, key, secret);

	assert_non_null(h);
	return h;
}

static inline void rig_check(const struct tcp *t)
{
	const char *wrong = t ? tcp_check(t) : NULL;

	if (wrong)
		fail_msg("tcp_check: %s", wrong);
}

// The time at which a connection of this tuple begins `before` octets in front of 2^32: the initial
// sequence number follows a clock (RFC 6528), so one chooses the number by choosing the hour.
static inline uint64_t rig_time_near_wrap(struct tcp_host *h, const struct tcp_tuple *tuple,
					  uint32_t before)
{
	struct tcp_segment syn;
	struct tcp *t;

	assert_int_equal(tcp_connect(h, tuple, 0, &t), 0);
	assert_true(tcp_output(t, 0, &syn));
	tcp_free(t);
	return (uint64_t)(uint32_t)(0u - before - syn.seq.v) * 4000;
}

// A frame on its way: header and payload as bytes.
struct frame {
	uint64_t at_ns;
	uint8_t *p;
	size_t len;
};

// One direction: a line of frames, in order, with a delay and a rule for what gets lost.
struct pipe {
	struct frame frames[PIPE_MAX];
	unsigned head, n;
	uint64_t n_sent, n_lost;
	bool (*loses)(void *arg, const struct tcp_segment *s, uint64_t index);
	void *arg;
};

struct rig {
	struct tcp_settings set[2];
	struct tcp_host *host[2];
	struct tcp *tcp[2];  // 0: the client; 1: the server, NULL before the SYN
	unsigned events[2];  // all that were seen
	struct pipe pipe[2]; // from end i
	uint64_t now_ns, delay_ns;
};

static inline void rig_init(struct rig *r, const struct tcp_settings *a,
			    const struct tcp_settings *b, uint64_t delay_ns, uint32_t before_wrap)
{
	struct tcp_tuple tuple = rig_tuple(false);

	memset(r, 0, sizeof(*r));
	r->set[0] = *a;
	r->set[1] = *b;
	r->host[0] = rig_host(a, 1);
	r->host[1] = rig_host(b, 2);
	r->delay_ns = delay_ns;
	r->now_ns = SECOND;
	if (before_wrap)
		r->now_ns += rig_time_near_wrap(r->host[0], &tuple, before_wrap + 250000);
	assert_int_equal(tcp_connect(r->host[0], &tuple, r->now_ns, &r->tcp[0]), 0);
}

static inline void rig_fini(struct rig *r)
{
	for (int i = 0; i < 2; i++) {
		for (unsigned k = 0; k < r->pipe[i].n; k++)
			free(r->pipe[i].frames[(r->pipe[i].head + k) % PIPE_MAX].p);
		tcp_free(r->tcp[i]);
		tcp_host_free(r->host[i]); // asserts that no block is left
	}
}

static inline void pipe_put(struct pipe *p, const struct tcp_segment *s, uint64_t at_ns)
{
	struct frame f = {.at_ns = at_ns};
	uint8_t head[TCP_HEADER_MAX];
	unsigned len = tcp_segment_write(s, head);

	assert_int_equal(s->body[0].iov_len + s->body[1].iov_len, s->len);
	if (p->loses && p->loses(p->arg, s, p->n_sent++)) {
		p->n_lost++;
		return;
	}
	assert_in_range(p->n, 0, PIPE_MAX - 1);
	f.len = len + s->len;
	f.p = malloc(f.len);
	memcpy(f.p, head, len);
	for (unsigned i = 0, at = len; i < 2; at += s->body[i++].iov_len)
		if (s->body[i].iov_len)
			memcpy(f.p + at, s->body[i].iov_base, s->body[i].iov_len);
	p->frames[(p->head + p->n++) % PIPE_MAX] = f;
}

// A segment as the device would cut it.
static inline void pipe_put_cut(struct pipe *p, const struct tcp_segment *s, uint64_t at_ns)
{
	uint32_t piece = s->mss ? s->mss : s->len;
	uint8_t *bytes = malloc(s->len + 1);
	uint32_t at = 0;

	for (unsigned i = 0, k = 0; i < 2; k += s->body[i++].iov_len)
		if (s->body[i].iov_len)
			memcpy(bytes + k, s->body[i].iov_base, s->body[i].iov_len);
	do {
		struct tcp_segment cut = *s;
		uint32_t n = s->len - at < piece ? s->len - at : piece;

		cut.seq = seq_add(s->seq, at);
		cut.len = n;
		cut.body[0] = (struct iovec){bytes + at, n};
		cut.body[1] = (struct iovec){NULL, 0};
		if (at + n < s->len)
			cut.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		pipe_put(p, &cut, at_ns);
		at += n;
	} while (at < s->len);
	free(bytes);
}

static inline void rig_output(struct rig *r, int end)
{
	struct tcp_segment out;

	if (r->tcp[end] == NULL)
		return;
	for (unsigned n = 0; tcp_output(r->tcp[end], r->now_ns, &out); n++) {
		assert_in_range(n, 0, 100000); // it ends
		rig_check(r->tcp[end]);
		pipe_put_cut(&r->pipe[end], &out, r->now_ns + r->delay_ns);
	}
	rig_check(r->tcp[end]);
	r->events[end] |= tcp_events(r->tcp[end]);
}

static inline void rig_deliver(struct rig *r, int from, struct frame *f)
{
	int to = !from;
	struct tcp_tuple tuple = rig_tuple(to == 1);
	struct tcp_segment s, answer;

	assert_int_equal(tcp_segment_read(&s, f->p, f->len), 0);
	if (r->tcp[to] == NULL && to == 1 && s.flags == TCP_SYN) {
		assert_int_equal(tcp_accept(r->host[1], &tuple, &s, r->now_ns, &r->tcp[1]), 0);
	} else if (r->tcp[to]) {
		tcp_input(r->tcp[to], &s, r->now_ns);
		rig_check(r->tcp[to]);
	} else if (tcp_refusal(&s, &answer)) {
		pipe_put(&r->pipe[to], &answer, r->now_ns + r->delay_ns);
	}
	free(f->p);
}

// All that arrives now, then what is due, then what goes out. @return whether something happened
static inline bool rig_turn(struct rig *r)
{
	bool any = false;

	for (int i = 0; i < 2; i++) {
		struct pipe *p = &r->pipe[i];

		while (p->n && p->frames[p->head].at_ns <= r->now_ns) {
			struct frame f = p->frames[p->head];

			p->head = (p->head + 1) % PIPE_MAX;
			p->n--;
			rig_deliver(r, i, &f);
			any = true;
		}
	}
	for (int i = 0; i < 2; i++) {
		if (r->tcp[i] && tcp_deadline(r->tcp[i]) <= r->now_ns) {
			tcp_expire(r->tcp[i], r->now_ns);
			rig_check(r->tcp[i]);
			any = true;
		}
		rig_output(r, i);
	}
	return any;
}

// When something happens next. TCP_NO_DEADLINE: never.
static inline uint64_t rig_next(const struct rig *r)
{
	uint64_t at = TCP_NO_DEADLINE;

	for (int i = 0; i < 2; i++) {
		uint64_t due = r->tcp[i] ? tcp_deadline(r->tcp[i]) : TCP_NO_DEADLINE;
		const struct pipe *p = &r->pipe[i];

		at = due < at ? due : at;
		if (p->n && p->frames[p->head].at_ns < at)
			at = p->frames[p->head].at_ns;
	}
	return at;
}

// Let a time pass.
static inline void rig_run(struct rig *r, uint64_t ns)
{
	uint64_t until = r->now_ns + ns;

	for (unsigned turns = 0;; turns++) {
		uint64_t next;

		assert_in_range(turns, 0, 10000000);
		rig_turn(r);
		next = rig_next(r);
		if (next > until)
			break;
		r->now_ns = next > r->now_ns ? next : r->now_ns;
	}
	r->now_ns = until;
	rig_turn(r);
}

static inline void rig_open(struct rig *r)
{
	rig_run(r, 3 * r->delay_ns + MS);
	assert_int_equal(tcp_state(r->tcp[0]), TCP_ESTABLISHED);
	assert_int_equal(tcp_state(r->tcp[1]), TCP_ESTABLISHED);
}

// The byte at a place of the stream of an end.
static inline uint8_t rig_byte(int end, uint64_t at)
{
	return (uint8_t)((at * 2654435761u + (uint64_t)end) >> 7);
}

// @return bytes written
static inline size_t rig_write(struct rig *r, int end, uint64_t at, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);
	struct iovec iov[2] = {{p, len / 3}, {p + len / 3, len - len / 3}};

	for (size_t i = 0; i < len; i++)
		p[i] = rig_byte(end, at + i);
	ssize_t n = tcp_write(r->tcp[end], iov, 2, r->now_ns);
	free(p);
	rig_check(r->tcp[end]);
	assert_true(n >= 0 || n == -EAGAIN);
	return n < 0 ? 0 : (size_t)n;
}

// Read what there is and hold it against what the other end wrote. @return bytes read
static inline size_t rig_read(struct rig *r, int end, uint64_t at, size_t max)
{
	uint8_t p[16384];
	size_t done = 0;

	while (done < max) {
		size_t want = max - done < sizeof(p) ? max - done : sizeof(p);
		ssize_t n = tcp_read(r->tcp[end], p, want, r->now_ns);

		rig_check(r->tcp[end]);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(p[i], rig_byte(!end, at + done + (uint64_t)i));
		done += (size_t)n;
	}
	return done;
}

// Carry bytes from one end to the other, as fast as both go. @return virtual ns it took
static inline uint64_t rig_carry(struct rig *r, int from, uint64_t at, uint64_t len)
{
	uint64_t start = r->now_ns, sent = 0, got = 0;

	for (unsigned turns = 0; got < len; turns++) {
		uint64_t next;

		assert_in_range(turns, 0, 10000000);
		while (sent < len) {
			size_t n = rig_write(r, from, at + sent,
					     len - sent < 65536 ? len - sent : 65536);

			if (n == 0)
				break;
			sent += n;
		}
		rig_turn(r);
		got += rig_read(r, !from, at + got, len - got);
		rig_output(r, !from);
		next = rig_next(r);
		if (got < len) {
			assert_true(next != TCP_NO_DEADLINE); // not stuck
			r->now_ns = next > r->now_ns ? next : r->now_ns;
		}
	}
	return r->now_ns - start;
}

static inline struct tcp_info rig_info(const struct rig *r, int end)
{
	struct tcp_info info;

	tcp_info(r->tcp[end], &info);
	return info;
}
