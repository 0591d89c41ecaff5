// SPDX-License-Identifier: BSD-3-Clause
// script_run() -> scene_begin() -> line_run() of each line -> scene_run_until() -> outputs_take()
#include "tests/tcp/scene.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX_NS  1000000 // a time that a script gives is right to 1 ms
#define TURNS_MAX    100000
#define PEER_TS_BASE 1000 // of the peer's timestamps
#define FIRST_NS     1000000000000000ull

// ---- Time, and what comes out ------------------------------------------------------------------

static void payload_check(struct scene *c, const struct tcp_segment *s)
{
	uint64_t at = s->seq.v - c->iss - 1;
	uint32_t len = 0;
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < s->body[i].iov_len && len < s->len; j++, len++)
			if (((char *)s->body[i].iov_base)[j] != byte_at(at + len, 'w')) {
				wrong(c, "byte %" PRIu64 " of what was written goes out wrong",
				      at + len);
				return;
			}
	if (len != s->len)
		wrong(c, "a segment of %u bytes has a payload of %u", s->len, len);
}

static void seen_add(struct scene *c, const struct tcp_segment *s)
{
	if (c->n_seen == SEEN_MAX) {
		wrong(c, "it sends without end");
		return;
	}
	c->seen[c->n_seen].at_ns = c->now_ns;
	c->seen[c->n_seen++].s = *s;
	if (s->options.has & TCP_HAS_TIME) {
		if (!c->ts_known)
			c->ts_zero = s->options.ts_val - (uint32_t)(c->now_ns / 1000000);
		c->ts_known = true;
		c->ts_newest = s->options.ts_val;
		c->syn_had_time |= s->flags & TCP_SYN;
	}
}

void outputs_take(struct scene *c)
{
	struct tcp_segment s;
	while (c->tcp && !c->failed && tcp_output(c->tcp, clock_ns(c), &s)) {
		if (c->refuse) {
			c->refuse--;
			tcp_output_refused(c->tcp, clock_ns(c));
			return;
		}
		payload_check(c, &s);
		seen_add(c, &s);
	}
	const char *what = c->tcp ? tcp_check(c->tcp) : NULL;
	if (what)
		wrong(c, "tcp_check(): %s", what);
}

// @param first_output  stop as soon as something was sent
static void scene_run_until(struct scene *c, uint64_t until_ns, bool first_output)
{
	for (unsigned turns = 0; c->tcp && !c->failed; turns++) {
		uint64_t at = tcp_deadline(c->tcp);
		if (first_output && c->first_seen < c->n_seen)
			return;
		if (at == TCP_NO_DEADLINE || at > c->begin_ns + until_ns)
			break;
		if (at > clock_ns(c))
			c->now_ns = at - c->begin_ns;
		tcp_expire(c->tcp, clock_ns(c));
		outputs_take(c);
		if (turns == TURNS_MAX)
			wrong(c, "its deadline stands still");
	}
	if (c->now_ns < until_ns && !(first_output && c->first_seen < c->n_seen))
		c->now_ns = until_ns;
}

void nothing_is_left(struct scene *c)
{
	char text[512];
	if (c->first_seen == c->n_seen)
		return;
	segment_text(c, &c->seen[c->first_seen], text, sizeof(text));
	wrong(c, "unexpected: %s", text);
}

// ---- Segments ---------------------------------------------------------------------------------

static bool options_fit(const struct scene *c, const struct script_segment *w,
			const struct tcp_options *o)
{
	const struct tcp_options *p = &w->options;
	if (!w->has_options)
		return true;
	if (o->has != p->has || o->n_sack != p->n_sack)
		return false;
	if ((o->has & TCP_HAS_MSS && o->mss != p->mss) ||
	    (o->has & TCP_HAS_SCALE && o->scale != p->scale))
		return false;
	if (o->has & TCP_HAS_TIME && ((!w->any_val && o->ts_val - c->ts_zero != p->ts_val) ||
				      (!w->any_ecr && o->ts_ecr != p->ts_ecr)))
		return false;
	for (unsigned i = 0; i < o->n_sack; i++)
		if (o->sack[i].from.v - c->irs != p->sack[i].from.v ||
		    o->sack[i].to.v - c->irs != p->sack[i].to.v)
			return false;
	return true;
}

