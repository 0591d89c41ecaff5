// SPDX-License-Identifier: BSD-3-Clause
// Random values of every type and encoding, as RDB bodies and as what they mean.
//
//   gen_init -> gen_file (or gen_value, value by value) -> gen_fini
#pragma once

#include "parsers/rdb_write.h"
#include "tests/unit/random.h"
#include "tests/unit/rdb_gen_words.h"

#define GEN_KEYS_MAX 24
#define GEN_LZF_LEN  (1 << 20)

// How large things get.
struct gen_scale {
	size_t item_max;   // longest text but for string values
	size_t string_max; // longest string value
	size_t node_max;   // longest node; at least 3 * item_max + 100
	unsigned n_max;    // most elements of a value
};

struct gen {
	struct random random;
	struct gen_scale scale;
	bool loadable;  // only what a server of 7.0 loads and keeps: no empty value, no integer as
	                // text in a node, no expiry that is near
	char *lzf_buf;
	char **texts;   // made since gen_forget()
	size_t n_texts, texts_cap;
};

// A key and its value, as they were meant.
struct gen_key {
	uint8_t type;
	enum rdb_kind kind;
	char name[64]; // begins with its number in six digits
	size_t name_len;
	uint64_t db;
	struct rdb_write_attrs attrs;
	char *words;   // words_end()
};

// A file and what it should say.
struct gen_file {
	struct gen_key keys[GEN_KEYS_MAX];
	unsigned n_keys;
	enum rdb_magic magic;
	int version;
	char *p; // malloc'ed
	size_t len, cap;
};

void gen_init(struct gen *g, uint64_t seed);
void gen_fini(struct gen *g);

static inline uint64_t gen_pick(struct gen *g, uint64_t n)
{
	return random_below(&g->random, n);
}

// Bytes that a reader's window must hold for any value: the longest node, field and value.
size_t gen_window_min(const struct gen *g);

// A text of up to `max` bytes: boundaries of lengths and integers, near integers, what compresses
// and what does not. Lives until gen_forget().
struct span gen_text(struct gen *g, size_t max);

// One that differs from `n` others.
struct span gen_text_new(struct gen *g, size_t max, const struct span *others, size_t n);
void gen_forget(struct gen *g);

// A random value of a type: its body to the writer, its meaning to the words.
void gen_value(struct gen *g, enum rdb_magic magic, uint8_t type, struct rdb_writer *w,
	       struct words *words);

// A whole file of random values.
//
// @param types  to choose from, n_types of them
void gen_file_make(struct gen *g, struct gen_file *f, enum rdb_magic magic, const uint8_t *types,
		   size_t n_types);
void gen_file_free(struct gen_file *f);

// rdb_gen_stream.c
void gen_stream(struct gen *g, int level, struct rdb_writer *w, struct words *words);
