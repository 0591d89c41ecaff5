// SPDX-License-Identifier: BSD-3-Clause
// script_run() -> scene_open() -> line_run() of each line -> scene_run_until() -> outputs_take()
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/contract/trace.h"
#include "tests/tcp/script.h"

#define SEEN_MAX     4096
#define LATE_MAX_NS  1000000 // a time that a script gives is right to 1 ms
#define TURNS_MAX    100000
#define PEER_TS_BASE 1000 // of the peer's timestamps
#define FIRST_NS     1000000000000000ull

struct seen {
	uint64_t at_ns; // since the beginning
	struct tcp_segment s;
};

struct scene {
	const char *path;
	const struct script_line *line;
	bool failed;
	uint64_t begin_ns, now_ns; // of the connection's clock; now_ns: since the beginning
	struct tcp_settings set;
	struct tcp_host *host;
	struct tcp *tcp; // NULL: not opened, or freed
	bool listens;
	struct trace_zone *traces;
	uint32_t iss, irs;
	unsigned refuse;

	// what came out and was not asked for yet
	unsigned n_seen, first_seen;
	struct seen seen[SEEN_MAX];

	// the peer
	uint16_t window;
	bool has_time; // both ends have said so
	bool syn_had_time;
	uint32_t ts_zero; // of ours at the beginning
	bool ts_known;
	uint32_t ts_newest;     // of ours, as it came
	uint64_t written, read; // bytes of the application
};

static const struct tcp_tuple tuple = {
	.family = 4,
	.local = {10, 99, 0, 2},
	.remote = {10, 99, 0, 1},
	.local_port = 40000,
	.remote_port = 6379,
};

// What stands at a place of a stream, so that a byte in the wrong place shows.
static char byte_at(uint64_t i, char salt)
{
	return (char)(i * 2654435761u >> 13 ^ i >> 8 ^ (uint64_t)salt);
}

// ---- What went wrong --------------------------------------------------------------------------

static void trace_print(const struct scene *c)
{
	static struct trace_view v;
	char text[TRACE_TEXT_LEN];
	if (trace_read(c->traces, 0, &v))
		return;
	for (unsigned i = v.n > 25 ? v.n - 25 : 0; i < v.n; i++) {
		trace_text(&v.lines[i], text);
		fprintf(stderr, "  %10.6f %s\n",
			(double)(v.lines[i].time_us - c->begin_ns / 1000) / 1e6, text);
	}
}

static void wrong(struct scene *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct scene *c, const char *format, ...)
{
	va_list args;
	if (c->failed)
		return;
	c->failed = true;
	fprintf(stderr, "%s:%u: ", c->path, c->line->number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n  line: %s\n  now %.6f, iss %u, irs %u; what happened:\n", c->line->text,
		(double)c->now_ns / 1e9, c->iss, c->irs);
	trace_print(c);
}

static const char *flags_text(uint8_t flags)
{
	static char text[12];
	unsigned n = 0;
	for (unsigned i = 0; i < 8; i++)
		if (flags >> i & 1)
			text[n++] = "FSRP.UEW"[i];
	text[n] = 0;
	return n ? text : "-";
}

static void segment_text(const struct scene *c, const struct seen *o, char *out, size_t len)
{
	const struct tcp_options *p = &o->s.options;
	uint32_t seq = o->s.seq.v - c->iss;
	int n = snprintf(out, len, "%.6f > %s %u:%u", (double)o->at_ns / 1e9,
			 flags_text(o->s.flags), seq, seq + o->s.len);
	if (o->s.flags & TCP_ACK)
		n += snprintf(out + n, len - (size_t)n, " ack %u", o->s.ack.v - c->irs);
	n += snprintf(out + n, len - (size_t)n, " win %u <", o->s.window);
	if (p->has & TCP_HAS_MSS)
		n += snprintf(out + n, len - (size_t)n, " mss %u", p->mss);
	if (p->has & TCP_HAS_SCALE)
		n += snprintf(out + n, len - (size_t)n, " wscale %u", p->scale);
	if (p->has & TCP_HAS_SACK_OK)
		n += snprintf(out + n, len - (size_t)n, " sackOK");
	if (p->has & TCP_HAS_TIME)
		n += snprintf(out + n, len - (size_t)n, " TS val %u ecr %u", p->ts_val - c->ts_zero,
			      p->ts_ecr);
	for (unsigned i = 0; i < p->n_sack; i++)
		n += snprintf(out + n, len - (size_t)n, " sack %u:%u", p->sack[i].from.v - c->irs,
			      p->sack[i].to.v - c->irs);
	snprintf(out + n, len - (size_t)n, " >");
}

