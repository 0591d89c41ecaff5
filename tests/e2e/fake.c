// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 256

struct fake_thread {
	pthread_t id;
	pthread_mutex_t lock;
	int listener;
	unsigned n_clients;
	struct fake_client {
		pthread_t id;
		struct fake *fake;
		int fd;
		bool done;
		bool joined;
	} clients[CLIENTS_MAX];
};

int fake_write(int fd, const void *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
		sent += (size_t)n;
	}
	return 0;
}

int fake_say(int fd, const char *said)
{
	return fake_write(fd, said, strlen(said));
}

// One line without its end. @return its length or -1
static long line_read(int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1) {
		if (line[n] == '\n') {
			n -= n && line[n - 1] == '\r';
			line[n] = 0;
			return (long)n;
		}
		n++;
	}
	return -1;
}

static char *bulk_read(int fd, size_t *len)
{
	char line[64], crlf[2];

	if (line_read(fd, line, sizeof(line)) < 0 || line[0] != '$')
		return NULL;
	*len = strtoul(line + 1, NULL, 10);
	char *bytes = calloc(1, *len + 1);
	if (!bytes)
		return NULL;
	if ((*len && recv(fd, bytes, *len, MSG_WAITALL) != (ssize_t)*len) ||
	    recv(fd, crlf, 2, MSG_WAITALL) != 2) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

void fake_command_clear(struct fake_command *c)
{
	for (unsigned i = 0; i < c->argc; i++)
		free(c->argv[i]);
	memset(c, 0, sizeof(*c));
}

int fake_read_command(int fd, struct fake_command *c)
{
	char line[1024];

	memset(c, 0, sizeof(*c));
	do {
		if (line_read(fd, line, sizeof(line)) < 0)
			return -1;
	} while (!line[0]);
	if (line[0] != '*') {
		c->argv[0] = strdup(line);
		c->lens[0] = strlen(line);
		c->argc = 1;
		return 0;
	}
	unsigned long argc = strtoul(line + 1, NULL, 10);
	for (; c->argc < argc && argc <= FAKE_ARGS_MAX; c->argc++) {
		c->argv[c->argc] = bulk_read(fd, &c->lens[c->argc]);
		if (!c->argv[c->argc])
			break;
	}
	if (c->argc == argc)
		return 0;
	fake_command_clear(c);
	return -1;
}

static int snapshot_send(struct fake *f, int fd)
{
	char head[64];
	size_t announced = f->rdb_announced ? f->rdb_announced : f->rdb_len;

	snprintf(head, sizeof(head), "$%zu\r\n", announced);
	if (fake_say(fd, "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 1000\r\n") ||
	    fake_say(fd, head) || fake_write(fd, f->rdb, f->rdb_len))
		return -1;
	// A primary that dies in the middle of its snapshot.
	if (announced > f->rdb_len)
		return -1;
	while (f->stream_when && !*f->stream_when)
		nap_ms(5);
	return fake_write(fd, f->stream, f->stream_len);
}

static int primary_answer(struct fake *f, int fd, const struct fake_command *c)
{
	static const char info[] = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
				   "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
				   "master_replid:0123456789abcdef0123456789abcdef01234567\r\n"
				   "master_repl_offset:1000\r\n# Keyspace\r\n";
	const char *verb = c->argv[0];
	char head[32];

	if (!strcasecmp(verb, "ping"))
		return fake_say(fd, "+PONG\r\n");
	if (!strcasecmp(verb, "replconf"))
		return c->argc > 1 && !strcasecmp(c->argv[1], "ack") ? 0 : fake_say(fd, "+OK\r\n");
	if (!strcasecmp(verb, "auth") || !strcasecmp(verb, "select") || !strcasecmp(verb, "client"))
		return fake_say(fd, "+OK\r\n");
	if (!strcasecmp(verb, "psync"))
		return snapshot_send(f, fd);
	if (!strcasecmp(verb, "info")) {
		snprintf(head, sizeof(head), "$%zu\r\n", sizeof(info) - 1);
		return fake_say(fd, head) || fake_say(fd, info) || fake_say(fd, "\r\n") ? -1 : 0;
	}
	return fake_say(fd, "-ERR unknown command\r\n");
}

void fake_primary(struct fake *f, int fd)
{
	struct fake_command c;

	while (!fake_read_command(fd, &c)) {
		int rc = primary_answer(f, fd, &c);
		fake_command_clear(&c);
		if (rc)
			return;
	}
}

void fake_echo(struct fake *f, int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		if (fake_write(fd, bytes, (size_t)n))
			return;
}

void fake_http(struct fake *f, int fd)
{
	char bytes[4096];

	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		fake_say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
			     "Connection: close\r\nContent-Length: 11\r\n\r\nBad Request");
}

void fake_silent(struct fake *f, int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static void *client_loop(void *arg)
{
	struct fake_client *client = arg;

	client->fake->serve(client->fake, client->fd);
	pthread_mutex_lock(&client->fake->thread->lock);
	client->done = true;
	close(client->fd);
	pthread_mutex_unlock(&client->fake->thread->lock);
	return NULL;
}

// A new one, or that of a client that has gone. @return NULL: there are too many
static struct fake_client *client_place(struct fake_thread *t)
{
	for (unsigned i = 0; i < t->n_clients; i++) {
		if (!t->clients[i].done)
			continue;
		if (!t->clients[i].joined)
			pthread_join(t->clients[i].id, NULL);
		return &t->clients[i];
	}
	return t->n_clients < CLIENTS_MAX ? &t->clients[t->n_clients++] : NULL;
}

static void *accept_loop(void *arg)
{
	struct fake *f = arg;
	struct fake_thread *t = f->thread;

	for (;;) {
		int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&t->lock);
		struct fake_client *client = client_place(t);
		if (client) {
			*client = (struct fake_client){.fake = f, .fd = fd};
			client->done = pthread_create(&client->id, NULL, client_loop, client) != 0;
			client->joined = client->done;
		}
		if (!client || client->done)
			close(fd);
		pthread_mutex_unlock(&t->lock);
	}
}

struct fake *fake_start(struct world *w, fake_serve *serve, const void *arg)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct fake_thread *t = calloc(1, sizeof(*t));

	assert_true(f && t);
	f->thread = t;
	f->serve = serve;
	f->arg = arg;
	f->rdb = f->stream = "";
	pthread_mutex_init(&t->lock, NULL);
	t->listener = net_listen(&f->port);
	snprintf(f->url, sizeof(f->url), "redis://%s:%d", here(), f->port);
	assert_int_equal(pthread_create(&t->id, NULL, accept_loop, f), 0);
	f->next = w->fakes;
	w->fakes = f;
	return f;
}

void fakes_free(struct world *w)
{
	while (w->fakes) {
		struct fake *f = w->fakes;
		struct fake_thread *t = f->thread;
		w->fakes = f->next;
		shutdown(t->listener, SHUT_RDWR);
		pthread_join(t->id, NULL);
		close(t->listener);
		pthread_mutex_lock(&t->lock);
		for (unsigned i = 0; i < t->n_clients; i++)
			if (!t->clients[i].done)
				shutdown(t->clients[i].fd, SHUT_RDWR);
		pthread_mutex_unlock(&t->lock);
		for (unsigned i = 0; i < t->n_clients; i++)
			if (!t->clients[i].joined)
				pthread_join(t->clients[i].id, NULL);
		pthread_mutex_destroy(&t->lock);
		free(t);
		free(f);
	}
}
