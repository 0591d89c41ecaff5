// SPDX-License-Identifier: BSD-3-Clause
// probe_snapshot_skip() -> bytes_wait() ; answer_judge() -> header_read() -> body_drop()
//
//   +FULLRESYNC id offset   line breaks while the source gets ready   $LENGTH or $EOF:MARK   data
#include "ctrl/doctor/probe_snapshot.h"

#include <errno.h>
#include <sys/socket.h>

#include "ctrl/clock.h"
#include "parsers/psync.h"

#define TURN_MS 100

struct skip {
	struct client *c;
	enum { ANSWER, HEADER, BODY, OVER } at;
	char line[256]; // without its end
	size_t line_len;
	struct psync_header header;
	uint64_t left;           // of a known length
	char tail[EOF_MARK_LEN]; // the last bytes of the data
	bool (*go_on)(void *arg);
	void *arg;
};

static int lost(const struct client *c, const char *why, struct failure *f)
{
	return failure_set(f, ERROR_CONNECT, "the connection to %s %s was lost: %s", c->who, c->url,
			   why);
}

// @return 1 bytes came, 0 none did, -1
static int bytes_receive(struct client *c, struct failure *f)
{
	ssize_t n = client_recv(c, c->in, sizeof(c->in));
	if (n < 0)
		return n == -EAGAIN ? 0 : lost(c, client_why(c, (int)-n), f);
	if (n == 0)
		return lost(c, "the server closed it before its snapshot was whole", f);
	c->in_len = (size_t)n;
	c->in_fed = 0;
	return 1;
}

static int bytes_wait(struct skip *s, struct failure *f)
{
	uint64_t end_ms = mono_ms() + CLIENT_SILENCE_MS;
	struct client *c = s->c;
	while (mono_ms() < end_ms) {
		client_flush(c);
		clients_wait(&c, 1, TURN_MS);
		int rc = c->failure.id ? lost(c, c->failure.sentence, f) : bytes_receive(c, f);
		if (rc)
			return rc < 0 ? -1 : 0;
		if (!s->go_on(s->arg))
			return failure_set(f, ERROR_LINK_STATE, "the probe was interrupted");
	}
	return failure_set(f, ERROR_DEADLINE, "%s %s has sent no snapshot for %d s", c->who, c->url,
			   CLIENT_SILENCE_MS / 1000);
}

// @return 1 a line that is not empty is whole, 0 not yet
static int line_take(struct skip *s)
{
	struct client *c = s->c;
	while (c->in_fed < c->in_len) {
		char byte = c->in[c->in_fed++];
		if (byte == '\n' && s->line_len) {
			s->line[s->line_len] = 0;
			s->line_len = 0;
			return 1;
		}
		if (byte != '\r' && byte != '\n' && s->line_len < sizeof(s->line) - 1)
			s->line[s->line_len++] = byte;
	}
	return 0;
}

static int answer_judge(struct skip *s, struct failure *f)
{
	struct psync_place place;
	s->at = HEADER;
	if (psync_fullresync_read(span_of(s->line), &place))
		return 0;
	return failure_set(f, ERROR_PSYNC_REFUSED, "%s %s answers PSYNC with %.120s", s->c->who,
			   s->c->url, s->line);
}

static int header_read(struct skip *s, struct failure *f)
{
	s->at = BODY;
	if (!psync_header_read(span_of(s->line), &s->header))
		return failure_set(f, ERROR_NOT_REDIS,
				   "%s %s sends %.40s where a snapshot should begin", s->c->who,
				   s->c->url, s->line);
	s->left = s->header.len;
	return 0;
}

// Keep the last bytes; nothing follows the mark until we have acknowledged.
static void tail_keep(struct skip *s, const char *p, size_t len)
{
	size_t keep = len < EOF_MARK_LEN ? EOF_MARK_LEN - len : 0, fresh = EOF_MARK_LEN - keep;
	memmove(s->tail, s->tail + fresh, keep);
	memcpy(s->tail + keep, p + len - fresh, fresh);
}

static void body_drop(struct skip *s)
{
	struct client *c = s->c;
	size_t len = c->in_len - c->in_fed;
	bool over;
	if (s->header.len) {
		len = s->left < len ? (size_t)s->left : len;
		s->left -= len;
		over = s->left == 0;
	} else {
		tail_keep(s, c->in + c->in_fed, len);
		over = !memcmp(s->tail, s->header.mark, EOF_MARK_LEN);
	}
	s->at = over ? OVER : BODY;
	c->in_fed += len;
}

int probe_snapshot_skip(struct client *c, bool (*go_on)(void *arg), void *arg, struct failure *f)
{
	struct skip s = {.c = c, .go_on = go_on, .arg = arg};
	int rc = 0;
	while (rc == 0 && s.at != OVER) {
		if (c->in_fed == c->in_len)
			rc = bytes_wait(&s, f);
		else if (s.at == BODY)
			body_drop(&s);
		else if (line_take(&s))
			rc = s.at == ANSWER ? answer_judge(&s, f) : header_read(&s, f);
	}
	return rc;
}
