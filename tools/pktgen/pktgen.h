// SPDX-License-Identifier: BSD-3-Clause
// What plays Redis at the speed of memory: servers on ports of one address, over our own TCP.
//
//   pktgen.c   stack_turn() -> peers_accept(), peers_news(), peers_feed() -> report_turn()
//   peer.c     one connection: bytes in, requests, bytes out
//   verbs.c    the table of commands, and the small talk of any server
//   source.c   PSYNC: an empty snapshot, then the block without an end
//   target.c   transactions and markers; of all else only the number is kept
//   report.c   what is printed at intervals
//
// One thread; nothing here is on anybody's fast path but its own.
#pragma once

#include <sys/queue.h>

#include "dataplane/net/stack.h"
#include "drivers/idle.h"
#include "tools/pktgen/block.h"
#include "tools/pktgen/options.h"
#include "tools/pktgen/request.h"
#include "tools/pktgen/store.h"

#define REPLID_LEN   40
#define FIRST_OFFSET 1 // of the first byte of a stream is one more, as servers count them

// What one port has. All of them answer alike; a source is asked for its stream.
struct server {
	uint16_t port;
	bool is_source;
	char replid[REPLID_LEN + 1]; // also its run_id
	uint64_t position;           // of the stream, up to which it was written to somebody
	uint64_t at;                 // where the last who was written to is
};

// What all targets have taken. @see report.c
struct taken {
	uint64_t commands, transactions, markers;
	uint64_t marker_faults; // markers that told less than the one before: with --check
	uint64_t digest;        // block_digest() of the commands: with --check
};

struct peer {
	TAILQ_ENTRY(peer) all;
	struct world *world;
	struct server *server;
	struct flow *flow;
	uint64_t id;
	char name[128]; // CLIENT SETNAME
	bool is_over;   // to be freed at the end of the turn
	bool can_write;
	struct bytes in, out;

	bool in_multi;
	unsigned n_queued;
	struct bytes exec;   // replies of what is queued
	struct bytes held;   // and what it says of markers
	struct taken queued; // counts when EXEC comes

	bool is_replica;
	uint64_t position, limit; // of the stream: written, and may be written
	uint64_t ping_ns;         // when the limit rises by a PING; only behind the stream's end
};

TAILQ_HEAD(peer_list, peer);

struct world {
	struct options o;
	struct block block;
	struct nic *nic;
	struct stack *stack;
	struct idle idle;
	struct server servers[SERVERS_MAX];
	unsigned n_servers;
	struct peer_list peers;
	struct peer *spare; // for the next one; NULL: none yet
	uint64_t last_id;
	struct verbs *verbs;
	struct store store;
	struct taken taken;
	uint64_t begin_ns, now_ns, busy_ns;
};

// ---- peer.c

void peers_accept(struct world *w);
void peers_news(struct world *w);

// Write what streams and replies have to say. @return true: there is more at once
bool peers_feed(struct world *w);

void peer_end(struct peer *p); // at the end of the turn
void peers_free(struct world *w);

// ---- verbs.c

struct verbs *verbs_new(void);
void verbs_free(struct verbs *v);

// Answer one request, or queue it in a transaction.
void verbs_answer(struct peer *p, const struct request *r);

// ---- source.c

void source_psync(struct peer *p, const struct request *r, struct bytes *out);

// Bytes of the stream that go out now; empty: none
struct span source_next(struct peer *p);
void source_written(struct peer *p, size_t len);

// Commands that all sources have said.
uint64_t sources_sent(const struct world *w);

// ---- target.c

void target_set(struct peer *p, const struct request *r, struct bytes *out);
void target_get(struct peer *p, const struct request *r, struct bytes *out);
void target_mget(struct peer *p, const struct request *r, struct bytes *out);
void target_incr(struct peer *p, const struct request *r, struct bytes *out);
void target_number(struct peer *p, const struct request *r, struct bytes *out);
void target_ok(struct peer *p, const struct request *r, struct bytes *out);
void target_multi(struct peer *p);
void target_queued(struct peer *p);
void target_exec(struct peer *p);
void target_discard(struct peer *p);

// A command outside of a transaction was answered: what it did counts.
void target_commit(struct peer *p);
