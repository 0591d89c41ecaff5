// SPDX-License-Identifier: BSD-3-Clause
// A recording: what the masters of a real cluster sent to one replica each while slots moved
// between them and clients wrote, and what these read at the end. A folder of files:
//
//   NODE.stream    a byte: what the master called NODE (a letter) sent from +FULLRESYNC on
//   timeline.json  server, mode, slots_at_start {node: "first-last"}, events [[ms, text] ..] and
//                  chunks [[ms, node, bytes] ..] in the order in which they came
//   expected.json  key -> {type, value}; pairs of hashes and sorted sets follow one another
//
// Events are "a->b 0-1999 ..": these slots begin to move; the next one says that it was found to be
// over. tests/e2e/record_program.c writes such folders.
#pragma once

#include <stdint.h>

#include <jansson.h>

#include "parsers/cluster.h"
#include "parsers/span.h"

#define RECORDED_NODES_MAX 8
#define RECORDED_WORDS_MAX 12 // of a command, which may have more
#define RECORDED_NOBODY    0xff

// Where a node stood at a time: it had sent so many bytes.
struct recorded_chunk {
	double ms;
	size_t end;
};

struct recorded_node {
	char name;
	char id[CLUSTER_ID_LEN + 1];
	char replid[41];
	uint64_t offset; // of the first byte of its stream
	char *bytes;
	size_t len;
	size_t stream_at; // the snapshot ends there
	struct recorded_chunk *chunks;
	unsigned n_chunks;
	uint16_t first, last; // slots at the start
};

// From then on a node sees slots so.
struct recorded_change {
	double ms;
	uint16_t first, last;
	uint8_t node, owner;
	uint8_t other; // where the owner is sending them, or RECORDED_NOBODY
	uint64_t order;
};

struct recording {
	struct recording *next;
	char folder[400];
	char server[40]; // "redis-7.0.15"
	char mode[16];   // how slots moved: classic, asm, migrateslots
	struct recorded_node nodes[RECORDED_NODES_MAX];
	unsigned n_nodes;
	struct recorded_change *changes; // by time
	unsigned n_changes, room;
	double end_ms;
	json_t *timeline, *expected;
};

// Read a folder; keys that expire are given the time that they had left when it was recorded. Stays
// until the test program ends.
struct recording *recording_load(const char *folder);

// ---- Commands of a stream

struct recorded_command {
	double ms; // when its last byte had come
	size_t at; // in the bytes of the node
	unsigned argc;
	struct span argv[RECORDED_WORDS_MAX];
};

// All commands of a node in turn. @return when the function has returned true: stop
typedef void recorded_visit(void *arg, const struct recorded_command *c);
void recorded_commands(const struct recorded_node *n, recorded_visit *visit, void *arg);

// ---- Moves (recording_moves.c)

// Fill in r->changes and the ids of nodes, which only the streams tell.
//
//   classic       a slot after the other, the lowest first: its old owner wrote to it last as it
//                 deleted the last key that it sent away
//   asm           from the end of the task in the new owner's stream; the old owner has heard of
//                 it when it says TRIMSLOTS
//   migrateslots  from FINISH STATE SUCCESS in the new owner's stream; the old owner has heard of
//                 it when it removes the first key
void recording_follow(struct recording *r);

// ---- What the target holds in the end

struct server;
struct servers;

// A value in the form of expected.json; null, or empty, when there is no such key.
json_t *recording_value(struct server *s, const char *key, const char *type);

// @param owner  the server that has a key; NULL: `all` is one server
// @param tell   print the first differences
// @return how many keys differ, are missing, or are there and should not be
unsigned recording_differences(const struct recording *r, const struct servers *all,
			       struct server *(*owner)(void *arg, const char *key), void *arg,
			       bool tell);
