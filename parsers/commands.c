// SPDX-License-Identifier: BSD-3-Clause
// command_find() -> words_of() -> hash_of() -> row_is()
#include "parsers/commands.h"
#include "parsers/rewrite.h"
#include "parsers/commands_table.inc"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the table holds names as words");

const size_t command_row_count = sizeof(command_rows) / sizeof(command_rows[0]);

// A name as two words: together with the length they hold every byte of a name of up to 16.
struct name_words {
	uint64_t head, tail;
};

// a..z -> A..Z in each of eight bytes; others stay.
static uint64_t upper8(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t low7 = x & 0x7f * ones;
	uint64_t from_a = low7 + (0x80 - 'a') * ones;
	uint64_t past_z = low7 + (0x80 - 'z' - 1) * ones;
	uint64_t lower = from_a & ~past_z & ~x & 0x80 * ones;
	return x ^ lower >> 2;
}

static struct name_words words_of(struct span name)
{
	struct name_words w = {0, 0};
	const uint8_t *b = (const uint8_t *)name.p;
	if (name.len >= 8) {
		memcpy(&w.head, b, 8);
		memcpy(&w.tail, b + name.len - 8, 8);
		w.tail = upper8(w.tail);
	} else if (name.len >= 4) {
		uint32_t first, last;
		memcpy(&first, b, 4);
		memcpy(&last, b + name.len - 4, 4);
		w.head = first | (uint64_t)last << 32;
	} else if (name.len > 0) {
		w.head = b[0] | (uint64_t)b[name.len / 2] << 8 | (uint64_t)b[name.len - 1] << 16;
	}
	w.head = upper8(w.head);
	return w;
}

// tools/gen-commands has the same.
static uint32_t hash_of(struct name_words w, size_t len, uint64_t parent)
{
	uint64_t h = w.head ^ (w.tail << 29 | w.tail >> 35) ^ (uint64_t)len << 56 ^ parent << 40;
	h *= HASH_MUL;
	h ^= h >> 32;
	return (uint32_t)(h * HASH_MUL >> (64 - HASH_BITS));
}

static bool row_is(
	const struct command *c, struct name_words w, struct span name, unsigned int parent)
{
	if (c->head != w.head || c->tail != w.tail)
		return false;
	if (c->name_len != name.len || c->parent != parent)
		return false;
	if (name.len <= 16)
		return true;
	size_t prefix = parent ? command_rows[parent - 1].name_len + 1u : 0;
	return strncasecmp(c->name + prefix + 8, name.p + 8, name.len - 16) == 0;
}

static const struct command *row_find(struct span name, unsigned int parent)
{
	struct name_words w = words_of(name);
	for (uint32_t at = hash_of(w, name.len, parent); slots[at];) {
		const struct command *c = &command_rows[slots[at] - 1];
		if (row_is(c, w, name, parent))
			return c;
		at = (at + 1) & ((1u << HASH_BITS) - 1);
	}
	return NULL;
}

const struct command *command_find(struct span name, struct span sub)
{
	const struct command *c = row_find(name, 0);
	if (!c || !(c->flags & COMMAND_CONTAINER) || sub.len == 0)
		return c;
	const struct command *inner = row_find(sub, (unsigned int)(c - command_rows) + 1);
	return inner ? inner : c;
}

const char *command_scope_name(enum command_scope scope)
{
	static const char *const names[SCOPE_COUNT] = {
		"none", "key", "multi", "cross-db", "db", "global",
	};
	return names[scope];
}
