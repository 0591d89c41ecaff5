// SPDX-License-Identifier: BSD-3-Clause
// gen_file_make() -> key_make() -> gen_value() (rdb_gen_value.c, rdb_gen_stream.c)
#include "tests/unit/rdb_gen.h"

#include "parsers/rdb_types.h"

#define FAR_EXPIRY_MS 4000000000000 // the year 2096: no server drops the key while it is tested

void gen_init(struct gen *g, uint64_t seed)
{
	// Small, where windows and nodes are small as well and their borders fall everywhere;
	// large, where lengths need all of their encodings.
	static const struct gen_scale scales[] = {
		{20, 3000, 300, 12},
		{300, 20000, 2000, 60},
		{5000, 100000, 20000, 600},
	};
	*g = (struct gen){.random = {seed}};
	g->lzf_buf = malloc(GEN_LZF_LEN);
	g->scale = scales[gen_pick(g, 3)];
}

void gen_fini(struct gen *g)
{
	gen_forget(g);
	free(g->texts);
	free(g->lzf_buf);
}

size_t gen_window_min(const struct gen *g)
{
	// A node of a stream holds at least one entry, whatever node_max says.
	size_t entry = 15 * (g->scale.item_max + 12) + 100;
	size_t node = g->scale.node_max > entry ? g->scale.node_max : entry;
	return node + 2 * g->scale.item_max + 200;
}

void gen_forget(struct gen *g)
{
	while (g->n_texts > 0)
		free(g->texts[--g->n_texts]);
}

static char *text_room(struct gen *g, size_t len)
{
	if (g->n_texts == g->texts_cap) {
		g->texts_cap = 2 * g->texts_cap + 64;
		g->texts = realloc(g->texts, g->texts_cap * sizeof(*g->texts));
	}
	// Exactly as long as it is, so that a sanitizer sees who reads behind it.
	return g->texts[g->n_texts++] = malloc(len ? len : 1);
}

static struct span text_of(struct gen *g, const char *z, size_t max)
{
	size_t len = strlen(z) < max ? strlen(z) : max;
	return (struct span){memcpy(text_room(g, len), z, len), len};
}

// Integers around the borders of every width.
static struct span num_text(struct gen *g, size_t max)
{
	static const uint8_t bits[] = {0, 4, 6, 7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 62, 63};
	uint64_t v = (uint64_t)1 << bits[gen_pick(g, sizeof(bits))];
	char text[24];
	v += gen_pick(g, 5) - 2;
	if (gen_pick(g, 2))
		v = 0 - v;
	if (gen_pick(g, 4) == 0)
		v = random_next(&g->random) >> gen_pick(g, 64);
	snprintf(text, sizeof(text), "%lld", (long long)v);
	return text_of(g, text, max);
}

// What looks like an integer and must not become one.
static struct span near_num_text(struct gen *g, size_t max)
{
	static const char *const texts[] = {
		"-0", "00", "007", "+1", " 1", "1 ", "1.5", "-", "", "0x10", "1e3",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616",
		"4294967296 ", "99999999999999999999999", "nan", "inf",
	};
	return text_of(g, texts[gen_pick(g, sizeof(texts) / sizeof(texts[0]))], max);
}

static size_t text_len(struct gen *g, size_t max)
{
	static const unsigned borders[] = {1, 10, 20, 21, 62, 63, 64, 65, 127, 128, 252, 253, 254,
					   255, 256, 4094, 4095, 4096, 16382, 16383, 16384, 65536};
	size_t len = borders[gen_pick(g, sizeof(borders) / sizeof(borders[0]))];
	if (gen_pick(g, 3) == 0)
		len = gen_pick(g, max + 1);
	return len <= max ? len : gen_pick(g, 30);
}

struct span gen_text(struct gen *g, size_t max)
{
	uint64_t kind = gen_pick(g, 8);
	if (kind < 2)
		return num_text(g, max);
	if (kind == 2)
		return near_num_text(g, max);
	size_t len = text_len(g, max), period = 1 + gen_pick(g, 40);
	len = len < max ? len : max;
	char *p = text_room(g, len);
	for (size_t i = 0; i < len; i++)
		p[i] = kind == 3 && i >= period ? p[i - period]
		       : kind < 6               ? (char)('a' + gen_pick(g, 26))
						: (char)gen_pick(g, 256);
	return (struct span){p, len};
}

static bool is_among(struct span s, const struct span *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(s, others[i]))
			return true;
	return false;
}

struct span gen_text_new(struct gen *g, size_t max, const struct span *others, size_t n)
{
	for (;;) {
		struct span s = gen_text(g, max);
		if (!is_among(s, others, n))
			return s;
	}
}