static bool segment_fits(const struct scene *c, const struct script_segment *w,
			 const struct tcp_segment *s)
{
	uint8_t flags = s->flags;
	if (!(w->flags & TCP_PSH))
		flags &= (uint8_t)~TCP_PSH;
	return flags == w->flags && s->seq.v - c->iss == w->seq && s->len == w->len &&
	       (!w->has_ack || s->ack.v - c->irs == w->ack) &&
	       (!w->has_window || s->window == w->window) && options_fit(c, w, &s->options);
}

// Times behind a range count from what came of it.
static void output_expect(struct scene *c, struct script_line *line)
{
	struct script_segment w;
	const char *bad = script_segment_read(line, 1, &w);
	char text[512];
	if (bad) {
		wrong(c, "here stands %s", bad);
		return;
	}
	scene_run_until(c, line->to_ns + LATE_MAX_NS, true);
	if (c->first_seen == c->n_seen) {
		wrong(c, "nothing was sent");
		return;
	}
	const struct seen *o = &c->seen[c->first_seen++];
	uint64_t from_ns = line->from_ns;
	if (line->to_ns > line->from_ns && o->at_ns > line->from_ns)
		line->from_ns = o->at_ns;
	if (o->at_ns + LATE_MAX_NS < from_ns || o->at_ns > line->to_ns + LATE_MAX_NS ||
	    !segment_fits(c, &w, &o->s)) {
		segment_text(c, o, text, sizeof(text));
		wrong(c, "another: %s", text);
	}
}

// The peer's segment in numbers of the wire.
static void input_make(struct scene *c, const struct script_segment *w, struct tcp_segment *s)
{
	*s = (struct tcp_segment){
		.source_port = scene_tuple.remote_port,
		.target_port = scene_tuple.local_port,
		.seq = seq_of(c->irs + w->seq),
		.ack = seq_of(w->flags & TCP_ACK ? c->iss + w->ack : 0),
		.flags = w->flags,
		.n_merged = 1,
		.options = w->options,
		.len = w->len,
	};
	c->window = w->has_window ? w->window : c->window;
	s->window = c->window;
	for (unsigned i = 0; i < s->options.n_sack; i++) {
		s->options.sack[i].from.v += c->iss;
		s->options.sack[i].to.v += c->iss;
	}
	if (w->has_time_words) {
		s->options.ts_ecr += w->any_ecr || w->options.ts_ecr || !(w->flags & TCP_SYN) ||
						     w->flags & TCP_ACK
					     ? c->ts_zero
					     : 0;
	} else if (c->has_time && !w->no_time && !(w->flags & TCP_RST)) {
		s->options.has |= TCP_HAS_TIME;
		s->options.ts_val = PEER_TS_BASE + (uint32_t)(c->now_ns / 1000000);
		s->options.ts_ecr = c->ts_newest;
	}
}

static void input_stray(struct scene *c, const struct tcp_segment *s)
{
	struct tcp_segment out = {0};
	if (tcp_refusal(s, &out))
		seen_add(c, &out);
}

