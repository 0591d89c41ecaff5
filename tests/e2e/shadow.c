// SPDX-License-Identifier: BSD-3-Clause
// shadow_snapshot() -> snapshot_ask() until it is late enough -> line_take(), bytes_take()
#include "tests/e2e/shadow.h"

#include <sys/socket.h>

#include "tests/e2e/harness.h"

#define MARK_LEN 40

// ---- What it begins with

// The snapshot alone, as a file.
static const char *snapshot_write(struct world *w, const struct recorded_node *node)
{
	const char *path = text("%s/%c.rdb", w->dir, node->name);
	const char *rdb = memmem(node->bytes, node->stream_at, "REDIS0", 6);
	const char *line = memmem(node->bytes, node->stream_at, "$EOF:", 5);
	size_t tail = line && line < rdb ? MARK_LEN : 0;

	assert_non_null(rdb);
	file_write(path, rdb, (size_t)(node->bytes + node->stream_at - rdb) - tail);
	return path;
}

static char *snapshot_of_seed(struct world *w, const struct recorded_node *node, size_t *len)
{
	struct server *seed = server_start(w, text("seed-%c", node->name), NULL);
	struct job *job =
		job_start(w, "restore", snapshot_write(w, node), seed->url, "--json", "--state-dir",
			  text("%s/seed-state-%c", w->dir, node->name), NULL);

	assert_int_equal(job_wait(job), 0);
	run(seed, "SAVE");
	char *rdb = file_read(text("%s/dump.rdb", seed->dir), len);
	assert_non_null(rdb);
	server_stop(seed);
	return rdb;
}

void shadow_prepare(struct world *w, struct shadow *s, const struct recording *r,
		    const struct recorded_node *node)
{
	size_t len;

	s->node = node;
	if (!strncmp(r->server, "redis-7.0", 9)) {
		s->head_len = node->stream_at;
		s->head = malloc(s->head_len);
		assert_non_null(s->head);
		memcpy(s->head, node->bytes, s->head_len);
		return;
	}
	char *rdb = snapshot_of_seed(w, node, &len);
	s->head = calloc(1, len + 128);
	assert_non_null(s->head);
	int n = sprintf(s->head, "+FULLRESYNC %s %llu\r\n$%zu\r\n", node->replid,
			(unsigned long long)node->offset, len);
	memcpy(s->head + n, rdb, len);
	s->head_len = (size_t)n + len;
	free(rdb);
}

void shadow_start(struct world *w, struct shadow *s, int port)
{
	s->server = server_start(w, text("shadow-%c", s->node->name), "--repl-diskless-sync", "no",
				 "--repl-diskless-load", "disabled", "--replicaof", here(),
				 text("%d", port), NULL);
}

// ---- What it gives

// Up to a line that says something: a server that saves sends empty ones. @return false: it is gone
static bool line_take(int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1) {
		if (line[n] != '\n') {
			n++;
			continue;
		}
		n -= n && line[n - 1] == '\r';
		line[n] = 0;
		if (n)
			return true;
	}
	return false;
}

// @return 1: taken; 0: it is not that far yet; -1: it says something else
static int snapshot_ask(const struct shadow *s, int fd, char **head, size_t *len, size_t *at)
{
	const struct recorded_node *node = s->node;
	char first[200], second[64];
	unsigned long long offset;

	if (fake_say(fd, "PSYNC ? -1\r\n") || !line_take(fd, first, sizeof(first)))
		return -1;
	if (sscanf(first, "+FULLRESYNC %*40s %llu", &offset) != 1)
		return strstr(first, "NOMASTERLINK") ? 0 : -1;
	if (offset - node->offset + node->stream_at < *at)
		return 0;
	if (!line_take(fd, second, sizeof(second)) || second[0] != '$')
		return -1;
	size_t rdb_len = strtoull(second + 1, NULL, 10);
	*head = malloc(rdb_len + sizeof(first) + sizeof(second));
	if (!*head)
		return -1;
	int n = sprintf(*head, "%s\r\n%s\r\n", first, second);
	if (recv(fd, *head + n, rdb_len, MSG_WAITALL) != (ssize_t)rdb_len) {
		free(*head);
		return -1;
	}
	*len = (size_t)n + rdb_len;
	*at = offset - node->offset + node->stream_at;
	return 1;
}

int shadow_snapshot(const struct shadow *s, char **head, size_t *len, size_t *at)
{
	long long deadline_ms = now_ms() + DEADLINE_MS;
	int rc = 0;

	while (!rc && now_ms() < deadline_ms) {
		redisContext *c = redisConnect(here(), s->server->port);
		if (c && !c->err)
			rc = snapshot_ask(s, c->fd, head, len, at);
		if (c)
			redisFree(c);
		if (!rc)
			nap_ms(20);
	}
	return rc > 0 ? 0 : -1;
}
