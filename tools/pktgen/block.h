// SPDX-License-Identifier: BSD-3-Clause
// A replication stream that is made in advance: one block of commands in memory, said over and
// over. So the stream is a function of its position, and whoever was cut off can go on anywhere.
//
//   SELECT 0, command 1 .. n | SELECT 0, command 1 .. n | .. | PING PING ..
//
// PINGs stand behind the end of a stream that has one, as long as somebody listens.
#pragma once

#include "tools/pktgen/bytes.h"

#define BLOCK_PING_LEN 14

// What commands it is made of, and how many parts of each. One row each: verb, parts by default,
// help.
#define MIX(X)                                                                                     \
	X(set, 1, "SET key value")                                                                 \
	X(incr, 0, "INCR counter")                                                                 \
	X(hset, 0, "HSET hash field value")                                                        \
	X(rpush, 0, "RPUSH list value")                                                            \
	X(mset, 0, "MSET of four keys")                                                            \
	X(del, 0, "DEL key")

#define X(name, parts, help) MIX_##name,
enum mix_verb { MIX(X) N_MIX };
#undef X

struct block_settings {
	uint32_t n_commands; // of one block
	uint32_t n_keys;     // distinct keys of each kind, at most
	uint32_t value_min, value_max;
	unsigned parts[N_MIX]; // not all 0
	uint64_t seed;
	uint64_t n_total; // commands of a stream; 0: it has no end
};

struct block {
	struct bytes text;
	uint32_t n_commands;
	uint32_t *ends;  // of each command in the block
	uint64_t end;    // position behind the last command; UINT64_MAX: none
	uint64_t digest; // of the commands of a stream that has an end, see block_digest()
};

extern const char *const mix_names[N_MIX], *const mix_helps[N_MIX];

// Ends the program when there is no memory.
void block_make(struct block *b, const struct block_settings *set);
void block_free(struct block *b);

// Bytes from a position on: at least one, up to where the block begins anew.
struct span block_at(const struct block *b, uint64_t position);

// Commands that end at or before a position, SELECT and PING not counted.
uint64_t block_commands(const struct block *b, uint64_t position);

// The digest of a set of commands is the sum of these: who has each command once, in whatever
// order, has the same.
uint64_t block_digest(struct span command);
