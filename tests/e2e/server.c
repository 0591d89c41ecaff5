// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

// clang-format off: pairs of option and value
static const char *const default_options[] = {
	"--bind",
	"127.0.0.1",
	"--daemonize",
	"no",
	"--save",
	"",
	"--enable-debug-command",
	"yes",
	"--repl-diskless-sync",
	"yes",
	"--repl-diskless-sync-delay",
	"0",
	"--shutdown-timeout",
	"1", // we acknowledge nothing that a SHUTDOWN could wait for
	"--repl-backlog-size",
	"64mb", // what a broken connection misses at a test's rate
	"--latency-tracking",
	"no",
	NULL,
};
// clang-format on

redisContext *server_connect(const struct server *s)
{
	struct timeval timeout = {.tv_sec = DEADLINE_MS / 1000};
	redisContext *c = redisConnectWithTimeout("127.0.0.1", s->port, timeout);

	if (!c || c->err) {
		redisFree(c);
		return NULL;
	}
	redisSetTimeout(c, timeout);
	if (s->password[0])
		freeReplyObject(redisCommand(c, "AUTH %s", s->password));
	return c;
}

static void server_disconnect(struct server *s)
{
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
	s->queued = 0;
	s->db = 0;
}

// The connection, opened when there is none or when the last one broke.
static redisContext *connection(struct server *s)
{
	if (s->redis && s->redis->err)
		server_disconnect(s);
	if (!s->redis) {
		s->redis = server_connect(s);
		if (!s->redis)
			fail_msg("cannot connect to %s", s->name);
	}
	return s->redis;
}

static bool server_answers(void *arg)
{
	struct server *s = arg;

	if (process_has_ended(s->process))
		return true;
	redisContext *c = server_connect(s);
	if (!c)
		return false;
	redisReply *r = redisCommand(c, "PING");
	bool ready = r && r->type == REDIS_REPLY_STATUS;
	if (r)
		freeReplyObject(r);
	redisFree(c);
	return ready;
}

static void server_launch(struct server *s)
{
	const char *argv[192] = {"redis-server", "--port", text("%d", s->port), "--dir", s->dir};
	unsigned n = 5;

	for (const char *const *o = default_options; *o; o++)
		argv[n++] = *o;
	if (net_is_ours()) {
		argv[n++] = "--bind";
		argv[n++] = "*";
		argv[n++] = "-::*"; // where the kernel has IPv6
		argv[n++] = "--protected-mode";
		argv[n++] = "no";
	}
	if (server_has_user())
		n += server_user_options(&argv[n]);
	for (const char *const *o = s->options; *o; o++)
		argv[n++] = *o;
	argv[n] = NULL;
	s->process = process_start(s->world, s->name, argv, NULL);
	wait_until(server_answers, s, text("%s to answer PING", s->name));
}

struct server *server_start(struct world *w, const char *name, ...)
{
	const char *options[64] = {NULL};
	unsigned n = 0;
	va_list args;

	va_start(args, name);
	for (const char *option; (option = va_arg(args, const char *)) && n < 62;)
		options[n++] = option;
	va_end(args);
	return server_start_with(w, name, options);
}

struct server *server_start_with(struct world *w, const char *name, const char *const *options)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->world = w;
	s->next = w->servers;
	w->servers = s;
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->dir, sizeof(s->dir), "%s/%s", w->dir, name);
	assert_int_equal(mkdir(s->dir, 0700), 0);
	for (unsigned n = 0; options[n] && n < 62; n++) {
		s->options[n] = options[n];
		if (n && !strcmp(options[n - 1], "--requirepass"))
			snprintf(s->password, sizeof(s->password), "%s", options[n]);
		if (n && !strcmp(options[n - 1], "--tls-port"))
			s->tls_port = (int)strtol(options[n], NULL, 10);
	}
	// Another process may take the port between the choice and the start.
	for (int attempt = 0; attempt < 5; attempt++) {
		s->port = free_port();
		snprintf(s->url, sizeof(s->url), "redis://%s%s:%d",
			 server_has_user() ? "flyover:pw@" : "", here(), s->port);
		server_launch(s);
		if (!process_has_ended(s->process))
			return s;
	}
	fail_msg("%s does not start", name);
	return NULL;
}

void server_start_again(struct server *s)
{
	assert_true(process_has_ended(s->process));
	server_launch(s);
	if (process_has_ended(s->process))
		fail_msg("%s does not start again", s->name);
}

