// SPDX-License-Identifier: BSD-3-Clause
// A TCP proxy that misbehaves on demand, in a thread of the test program. Stands between Flyover
// and a server.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

enum proxy_direction {
	TO_SERVER,   // what Flyover sent
	FROM_SERVER, // what the server sent
};

enum proxy_end {
	END_FIN, // an orderly close, what was sent before still arrives
	END_RST, // a reset
};

struct proxy {
	struct proxy *next;
	struct proxy_thread *thread;
	int port;
	char url[64]; // redis://HERE:PORT, see net.h
};

// @param upstream_port  of the loopback
struct proxy *proxy_start(struct world *w, int upstream_port);

// End every connection that there is; new ones are served. Returns when it is done.
void proxy_cut(struct proxy *p, enum proxy_end how);

// End, once, the connection that carries the n-th byte from now on in this direction, counted over
// all connections; over replicas' alone once there was one. That byte is the last that passes.
// 0: no such end any more.
void proxy_cut_after(struct proxy *p, enum proxy_direction direction, uint64_t n_bytes,
		     enum proxy_end how);

// Wait until a proxy_cut_after() has struck.
void proxy_wait_cut(struct proxy *p);

// End new connections at once, or serve them again.
void proxy_refuse(struct proxy *p, bool refuse);

// Let nothing pass, or go on; connections stay open and accept bytes until buffers are full.
void proxy_stall(struct proxy *p, bool stall);

// Every byte arrives this much later, both ways.
void proxy_delay(struct proxy *p, int ms);

// At most so many bytes in one go, and a pause of about a millisecond behind them; 0: as they come.
void proxy_trickle(struct proxy *p, unsigned n_bytes);

// Replace, once, the next occurrence of `find` within one read by `put`, of the same length.
void proxy_replace(struct proxy *p, enum proxy_direction direction, const char *find,
		   const char *put);

// Connect new connections to another port of the loopback.
void proxy_upstream(struct proxy *p, int upstream_port);

// Bytes that passed so far, over all connections.
uint64_t proxy_bytes(struct proxy *p, enum proxy_direction direction);

// Connections accepted so far.
unsigned proxy_connections(struct proxy *p);

void proxies_free(struct world *w);