static void input_give(struct scene *c, const struct script_line *line, unsigned at, bool is_stray)
{
	static char payload[65536];
	struct script_segment w;
	struct tcp_segment s;
	const char *bad = script_segment_read(line, at, &w);
	if (bad) {
		wrong(c, "here stands %s", bad);
		return;
	}
	input_make(c, &w, &s);
	for (uint32_t i = 0; i < w.len; i++)
		payload[i] = byte_at(w.seq - 1 + (uint64_t)i, 'r');
	s.body[0] = (struct iovec){payload, w.len};
	if (is_stray || (!c->tcp && !c->listens)) {
		input_stray(c, &s);
		return;
	}
	if (!c->tcp) {
		int rc = tcp_accept(c->host, &scene_tuple, &s, clock_ns(c), &c->tcp);
		if (rc) {
			wrong(c, "tcp_accept(): %s", strerror(-rc));
			return;
		}
		traces_attach(c);
	} else {
		tcp_input(c->tcp, &s, clock_ns(c));
	}
	outputs_take(c);
	if (s.flags & TCP_SYN && s.options.has & TCP_HAS_TIME && (c->syn_had_time || c->listens))
		c->has_time = true;
}

// ---- Lines ------------------------------------------------------------------------------------

#define SETTINGS(X)                                                                                \
	X(congestion)                                                                              \
	X(mss_max)                                                                                 \
	X(mss_min)                                                                                 \
	X(receive_max)                                                                             \
	X(receive_first)                                                                           \
	X(send_max)                                                                                \
	X(segment_max)                                                                             \
	X(memory_max)                                                                              \
	X(rto_min_ns)                                                                              \
	X(ack_delay_ns)                                                                            \
	X(user_timeout_ns)                                                                         \
	X(connect_timeout_ns)                                                                      \
	X(keepalive_idle_ns)                                                                       \
	X(keepalive_interval_ns)                                                                   \
	X(keepalive_probes)                                                                        \
	X(time_wait_ns)                                                                            \
	X(slow_start_after_idle)                                                                   \
	X(pacing)

static const struct tcp_settings settings_default = {
	.congestion = TCP_CUBIC,
	.mss_max = 1460,
	.mss_min = 1024,
	.receive_max = 65535,
	.receive_first = 65535,
	.send_max = 1 << 20,
	.rto_min_ns = 200000000,
	.ack_delay_ns = 40000000,
	.user_timeout_ns = 30000000000,
	.connect_timeout_ns = 10000000000,
	.keepalive_interval_ns = 10000000000,
	.keepalive_probes = 3,
	.time_wait_ns = 60000000000,
};

// "rto-min" is rto_min_ns.
static bool setting_is(const char *field, const char *word)
{
	for (; *field; field++, word++) {
		if (!*word && !strcmp(field, "_ns"))
			return true;
		if (*word != (*field == '_' ? '-' : *field))
			return false;
	}
	return !*word;
}

