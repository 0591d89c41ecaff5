// SPDX-License-Identifier: BSD-3-Clause
// gen_read_check() -> feed_run() -> on_event() -> a raw body is read again, by its elements
#include "tests/unit/rdb_gen_read.h"

#define HEADER_LEN 9

static void key_begin(struct gen_read *g, const struct rdb_event *ev)
{
	unsigned n = (unsigned)span_digits((struct span){ev->key.p, 6});
	assert_true(ev->key.len >= 6 && n < GEN_KEYS_MAX);
	g->key = &g->keys[n];
	assert_false(g->key->present);
	*g->key = (struct gen_read_key){
		.present = true, .type = ev->type, .kind = ev->value_kind, .db = g->db,
		.attrs = {ev->expire_at_ms, ev->idle_s, ev->freq},
	};
	g->n_keys++;
	words_begin(&g->words);
}

static void key_end(struct gen_read *g)
{
	g->key->words = words_end(&g->words, false);
	g->key = NULL;
}

static void on_body(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	if (ev->kind > RDB_BIG_BEGIN && ev->kind < RDB_BIG_END)
		words_element(arg, ev);
}

// A raw body, in a file of its own.
static void raw_take(struct gen_read *g, const struct rdb_event *ev)
{
	struct feeder f = {.set = FEED_SETTINGS, .how = FEED_WHOLE, .seen = on_body,
			   .arg = &g->words};
	size_t len = HEADER_LEN + 3 + ev->value.len + 9;
	char *file = calloc(1, len); // a sum of zero is none
	f.set.window_len = f.set.scratch_len = 8 << 20;
	f.set.elements = true;
	memcpy(file, g->header, HEADER_LEN);
	memcpy(file + 5, g->header[0] == 'V' ? g->header + 5 : "0012", 4);
	file[HEADER_LEN] = (char)ev->type;
	memcpy(file + HEADER_LEN + 1, "\1k", 2);
	memcpy(file + HEADER_LEN + 3, ev->value.p, ev->value.len);
	file[HEADER_LEN + 3 + ev->value.len] = (char)0xff;
	feed_run(&f, (struct span){file, len});
	if (f.result != RDB_DONE)
		fail_msg("raw body of type %u: %s", ev->type, f.error);
	free(file);
	g->n_raw++;
}

static void part_take(struct gen_read *g, const struct rdb_event *ev)
{
	assert_true(ev->value.len <= g->total_len - g->joined_len);
	memcpy(g->joined + g->joined_len, ev->value.p, ev->value.len);
	g->joined_len += ev->value.len;
	g->n_parts++;
}

static void string_end(struct gen_read *g)
{
	assert_int_equal(g->joined_len, g->total_len);
	words_string(&g->words, (struct span){g->joined, g->joined_len});
	free(g->joined);
	g->joined = NULL;
	key_end(g);
}

// The text of a score gives the very score back.
static void score_check(const struct rdb_event *ev)
{
	char text[40];
	assert_true(ev->value.len < sizeof(text));
	memcpy(text, ev->value.p, ev->value.len);
	text[ev->value.len] = '\0';
	assert_true(strtod(text, NULL) == ev->score);
}

static void on_event(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct gen_read *g = arg;
	switch (ev->kind) {
	case RDB_SELECTDB:
		g->db = ev->db;
		return;
	case RDB_STRING:
		key_begin(g, ev);
		words_string(&g->words, ev->value);
		key_end(g);
		return;
	case RDB_STRING_BEGIN:
		key_begin(g, ev);
		g->joined = malloc(ev->total_len + 1);
		g->joined_len = 0;
		g->total_len = ev->total_len;
		return;
	case RDB_STRING_PART:
		part_take(g, ev);
		return;
	case RDB_STRING_END:
		string_end(g);
		return;
	case RDB_RAW:
		key_begin(g, ev);
		raw_take(g, ev);
		key_end(g);
		return;
	case RDB_BIG_BEGIN:
		key_begin(g, ev);
		g->n_big++;
		return;
	case RDB_BIG_END:
		key_end(g);
		return;
	case RDB_EOF:
		g->crc = ev->crc;
		return;
	case RDB_AUX:
	case RDB_RESIZEDB:
		return;
	default:
		if (ev->kind == RDB_ZSET_ITEM)
			score_check(ev);
		words_element(&g->words, ev);
	}
}

// The words without the lines that only newer types have.
static char *words_old(const char *text)
{
	struct words w;
	words_begin(&w);
	fputs(text, w.out);
	return words_end(&w, true);
}

static void key_compare(const struct gen_key *meant, struct gen_read_key *got, enum gen_whose whose)
{
	char *words = whose == GEN_SERVERS ? words_old(got->words) : NULL;
	char *said = whose == GEN_SERVERS ? words_old(meant->words) : NULL;
	bool newer = whose == GEN_OURS || meant->type == 19;
	const char *a = newer ? meant->words : said, *b = newer ? got->words : words;
	if (got->kind != meant->kind || strcmp(a, b) != 0)
		fail_msg("key %.6s of type %u: meant\n%.1500s\ngot, from type %u\n%.1500s",
			 meant->name, meant->type, a, got->type, b);
	free(words);
	free(said);
	assert_int_equal(got->db, meant->db);
	assert_int_equal(got->attrs.expire_at_ms, meant->attrs.expire_at_ms);
	if (whose == GEN_SERVERS)
		return;
	assert_int_equal(got->type, meant->type);
	assert_int_equal(got->attrs.idle_s, meant->attrs.idle_s);
	assert_int_equal(got->attrs.freq, meant->attrs.freq);
}

void gen_read_check(struct feeder *f, const struct gen_file *meant, struct span file,
		    enum gen_whose whose, struct gen_read *got)
{
	*got = (struct gen_read){.header = file.p};
	f->seen = on_event;
	f->arg = got;
	feed_run(f, file);
	if (f->result != RDB_DONE)
		fail_msg("result %d: %s", f->result, f->error);
	assert_int_equal(f->pos, file.len);
	assert_true(f->scratch_cap <= f->set.scratch_len);
	for (unsigned i = 0; i < meant->n_keys; i++) {
		if (!got->keys[i].present)
			fail_msg("key %06u of type %u is missing", i, meant->keys[i].type);
		key_compare(&meant->keys[i], &got->keys[i], whose);
	}
	assert_int_equal(got->n_keys, meant->n_keys);
}

void gen_read_free(struct gen_read *got)
{
	for (unsigned i = 0; i < GEN_KEYS_MAX; i++)
		free(got->keys[i].words);
	free(got->joined);
}