void server_stop(struct server *s)
{
	server_disconnect(s);
	process_signal(s->process, SIGTERM);
	process_wait(s->process);
}

void server_kill(struct server *s)
{
	server_disconnect(s);
	process_kill(s->process);
}

void server_freeze(struct server *s)
{
	process_signal(s->process, SIGSTOP);
	s->frozen = true;
}

void server_thaw(struct server *s)
{
	process_signal(s->process, SIGCONT);
	s->frozen = false;
}

static redisReply *ask_va(struct server *s, const char *format, va_list args)
{
	queue_flush(s);
	redisContext *c = connection(s);
	redisReply *r = redisvCommand(c, format, args);
	if (!r)
		fail_msg("%s does not answer '%s': %s", s->name, format, c->errstr);
	return r;
}

redisReply *ask(struct server *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	redisReply *r = ask_va(s, format, args);
	va_end(args);
	return r;
}

void run(struct server *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	redisReply *r = ask_va(s, format, args);
	va_end(args);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("%s refuses '%s': %s", s->name, format, r->str);
	freeReplyObject(r);
}

long long ask_number(struct server *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	redisReply *r = ask_va(s, format, args);
	va_end(args);
	if (r->type != REDIS_REPLY_INTEGER && r->type != REDIS_REPLY_STRING)
		fail_msg("%s answers '%s' with: %s", s->name, format, r->str ? r->str : "nothing");
	long long n = r->type == REDIS_REPLY_INTEGER ? r->integer : strtoll(r->str, NULL, 10);
	freeReplyObject(r);
	return n;
}

const char *ask_text(struct server *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	redisReply *r = ask_va(s, format, args);
	va_end(args);
	const char *t = r->type == REDIS_REPLY_INTEGER ? text("%lld", r->integer)
						       : text("%s", r->str ? r->str : "(nil)");
	freeReplyObject(r);
	return t;
}

void select_db(struct server *s, int db)
{
	queue_flush(s);
	connection(s);
	if (s->db != db)
		run(s, "SELECT %d", db);
	s->db = db;
}

#define QUEUE_MAX 512

static void queued_one(struct server *s)
{
	if (++s->queued >= QUEUE_MAX)
		queue_flush(s);
}

void queue(struct server *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int rc = redisvAppendCommand(connection(s), format, args);
	va_end(args);
	assert_int_equal(rc, REDIS_OK);
	queued_one(s);
}

void queue_argv(struct server *s, int argc, const char **argv, const size_t *lens)
{
	assert_int_equal(redisAppendCommandArgv(connection(s), argc, argv, lens), REDIS_OK);
	queued_one(s);
}

void queue_flush(struct server *s)
{
	for (; s->queued; s->queued--) {
		void *reply = NULL;
		if (redisGetReply(s->redis, &reply) != REDIS_OK)
			fail_msg("%s went away: %s", s->name, s->redis->errstr);
		redisReply *r = reply;
		if (r->type == REDIS_REPLY_ERROR)
			fail_msg("%s refuses a queued command: %s", s->name, r->str);
		freeReplyObject(r);
	}
}

const char *info_text(struct server *s, const char *section, const char *field)
{
	redisReply *r = ask(s, "INFO %s", section);
	const char *label = text("\n%s:", field);

	assert_int_equal(r->type, REDIS_REPLY_STRING);
	const char *at = strstr(r->str, label);
	if (!at)
		fail_msg("INFO %s of %s has no %s", section, s->name, field);
	at += strlen(label);
	const char *value = text("%.*s", (int)strcspn(at, "\r\n"), at);
	freeReplyObject(r);
	return value;
}

long long info_number(struct server *s, const char *section, const char *field)
{
	return strtoll(info_text(s, section, field), NULL, 10);
}

long long server_offset(struct server *s)
{
	return info_number(s, "replication", "master_repl_offset");
}

long long keys_count(struct server *s, int db)
{
	select_db(s, db);
	redisReply *own = ask(s, "KEYS __flyover:*");
	long long n = ask_number(s, "DBSIZE") - (long long)own->elements;
	freeReplyObject(own);
	return n;
}

void servers_free(struct world *w)
{
	while (w->servers) {
		struct server *s = w->servers;
		w->servers = s->next;
		server_disconnect(s);
		process_kill(s->process); // also ends a frozen one
		free(s);
	}
}
