// SPDX-License-Identifier: BSD-3-Clause
// hostile_run() -> opens() -> a few hundred times: act() -> settle()
//               -> falls_silent(): it has to end by its own timers
#include "tests/sim/hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/tcp/tcp.h"
#include "tests/e2e/torture_random.h"
#include "tests/tcp_settings.h"

#define MS          1000000ull
#define S           (1000 * MS)
#define STEPS       300
#define PATTERN_LEN 65521
#define OUTPUTS_MAX 20000 // of one step: more are a loop without end
#define EXPIRES_MAX 20000
#define SILENCE_MAX (4000 * S)

struct hostile {
	struct random random;
	struct tcp_settings set;
	struct tcp_host *host;
	struct tcp *tcp;
	uint64_t now_ns, received, n_sent;
	struct seq first, next; // of the liar
	struct seq seen_first, seen_next;
	uint32_t seen_time;
	uint8_t agreed; // enum tcp_option
	bool has_seen_syn, is_shut, is_ended;
	uint8_t pattern[2 * PATTERN_LEN];
	uint8_t payload[4096];
	char *text;
	size_t text_len;
};

static bool fails(struct hostile *h, const char *why)
{
	if (!h->text[0])
		snprintf(h->text, h->text_len, "hostile peer, step at %.3f s: %s",
			 (double)h->now_ns / 1e9, why);
	return true;
}

static unsigned below(struct hostile *h, unsigned n)
{
	return random_below(&h->random, n);
}

static const uint8_t *pattern_of(const struct hostile *h, int64_t position)
{
	return h->pattern + (uint64_t)(position + 100000ll * PATTERN_LEN) % PATTERN_LEN;
}

static void settings_draw(struct hostile *h)
{
	h->set = tcp_settings_usual();
	h->set.congestion = below(h, 2) ? TCP_CUBIC : TCP_BBR;
	h->set.mss_max = 536 + below(h, 1000);
	h->set.mss_min = 536;
	h->set.receive_max = 4096u << below(h, 15);
	h->set.receive_first = 4096u << below(h, 3);
	h->set.send_max = 4096u << below(h, 10);
	h->set.segment_max = below(h, 2) ? 60000 : 0;
	h->set.keepalive_idle_ns = 20 * S;
	h->set.time_wait_ns = 10 * S;
	h->set.pacing = below(h, 2);
}

static void options_draw(struct hostile *h, struct tcp_segment *s)
{
	struct tcp_options *o = &s->options;

	if (h->agreed & TCP_HAS_TIME && below(h, 50)) {
		o->has |= TCP_HAS_TIME;
		o->ts_val = (uint32_t)(h->now_ns / MS) - (below(h, 20) ? 0 : below(h, 5000));
		o->ts_ecr = h->seen_time - (below(h, 10) ? 0 : below(h, 100000));
	}
	o->n_sack = (uint8_t)(below(h, 3) ? 0 : below(h, 4));
	for (unsigned i = 0; i < o->n_sack; i++) {
		struct seq from = seq_sub(h->seen_next, below(h, 40000));
		o->sack[i].from = below(h, 10) ? from : seq_of((uint32_t)random_next(&h->random));
		o->sack[i].to = seq_add(o->sack[i].from, below(h, 8) ? below(h, 9000) : 1u << 31);
	}
}

static void input(struct hostile *h, struct tcp_segment *s)
{
	uint8_t bytes[TCP_HEADER_MAX + sizeof(h->payload)];
	unsigned head = tcp_segment_write(s, bytes);
	struct tcp_segment read;

	if (s->len)
		memcpy(bytes + head, s->body[0].iov_base, s->len);
	if (tcp_segment_read(&read, bytes, head + s->len))
		return;
	read.n_merged = (uint16_t)(1 + (below(h, 10) == 0));
	tcp_input(h->tcp, &read, h->now_ns);
}

