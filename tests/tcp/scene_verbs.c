// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tcp/scene.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ---- The application --------------------------------------------------------------------------

void traces_attach(struct scene *c)
{
	struct trace_flow flow = {.family = 4,
				  .local_port = scene_tuple.local_port,
				  .remote_port = scene_tuple.remote_port};
	memcpy(flow.local, scene_tuple.local, 16);
	memcpy(flow.remote, scene_tuple.remote, 16);
	tcp_set_trace(c->tcp, trace_open(c->traces, 0, &flow));
}

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

void verb_connect(struct scene *c, const struct script_line *line)
{
	if (tcp_connect(c->host, &scene_tuple, clock_ns(c), &c->tcp))
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

// ---- Verbs
// ----------------------------------------------------------------------------------------

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

void verb_run(struct scene *c, const struct script_line *line)
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
