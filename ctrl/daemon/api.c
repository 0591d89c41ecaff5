// SPDX-License-Identifier: BSD-3-Clause
// api_listen() -> client_accept() -> client_ready() -> client_read() -> line_answer() ->
// client_write()
#include "ctrl/daemon/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/daemon/daemon.h"
#include "ctrl/unix_path.h"

json_t *failure_json(const struct failure *f)
{
	const struct error_row *row = error_row(f->id);
	return json_pack("{s:s, s:i, s:s, s:s}", "name", row->name, "exit_code", row->exit_code,
			 "sentence", f->sentence, "advice", row->advice);
}

static json_t *request_run(struct daemon *d, const json_t *request, struct failure *f)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	unsigned n;
	const struct api_verb *verbs = api_verbs(&n);
	if (!name) {
		failure_set(f, ERROR_USAGE, "a request is a JSON object with a \"verb\"");
		return NULL;
	}
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(d, request, f);
	failure_set(f, ERROR_USAGE, "there is no verb '%.64s'", name);
	return NULL;
}

// An object as a line. @param o  taken over
static char *line_of(json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + len, "\n", 2);
	return line;
}

char *api_failure_line(const struct failure *f)
{
	return line_of(json_pack("{s:b, s:o}", "ok", 0, "error", failure_json(f)));
}

// @return the answer, a JSON line to be freed; NULL without memory
static char *line_answer(struct daemon *d, const char *line, size_t len)
{
	struct failure f = {.id = ERROR_INTERNAL, .sentence = "no answer"};
	json_error_t error;
	json_t *answer = NULL, *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (request)
		answer = request_run(d, request, &f);
	else
		failure_set(&f, ERROR_USAGE, "the request is not JSON: %s", error.text);
	json_decref(request);
	if (!answer)
		return api_failure_line(&f);
	json_object_set_new(answer, "ok", json_true());
	return line_of(answer);
}

static void client_close(struct api_client *c)
{
	struct daemon *d = c->daemon;
	bool owner = c->owner;
	for (unsigned i = 0; i < API_CLIENTS_MAX; i++)
		if (d->api.clients[i] == c)
			d->api.clients[i] = NULL;
	loop_close(&d->loop, &c->watch);
	explicit_bzero(c->in, sizeof(c->in));
	free(c->out);
	free(c);
	if (owner && d->stage == DAEMON_RUNS) {
		log_put(&d->log, EVENT_INFO, NULL, "the command that started us is gone");
		daemon_end(d, false);
	}
}

// @return 0 all written, 1 the socket is full, -1 gone
static int client_write(struct api_client *c)
{
	while (c->out && c->out_done < c->out_len) {
		ssize_t n = send(c->watch.fd, c->out + c->out_done, c->out_len - c->out_done,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -1;
		c->out_done += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	return 0;
}

static int answer_set(struct api_client *c, char *text)
{
	c->out = text;
	c->out_len = text ? strlen(text) : 0;
	c->out_done = 0;
	return text ? client_write(c) : -1;
}

static void in_drop(struct api_client *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_len - n);
	explicit_bzero(c->in + c->in_len - n, n); // a request may hold a password
	c->in_len -= n;
}

// Answer whole lines until an answer does not fit into the socket. @return as client_write()
static int lines_answer(struct api_client *c)
{
	for (;;) {
		char *end = memchr(c->in, '\n', c->in_len);
		if (!end)
			return 0;
		size_t len = (size_t)(end - c->in);
		char *answer = line_answer(c->daemon, c->in, len);
		in_drop(c, len + 1);
		int rc = answer_set(c, answer);
		if (rc)
			return rc;
	}
}

static int line_too_long(struct api_client *c)
{
	struct failure f;
	failure_set(&f, ERROR_USAGE, "a request is longer than %d bytes", API_LINE_MAX);
	answer_set(c, api_failure_line(&f));
	return -1;
}

// @return 0, or -1 gone
static int client_read(struct api_client *c)
{
	ssize_t n = recv(c->watch.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	c->in_len += (size_t)n;
	return 0;
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct api_client *c = container_of(w, struct api_client, watch);
	int rc = c->out ? client_write(c) : client_read(c);
	if (rc == 0)
		rc = lines_answer(c);
	if (rc == 0 && c->in_len == sizeof(c->in))
		rc = line_too_long(c);
	if (rc < 0)
		client_close(c);
	else
		loop_change(&c->daemon->loop, w, rc ? EPOLLOUT : EPOLLIN);
}

static struct api_client *client_new(struct daemon *d, int fd)
{
	struct api_client *c = NULL;
	for (unsigned i = 0; i < API_CLIENTS_MAX && !c; i++) {
		if (d->api.clients[i])
			continue;
		c = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		d->api.clients[i] = c;
		c->daemon = d;
		c->watch = (struct watch){.fd = fd, .ready = client_ready};
	}
	return c;
}

static void client_accept(struct watch *w, uint32_t events)
{
	struct api *api = container_of(w, struct api, listener);
	struct daemon *d = container_of(api, struct daemon, api);
	static const char busy[] =
		"{\"ok\":false,\"error\":{\"name\":\"CONNECT\",\"exit_code\":4,"
		"\"sentence\":\"flyoverd has too many clients\",\"advice\":\"\"}}\n";
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct api_client *c = client_new(d, fd);
	if (!c) {
		send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
		close(fd);
	} else if (loop_add(&d->loop, &c->watch, EPOLLIN)) {
		client_close(c);
	}
}

int api_listen(struct daemon *d, const char *path, struct failure *f)
{
	struct watch *w = &d->api.listener;
	w->ready = client_accept;
	w->fd = unix_listen(path, f);
	if (w->fd < 0)
		return -1;
	return loop_add(&d->loop, w, EPOLLIN)
		       ? failure_set(f, ERROR_INTERNAL, "the API socket cannot be waited for")
		       : 0;
}

int api_own(struct daemon *d, int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct api_client *c = client_new(d, fd);
	if (!c)
		return -ENOMEM;
	c->owner = true;
	return loop_add(&d->loop, &c->watch, EPOLLIN);
}

void api_fini(struct daemon *d)
{
	for (unsigned i = 0; i < API_CLIENTS_MAX; i++)
		if (d->api.clients[i])
			client_close(d->api.clients[i]);
	loop_close(&d->loop, &d->api.listener);
}
