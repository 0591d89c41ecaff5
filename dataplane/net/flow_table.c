// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/flow_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int flow_table_init(struct flow_table *t, uint32_t max, const uint8_t secret[16])
{
	uint32_t slots = 16;
	while (slots < 2 * (uint64_t)max)
		slots *= 2;
	*t = (struct flow_table){.max = max, .mask = slots - 1};
	memcpy(t->secret, secret, 16);
	// Odd, so that no factor of a product is ever 0 for all inputs.
	t->secret[2] = (t->secret[0] ^ 0x9e3779b97f4a7c15) | 1;
	t->secret[3] = (t->secret[1] ^ 0xbf58476d1ce4e5b9) | 1;
	t->slots = calloc(slots, sizeof(*t->slots));
	t->keys = calloc(max, sizeof(*t->keys));
	if (t->slots && t->keys)
		return 0;
	flow_table_fini(t);
	return -ENOMEM;
}

void flow_table_fini(struct flow_table *t)
{
	free(t->slots);
	free(t->keys);
	t->slots = NULL;
	t->keys = NULL;
}

struct flow_key flow_key_of(const struct tcp_tuple *tuple)
{
	struct flow_key k;
	flow_key_received(&k, tuple->family, tuple->remote, tuple->local, tuple->remote_port,
			  tuple->local_port);
	return k;
}

// A product's halves together: every bit of the input reaches every bit of the result.
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t flow_table_hash(const struct flow_table *t, const struct flow_key *k)
{
	const uint64_t *s = t->secret;
	uint64_t h = mix(k->w[0] ^ s[0], k->w[1] ^ s[2]);
	if (k->w[0] >> 32 == 6) {
		h = mix(h ^ k->w[2] ^ s[1], k->w[3] ^ s[3]);
		h ^= k->w[4];
	}
	return mix(h ^ s[1], s[3]);
}

static bool key_eq(const struct flow_key *a, const struct flow_key *b)
{
	if (a->w[0] != b->w[0] || a->w[1] != b->w[1])
		return false;
	return a->w[0] >> 32 == 4 || !memcmp(&a->w[2], &b->w[2], 3 * sizeof(a->w[0]));
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

// The slot of a key, or the empty one where it would stand.
static uint32_t slot_of(const struct flow_table *t, const struct flow_key *k, uint64_t hash)
{
	uint32_t tag = tag_of(hash), at = (uint32_t)hash & t->mask;
	for (;; at = (at + 1) & t->mask) {
		const struct flow_slot *s = &t->slots[at];
		if (!s->tag || (s->tag == tag && key_eq(&t->keys[s->index], k)))
			return at;
	}
}

uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *k)
{
	const struct flow_slot *s = &t->slots[slot_of(t, k, flow_table_hash(t, k))];
	return s->tag ? s->index : FLOW_NONE;
}

void flow_table_put(struct flow_table *t, const struct flow_key *k, uint32_t index)
{
	uint64_t hash = flow_table_hash(t, k);
	struct flow_slot *s = &t->slots[slot_of(t, k, hash)];
	assert(!s->tag && index < t->max && t->n < t->max);
	*s = (struct flow_slot){tag_of(hash), index};
	t->keys[index] = *k;
	t->n++;
}

// Those behind it move up, as far as their own place allows: nothing is left to be skipped.
void flow_table_remove(struct flow_table *t, uint32_t index)
{
	const struct flow_key *k = &t->keys[index];
	uint32_t hole = slot_of(t, k, flow_table_hash(t, k));
	assert(t->slots[hole].tag && t->slots[hole].index == index);
	for (uint32_t at = (hole + 1) & t->mask; t->slots[at].tag; at = (at + 1) & t->mask) {
		const struct flow_key *other = &t->keys[t->slots[at].index];
		uint32_t home = (uint32_t)flow_table_hash(t, other) & t->mask;
		if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
			t->slots[hole] = t->slots[at];
			hole = at;
		}
	}
	t->slots[hole].tag = 0;
	t->n--;
}
