// SPDX-License-Identifier: BSD-3-Clause
// source_turn() -> source_connect() | handshake_step() | source_receive(), ack_send()
#include "dataplane/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/tls_record.h"

#define ACK_EVERY_NS     1000000000ull
#define ACK_HURRY_NS     50000000ull
#define HURRY_MAX_NS     5000000000ull
#define BACKOFF_FIRST_NS 50000000ull
#define BACKOFF_MAX_NS   2000000000ull
#define MS_NS            1000000ull
#define READ_MAX         (128 * 1024)
#define READS_PER_TURN   4

void source_init(struct source *s, struct core *core, const struct link_config *config,
		 struct source_counters *counters, struct log *log, struct log *snapshot_log,
		 struct whereabouts *where)
{
	memset(s, 0, sizeof(*s));
	s->core = core;
	s->config = config;
	s->counters = counters;
	s->log = log;
	s->snapshot_log = snapshot_log;
	seek_init(&s->seek, where);
}

static void source_drop(struct source *s)
{
	if (s->stream)
		stream_close(s->stream);
	s->stream = NULL;
	s->n_in = 0;
	s->holding = s->renaming = s->proving = false;
	s->state = SOURCE_CLOSED;
}

void source_fini(struct source *s)
{
	source_drop(s);
	explicit_bzero(&s->handshake, sizeof(s->handshake));
}

void source_open(struct source *s, bool forget)
{
	source_drop(s);
	if (forget)
		s->replid[0] = 0;
	s->wanted = true;
	s->retry_at_ns = 0;
	s->proof_offset = 0;
	s->renamed = false;
}

void source_accept(struct source *s)
{
	s->holding = false;
}

void source_close(struct source *s)
{
	source_drop(s);
	s->wanted = false;
	s->waiting[0] = 0;
}

static void source_fail(struct source *s, enum error_id error, const char *text)
{
	s->error = error;
	snprintf(s->text, sizeof(s->text), "%s", text);
	s->news |= SOURCE_NEWS_FAILED;
	source_close(s);
}

// Close, and connect again after a pause that grows; past `limit_ms` of it the link fails.
static void source_back_off(struct source *s, enum error_id error, uint64_t limit_ms,
			    const char *format, ...) __attribute__((format(printf, 4, 5)));