// ---- Time, and what comes out ------------------------------------------------------------------

static uint64_t clock_ns(const struct scene *c)
{
	return c->begin_ns + c->now_ns;
}

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

static void outputs_take(struct scene *c)
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

// Before the next thing happens to it: what was sent must have been named by the script.
static void nothing_is_left(struct scene *c)
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

static void output_expect(struct scene *c, const struct script_line *line)
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
	if (o->at_ns + LATE_MAX_NS < line->from_ns || o->at_ns > line->to_ns + LATE_MAX_NS ||
	    !segment_fits(c, &w, &o->s)) {
		segment_text(c, o, text, sizeof(text));
		wrong(c, "another: %s", text);
	}
}

// The peer's segment in numbers of the wire.
static void input_make(struct scene *c, const struct script_segment *w, struct tcp_segment *s)
{
	*s = (struct tcp_segment){
		.source_port = tuple.remote_port,
		.target_port = tuple.local_port,
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

static void traces_attach(struct scene *c)
{
	struct trace_flow flow = {
		.family = 4, .local_port = tuple.local_port, .remote_port = tuple.remote_port};
	memcpy(flow.local, tuple.local, 16);
	memcpy(flow.remote, tuple.remote, 16);
	tcp_set_trace(c->tcp, trace_open(c->traces, 0, &flow));
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
		int rc = tcp_accept(c->host, &tuple, &s, clock_ns(c), &c->tcp);
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

// ---- The application --------------------------------------------------------------------------

static int errno_named(const char *word)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{"0", 0},
		{"EAGAIN", EAGAIN},
		{"EPIPE", EPIPE},
		{"ENOTCONN", ENOTCONN},
		{"ECONNREFUSED", ECONNREFUSED},
		{"ECONNRESET", ECONNRESET},
		{"ECONNABORTED", ECONNABORTED},
		{"ETIMEDOUT", ETIMEDOUT},
		{"EHOSTUNREACH", EHOSTUNREACH},
		{"ENETUNREACH", ENETUNREACH},
	};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(word, names[i].name))
			return names[i].error;
	return -1;
}

static long long number_of(struct scene *c, const struct script_line *line, unsigned at)
{
	uint64_t v = 0;
	if (at >= line->n || !script_number(line->words[at], &v))
		wrong(c, "word %u is no number", at + 1);
	return (long long)v;
}

// What behind "=" stands: a number, or an error's name as its negative.
static long long result_wanted(struct scene *c, const struct script_line *line, long long otherwise)
{
	if (line->n < 4 || strcmp(line->words[2], "="))
		return otherwise;
	int error = errno_named(line->words[3]);
	return error > 0 ? -error : number_of(c, line, 3);
}

static void result_is(struct scene *c, long long got, long long wanted)
{
	if (got != wanted)
		wrong(c, "it returned %lld%s%s%s, not %lld", got, got < 0 ? " (" : "",
		      got < 0 ? strerror((int)-got) : "", got < 0 ? ")" : "", wanted);
}

static void verb_write(struct scene *c, const struct script_line *line)
{
	size_t len = (size_t)number_of(c, line, 1);
	char *bytes = malloc(len ? len : 1);
	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(c->written + i, 'w');
	struct iovec iov = {bytes, len};
	ssize_t n = tcp_write(c->tcp, &iov, 1, clock_ns(c));
	free(bytes);
	c->written += n > 0 ? (size_t)n : 0;
	result_is(c, n, result_wanted(c, line, (long long)len));
}

