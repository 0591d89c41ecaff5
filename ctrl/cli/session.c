// SPDX-License-Identifier: BSD-3-Clause
// session_ask() -> line_send() -> line_receive() -> answer_judge()
#include "ctrl/cli/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/unix_path.h"

#define ANSWER_WAIT_MS 20000
#define ANSWER_MAX     (64u << 20)

void session_init(struct session *s, int fd)
{
	*s = (struct session){.fd = fd};
}

void session_close(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	*s = (struct session){.fd = -1};
}

int session_open(struct session *s, const char *path, struct failure *f)
{
	const char *env = getenv("FLYOVER_SOCKET");
	if (!path)
		path = env && *env ? env : "/run/flyover/flyoverd.sock";
	session_init(s, unix_connect(path, f));
	if (s->fd < 0)
		failure_prefix(f, "flyoverd is not there");
	return s->fd < 0 ? -1 : 0;
}

// @param request  taken over
static void line_send(struct session *s, json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!line)
		return;
	size_t len = strlen(line), done = 0;
	line[len] = '\n'; // in the place of the NUL: the length is known
	while (done < len + 1) {
		ssize_t n = send(s->fd, line + done, len + 1 - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	explicit_bzero(line, len);
	free(line);
}

static int room_make(struct session *s)
{
	if (s->in_len < s->in_room)
		return 0;
	size_t room = s->in_room ? s->in_room * 2 : 16384;
	char *in = room <= ANSWER_MAX ? realloc(s->in, room) : NULL;
	if (!in)
		return -ENOMEM;
	s->in = in;
	s->in_room = room;
	return 0;
}

// @return 0 some bytes came, or -errno
static int bytes_receive(struct session *s, uint64_t end_ms)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	uint64_t now = mono_ms();
	int n = now < end_ms ? poll(&p, 1, (int)(end_ms - now)) : 0;
	if (n == 0)
		return -ETIMEDOUT;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (room_make(s))
		return -ENOMEM;
	ssize_t got = recv(s->fd, s->in + s->in_len, s->in_room - s->in_len, 0);
	if (got <= 0)
		return got == 0 ? -EPIPE : -errno;
	s->in_len += (size_t)got;
	return 0;
}

// @return an object, or NULL
static json_t *line_receive(struct session *s)
{
	uint64_t end_ms = mono_ms() + ANSWER_WAIT_MS;
	char *line_end = s->in_len ? memchr(s->in, '\n', s->in_len) : NULL;
	while (!line_end) {
		size_t before = s->in_len;
		if (bytes_receive(s, end_ms))
			return NULL;
		line_end = s->in_len > before ? memchr(s->in + before, '\n', s->in_len - before)
					      : NULL;
	}
	size_t len = (size_t)(line_end - s->in);
	json_t *o = json_loadb(s->in, len, 0, NULL);
	memmove(s->in, line_end + 1, s->in_len - len - 1);
	s->in_len -= len + 1;
	return o;
}

void session_failure(const json_t *error, struct failure *f)
{
	const char *name = json_string_value(json_object_get(error, "name"));
	const char *sentence = json_string_value(json_object_get(error, "sentence"));
	enum error_id id = ERROR_INTERNAL;
	for (unsigned i = 0; name && i < ERROR_COUNT; i++)
		if (!strcmp(error_row((enum error_id)i)->name, name))
			id = (enum error_id)i;
	failure_set(f, id, "%s", sentence ? sentence : "flyoverd did not say why");
}

int session_ask(struct session *s, json_t *request, json_t **answer, struct failure *f)
{
	line_send(s, request); // one who has left may have said why before
	json_t *o = line_receive(s);
	if (!o) {
		failure_set(f, ERROR_INTERNAL, "flyoverd is gone, or does not answer");
		return SESSION_GONE;
	}
	bool ok = json_is_true(json_object_get(o, "ok"));
	if (!ok)
		session_failure(json_object_get(o, "error"), f);
	if (ok && answer)
		*answer = o;
	else
		json_decref(o);
	return ok ? 0 : SESSION_REFUSED;
}

void session_tell(struct session *s, json_t *request)
{
	line_send(s, request);
}