static int file_take(void *arg, struct span out)
{
	struct gen_file *f = arg;
	if (f->len + out.len > f->cap) {
		f->cap = 2 * (f->len + out.len);
		f->p = realloc(f->p, f->cap);
	}
	memcpy(f->p + f->len, out.p, out.len);
	f->len += out.len;
	return 0;
}

static struct rdb_write_attrs attrs_any(struct gen *g)
{
	struct rdb_write_attrs a = RDB_WRITE_NO_ATTRS;
	if (gen_pick(g, 3) == 0)
		a.expire_at_ms = FAR_EXPIRY_MS + (int64_t)gen_pick(g, 1000000000);
	if (gen_pick(g, 6) == 0)
		a.idle_s = (int64_t)gen_pick(g, 100000);
	else if (gen_pick(g, 6) == 0)
		a.freq = (int)gen_pick(g, 256);
	if (!g->loadable && gen_pick(g, 8) == 0)
		a.expire_at_ms = (int64_t)gen_pick(g, INT64_MAX);
	return a;
}

static void lzf_toss(struct gen *g, struct rdb_writer *w)
{
	w->lzf_buf = gen_pick(g, 2) ? g->lzf_buf : NULL;
	w->lzf_cap = GEN_LZF_LEN;
}

// An expiry in seconds, as files before 2.6 have it: 32 bits, LE.
static int64_t seconds_write(struct gen *g, struct rdb_writer *w)
{
	uint32_t s = INT32_MAX - (uint32_t)gen_pick(g, 1000); // the year 2038
	const uint8_t bytes[] = {253, (uint8_t)s, (uint8_t)(s >> 8), (uint8_t)(s >> 16),
				 (uint8_t)(s >> 24)};
	rdb_write_bytes(w, (struct span){(const char *)bytes, sizeof(bytes)});
	return (int64_t)s * 1000;
}

static void key_make(struct gen *g, struct gen_file *f, struct rdb_writer *w, uint8_t type)
{
	struct gen_key *k = &f->keys[f->n_keys];
	struct words words;
	struct span tail = gen_text(g, 40);
	int n = snprintf(k->name, sizeof(k->name), "%06u", f->n_keys);
	memcpy(k->name + n, tail.p, tail.len);
	k->name_len = (size_t)n + tail.len;
	k->type = type;
	k->kind = rdb_type_find(f->magic, type)->kind;
	k->attrs = attrs_any(g);
	struct rdb_write_attrs expiring = {-1, k->attrs.idle_s, k->attrs.freq};
	k->db = f->n_keys ? f->keys[f->n_keys - 1].db : 0;
	if (f->n_keys == 0 || gen_pick(g, 4) == 0) {
		k->db = gen_pick(g, g->loadable ? 16 : 100000);
		rdb_write_selectdb(w, k->db);
	}
	lzf_toss(g, w);
	if (k->attrs.expire_at_ms < 0 && gen_pick(g, 8) == 0)
		k->attrs.expire_at_ms = seconds_write(g, w);
	else
		expiring.expire_at_ms = k->attrs.expire_at_ms;
	rdb_write_key(w, type, (struct span){k->name, k->name_len}, &expiring);
	words_begin(&words);
	gen_value(g, f->magic, type, w, &words);
	k->words = words_end(&words, false);
	gen_forget(g);
	f->n_keys++;
}

static void header_write(struct gen *g, struct gen_file *f, struct rdb_writer *w)
{
	if (f->magic == RDB_MAGIC_VALKEY) {
		w->version = f->version = 80;
		rdb_write_bytes(w, SPAN_LIT("VALKEY080"));
	} else {
		f->version = 1 + (int)gen_pick(g, g->loadable ? 10 : 12);
		rdb_write_header(w, f->version);
	}
	if (gen_pick(g, 2))
		rdb_write_aux(w, SPAN_LIT("redis-ver"), SPAN_LIT("7.0.15"));
}

void gen_file_make(struct gen *g, struct gen_file *f, enum rdb_magic magic, const uint8_t *types,
		   size_t n_types)
{
	uint8_t buf[4096];
	struct rdb_writer w;
	unsigned n = 1 + (unsigned)gen_pick(g, GEN_KEYS_MAX);
	*f = (struct gen_file){.magic = magic};
	rdb_write_init(&w, buf, 1 + gen_pick(g, sizeof(buf)), file_take, f);
	header_write(g, f, &w);
	while (f->n_keys < n)
		key_make(g, f, &w, types[gen_pick(g, n_types)]);
	if (rdb_write_eof(&w))
		abort();
}

void gen_file_free(struct gen_file *f)
{
	for (unsigned i = 0; i < f->n_keys; i++)
		free(f->keys[i].words);
	free(f->p);
}
