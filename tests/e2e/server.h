// SPDX-License-Identifier: BSD-3-Clause
// Real redis-servers on free loopback ports, and commands to them with printf-like formats as
// hiredis knows them: %s, %b (pointer and size_t), %d, %lld; a blank parts the arguments.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

struct process;
struct proxy;
struct world;

struct server {
	struct server *next;
	struct world *world;
	struct process *process; // the one that runs now, or ran last
	redisContext *redis;     // our connection, opened when needed
	char name[32];
	char dir[280];
	char password[64];       // of the default user, "" for none
	const char *options[64]; // NULL-terminated
	int port;
	int tls_port;    // 0: it speaks plain text alone
	bool frozen;     // see server_freeze()
	struct proxy *proxy;     // in a cluster behind proxies, else NULL
	int announced;           // port by which a cluster tells of it
	int db;          // selected on our connection
	unsigned queued; // commands sent by server_queue() whose reply was not read
	char url[64];    // redis://127.0.0.1:PORT
};

// Start a server and wait until it answers PING. Without options it persists nothing and begins
// diskless full syncs at once.
//
// @param ...  options as on the command line, "--appendonly", "yes", ..., NULL
struct server *server_start(struct world *w, const char *name, ...) __attribute__((sentinel));

// The same with the options in a list that ends with NULL; the texts outlive the server.
struct server *server_start_with(struct world *w, const char *name, const char *const *options);

// Again on the same port with the same folder and options.
void server_start_again(struct server *s);

// SIGTERM and wait: a clean end, with a last save when the options ask for persistence.
void server_stop(struct server *s);
void server_kill(struct server *s);   // SIGKILL
void server_freeze(struct server *s); // SIGSTOP: connections stay, nothing answers
void server_thaw(struct server *s);

// One command. @return its reply, never NULL; the caller frees it
redisReply *ask(struct server *s, const char *format, ...);

// One command that has to succeed.
void run(struct server *s, const char *format, ...);

// One command that has to answer a number, or a text.
long long ask_number(struct server *s, const char *format, ...);
const char *ask_text(struct server *s, const char *format, ...);

// Select a database on our connection, and remember it.
void select_db(struct server *s, int db);

// Commands without waiting: queue any number, then server_flush(), which fails the test when one of
// them was refused. Queued ones are flushed now and then by themselves.
void queue(struct server *s, const char *format, ...);
void queue_argv(struct server *s, int argc, const char **argv, const size_t *lens);
void queue_flush(struct server *s);

// A second connection to the server, authenticated; the caller frees it with redisFree().
redisContext *server_connect(const struct server *s);

// A field of INFO, as a number and as a text.
long long info_number(struct server *s, const char *section, const char *field);
const char *info_text(struct server *s, const char *section, const char *field);

// Some servers that hold data together: one alone, or the masters of a cluster.
#define SERVERS_MAX 32

struct servers {
	struct server *list[SERVERS_MAX];
	unsigned n;
};

static inline struct servers just(struct server *s)
{
	return (struct servers){{s}, 1};
}

// Offset of the server's replication stream.
long long server_offset(struct server *s);

// Keys of one database that are not Flyover's own.
long long keys_count(struct server *s, int db);

void servers_free(struct world *w);

// ---- A user with the rights of a sync (server_user.c) ---------------------------------------

bool server_has_user(void);

// Words of redis-server's command line that make it. @return how many
unsigned server_user_options(const char **argv);

// The server's URL as the default user, who may do anything.
const char *server_default_url(const struct server *s);

// Fails the test when the server has denied it anything.
void server_user_judge(struct server *s);