static void source_back_off(struct source *s, enum error_id error, uint64_t limit_ms,
			    const char *format, ...)
{
	char why[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (s->state == SOURCE_STREAM || s->state == SOURCE_SNAPSHOT) {
		counter_add(&s->counters->source_disconnects, 1);
		s->news |= SOURCE_NEWS_LOST;
	}
	source_drop(s);
	if (!s->waiting_since_ns) {
		s->waiting_since_ns = s->now.mono_ns;
		s->wait_deadline_ms = s->now.wall_ms + limit_ms;
	}
	bool give_up =
		s->config->settings.fail_fast && !s->was_connected && error != ERROR_DEADLINE;
	if (give_up || s->now.mono_ns - s->waiting_since_ns > limit_ms * MS_NS) {
		source_fail(s, give_up ? error : ERROR_DEADLINE, why);
		return;
	}
	snprintf(s->waiting, sizeof(s->waiting), "%s", why);
	s->backoff_ns = s->backoff_ns ? 2 * s->backoff_ns : BACKOFF_FIRST_NS;
	if (s->backoff_ns > BACKOFF_MAX_NS)
		s->backoff_ns = BACKOFF_MAX_NS;
	s->retry_at_ns = s->now.mono_ns + s->backoff_ns;
}

// A password that was right once may be changed on either side first.
static void refusal_judge(struct source *s, const struct handshake *h)
{
	const struct link_settings *set = &s->config->settings;
	if (h->error == ERROR_AUTH && s->was_connected &&
	    endpoint_password_may_change(h->endpoint, set->fail_fast))
		source_back_off(s, h->error, set->wait_timeout, "%s", h->text);
	else
		source_fail(s, h->error, h->text);
}

static void waiting_is_over(struct source *s)
{
	s->backoff_ns = s->waiting_since_ns = 0;
	s->wait_deadline_ms = 0;
	s->waiting[0] = 0;
	s->was_connected = true;
}

static void source_connect(struct source *s)
{
	const struct link_settings *set = &s->config->settings;
	int rc = seek_connect(&s->seek, s->core, s->now.mono_ns, &s->stream);
	s->seeks = rc == -EAGAIN;
	if (s->seeks)
		return;
	s->deadline_ns = s->now.mono_ns + set->connect_timeout * MS_NS;
	s->state = SOURCE_CONNECTING;
	if (rc)
		source_back_off(s, s->seek.error, set->wait_timeout, "%s", s->seek.why);
}

// What TLS says is no matter of host and port.
static enum error_id stream_error(const struct source *s, enum error_id otherwise)
{
	return s->stream->reason ? ERROR_TLS : otherwise;
}

// What we send is short and the stream is ours alone: what does not fit at once is a failure.
static void source_write(struct source *s, const char *p, size_t len)
{
	struct iovec iov = {(void *)p, len};
	ssize_t n = stream_writev(s->stream, &iov, 1);
	if (n != (ssize_t)len)
		source_back_off(s, stream_error(s, ERROR_CONNECT), s->config->settings.wait_timeout,
				"the connection to the source was lost: %s",
				n < 0 ? stream_why(s->stream, (int)-n) : "it takes no bytes");
}

static void source_connecting(struct source *s)
{
	const struct endpoint *e = &s->config->source;
	char place[TEXT_LEN];
	if (s->stream->flags & STREAM_FAILED) {
		seek_failed(&s->seek);
		source_back_off(s, stream_error(s, ERROR_CONNECT), s->config->settings.wait_timeout,
				"cannot connect to the source %s: %s", seek_place(&s->seek, place),
				stream_why(s->stream, s->stream->error));
	} else if (s->stream->flags & STREAM_OPEN) {
		s->proving = s->renamed && s->proof_offset > s->log->tail;
		handshake_begin(&s->handshake, e, s->replid[0] ? s->replid : NULL,
				s->proving ? s->proof_offset : s->log->tail);
		s->state = SOURCE_HANDSHAKE;
		source_write(s, s->handshake.out, s->handshake.out_len);
	}
}

// ---- From the handshake to the bytes

// Bytes that came behind the handshake's last line. Those that a full log does not take stay here.
static void rest_move(struct source *s, struct log *log, size_t at)
{
	size_t n = log_append(log, s->in + at, s->n_in - at, s->now.mono_ns, s->now.wall_ms);
	counter_add(&s->counters->received_bytes, n);
	s->n_in -= at + n;
	memmove(s->in, s->in + at + n, s->n_in);
}

// The source sends nothing behind the end mark before it has our ACK. It waits for one only once
// its saving child has ended, and does not remember those that came earlier.
static void snapshot_came(struct source *s)
{
	s->snapshot_left = 0;
	s->state = SOURCE_STREAM;
	s->ack_at_ns = s->now.mono_ns;
	s->hurry_until_ns = s->eof_mark[0] ? s->now.mono_ns + HURRY_MAX_NS : 0;
}

// Whether the snapshot's end mark is the newest that has come.
static bool eof_mark_comes(struct source *s, const char *p, size_t len)
{
	if (!s->eof_mark[0])
		return false;
	size_t n = len < EOF_MARK_LEN ? len : EOF_MARK_LEN;
	memmove(s->newest, s->newest + n, EOF_MARK_LEN - n);
	memcpy(s->newest + EOF_MARK_LEN - n, p + len - n, n);
	return !memcmp(s->newest, s->eof_mark, EOF_MARK_LEN);
}

static void snapshot_begins(struct source *s, size_t at)
{
	const struct handshake *h = &s->handshake;
	memcpy(s->replid, h->replid, sizeof(s->replid));
	memcpy(s->eof_mark, h->eof_mark, sizeof(s->eof_mark));
	memset(s->newest, 0, sizeof(s->newest));
	s->patience = (struct patience){0};
	s->snapshot_offset = h->offset;
	log_reset(s->log, h->replid, h->offset);
	log_reset(s->snapshot_log, h->replid, 0);
	s->snapshot_left = h->eof_mark[0] ? UINT64_MAX : h->snapshot_len;
	counter_set(&s->counters->snapshot_total_bytes, h->snapshot_len);
	counter_add(&s->counters->snapshots, 1);
	size_t rest = s->n_in - at,
	       mine = rest < s->snapshot_left ? rest : (size_t)s->snapshot_left;
	size_t n_in = s->n_in;
	bool ends = eof_mark_comes(s, s->in + at, mine);
	s->n_in = at + mine;
	rest_move(s, s->snapshot_log, at);
	if (s->snapshot_left != UINT64_MAX)
		s->snapshot_left -= mine;
	s->n_in = n_in;
	if (mine < rest)
		rest_move(s, s->log, at + mine);
	s->n_in = 0;
	s->state = SOURCE_SNAPSHOT;
	if (ends || !s->snapshot_left)
		snapshot_came(s);
	s->news |= SOURCE_NEWS_SNAPSHOT;
	waiting_is_over(s);
}

void source_reconnect(struct source *s)
{
	source_drop(s);
	s->waiting[0] = 0;
	s->retry_at_ns = s->now.mono_ns + BACKOFF_FIRST_NS;
}

void source_moved(struct source *s)
{
	if (s->state == SOURCE_CONNECTING)
		source_drop(s);
	if (s->state == SOURCE_CLOSED)
		s->retry_at_ns = s->backoff_ns = 0;
}

// The stream has another id now. Its bytes wait until the link has recorded that.
static void stream_renamed(struct source *s)
{
	const struct link_settings *set = &s->config->settings;
	if (!s->proving && s->proof_offset > s->log->tail) {
		s->renamed = true;
		source_reconnect(s);
		return;
	}
	s->renaming = true;
	s->news |= SOURCE_NEWS_RENAMED;
	s->deadline_ns = s->now.mono_ns + set->wait_timeout * MS_NS;
}

static void stream_goes_on(struct source *s, size_t at)
{
	if (strcmp(s->replid, s->handshake.replid)) {
		stream_renamed(s);
		return;
	}
	s->renamed = false;
	if (s->proving) {
		source_reconnect(s); // the old id after all: nothing to prove
		return;
	}
	s->state = SOURCE_STREAM;
	s->news |= SOURCE_NEWS_CONTINUE;
	counter_add(&s->counters->resumes, 1);
	rest_move(s, s->log, at);
	s->ack_at_ns = s->now.mono_ns;
	waiting_is_over(s);
}

void source_rename(struct source *s)
{
	if (!s->renaming)
		return;
	memcpy(s->replid, s->handshake.replid, sizeof(s->replid));
	s->renaming = false;
	if (s->proving) {
		s->proof_offset = 0;
		source_reconnect(s);
		return;
	}
	s->proof_offset = 0;
	stream_goes_on(s, 0);
}

// The source has accepted us and saves its data: that may take its time, and it says so by
// newlines.
static void snapshot_awaited(struct source *s)
{
	s->holding = true;
	s->news |= SOURCE_NEWS_FULLRESYNC;
	const struct link_settings *set = &s->config->settings;
	s->deadline_ns = s->now.mono_ns + set->loading_timeout * MS_NS;
	snprintf(s->waiting, sizeof(s->waiting), "the source prepares its snapshot");
	s->wait_deadline_ms = s->now.wall_ms + set->loading_timeout;
}

// The source puts its answer off until other replicas may have come (repl-diskless-sync-delay), and
// sends a newline each second meanwhile: as long as it does, connect-timeout begins anew.
static void answer_put_off(struct source *s)
{
	const struct link_settings *set = &s->config->settings;
	if (s->now.mono_ns - s->asked_ns > set->loading_timeout * MS_NS)
		return;
	s->deadline_ns = s->now.mono_ns + set->connect_timeout * MS_NS;
	snprintf(s->waiting, sizeof(s->waiting), "the source is about to prepare its snapshot");
	s->wait_deadline_ms = s->now.wall_ms + set->loading_timeout;
}

static void handshake_act(struct source *s, enum handshake_verdict verdict, size_t at)
{
	const struct handshake *h = &s->handshake;
	switch (verdict) {
	case HANDSHAKE_SEND:
		source_write(s, h->out, h->out_len);
		s->asked_ns = s->now.mono_ns;
		break;
	case HANDSHAKE_FULLRESYNC:
		snapshot_awaited(s);
		break;
	case HANDSHAKE_SNAPSHOT:
		snapshot_begins(s, at);
		break;
	case HANDSHAKE_CONTINUE:
		stream_goes_on(s, at);
		break;
	case HANDSHAKE_WAIT:
		source_back_off(s, h->error, s->config->settings.loading_timeout, "%s", h->text);
		break;
	case HANDSHAKE_FAIL:
		refusal_judge(s, h);
		break;
	case HANDSHAKE_MORE:
		break;
	}
}

// Whether what comes next waits for the link.
static bool is_held(const struct source *s)
{
	return s->holding || s->renaming;
}

static void handshake_lines(struct source *s)
{
	size_t at = 0;
	while (s->state == SOURCE_HANDSHAKE && s->stream && !is_held(s)) {
		size_t used;
		struct span in = {s->in + at, s->n_in - at};
		enum handshake_verdict verdict = handshake_feed(&s->handshake, in, &used);
		at += used;
		handshake_act(s, verdict, at);
		if (verdict == HANDSHAKE_MORE && !used)
			break;
	}
	if (s->state != SOURCE_HANDSHAKE)
		return;
	memmove(s->in, s->in + at, s->n_in - at);
	s->n_in -= at;
}

static void source_lost(struct source *s, ssize_t n)
{
	enum error_id error = s->state == SOURCE_HANDSHAKE ? ERROR_NOT_REDIS : ERROR_CONNECT;
	bool silent = s->state == SOURCE_HANDSHAKE && s->handshake.step == HANDSHAKE_PING &&
		      !s->n_in && !s->config->source.tls;
	source_back_off(s, stream_error(s, error), s->config->settings.wait_timeout,
			"the connection to the source was lost: %s%s",
			n ? stream_why(s->stream, (int)-n) : "closed by the source",
			silent ? "; " TLS_PORT_HINT : "");
}

static void handshake_step(struct source *s)
{
	if (!is_held(s))
		handshake_lines(s);
	while (s->state == SOURCE_HANDSHAKE && !is_held(s) &&
	       (s->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(s->stream, s->in + s->n_in, sizeof(s->in) - s->n_in);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			source_lost(s, n);
			return;
		}
		s->n_in += (size_t)n;
		s->heard_ns = s->now.mono_ns;
		bool was_asked = s->handshake.step == HANDSHAKE_PSYNC;
		handshake_lines(s);
		if (was_asked && s->state == SOURCE_HANDSHAKE &&
		    s->handshake.step == HANDSHAKE_PSYNC)
			answer_put_off(s);
	}
}

// ---- Bytes

// Where the next bytes go, and how many at most.
static char *receive_place(struct source *s, struct log **log, size_t *len)
{
	*log = s->state == SOURCE_SNAPSHOT ? s->snapshot_log : s->log;
	char *at = log_space(*log, len);
	if (s->state == SOURCE_SNAPSHOT && *len > s->snapshot_left)
		*len = (size_t)s->snapshot_left;
	if (*len > READ_MAX)
		*len = READ_MAX;
	return at;
}

static void bytes_received(struct source *s, struct log *log, const char *at, size_t n)
{
	struct clock_reading now = s->core->clock->read();
	log_received(log, n, now.mono_ns, now.wall_ms);
	counter_add(&s->counters->received_bytes, n);
	s->heard_ns = now.mono_ns;
	if (s->state != SOURCE_SNAPSHOT)
		return;
	patience_eased(&s->patience, s->now.mono_ns);
	if (s->snapshot_left != UINT64_MAX)
		s->snapshot_left -= n;
	if (!s->snapshot_left || eof_mark_comes(s, at, n))
		snapshot_came(s);
}

static uint64_t patience_limit_ns(const struct source *s)
{
	return s->config->settings.snapshot_patience * MS_NS;
}

// There is no room for what has come. @return true when there may be, now that the disk is used
static bool window_is_full(struct source *s)
{
	counter_add(&s->counters->window_full, 1);
	s->heard_ns = s->now.mono_ns; // the silence is ours
	if (s->state != SOURCE_SNAPSHOT ||
	    !patience_tried(&s->patience, s->now.mono_ns, patience_limit_ns(s)))
		return false;
	if (log_disk_allow(s->snapshot_log))
		s->news |= SOURCE_NEWS_PATIENCE;
	return source_may_receive(s);
}

// @return true when there is more to read at once
static bool source_receive(struct source *s)
{
	if (s->n_in)
		rest_move(s, s->log, 0);
	if (s->n_in)
		return false;
	for (int i = 0; i < READS_PER_TURN && s->stream && (s->stream->flags & STREAM_READABLE);
	     i++) {
		struct log *log;
		size_t len;
		char *at = receive_place(s, &log, &len);
		if (!len && !window_is_full(s))
			return false;
		if (!len)
			continue;
		ssize_t n = stream_read(s->stream, at, len);
		if (n == -EAGAIN)
			return false;
		if (n <= 0)
			source_lost(s, n);
		else
			bytes_received(s, log, at, (size_t)n);
	}
	return s->stream && (s->stream->flags & STREAM_READABLE);
}

bool source_may_receive(struct source *s)
{
	struct log *log;
	size_t len = 0;
	if (s->state >= SOURCE_SNAPSHOT && (s->n_in || (s->stream->flags & STREAM_READABLE)))
		receive_place(s, &log, &len);
	return len > 0;
}

int source_snapshot_end(struct source *s, uint64_t position)
{
	size_t len;
	const char *p = log_view(s->snapshot_log, position, &len);
	if (!s->eof_mark[0]) {
		if (!s->snapshot_left && !len)
			return 1;
		s->error = ERROR_RDB_CORRUPT;
		snprintf(s->text, sizeof(s->text),
			 "the snapshot of the source ended before the length it had announced");
		return -1;
	}
	if (len < EOF_MARK_LEN)
		return 0;
	if (memcmp(p, s->eof_mark, EOF_MARK_LEN)) {
		s->error = ERROR_RDB_CORRUPT;
		snprintf(s->text, sizeof(s->text),
			 "the snapshot of the source does not end with its mark");
		return -1;
	}
	p += EOF_MARK_LEN;
	len -= EOF_MARK_LEN;
	size_t space;
	char *to = log_space(s->log, &space);
	if (len > space)
		return 0;
	if (len) {
		memcpy(to, p, len);
		log_received(s->log, len, s->now.mono_ns, s->now.wall_ms);
	}
	if (s->state == SOURCE_SNAPSHOT) // bytes of the stream came right behind it
		snapshot_came(s);
	return 1;
}

// ---- Timers

// An observer acknowledges the offset 0 for ever. Any other one the source may be at, idle:
// FAILOVER takes whoever has acknowledged that very offset for a replica that is in step.
static void ack_send(struct source *s, uint64_t frontier)
{
	uint64_t offset = s->config->settings.ack == ACK_APPLIED ? frontier : 0;
	char number[24], out[96];
	int len = snprintf(number, sizeof(number), "%" PRIu64, offset);
	len = snprintf(out, sizeof(out), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$%d\r\n%s\r\n", len,
		       number);
	bool hurry = s->now.mono_ns < s->hurry_until_ns && s->log->tail == s->snapshot_offset;
	s->ack_at_ns = s->now.mono_ns + (hurry ? ACK_HURRY_NS : ACK_EVERY_NS);
	source_write(s, out, (size_t)len);
}

static void answer_missing(struct source *s)
{
	char place[TEXT_LEN];
	if (s->state == SOURCE_CONNECTING)
		seek_failed(&s->seek);
	source_back_off(s, stream_error(s, ERROR_CONNECT), s->config->settings.wait_timeout,
			"the source %s does not answer within connect-timeout%s%s",
			seek_place(&s->seek, place), s->stream->reason ? ": " : "",
			s->stream->reason ? s->stream->reason : "");
}

// The sentinels name another one: a former master's stream leads nowhere.
static void source_follow(struct source *s)
{
	if (!seek_is_moved(&s->seek))
		return;
	if (s->state == SOURCE_CLOSED)
		s->retry_at_ns = s->now.mono_ns;
	else
		source_back_off(s, ERROR_CONNECT, s->config->settings.wait_timeout,
				"the sentinels name another server as the source");
}

static void timers_check(struct source *s, uint64_t frontier)
{
	const struct link_settings *set = &s->config->settings;
	if ((s->state == SOURCE_CONNECTING || s->state == SOURCE_HANDSHAKE) &&
	    s->now.mono_ns >= s->deadline_ns)
		answer_missing(s);
	if (s->state == SOURCE_STREAM && s->now.mono_ns >= s->ack_at_ns)
		ack_send(s, frontier);
	if (s->state >= SOURCE_SNAPSHOT && s->now.mono_ns > s->heard_ns + set->repl_timeout * MS_NS)
		source_back_off(s, ERROR_CONNECT, set->wait_timeout,
				"the source was silent for longer than repl-timeout");
}

static uint64_t next_deadline(const struct source *s)
{
	switch (s->state) {
	case SOURCE_CLOSED:
		return s->wanted && !s->seeks ? s->retry_at_ns : NO_DEADLINE;
	case SOURCE_CONNECTING:
	case SOURCE_HANDSHAKE:
		return s->deadline_ns;
	case SOURCE_STREAM:
		return s->ack_at_ns;
	case SOURCE_SNAPSHOT:
		break;
	}
	return patience_end_ns(&s->patience, patience_limit_ns(s));
}

bool source_turn(struct source *s, const struct clock_reading *now, uint64_t frontier,
		 uint64_t *deadline_ns)
{
	bool more = false;
	s->now = *now;
	if (s->wanted)
		source_follow(s);
	if (s->state == SOURCE_CLOSED && s->wanted && s->now.mono_ns >= s->retry_at_ns)
		source_connect(s);
	if (s->state == SOURCE_CONNECTING)
		source_connecting(s);
	if (s->state == SOURCE_HANDSHAKE)
		handshake_step(s);
	if (s->state >= SOURCE_SNAPSHOT)
		more = source_receive(s);
	timers_check(s, frontier);
	uint64_t deadline = next_deadline(s);
	if (deadline < *deadline_ns)
		*deadline_ns = deadline;
	return more;
}
