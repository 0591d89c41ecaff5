// SPDX-License-Identifier: BSD-3-Clause
// The program behind writer_start(): writes to the redis-server of a port until SIGTERM.
//
//   writer PORT PAUSE_MS
#include <signal.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <hiredis/hiredis.h>

#define BURST 40

static volatile sig_atomic_t stop_wanted;

static void stop_want(int signal_number)
{
	stop_wanted = 1;
}

// Step i. @return commands appended
static unsigned step_append(redisContext *c, unsigned i)
{
	unsigned k = i % 20, other = (i / 20 + 1) % 20;

	redisAppendCommand(c, "INCR w:count:%u", k);
	redisAppendCommand(c, "RPUSH w:list:%u %u", k, i);
	redisAppendCommand(c, "APPEND w:text:%u %u,", k, i);
	switch (i % 8) {
	case 0:
		redisAppendCommand(c, "LTRIM w:list:%u -500 -1", other);
		return 4;
	case 2:
		redisAppendCommand(c, "MULTI");
		redisAppendCommand(c, "INCRBY w:count:%u %u", other, i);
		redisAppendCommand(c, "RPOPLPUSH w:list:%u w:list:%u", k, other);
		redisAppendCommand(c, "EXEC");
		return 7;
	case 4:
		redisAppendCommand(c, "SET w:set:%u %u", i % 3000, i);
		return 4;
	case 5:
		redisAppendCommand(c, "DEL w:set:%u w:text:%u", i * 7 % 3000, other);
		return 4;
	case 7:
		redisAppendCommand(c, "MSET w:a:%u %u w:b:%u %u", k, i, other, i);
		return 4;
	default:
		return 3;
	}
}

// @return false when the connection broke
static bool burst_write(redisContext *c, unsigned *i)
{
	unsigned n = 0;

	for (unsigned steps = 0; steps < BURST; steps++)
		n += step_append(c, (*i)++);
	while (n--) {
		void *reply = NULL;
		if (redisGetReply(c, &reply) != REDIS_OK)
			return false;
		freeReplyObject(reply);
	}
	return true;
}

int main(int argc, char **argv)
{
	long pause_ms = argc > 2 ? strtol(argv[2], NULL, 10) : 4;
	const struct timespec pause = {.tv_nsec = pause_ms * 1000000};
	int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	redisContext *c = NULL;

	signal(SIGTERM, stop_want);
	puts("ready"); // to be stopped in good order
	fflush(stdout);
	for (unsigned i = 0; !stop_wanted;) {
		if (!c)
			c = redisConnect("127.0.0.1", port);
		if (c && (c->err || !burst_write(c, &i))) {
			redisFree(c);
			c = NULL;
		}
		nanosleep(&pause, NULL);
	}
	if (c)
		redisFree(c);
	return 0;
}
