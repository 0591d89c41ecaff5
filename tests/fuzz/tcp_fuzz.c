// SPDX-License-Identifier: BSD-3-Clause
// A whole connection. The bytes are a list of steps: segments told relative to where the connection
// stands, time that passes, and what an application does. After each step tcp_check() holds, output
// ends, and in the end no block is left.
#include <errno.h>
#include <string.h>

#include "dataplane/tcp/tcp_priv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tcp_settings.h"

#define MS        NS_PER_MS
#define STEPS_MAX 400
#define OUT_MAX   3000 // segments of one step
#define BYTES_MAX (4u << 20)

struct world {
	const uint8_t *p, *end;
	struct tcp_host *host;
	struct tcp *t;
	uint64_t now_ns;
	uint64_t written, n_read;
	struct seq iss;
	uint32_t ts;
	uint64_t edge; // of the receive window, which never goes back
};

static const struct tcp_tuple tuple = {.family = 4, .local_port = 1, .remote_port = 2};
static uint8_t body[65536];

static uint8_t take8(struct world *w)
{
	return w->p < w->end ? *w->p++ : 0;
}

static uint16_t take16(struct world *w)
{
	uint16_t high = take8(w);

	return (uint16_t)(high << 8 | take8(w));
}

// A number near another: mostly very near.
static uint32_t take_near(struct world *w)
{
	uint8_t how = take8(w);
	uint32_t v = take16(w);

	switch (how % 6) {
	case 0:
	case 1:
		return 0;
	case 2:
		return v & 0xff;
	case 3:
		return 0u - (v & 0xff);
	case 4:
		return v << (how >> 5);
	default:
		return 0u - (v << (how >> 5));
	}
}

static struct tcp_host *host_make(struct world *w)
{
	uint8_t secret[16] = {take8(w)}, bits = take8(w);
	struct tcp_settings set = tcp_settings_usual();

	set.congestion = bits & 1 ? TCP_BBR : TCP_CUBIC;
	set.mss_max = bits & 2 ? 1460 : 8960;
	set.receive_max = bits & 4 ? 1 << 30 : 50000;
	set.receive_first = bits & 8 ? 100000 : 3000;
	set.send_max = bits & 16 ? 1 << 20 : 5000;
	set.segment_max = bits & 32 ? 65000 : 0;
	set.keepalive_idle_ns = 15000 * MS;
	set.keepalive_interval_ns = 1000 * MS;
	set.slow_start_after_idle = bits & 64;
	set.pacing = bits & 128;

	return tcp_host_new(&set, secret, bits);
}

static void look(struct world *w)
{
	CHECK(tcp_check(w->t) == NULL);
	CHECK(w->t->rcv.edge >= w->edge);
	w->edge = w->t->rcv.edge;
}

static void put_out(struct world *w, bool refuse)
{
	struct tcp_segment out;
	unsigned n = 0;

	while (tcp_output(w->t, w->now_ns, &out)) {
		uint8_t head[TCP_HEADER_MAX];

		CHECK(n++ < OUT_MAX);
		CHECK(out.body[0].iov_len + out.body[1].iov_len == out.len);
		tcp_segment_write(&out, head);
		for (unsigned i = 0, at = 0; i < 2; at += out.body[i++].iov_len)
			if (out.body[i].iov_len) // what was written, where it was
				CHECK(((uint8_t *)out.body[i].iov_base)[0] ==
				      body[(uint16_t)(out.seq.v + at - w->iss.v - 1)]);
		look(w);
		if (refuse && n == 1)
			tcp_output_refused(w->t, w->now_ns);
	}
	look(w);
}

static void segment_step(struct world *w)
{
	static const uint8_t flags[] = {
		TCP_ACK,           TCP_ACK, TCP_ACK | TCP_FIN, TCP_SYN,
		TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_ACK | TCP_PSH | TCP_URG};
	uint8_t how = take8(w), more = take8(w);
	uint16_t len = more & 1 ? take16(w) % 9000 : more >> 3;
	struct tcp_segment s = {
		.flags = how & 8 ? flags[how & 7] : TCP_ACK,
		.seq = seq_add(rcv_seq(w->t, w->t->receive.next), take_near(w)),
		.ack = seq_add(how & 16 ? w->t->recovery.una : w->t->recovery.nxt, take_near(w)),
		.window = how & 32 ? take16(w) : 0xffff,
		.n_merged = 1 + (more >> 6),
		.len = len,
	};

	// What the peer says is one stream, so that what is read can be known.
	s.body[0] = (struct iovec){malloc(len ? len : 1), len};
	CHECK(s.body[0].iov_base);
	struct seq irs = w->t->state == TCP_SYN_SENT ? s.seq : w->t->rcv.irs;
	uint32_t at = s.seq.v - irs.v - !(s.flags & TCP_SYN);
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)s.body[0].iov_base)[i] = body[(uint16_t)(at + i)];
	if (!(more & 2)) {
		s.options.has = TCP_HAS_TIME | (s.flags & TCP_SYN ? take8(w) & 15 : 0);
		s.options.ts_val = w->ts + (more & 4 ? take_near(w) : 0);
		s.options.ts_ecr = ts_now(w->t, w->now_ns) - (how >> 6);
		s.options.scale = take8(w);
		s.options.mss = (uint16_t)(take16(w) >> (how & 7));
	}
	for (unsigned n = how >> 6; n && !(s.flags & TCP_SYN); n--) {
		struct seq from = seq_add(w->t->recovery.una, take_near(w));

		s.options.sack[s.options.n_sack++] =
			(struct tcp_range){from, seq_add(from, take16(w))};
	}
	tcp_input(w->t, &s, w->now_ns);
	free(s.body[0].iov_base);
}

