// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rdb_server.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parsers/rdb_footer.h"

#define NOT_INSTALLED 127 // as shells have it

// The server's log comes through a pipe: it is ready when it says so.
static bool ready_wait(int fd)
{
	char line[512];
	FILE *log = fdopen(fd, "r");
	bool ready = false;

	while (!ready && fgets(line, sizeof(line), log))
		ready = strstr(line, "eady to accept connections") != NULL;
	fclose(log);
	return ready;
}

int server_start(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	int fds[2];

	strcpy(s->dir, "/tmp/rdb-server-test-XXXXXX");
	*state = s;
	if (mkdtemp(s->dir) == NULL || pipe(fds) < 0)
		return -1;
	snprintf(s->socket, sizeof(s->socket), "%s/socket", s->dir);
	s->pid = fork();
	if (s->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN); // nobody reads the log once the server is ready
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket,
		       "--dir", s->dir, "--save", "", "--enable-debug-command", "yes",
		       "--sanitize-dump-payload", "yes", NULL);
		_exit(NOT_INSTALLED);
	}
	close(fds[1]);
	if (!ready_wait(fds[0])) {
		int status = 0;
		waitpid(s->pid, &status, 0);
		s->pid = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != NOT_INSTALLED)
			return -1;
		print_message("skipped: no redis-server is installed\n");
		return 0;
	}
	s->rc = redisConnectUnix(s->socket);
	return s->rc && !s->rc->err ? 0 : -1;
}

int server_stop(void **state)
{
	struct server *s = *state;
	char path[160];

	if (s->rc)
		redisFree(s->rc);
	if (s->pid) {
		kill(s->pid, SIGTERM);
		waitpid(s->pid, NULL, 0);
	}
	snprintf(path, sizeof(path), "%s/dump.rdb", s->dir);
	unlink(path);
	unlink(s->socket);
	rmdir(s->dir);
	free(s);
	return 0;
}

void command(redisContext *rc, int argc, const char **argv, const size_t *lens)
{
	redisReply *reply = redisCommandArgv(rc, argc, argv, lens);

	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", argv[0], reply->str);
	freeReplyObject(reply);
}

void say(redisContext *rc, const char *words)
{
	redisReply *reply = redisCommand(rc, words);

	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", words, reply->str);
	freeReplyObject(reply);
}

void restore(redisContext *rc, const struct rdb_event *ev)
{
	uint8_t footer[RDB_FOOTER_LEN];
	size_t len = 1 + ev->value.len + sizeof(footer);
	char *payload = malloc(len), ttl[24];

	payload[0] = (char)ev->type;
	memcpy(payload + 1, ev->value.p, ev->value.len);
	rdb_restore_footer(ev->type, ev->footer_version, ev->value, footer);
	memcpy(payload + 1 + ev->value.len, footer, sizeof(footer));
	snprintf(ttl, sizeof(ttl), "%lld",
		 ev->expire_at_ms < 0 ? 0 : (long long)ev->expire_at_ms);
	command(rc, 5, (const char *[]){"RESTORE", ev->key.p, ttl, payload, "ABSTTL"},
		(size_t[]){7, ev->key.len, strlen(ttl), len, 6});
	free(payload);
}

struct span file_read(const char *path)
{
	FILE *in = fopen(path, "rb");
	struct stat st;

	if (in == NULL)
		return (struct span){NULL, 0};
	assert_int_equal(fstat(fileno(in), &st), 0);
	char *buf = malloc((size_t)st.st_size);

	assert_int_equal(fread(buf, 1, (size_t)st.st_size, in), st.st_size);
	fclose(in);
	return (struct span){buf, (size_t)st.st_size};
}