static struct tcp_segment plain(struct hostile *h, uint8_t flags)
{
	return (struct tcp_segment){.source_port = 1,
				    .target_port = 2,
				    .seq = h->next,
				    .ack = h->seen_next,
				    .flags = flags,
				    .window = 65535,
				    .n_merged = 1};
}

// Mostly what a peer might say, with one or two things wrong.
static void lie(struct hostile *h)
{
	struct tcp_segment s = plain(h, TCP_ACK);

	if (below(h, 3) == 0)
		s.seq = seq_add(h->next, below(h, 20000) - 10000);
	if (below(h, 4) == 0)
		s.ack = seq_sub(h->seen_next, below(h, 30000));
	else if (below(h, 12) == 0)
		s.ack = seq_add(h->seen_next, 1 + below(h, 100000));
	if (below(h, 2))
		s.window = (uint16_t)(below(h, 4) ? below(h, 65536) : below(h, 3));
	if (below(h, 2)) {
		int64_t at = (int64_t)seq_diff(s.seq, h->first) - 1;
		s.len = 1 + below(h, 3000);
		memcpy(h->payload, pattern_of(h, at), s.len);
		s.body[0] = (struct iovec){h->payload, s.len};
	}
	if (below(h, 40) == 0)
		s.flags |= TCP_SYN;
	if (below(h, 60) == 0)
		s.flags |= TCP_FIN;
	if (below(h, 60) == 0)
		s.flags |= TCP_RST;
	if (below(h, 40) == 0)
		s.flags = (uint8_t)below(h, 256);
	options_draw(h, &s);
	if (s.len && seq_le(s.seq, h->next) && seq_gt(seq_add(s.seq, s.len), h->next))
		h->next = seq_add(s.seq, s.len);
	input(h, &s);
}

static void reads(struct hostile *h)
{
	uint8_t bytes[8192];
	ssize_t n;

	while ((n = tcp_read(h->tcp, bytes, 1 + below(h, sizeof(bytes)), h->now_ns)) > 0) {
		if (memcmp(bytes, pattern_of(h, (int64_t)(h->received % PATTERN_LEN)), (size_t)n) !=
		    0)
			fails(h, "wrong bytes read");
		h->received += (uint64_t)n;
	}
	h->is_ended |= n == 0;
}

static void act(struct hostile *h)
{
	static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE};
	const struct iovec iov = {h->pattern, 1 + below(h, 20000)};

	switch (below(h, 12)) {
	case 0:
		tcp_write(h->tcp, &iov, 1, h->now_ns);
		break;
	case 1:
		reads(h);
		break;
	case 2:
		tcp_icmp(h->tcp, seq_sub(h->seen_next, below(h, 5000)), errors[below(h, 4)],
			 below(h, 2000), h->now_ns);
		break;
	case 3:
		if (below(h, 40) == 0 && !h->is_shut) {
			h->is_shut = true;
			tcp_shutdown(h->tcp, h->now_ns);
		}
		break;
	default:
		lie(h);
	}
}

static void see(struct hostile *h, const struct tcp_segment *s)
{
	uint32_t pieces = s->body[0].iov_len + s->body[1].iov_len;

	h->n_sent++;
	if (s->len != pieces)
		fails(h, "a segment has other bytes than it says");
	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_SYN) {
		h->has_seen_syn = true;
		h->seen_first = h->seen_next = s->seq;
	}
	if (s->options.has & TCP_HAS_TIME)
		h->seen_time = s->options.ts_val;
	struct seq end = seq_add(s->seq, tcp_segment_span(s));
	if (seq_gt(end, h->seen_next))
		h->seen_next = end;
}

static void settle(struct hostile *h)
{
	struct tcp_segment out;
	struct tcp_info info;
	unsigned n = 0;

	if (tcp_deadline(h->tcp) <= h->now_ns)
		tcp_expire(h->tcp, h->now_ns);
	while (tcp_output(h->tcp, h->now_ns, &out)) {
		if (below(h, 50) == 0 && n < 100)
			tcp_output_refused(h->tcp, h->now_ns);
		else
			see(h, &out);
		if (++n > OUTPUTS_MAX && fails(h, "sends without end"))
			break;
	}
	tcp_events(h->tcp);
	const char *why = tcp_check(h->tcp);
	if (why)
		fails(h, why);
	tcp_info(h->tcp, &info);
	if ((info.unacked || info.unsent) && info.state != TCP_CLOSED &&
	    tcp_deadline(h->tcp) == TCP_NO_DEADLINE)
		fails(h, "data is outstanding and no timer runs");
}