static void verb_read(struct scene *c, const struct script_line *line)
{
	size_t len = (size_t)number_of(c, line, 1);
	char *bytes = malloc(len ? len : 1);
	ssize_t n = tcp_read(c->tcp, bytes, len, clock_ns(c));
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(c->read + (size_t)i, 'r')) {
			wrong(c, "byte %zd of what is read is wrong", i);
			break;
		}
	free(bytes);
	c->read += n > 0 ? (size_t)n : 0;
	result_is(c, n, result_wanted(c, line, (long long)len));
}

static void verb_connect(struct scene *c, const struct script_line *line)
{
	if (tcp_connect(c->host, &tuple, clock_ns(c), &c->tcp))
		wrong(c, "tcp_connect() has no memory");
	else
		traces_attach(c);
}

static void verb_listen(struct scene *c, const struct script_line *line)
{
	c->listens = true;
}

static void verb_shutdown(struct scene *c, const struct script_line *line)
{
	tcp_shutdown(c->tcp, clock_ns(c));
}

static void verb_close(struct scene *c, const struct script_line *line)
{
	tcp_close(c->tcp, clock_ns(c));
}

static void verb_abort(struct scene *c, const struct script_line *line)
{
	tcp_abort(c->tcp, clock_ns(c));
}

static void verb_free(struct scene *c, const struct script_line *line)
{
	tcp_free(c->tcp);
	c->tcp = NULL;
	c->listens = false;
}

static void verb_refuse(struct scene *c, const struct script_line *line)
{
	c->refuse = (unsigned)number_of(c, line, 1);
}

static void verb_icmp(struct scene *c, const struct script_line *line)
{
	const char *what = line->n > 1 ? line->words[1] : "";
	unsigned at = 2;
	uint32_t mtu = 0;
	struct tcp_info info;
	int error = !strcmp(what, "refused")       ? ECONNREFUSED
		    : !strcmp(what, "unreachable") ? EHOSTUNREACH
		    : !strcmp(what, "mtu")         ? EMSGSIZE
						   : errno_named(what);
	if (error == EMSGSIZE)
		mtu = (uint32_t)number_of(c, line, at++);
	tcp_info(c->tcp, &info);
	uint32_t seq = c->iss;
	if (at + 1 < line->n && !strcmp(line->words[at], "seq"))
		seq += (uint32_t)number_of(c, line, at + 1);
	else
		wrong(c, "icmp names the segment: seq N");
	tcp_icmp(c->tcp, seq_of(seq), error, mtu, clock_ns(c));
}

// ---- What is to hold --------------------------------------------------------------------------

static const char *const states[] = {
	"CLOSED",     "SYN-SENT",   "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",      "LAST-ACK",    "TIME-WAIT",
};

static void verb_state(struct scene *c, const struct script_line *line)
{
	const char *is = c->tcp ? states[tcp_state(c->tcp)] : "CLOSED";
	if (line->n != 2 || strcmp(is, line->words[1]))
		wrong(c, "the state is %s", is);
}

static void verb_error(struct scene *c, const struct script_line *line)
{
	int error = tcp_error(c->tcp);
	if (line->n != 2 || error != errno_named(line->words[1]))
		wrong(c, "the error is %s", strerror(error));
}

static void verb_events(struct scene *c, const struct script_line *line)
{
	static const char *const names[] = {"OPENED", "READABLE", "WRITABLE", "FAILED", "GONE"};
	unsigned events = tcp_events(c->tcp), wanted = 0;
	char is[64] = "";
	for (unsigned i = 0; i < 5; i++) {
		if (events >> i & 1)
			snprintf(is + strlen(is), sizeof(is) - strlen(is), "%s%s", *is ? "|" : "",
				 names[i]);
		wanted |= line->n == 2 && strstr(line->words[1], names[i]) ? 1u << i : 0;
	}
	if (events != wanted)
		wrong(c, "the events are %s", *is ? is : "none");
}

