// SPDX-License-Identifier: BSD-3-Clause
// The program behind cluster_writer_start(): writes to a Redis Cluster until SIGTERM, one command
// after the other, and follows its redirects as clients do; without a cluster, to whichever of the
// servers takes it. Nearly all of what it writes shows a
// loss, a repeat or another order.
//
//   cluster_writer SEED KEYS PORT[:ANNOUNCED]...
//
// ANNOUNCED is the port of a node by which redirects name it, when that leads over a proxy.
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "parsers/slot.h"

#define NODES_MAX  32
#define WORDS_MAX  8
#define TRIES_MAX  2000
#define TELL_STEPS 100 // and another line says how far it is
#define PAUSE_NS   1000000
#define ANSWER_US  500000 // of a node that hangs: ask another one

struct node {
	int port, announced;
	redisContext *c;
};

static struct {
	struct node nodes[NODES_MAX];
	unsigned n;
	unsigned char owner[SLOT_COUNT]; // index into nodes, as last heard
	unsigned long long random;
	unsigned keys;
	bool redirected; // so it is a cluster
} w;

static volatile sig_atomic_t stop_wanted;

static void stop_want(int signal_number)
{
	stop_wanted = 1;
}

static unsigned below(unsigned n)
{
	w.random = w.random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(w.random >> 33) % n;
}

// ---- Nodes

static unsigned node_at(int port)
{
	for (unsigned i = 0; i < w.n; i++)
		if (w.nodes[i].announced == port)
			return i;
	if (w.n == NODES_MAX)
		return 0;
	w.nodes[w.n] = (struct node){.port = port, .announced = port};
	return w.n++;
}

static void node_drop(struct node *n)
{
	if (n->c)
		redisFree(n->c);
	n->c = NULL;
}

static redisContext *node_open(struct node *n)
{
	const struct timeval limit = {.tv_usec = ANSWER_US};

	if (n->c && n->c->err)
		node_drop(n);
	if (!n->c)
		n->c = redisConnectWithTimeout("127.0.0.1", n->port, limit);
	if (n->c && n->c->err)
		node_drop(n);
	if (n->c)
		redisSetTimeout(n->c, limit);
	return n->c;
}

// ---- One command, or one transaction

struct words {
	const char *argv[WORDS_MAX];
	int argc;
};

enum outcome { DONE, AGAIN, ELSEWHERE };

// What an error asks for. @param to  out: the node
static enum outcome redirect_take(const char *error, unsigned slot, unsigned *to, bool *asking)
{
	const char *colon = strrchr(error, ':');
	bool moved = !strncmp(error, "MOVED ", 6);

	*asking = !strncmp(error, "ASK ", 4);
	if (!moved && !*asking)
		return strncmp(error, "TRYAGAIN", 8) && strncmp(error, "CLUSTERDOWN", 11) &&
				       strncmp(error, "EXECABORT", 9) &&
				       strncmp(error, "READONLY", 8) &&
				       strncmp(error, "LOADING", 7) &&
				       strncmp(error, "MASTERDOWN", 10)
			       ? DONE
			       : AGAIN;
	*to = node_at(colon ? (int)strtol(colon + 1, NULL, 10) : 0);
	w.redirected = true;
	if (moved)
		w.owner[slot] = (unsigned char)*to;
	return ELSEWHERE;
}

// Send all words, and look at all answers. @return what the first error asks for
static enum outcome unit_try(struct node *n, const struct words *words, unsigned n_words,
			     bool asking, unsigned slot, unsigned *to, bool *asking_next)
{
	redisContext *c = node_open(n);
	enum outcome outcome = DONE;
	bool said = false;

	if (!c)
		return AGAIN;
	if (asking)
		redisAppendCommand(c, "ASKING");
	for (unsigned i = 0; i < n_words; i++)
		redisAppendCommandArgv(c, words[i].argc, (const char **)words[i].argv, NULL);
	for (unsigned i = 0; i < n_words + asking; i++) {
		redisReply *r = NULL;
		if (redisGetReply(c, (void **)&r) != REDIS_OK) {
			node_drop(n);
			return AGAIN; // it may have been done: the source's data tells
		}
		if (r->type == REDIS_REPLY_ERROR && !said) {
			said = true;
			outcome = redirect_take(r->str, slot, to, asking_next);
		}
		freeReplyObject(r);
	}
	return outcome;
}