static bool opens(struct hostile *h)
{
	const struct tcp_tuple tuple = {
		.family = 4, .local = {10}, .remote = {11}, .local_port = 2, .remote_port = 1};
	struct tcp_segment syn = plain(h, TCP_SYN);
	bool is_passive = below(h, 2);

	h->agreed = (uint8_t)(below(h, 16));
	syn.options = (struct tcp_options){.has = h->agreed,
					   .mss = (uint16_t)below(h, 3000),
					   .scale = (uint8_t)below(h, 20),
					   .ts_val = (uint32_t)(h->now_ns / MS)};
	h->next = seq_add(h->first, 1);
	if (is_passive)
		return tcp_accept(h->host, &tuple, &syn, h->now_ns, &h->tcp) == 0;
	if (tcp_connect(h->host, &tuple, h->now_ns, &h->tcp))
		return false;
	settle(h);
	syn.flags |= below(h, 8) ? TCP_ACK : 0; // else both open at once
	syn.ack = h->seen_next;
	syn.options.ts_ecr = h->seen_time;
	input(h, &syn);
	return true;
}

// Nothing is heard any more: whatever it was made to believe, it ends in time.
static void falls_silent(struct hostile *h)
{
	uint64_t end_ns = h->now_ns + SILENCE_MAX;

	reads(h);
	tcp_close(h->tcp, h->now_ns);
	settle(h);
	for (unsigned n = 0; tcp_state(h->tcp) != TCP_CLOSED && !h->text[0]; n++) {
		uint64_t at_ns = tcp_deadline(h->tcp);
		if (at_ns == TCP_NO_DEADLINE || at_ns > end_ns || n > EXPIRES_MAX) {
			fails(h, "a connection that was closed never ends");
			break;
		}
		h->now_ns = at_ns > h->now_ns ? at_ns : h->now_ns;
		settle(h);
	}
}

static void run(struct hostile *h)
{
	if (!opens(h)) {
		fails(h, "no connection");
		return;
	}
	settle(h);
	for (unsigned i = 0; i < STEPS && !h->text[0]; i++) {
		uint64_t at_ns = tcp_deadline(h->tcp);
		if (below(h, 10) == 0 && at_ns != TCP_NO_DEADLINE && at_ns > h->now_ns)
			h->now_ns = at_ns;
		else
			h->now_ns += below(h, 4) ? below(h, 1000000) : below(h, 50) * MS;
		act(h);
		settle(h);
		if (tcp_state(h->tcp) == TCP_CLOSED)
			break;
	}
	falls_silent(h);
}

const char *hostile_run(uint64_t seed, char *text, size_t len)
{
	struct hostile h = {.random = random_of(seed, 2), .text = text, .text_len = len};
	uint8_t secret[16] = {0};

	text[0] = 0;
	memcpy(secret, &seed, sizeof(seed));
	for (unsigned i = 0; i < PATTERN_LEN; i++)
		h.pattern[i] = h.pattern[PATTERN_LEN + i] = (uint8_t)(i * 2654435761u >> 24);
	h.now_ns = random_next(&h.random) % (5 * 3600 * S);
	h.first = seq_of(below(&h, 2) ? 0u - below(&h, 100000) : (uint32_t)random_next(&h.random));
	h.next = h.first;
	settings_draw(&h);
	h.host = tcp_host_new(&h.set, secret, seed);
	if (!h.host)
		return "no memory";
	run(&h);
	if (h.tcp)
		tcp_free(h.tcp);
	tcp_host_free(h.host);
	return text[0] ? text : NULL;
}