static void read_step(struct world *w)
{
	uint8_t p[5000];
	ssize_t n = tcp_read(w->t, p, take16(w) % sizeof(p), w->now_ns);

	for (ssize_t i = 0; i < n; i++)
		CHECK(p[i] == body[(uint16_t)(w->n_read + (uint64_t)i)]);
	w->n_read += n > 0 ? (uint64_t)n : 0;
}

static void write_step(struct world *w)
{
	struct iovec iov = {body + (uint16_t)w->written, take16(w) % 20000};
	uint16_t at = (uint16_t)w->written;

	if (iov.iov_len > sizeof(body) - at)
		iov.iov_len = sizeof(body) - at;
	if (w->written + iov.iov_len > BYTES_MAX)
		return;
	ssize_t n = tcp_write(w->t, &iov, 1, w->now_ns);
	w->written += n > 0 ? (uint64_t)n : 0;
}

static void time_step(struct world *w)
{
	uint64_t at = tcp_deadline(w->t), ns = (uint64_t)take16(w) << (take8(w) % 24);

	if (ns % 2 && at != TCP_NO_DEADLINE && at > w->now_ns)
		ns = at - w->now_ns;
	w->now_ns += ns;
	w->ts += (uint32_t)(ns / MS);
	tcp_expire(w->t, w->now_ns);
}

static void step(struct world *w)
{
	static const int errors[] = {EHOSTUNREACH, ECONNREFUSED, EMSGSIZE, ENETUNREACH};
	uint8_t what = take8(w);

	switch (what % 16) {
	case 0:
		tcp_shutdown(w->t, w->now_ns);
		break;
	case 1:
		if (what > 200)
			tcp_close(w->t, w->now_ns);
		break;
	case 2:
		if (what > 230)
			tcp_abort(w->t, w->now_ns);
		break;
	case 3:
		tcp_icmp(w->t, seq_add(w->t->recovery.una, take_near(w)), errors[what >> 6],
			 take16(w), w->now_ns);
		break;
	case 4:
	case 5:
		write_step(w);
		break;
	case 6:
	case 7:
		read_step(w);
		break;
	case 8:
	case 9:
		time_step(w);
		break;
	default:
		segment_step(w);
	}
	look(w);
	put_out(w, what > 250);
	tcp_events(w->t);
}

static void body_fill(void)
{
	if (body[1]) // filled already
		return;
	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 + (i >> 8));
}

static int open_one(struct world *w)
{
	struct tcp_segment out;

	if (take8(w) & 1) {
		struct tcp_segment syn = {
			.flags = TCP_SYN,
			.seq = seq_of((uint32_t)take8(w) << 24 | 0xfff000),
			.window = take16(w),
		};

		syn.options.has = take8(w) & 15;
		syn.options.mss = take16(w);
		syn.options.scale = take8(w);
		syn.options.ts_val = w->ts;
		if (tcp_accept(w->host, &tuple, &syn, w->now_ns, &w->t))
			return -1;
	} else if (tcp_connect(w->host, &tuple, w->now_ns, &w->t)) {
		return -1;
	}
	w->iss = w->t->snd.iss;
	CHECK(tcp_output(w->t, w->now_ns, &out) && out.flags & TCP_SYN);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct world w = {.p = p, .end = p + len, .now_ns = 1000 * MS, .ts = 0xfffffff0};

	body_fill();
	w.host = host_make(&w);
	CHECK(w.host);
	CHECK(open_one(&w) == 0);
	look(&w);
	for (unsigned i = 0; i < STEPS_MAX && w.p < w.end; i++)
		step(&w);
	tcp_free(w.t);
	tcp_host_free(w.host); // asserts that all blocks came back
	return 0;
}
