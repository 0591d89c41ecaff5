// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source/handshake.h"

#include <inttypes.h>
#include <stdio.h>

#include "parsers/auth_error.h"
#include "parsers/resp_write.h"
#include "parsers/tls_record.h"

#define OUT(h, ...) ((h)->out_len = RESP_WRITE((h)->out, sizeof((h)->out), __VA_ARGS__))

void handshake_begin(struct handshake *h, const struct endpoint *endpoint, const char *replid,
		     uint64_t offset)
{
	memset(h, 0, sizeof(*h));
	h->endpoint = endpoint;
	snprintf(h->replid, sizeof(h->replid), "%s", replid ? replid : "?");
	h->offset = offset;
	OUT(h, "PING");
}

// ---- What to say next

static void send_psync(struct handshake *h)
{
	char offset[24];
	// PSYNC names the first byte wanted, counted from 1
	snprintf(offset, sizeof(offset), "%" PRIu64, h->offset + 1);
	h->step = HANDSHAKE_PSYNC;
	OUT(h, "PSYNC", h->replid, h->replid[0] == '?' ? "-1" : offset);
}

static void send_capa(struct handshake *h)
{
	h->step = HANDSHAKE_CAPA;
	OUT(h, "REPLCONF", "capa", "eof", "capa", "psync2");
}

static void send_auth_or_capa(struct handshake *h)
{
	const struct endpoint *e = h->endpoint;
	if (!e->has_password) {
		send_capa(h);
		return;
	}
	h->step = HANDSHAKE_AUTH;
	if (e->user[0])
		OUT(h, "AUTH", e->user, e->password);
	else
		OUT(h, "AUTH", e->password);
}

// ---- What the server says

static bool begins(struct span line, const char *word)
{
	size_t len = strlen(word);
	return line.len >= len && !memcmp(line.p, word, len);
}

static enum handshake_verdict fail(struct handshake *h, enum error_id error, struct span line)
{
	char says[AUTH_ERROR_LEN];
	h->error = error;
	snprintf(h->text, sizeof(h->text), "the source says: %s",
		 auth_error_text(line, h->endpoint->password, says));
	return HANDSHAKE_FAIL;
}

static enum handshake_verdict wait_for(struct handshake *h, struct span line)
{
	h->error = ERROR_DEADLINE;
	snprintf(h->text, sizeof(h->text), "the source says: %.*s", (int)line.len - 1, line.p + 1);
	return HANDSHAKE_WAIT;
}

static enum handshake_verdict wants_tls(struct handshake *h)
{
	h->error = ERROR_TLS;
	snprintf(h->text, sizeof(h->text),
		 "the source speaks TLS on this port: take rediss:// or its port for plain text");
	return HANDSHAKE_FAIL;
}

static enum handshake_verdict not_redis(struct handshake *h, struct span line)
{
	h->error = ERROR_NOT_REDIS;
	snprintf(h->text, sizeof(h->text), "what answers at the source is no Redis server: '%.*s'",
		 line.len < 60 ? (int)line.len : 60, line.p);
	return HANDSHAKE_FAIL;
}

// Errors that pass by themselves.
static bool is_temporary(struct span line)
{
	return line.p[0] == '-' && psync_error_passes(line);
}

static enum handshake_verdict noperm(struct handshake *h, struct span line)
{
	const char *user = h->endpoint->user[0] ? h->endpoint->user : "default";
	h->error = ERROR_NOPERM;
	snprintf(h->text, sizeof(h->text),
		 "the source says: %.*s; it wants `ACL SETUSER %s +ping +psync +replconf +info`",
		 line.len < 90 ? (int)line.len - 1 : 89, line.p + 1, user);
	return HANDSHAKE_FAIL;
}

static enum handshake_verdict take_ping(struct handshake *h, struct span line)
{
	if (line.p[0] != '+' && line.p[0] != '-')
		return not_redis(h, line);
	if (is_temporary(line))
		return wait_for(h, line);
	if (begins(line, "-DENIED"))
		return fail(h, ERROR_NOPERM, line);
	if (!h->endpoint->has_password &&
	    (begins(line, "-NOAUTH") || begins(line, "-ERR operation not permitted")))
		return fail(h, ERROR_AUTH, line);
	if (line.p[0] == '+' && !begins(line, "+PONG"))
		return not_redis(h, line);
	send_auth_or_capa(h);
	return HANDSHAKE_SEND;
}

