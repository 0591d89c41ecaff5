// SPDX-License-Identifier: BSD-3-Clause
// A client that writes to a server without a pause, in a process of its own, while a test breaks
// things. What it writes shows any loss, repeat or reorder: counters, sequences, moves.
#pragma once

struct process;
struct server;

// Write until writer_stop(); a server that goes away is connected to again.
struct process *writer_start(struct server *s);

// The same with a pause behind every 130 commands or so, ms; a tenth of them goes over slots.
struct process *writer_start_gently(struct server *s, unsigned pause_ms);

// Let it finish what it has begun. The server then holds all that it wrote.
void writer_stop(struct process *writer);

struct cluster;

// The same to a cluster: it follows redirects, and writes to keys of every type, `keys` of each.
struct process *cluster_writer_start(struct cluster *c, unsigned seed, unsigned keys);
