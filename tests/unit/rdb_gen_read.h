// SPDX-License-Identifier: BSD-3-Clause
// What the reader makes of a file of random values, beside what was meant.
#pragma once

#include "tests/unit/rdb_feed.h"
#include "tests/unit/rdb_gen.h"

struct gen_read_key {
	bool present;
	uint8_t type;
	enum rdb_kind kind;
	uint64_t db;
	struct rdb_write_attrs attrs;
	char *words;
};

struct gen_read {
	struct gen_read_key keys[GEN_KEYS_MAX];
	unsigned n_keys, n_raw, n_big, n_parts;
	enum rdb_crc_verdict crc;

	uint64_t db;
	struct gen_read_key *key; // at hand
	struct words words;
	char *joined;             // a string in parts
	size_t joined_len, total_len;
	const char *header;       // of a file that holds one raw body
};

// Whose file is compared.
enum gen_whose {
	GEN_OURS,    // the one that was made: everything must be the same
	GEN_SERVERS, // a server's, that loaded it: types and LRU hints are its own, and it knows
		     // more of old streams
};

// Read a file as the feeder's settings say, and end with the test failed unless it says what was
// meant.
void gen_read_check(struct feeder *f, const struct gen_file *meant, struct span file,
		    enum gen_whose whose, struct gen_read *got);
void gen_read_free(struct gen_read *got);
