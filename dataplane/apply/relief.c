// SPDX-License-Identifier: BSD-3-Clause
// relief_begin() -> queue_look() -> item_look() -> delete_send() | keys_note()
#include "dataplane/apply/relief.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "dataplane/apply/lane.h"
#include "parsers/commands.h"
#include "parsers/resp_skim.h"
#include "parsers/resp_write.h"
#include "parsers/rewrite.h"

#define ARGS_MAX   1024
#define PIECE_LEN  (32 * 1024) // of a command that is looked at
#define TEXT_MAX   (256 * 1024)
#define KEYS_SLOTS 32768       // a power of two
#define KEYS_MAX   (KEYS_SLOTS / 2)
#define ITEMS_MAX  16384

// One look at the queue.
struct look {
	struct relief *relief;
	uint64_t keys[KEYS_SLOTS]; // hashes of keys that are touched, open addressing; 0: free
	unsigned n_keys, n_items;
	char piece[PIECE_LEN];
	struct span argv[ARGS_MAX]; // p NULL: it is not whole in the piece
	int argc;
	char text[TEXT_MAX + 64];
	size_t len;
	unsigned n_replies;
	int32_t db; // selected behind the text
};

// ---- Keys

// The slot of a key, or the free one where it would go. Two keys of one hash only hold a delete
// back that might have gone.
static uint64_t *slot_of(struct look *k, int32_t db, struct span key, uint64_t *hash)
{
	*hash = XXH3_64bits_withSeed(key.p, key.len, (XXH64_hash_t)db) | 1;
	size_t at = *hash >> 1 & (KEYS_SLOTS - 1);
	while (k->keys[at] && k->keys[at] != *hash)
		at = (at + 1) & (KEYS_SLOTS - 1);
	return &k->keys[at];
}

static bool keys_are_free(struct look *k, int32_t db, const struct key_run *run)
{
	uint64_t hash;
	for (int i = 0; i < run->n; i++)
		if (*slot_of(k, db, k->argv[key_run_at(run, i)], &hash))
			return false;
	return true;
}

// @return false when there is no room to remember them
static bool keys_note(struct look *k, int32_t db, const struct key_run *run)
{
	uint64_t hash;
	for (int i = 0; i < run->n; i++) {
		uint64_t *slot = slot_of(k, db, k->argv[key_run_at(run, i)], &hash);
		if (!*slot && ++k->n_keys > KEYS_MAX)
			return false;
		*slot = hash;
	}
	return true;
}

// ---- Commands

// Take an item apart as far as the piece has it. @return false when it has too many words
static bool words_find(struct look *k, const struct batch *b, unsigned i)
{
	struct resp_skim s;
	size_t len = batch_item_piece(b, i, 0, k->piece, PIECE_LEN), at = 0, used;
	enum skim_verdict v;
	resp_skim_init(&s);
	while ((v = resp_skim_next(&s, (struct span){k->piece + at, len - at}, &used)) ==
	       SKIM_ARG) {
		at += used;
		if (s.n_args <= ARGS_MAX)
			k->argv[s.n_args - 1] =
				(struct span){k->piece + s.arg.at, (size_t)s.arg.len};
	}
	for (uint32_t n = s.n_args; n < s.argc && n < ARGS_MAX; n++)
		k->argv[n] = (struct span){NULL, 0};
	k->argc = (int)s.argc;
	return v != SKIM_BAD && s.argc && s.argc <= ARGS_MAX && k->argv[0].p;
}

// LTRIM that keeps so many at one end: more than that are not there the second time.
static bool ltrim_keeps_an_end(const struct look *k)
{
	if (k->argc != 4)
		return false;
	struct span from = k->argv[2], to = k->argv[3];
	bool head = span_eq(from, SPAN_LIT("0")) && to.len && to.p[0] != '-';
	bool tail = from.len && from.p[0] == '-' && span_eq(to, SPAN_LIT("-1"));
	return head || tail;
}

static bool is_delete(const struct command *c, const struct look *k)
{
	if (!strcmp(c->name, "LTRIM"))
		return ltrim_keeps_an_end(k);
	if (c->class == CLASS_DELKEY)
		return !strcmp(c->name, "DEL") || !strcmp(c->name, "UNLINK");
	if (c->flags & COMMAND_REWRITE && c->rewrite != REWRITE_XTRIM) // that one keeps its name
		return false;
	return c->class == CLASS_ELREM && (c->flags & COMMAND_IDEMPOTENT) &&
	       !(c->flags & COMMAND_BY_ARGS);
}