static void setting_set(struct scene *c, const struct script_line *line)
{
	uint64_t v;
	if (line->n != 3 || !script_number(line->words[2], &v)) {
		wrong(c, "set NAME NUMBER");
		return;
	}
#define X(field)                                                                                   \
	if (setting_is(#field, line->words[1])) {                                                  \
		c->set.field = (__typeof__(c->set.field))v;                                        \
		return;                                                                            \
	}
	SETTINGS(X)
#undef X
	wrong(c, "there is no setting %s", line->words[1]);
}

// The SYN went out 0.1 s ago; now its answer comes.
static void established_run(struct scene *c, const struct script_line *line)
{
	struct script_line answer = *line;
	if (line->from_ns < 100000000) {
		wrong(c, "the handshake takes 0.1 s: it cannot be over before");
		return;
	}
	scene_run_until(c, line->from_ns - 100000000, false);
	verb_connect(c, line);
	outputs_take(c);
	scene_run_until(c, line->from_ns, false);
	static const char *const words[] = {"<", "S.", "0:0", "ack", "1"};
	memcpy(answer.words, words, sizeof(words));
	memcpy(answer.words + 5, line->words + 1, (line->n - 1) * sizeof(line->words[0]));
	answer.n = line->n + 4;
	input_give(c, &answer, 1, false);
	if (!c->failed && (c->n_seen - c->first_seen != 2 || tcp_state(c->tcp) != TCP_ESTABLISHED))
		wrong(c, "the handshake did not come to its end");
	c->first_seen = c->n_seen;
	if (c->tcp)
		tcp_events(c->tcp);
}

static void line_run(struct scene *c, struct script_line *line)
{
	const char *word = line->words[0];
	c->line = line;
	if (!strcmp(word, ">")) {
		output_expect(c, line);
		return;
	}
	if (!strcmp(word, "established")) {
		established_run(c, line);
		return;
	}
	scene_run_until(c, line->to_ns, false);
	if (!strcmp(word, "<") || !strcmp(word, "stray") || !strcmp(word, "silence"))
		nothing_is_left(c);
	if (c->failed || !strcmp(word, "silence"))
		return;
	if (!strcmp(word, "<"))
		input_give(c, line, 1, false);
	else if (!strcmp(word, "stray"))
		input_give(c, line, 2, true);
	else
		verb_run(c, line);
}

// ---- Scripts ----------------------------------------------------------------------------------

static struct tcp_host *host_make(const struct tcp_settings *set)
{
	static const uint8_t secret[16] = "a secret of ours";
	return tcp_host_new(set, secret, 1);
}

// Initial sequence numbers follow a clock of 4 us (RFC 6528): begin when it says what is wanted.
static uint64_t begin_at(const struct tcp_settings *set, uint32_t iss)
{
	struct tcp_host *h = host_make(set);
	struct tcp_segment syn = {0};
	struct tcp *t;
	if (tcp_connect(h, &scene_tuple, FIRST_NS, &t))
		abort();
	tcp_output(t, FIRST_NS, &syn);
	tcp_free(t);
	tcp_host_free(h);
	return FIRST_NS + (uint64_t)(uint32_t)(iss - syn.seq.v) * 4000;
}

static void scene_begin(struct scene *c)
{
	c->begin_ns = begin_at(&c->set, c->iss);
	c->host = host_make(&c->set);
}

static void scene_end(struct scene *c)
{
	if (c->tcp)
		tcp_free(c->tcp);
	if (c->host)
		tcp_host_free(c->host);
	free(c->traces);
	free(c);
}

static void lines_run(struct scene *c, FILE *f)
{
	struct script_line lines[2] = {0};
	const char *bad = "";
	int rc;
	for (unsigned i = 0; !c->failed; i++) {
		struct script_line *line = &lines[i % 2];
		rc = script_read(f, line, i ? &lines[1 - i % 2] : NULL, &bad);
		c->line = rc ? line : &lines[1 - i % 2];
		if (rc <= 0) {
			if (rc < 0)
				wrong(c, "here stands %s", bad);
			break;
		}
		if (!line->has_time && strcmp(line->words[0], "set"))
			wrong(c, "only settings have no time");
		else if (!line->has_time)
			setting_set(c, line);
		else if (!c->host)
			scene_begin(c);
		if (line->has_time && !c->failed)
			line_run(c, line);
	}
	if (!c->failed)
		nothing_is_left(c);
}

static uint64_t kinds_told(const struct scene *c)
{
	static struct trace_view v;
	uint64_t kinds = 0;
	if (trace_read(c->traces, 0, &v))
		return 0;
	for (unsigned i = 0; i < v.n; i++)
		kinds |= 1ull << v.lines[i].kind;
	return kinds;
}

bool script_run(const char *path, uint32_t iss, uint32_t irs, uint64_t *kinds)
{
	struct scene *c = calloc(1, sizeof(*c));
	FILE *f = fopen(path, "re");
	if (!f || !c) {
		fprintf(stderr, "%s cannot be read\n", path);
		free(c);
		return false;
	}
	c->path = path;
	c->set = settings_default;
	c->iss = iss;
	c->irs = irs;
	c->window = 65535;
	c->traces = aligned_alloc(64, sizeof(*c->traces));
	memset(c->traces, 0, offsetof(struct trace_zone, rings) + sizeof(struct trace_ring));
	lines_run(c, f);
	*kinds |= kinds_told(c);
	bool failed = c->failed;
	fclose(f);
	scene_end(c);
	return !failed;
}
