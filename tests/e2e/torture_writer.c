// SPDX-License-Identifier: BSD-3-Clause
// The workload of the torture: several connections that write to a redis-server until SIGTERM.
//
//   torture_writer PORT SEED CONNECTIONS HABITS
//
// main() -> round_write() -> client_step(), burst_send(), answers_read(). The last line says how
// many commands were answered, and which refusal was not expected.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/e2e/torture_steps.h"

#define CONNECTIONS_MAX 8
#define BURST           12 // steps of a connection between two looks at its answers

static struct {
	volatile sig_atomic_t stop_wanted;
	unsigned long long answered, refused;
	char refusal[200];
	char bytes[VALUE_MAX];
} writer;

static void stop_want(int signal_number)
{
	writer.stop_wanted = 1;
}

// ---- Answers

// What a server that is going away or coming back says, and what some steps provoke.
static bool refusal_is_expected(const char *text)
{
	static const char *const expected[] = {
		"LOADING", "BUSYGROUP", "NOGROUP", "MASTERDOWN", "READONLY", "no such key",
		"The XGROUP subcommand", "Function not found", "Library not found", "MISCONF",
		"source and destination objects are the same", "offset is out of range",
		"EXECABORT",
	};

	for (unsigned i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (strstr(text, expected[i]))
			return true;
	return false;
}

static void answer_judge(const redisReply *r)
{
	writer.answered++;
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
		if (r->element[i]->type == REDIS_REPLY_ERROR)
			answer_judge(r->element[i]);
	if (r->type != REDIS_REPLY_ERROR || refusal_is_expected(r->str))
		return;
	if (!writer.refused++)
		snprintf(writer.refusal, sizeof(writer.refusal), "%s", r->str);
}

static void client_close(struct client *c)
{
	redisFree(c->redis);
	c->redis = NULL;
	c->queued = 0;
}

static void answers_read(struct client *c)
{
	while (c->redis && c->queued) {
		void *reply = NULL;
		if (redisGetReply(c->redis, &reply) != REDIS_OK) {
			client_close(c);
			return;
		}
		answer_judge(reply);
		freeReplyObject(reply);
		c->queued--;
	}
}

static void client_open(struct client *c)
{
	struct timeval timeout = {.tv_sec = 30};

	c->redis = redisConnect("127.0.0.1", (int)c->port);
	if (c->redis && c->redis->err)
		client_close(c);
	if (!c->redis)
		return;
	redisSetTimeout(c->redis, timeout);
	c->db = 0;
	client_select(c);
}

// Send all of what is queued, so that the server works on it while others are served.
static void burst_send(struct client *c)
{
	int done = 0;

	while (c->redis && !done)
		if (redisBufferWrite(c->redis, &done) != REDIS_OK)
			client_close(c);
}

// The number in the file that says that no link runs; 0 without it.
static unsigned gap_read(const char *path)
{
	unsigned gap = 0;
	FILE *f = fopen(path, "re");

	if (f && fscanf(f, "%u", &gap) != 1)
		gap = 0;
	if (f)
		fclose(f);
	return gap;
}

static void round_write(struct client *clients, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct client *c = &clients[i];
		if (!c->redis)
			client_open(c);
		unsigned burst = c->habits & WRITES_CALMLY ? 2 : BURST;
		for (unsigned k = 0; c->redis && k < burst; k++)
			client_step(c);
		burst_send(c);
	}
	for (unsigned i = 0; i < n; i++)
		answers_read(&clients[i]);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 4000000};
	static struct client clients[CONNECTIONS_MAX];

	if (argc != 6)
		return 2;
	uint64_t seed = strtoull(argv[2], NULL, 10);
	unsigned n = (unsigned)strtoul(argv[3], NULL, 10);
	struct random random = random_of(seed, 1000);
	for (size_t i = 0; i + 8 <= sizeof(writer.bytes); i += 8)
		memcpy(writer.bytes + i, &(uint64_t){random_next(&random)}, 8);
	for (unsigned i = 0; i < n && i < CONNECTIONS_MAX; i++) {
		clients[i].port = (unsigned)strtoul(argv[1], NULL, 10);
		clients[i].random = random_of(seed, i);
		clients[i].bytes = writer.bytes;
		clients[i].habits = (unsigned)strtoul(argv[4], NULL, 10);
	}
	signal(SIGTERM, stop_want);
	signal(SIGPIPE, SIG_IGN);
	puts("ready");
	fflush(stdout);
	while (!writer.stop_wanted) {
		unsigned gap = gap_read(argv[5]);
		for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
			clients[i].gap = gap;
		round_write(clients, n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (clients[i].redis)
			client_close(&clients[i]);
	printf("%llu answered, %llu refused %s\n", writer.answered, writer.refused, writer.refusal);
	return writer.refused ? 1 : 0;
}