static enum handshake_verdict take_auth(struct handshake *h, struct span line)
{
	explicit_bzero(h->out, sizeof(h->out));
	if (is_temporary(line))
		return wait_for(h, line);
	if (line.p[0] != '+')
		return fail(h, ERROR_AUTH, line);
	send_capa(h);
	return HANDSHAKE_SEND;
}

// An old server may not know the option; the rest it tells us when it matters.
static enum handshake_verdict take_capa(struct handshake *h, struct span line)
{
	if (begins(line, "-NOAUTH"))
		return fail(h, ERROR_AUTH, line);
	if (begins(line, "-NOPERM"))
		return noperm(h, line);
	send_psync(h);
	return HANDSHAKE_SEND;
}

static enum handshake_verdict take_fullresync(struct handshake *h, struct span line)
{
	struct psync_place place;
	if (!psync_fullresync_read(line, &place))
		return not_redis(h, line);
	memcpy(h->replid, place.replid, sizeof(h->replid));
	h->offset = place.offset;
	h->step = HANDSHAKE_HEADER;
	return HANDSHAKE_FULLRESYNC;
}

static enum handshake_verdict take_continue(struct handshake *h, struct span line)
{
	psync_continue_read(line, h->replid);
	h->step = HANDSHAKE_END;
	return HANDSHAKE_CONTINUE;
}

static enum handshake_verdict take_psync(struct handshake *h, struct span line)
{
	if (begins(line, "+FULLRESYNC"))
		return take_fullresync(h, line);
	if (begins(line, "+CONTINUE"))
		return take_continue(h, line);
	if (is_temporary(line))
		return wait_for(h, line);
	if (begins(line, "-NOAUTH"))
		return fail(h, ERROR_AUTH, line);
	if (begins(line, "-NOPERM"))
		return noperm(h, line);
	if (line.p[0] == '-')
		return fail(h, ERROR_PSYNC_REFUSED, line);
	return not_redis(h, line);
}

static enum handshake_verdict take_header(struct handshake *h, struct span line)
{
	if (line.p[0] == '-')
		return wait_for(h, line); // the save failed: the source's disk or memory
	struct psync_header header;
	if (!psync_header_read(line, &header))
		return not_redis(h, line);
	h->snapshot_len = header.len;
	memcpy(h->eof_mark, header.mark, sizeof(h->eof_mark));
	h->step = HANDSHAKE_END;
	return HANDSHAKE_SNAPSHOT;
}

static enum handshake_verdict take_line(struct handshake *h, struct span line)
{
	switch (h->step) {
	case HANDSHAKE_PING:
		return take_ping(h, line);
	case HANDSHAKE_AUTH:
		return take_auth(h, line);
	case HANDSHAKE_CAPA:
		return take_capa(h, line);
	case HANDSHAKE_PSYNC:
		return take_psync(h, line);
	case HANDSHAKE_HEADER:
		return take_header(h, line);
	case HANDSHAKE_END:
		break;
	}
	return HANDSHAKE_MORE;
}

enum handshake_verdict handshake_feed(struct handshake *h, struct span in, size_t *used)
{
	*used = 0;
	if (h->step == HANDSHAKE_PING && tls_alert_begins(in))
		return wants_tls(h);
	// Newlines keep the connection alive while the source makes up its mind.
	while (h->step != HANDSHAKE_END && *used < in.len && in.p[*used] == '\n')
		++*used;
	struct span rest = {in.p + *used, in.len - *used};
	size_t look = rest.len < HANDSHAKE_LINE_MAX ? rest.len : HANDSHAKE_LINE_MAX;
	const char *end = look ? memchr(rest.p, '\n', look) : NULL;
	if (!end)
		return rest.len > HANDSHAKE_LINE_MAX ? not_redis(h, rest) : HANDSHAKE_MORE;
	*used += (size_t)(end - rest.p) + 1;
	size_t len = (size_t)(end - rest.p);
	while (len && rest.p[len - 1] == '\r')
		len--;
	return len ? take_line(h, (struct span){rest.p, len}) : HANDSHAKE_MORE;
}