#define INFO_NUMBERS(X)                                                                            \
	X(mss)                                                                                     \
	X(cwnd)                                                                                    \
	X(ssthresh)                                                                                \
	X(srtt_ns)                                                                                 \
	X(rttvar_ns)                                                                               \
	X(min_rtt_ns)                                                                              \
	X(rto_ns)                                                                                  \
	X(in_flight)                                                                               \
	X(send_window)                                                                             \
	X(receive_window)                                                                          \
	X(receive_buffer)                                                                          \
	X(send_buffer)                                                                             \
	X(unsent)                                                                                  \
	X(unacked)                                                                                 \
	X(bytes_in)                                                                                \
	X(bytes_out)                                                                               \
	X(bytes_resent)                                                                            \
	X(segments_in)                                                                             \
	X(segments_out)                                                                            \
	X(segments_resent)                                                                         \
	X(n_rto)                                                                                   \
	X(n_tlp)                                                                                   \
	X(n_recoveries)                                                                            \
	X(n_undone)                                                                                \
	X(n_dsack)                                                                                 \
	X(n_dup_acks)                                                                              \
	X(n_out_of_order)                                                                          \
	X(n_challenge)                                                                             \
	X(n_dropped)                                                                               \
	X(n_probes)                                                                                \
	X(n_persist)

static bool info_number(const struct tcp_info *info, const char *name, uint64_t *out)
{
#define X(field)                                                                                   \
	if (!strcmp(name, #field)) {                                                               \
		*out = info->field;                                                                \
		return true;                                                                       \
	}
	INFO_NUMBERS(X)
#undef X
	return false;
}

// check cwnd = 14600; operators = < > <= >= !=
static void verb_check(struct scene *c, const struct script_line *line)
{
	struct tcp_info info;
	uint64_t is, wanted;
	tcp_info(c->tcp, &info);
	if (line->n != 4 || !info_number(&info, line->words[1], &is) ||
	    !script_number(line->words[3], &wanted)) {
		wrong(c, "check NAME = NUMBER");
		return;
	}
	const char *op = line->words[2];
	bool holds = !strcmp(op, "=")    ? is == wanted
		     : !strcmp(op, "!=") ? is != wanted
		     : !strcmp(op, "<")  ? is < wanted
		     : !strcmp(op, ">")  ? is > wanted
		     : !strcmp(op, "<=") ? is <= wanted
					 : !strcmp(op, ">=") && is >= wanted;
	if (!holds)
		wrong(c, "%s is %" PRIu64, line->words[1], is);
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

static const struct {
	const char *word;
	void (*run)(struct scene *c, const struct script_line *line);
	bool only_looks;
	bool needs_tcp;
} verbs[] = {
	{"connect", verb_connect, false, false},  {"listen", verb_listen, false, false},
	{"write", verb_write, false, true},       {"read", verb_read, false, true},
	{"shutdown", verb_shutdown, false, true}, {"close", verb_close, false, true},
	{"abort", verb_abort, false, true},       {"free", verb_free, false, true},
	{"refuse", verb_refuse, false, false},    {"icmp", verb_icmp, false, true},
	{"state", verb_state, true, false},       {"error", verb_error, true, true},
	{"events", verb_events, true, true},      {"check", verb_check, true, true},
};

static void verb_run(struct scene *c, const struct script_line *line)
{
	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].word, line->words[0]))
			continue;
		if (verbs[i].needs_tcp && !c->tcp) {
			wrong(c, "there is no connection");
			return;
		}
		if (!verbs[i].only_looks)
			nothing_is_left(c);
		if (!c->failed)
			verbs[i].run(c, line);
		if (!verbs[i].only_looks)
			outputs_take(c);
		return;
	}
	wrong(c, "there is no verb '%s'", line->words[0]);
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

static void line_run(struct scene *c, const struct script_line *line)
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
	if (tcp_connect(h, &tuple, FIRST_NS, &t))
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

bool script_run(const char *path, uint32_t iss, uint32_t irs)
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
	bool failed = c->failed;
	fclose(f);
	scene_end(c);
	return !failed;
}