static void unit_write(const struct words *words, unsigned n_words, const char *key)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct span name = {key, strlen(key)};
	unsigned slot = key_slot(name), at = w.owner[slot];
	bool asking = false;

	for (unsigned tries = 0; tries < TRIES_MAX && !stop_wanted; tries++) {
		unsigned to = at;
		bool asking_next = false;
		switch (unit_try(&w.nodes[at], words, n_words, asking, slot, &to, &asking_next)) {
		case DONE:
			if (!w.redirected)
				memset(w.owner, (int)at, sizeof(w.owner));
			return;
		case ELSEWHERE:
			at = to;
			asking = asking_next;
			break;
		case AGAIN:
			nanosleep(&pause, NULL);
			asking = false;
			// A node that is away says nothing of its successor: others do.
			at = tries % 8 == 7 ? below(w.n) : w.owner[slot];
			break;
		}
	}
}

// ---- What it writes

static char *word(const char *format, unsigned a, unsigned b)
{
	static char room[16][64];
	static unsigned next;
	char *out = room[next++ % 16];

	snprintf(out, sizeof(room[0]), format, a, b);
	return out;
}

#define WORDS(...)                                                                                 \
	{                                                                                          \
		.argv = {__VA_ARGS__},                                                             \
		.argc = (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),             \
	}

static void step_write(unsigned i)
{
	unsigned k = below(w.keys), kind = below(14);
	char *number = word("%u", i, 0), *field = word("f%u", below(5), 0);
	char *x = word("{t:%u}x", k, 0), *y = word("{t:%u}y", k, 0);
	static const char *const letters[] = {"c", "l", "l", "a", "h", "s", "s",
					      "z", "d", "d", "x", "x", "x", "p"};
	char *key = word("%1$c:%2$u", (unsigned char)letters[kind][0], k);
	const struct words units[][4] = {
		{WORDS("INCR", key)},
		{WORDS("RPUSH", key, number)},
		{WORDS("LPOP", key)},
		{WORDS("APPEND", key, word("%u,", i, 0))},
		{WORDS("HINCRBY", key, field, "3")},
		{WORDS("SADD", key, number)},
		{WORDS("SPOP", key)},
		{WORDS("ZINCRBY", key, "1.5", field)},
		{WORDS("SET", key, number, "PX", "3600000")},
		{WORDS("DEL", key)},
		{WORDS("RPOPLPUSH", x, y)},
		{WORDS("MSET", word("{t:%u}a", k, 0), number, word("{t:%u}b", k, 0), number)},
		{WORDS("MULTI"), WORDS("INCR", word("{t:%u}n", k, 0)), WORDS("RPUSH", x, number),
		 WORDS("EXEC")},
		{WORDS("PFADD", key, number)},
	};
	unsigned n = kind == 12 ? 4 : 1;

	unit_write(units[kind], n, kind >= 10 && kind != 13 ? x : key);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	w.random = strtoull(argv[1], NULL, 10);
	w.keys = (unsigned)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++) {
		char *end;
		unsigned at = node_at((int)strtol(argv[i], &end, 10));
		if (*end == ':')
			w.nodes[at].announced = (int)strtol(end + 1, NULL, 10);
	}
	signal(SIGTERM, stop_want);
	signal(SIGPIPE, SIG_IGN);
	puts("ready"); // to be stopped in good order
	fflush(stdout);
	unsigned i = 0;
	while (!stop_wanted) {
		step_write(i++);
		if (i % TELL_STEPS == 0) {
			printf("%u\n", i);
			fflush(stdout);
		}
	}
	printf("%u\n", i);
	for (unsigned n = 0; n < w.n; n++)
		node_drop(&w.nodes[n]);
	return 0;
}