// The keys of the command at hand. @return false when nothing may overtake it
static bool keys_find(struct look *k, const struct command *c, bool whole, struct key_run *run)
{
	if (!c || c->class == CLASS_SCRIPT || (!whole && c->keyspec != KEYS_RANGE) ||
	    command_key_run(c, k->argv, k->argc, run))
		return false;
	enum command_scope reach = command_reach(c, k->argv, k->argc, run);
	if (reach != SCOPE_NONE && reach != SCOPE_KEY && reach != SCOPE_MULTI)
		return false;
	for (int i = 0; i < run->n; i++)
		if (!k->argv[key_run_at(run, i)].p)
			return false;
	return true;
}

static void select_put(struct look *k, int32_t db)
{
	char number[12];
	if (db == k->db)
		return;
	snprintf(number, sizeof(number), "%d", db);
	k->len += RESP_WRITE(k->text + k->len, sizeof(k->text) - k->len, "SELECT", number);
	k->n_replies++;
	k->db = db;
}

// @return false: the text is full, or nothing behind this may overtake
static bool item_look(struct look *k, const struct batch *b, unsigned i, bool sent)
{
	const struct batch_item *item = &b->items[i];
	size_t len = batch_item_len(b, i);
	bool whole = len <= PIECE_LEN;
	struct key_run run;
	if (!words_find(k, b, i))
		return false;
	const struct command *c =
		command_find(k->argv[0], k->argc > 1 ? k->argv[1] : (struct span){"", 0});
	if (item->kind == ITEM_INTERNAL && c && c->flags & COMMAND_FRAME)
		return true; // a SELECT of ours
	if (!keys_find(k, c, whole, &run))
		return false;
	if (!whole || !run.n || !is_delete(c, k) || !keys_are_free(k, item->db, &run))
		return keys_note(k, item->db, &run);
	if (sent)
		return true;
	if (k->len + len + 64 > TEXT_MAX)
		return false;
	select_put(k, item->db);
	memcpy(k->text + k->len, k->piece, len);
	k->len += len;
	k->n_replies++;
	return true;
}

static void queue_look(struct lane *l, struct look *k)
{
	struct relief *r = k->relief;
	for (unsigned place = 0; place < l->n_queued; place++) {
		const struct batch *b = lane_batch(l, place);
		if (!b->framed || (b->after_mask && !lane_dependencies_met(l, b)))
			return;
		for (unsigned i = 0; i < b->n_items; i++) {
			bool sent = b->seq < r->seq || (b->seq == r->seq && i < r->item);
			if (++k->n_items > ITEMS_MAX || !item_look(k, b, i, sent))
				return;
			if (sent)
				continue;
			r->seq = b->seq;
			r->item = i + 1;
		}
	}
}

// ---- Relief

void relief_reset(struct lane *l)
{
	free(l->relief.text);
	l->relief = (struct relief){0};
}

void relief_begin(struct lane *l, bool is_oom)
{
	struct relief *r = &l->relief;
	bool has_news = l->n_queued && (is_oom || l->torn_seq);
	struct look *k = has_news ? calloc(1, sizeof(*k)) : NULL;
	if (!k)
		return;
	uint64_t head_seq = lane_batch(l, 0)->seq;
	if (head_seq != r->head_seq) // what stood in a delete's way may be gone
		r->seq = r->item = 0;
	r->head_seq = head_seq;
	k->relief = r;
	if (l->torn_seq && !r->marker_gone) {
		k->len = RESP_WRITE(k->text, sizeof(k->text), "DEL", l->marker_key);
		k->n_replies = 1;
		r->marker_gone = true;
	}
	if (is_oom)
		queue_look(l, k);
	if (k->n_replies)
		select_put(k, 0);
	char *text = k->n_replies ? malloc(k->len) : NULL;
	if (k->n_replies && !text)
		relief_reset(l); // no memory here either: the next try looks at all of it again
	if (text) {

		memcpy(text, k->text, k->len);
		r->text = text;
		r->len = k->len;
		r->at = 0;
		r->n_replies = k->n_replies;
	}
	free(k);
}

void relief_answered(struct lane *l)
{
	struct relief *r = &l->relief;
	if (--r->n_replies)
		return;
	free(r->text);
	r->text = NULL;
	l->retry_at_ns = l->now.mono_ns; // there may be room now
}
