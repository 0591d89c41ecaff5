// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

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

static void writer_run(const struct server *s)
{
	redisContext *c = NULL;

	for (unsigned i = 0; !stop_wanted;) {
		if (!c)
			c = server_connect(s);
		if (c && !burst_write(c, &i)) {
			redisFree(c);
			c = NULL;
		}
		nap_ms(4); // about 30 000 commands a second leave room for others
	}
	if (c)
		redisFree(c);
}

struct process *writer_start(struct server *s)
{
	struct process *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->name, sizeof(p->name), "writer");
	p->next = s->world->processes;
	s->world->processes = p;
	fflush(NULL);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid)
		return p;
	// Without an exec the sockets of proxies would stay open here when a proxy closes them.
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, stop_want);
	writer_run(s);
	_exit(0);
}

void writer_stop(struct process *writer)
{
	process_signal(writer, SIGTERM);
	assert_int_equal(process_wait(writer), 0);
}
