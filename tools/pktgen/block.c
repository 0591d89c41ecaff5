// SPDX-License-Identifier: BSD-3-Clause
// block_make() -> command_add() -> block_end_set()
#include "tools/pktgen/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define SELECT  "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define PING    "*1\r\n$4\r\nPING\r\n"
#define KEY_LEN 16
#define MSET_OF 4

_Static_assert(sizeof(PING) - 1 == BLOCK_PING_LEN, "");

#define X(name, parts, help) #name,
const char *const mix_names[N_MIX] = {MIX(X)};
#undef X
#define X(name, parts, help) help,
const char *const mix_helps[N_MIX] = {MIX(X)};
#undef X

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint32_t draw_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((draw(state) >> 32) * n >> 32);
}

// ---- Commands

struct maker {
	struct block *b;
	const struct block_settings *set;
	uint64_t random;
};

static void word(struct maker *m, const char *text)
{
	bytes_bulk(&m->b->text, span_of(text));
}

// "set:000000000042": keys of one kind have one type.
static void key(struct maker *m, const char *kind)
{
	char text[KEY_LEN + 8];
	int n = snprintf(text, sizeof(text), "%s:", kind);
	snprintf(text + n, sizeof(text) - (size_t)n, "%0*" PRIu32, KEY_LEN - n,
		 draw_below(&m->random, m->set->n_keys));
	word(m, text);
}

// Letters and digits that do not repeat, so that nothing on the way can make them shorter.
static void value(struct maker *m)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const struct block_settings *set = m->set;
	size_t len = set->value_min + draw_below(&m->random, set->value_max - set->value_min + 1);
	struct bytes *t = &m->b->text;
	bytes_text(t, "$%zu\r\n", len);
	bytes_reserve(t, len);
	for (size_t i = 0; i < len; i += 10) {
		uint64_t r = draw(&m->random);
		for (size_t k = i; k < len && k < i + 10; k++, r >>= 6)
			t->p[t->len + k] = letters[r & 63];
	}
	t->len += len;
	bytes_add(t, "\r\n", 2);
}

static void head(struct maker *m, unsigned argc, const char *verb)
{
	bytes_text(&m->b->text, "*%u\r\n", argc);
	word(m, verb);
}

static void command_add(struct maker *m, enum mix_verb verb)
{
	switch (verb) {
	case MIX_set:
		head(m, 3, "SET");
		key(m, "key");
		value(m);
		break;
	case MIX_incr:
		head(m, 2, "INCR");
		key(m, "count");
		break;
	case MIX_hset:
		head(m, 4, "HSET");
		key(m, "hash");
		key(m, "field");
		value(m);
		break;
	case MIX_rpush:
		head(m, 3, "RPUSH");
		key(m, "list");
		value(m);
		break;
	case MIX_mset:
		head(m, 1 + 2 * MSET_OF, "MSET");
		for (unsigned i = 0; i < MSET_OF; i++) {
			key(m, "key");
			value(m);
		}
		break;
	case MIX_del:
		head(m, 2, "DEL");
		key(m, "key");
		break;
	case N_MIX:
		break;
	}
}

static enum mix_verb verb_draw(struct maker *m, uint32_t parts)
{
	uint32_t at = draw_below(&m->random, parts);
	unsigned verb = 0;
	while (at >= m->set->parts[verb])
		at -= m->set->parts[verb++];
	return (enum mix_verb)verb;
}

// ---- The block

uint64_t block_digest(struct span command)
{
	return XXH3_64bits(command.p, command.len);
}

static uint64_t digest_of(const struct block *b, uint32_t n)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t begin = i ? b->ends[i - 1] : sizeof(SELECT) - 1;
		sum += block_digest((struct span){b->text.p + begin, b->ends[i] - begin});
	}
	return sum;
}

static void block_end_set(struct block *b, uint64_t n_total)
{
	if (!n_total) {
		b->end = UINT64_MAX;
		return;
	}
	uint64_t whole = n_total / b->n_commands;
	uint32_t rest = (uint32_t)(n_total % b->n_commands);
	b->end = whole * b->text.len + (rest ? b->ends[rest - 1] : 0);
	b->digest = whole * digest_of(b, b->n_commands) + digest_of(b, rest);
}

void block_make(struct block *b, const struct block_settings *set)
{
	struct maker m = {.b = b, .set = set, .random = set->seed};
	uint32_t parts = 0;
	*b = (struct block){.n_commands = set->n_commands};
	b->ends = calloc(set->n_commands, sizeof(*b->ends));
	if (!b->ends) {
		fprintf(stderr, "pktgen: no memory for a block of %" PRIu32 " commands\n",
			set->n_commands);
		exit(1);
	}
	for (unsigned i = 0; i < N_MIX; i++)
		parts += set->parts[i];
	bytes_add(&b->text, SELECT, sizeof(SELECT) - 1);
	for (uint32_t i = 0; i < set->n_commands; i++) {
		command_add(&m, verb_draw(&m, parts));
		b->ends[i] = (uint32_t)b->text.len;
	}
	block_end_set(b, set->n_total);
}

void block_free(struct block *b)
{
	bytes_free(&b->text);
	free(b->ends);
}

struct span block_at(const struct block *b, uint64_t position)
{
	if (position >= b->end) {
		size_t at = (size_t)((position - b->end) % BLOCK_PING_LEN);
		return (struct span){PING + at, BLOCK_PING_LEN - at};
	}
	size_t at = (size_t)(position % b->text.len);
	uint64_t left = b->end - position;
	size_t len = b->text.len - at;
	return (struct span){b->text.p + at, left < len ? (size_t)left : len};
}

uint64_t block_commands(const struct block *b, uint64_t position)
{
	uint64_t until = position < b->end ? position : b->end;
	uint32_t at = (uint32_t)(until % b->text.len), first = 0, behind = b->n_commands;
	while (first < behind) { // how many of them end up to there
		uint32_t middle = first + (behind - first) / 2;
		if (b->ends[middle] <= at)
			first = middle + 1;
		else
			behind = middle;
	}
	return until / b->text.len * b->n_commands + first;
}
