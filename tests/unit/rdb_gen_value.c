// SPDX-License-Identifier: BSD-3-Clause
// Values of every type but streams: gen_value() -> a maker by shape and kind. A maker draws the
// elements, writes them as the type wants them, and says each as the event that it should become.
#include <math.h>

#include "tests/unit/rdb_gen.h"
#include "tests/unit/rdb_gen_node.h"

#define ITEMS_MAX        600
#define CONTAINER_PLAIN  1
#define CONTAINER_PACKED 2

// One value in the making.
struct maker {
	struct gen *g;
	struct rdb_writer *w;
	struct words *words;
	const struct rdb_type *type;
	enum rdb_magic magic;
	struct span names[ITEMS_MAX]; // members and fields so far: no two alike
	unsigned n;
};

static void string_write(struct maker *m, struct span s)
{
	gen_pick(m->g, 8) ? rdb_write_str(m->w, s) : rdb_write_plain(m->w, s);
}

static void node_write(struct maker *m, struct gen_node *node)
{
	struct span s = node_end(node, gen_pick(m->g, 8) == 0);
	m->w->lzf_buf ? rdb_write_str(m->w, s) : rdb_write_plain(m->w, s);
	node_fini(node);
}

static struct gen_entry_how entry_how(struct maker *m)
{
	return (struct gen_entry_how){
		.as_text = !m->g->loadable && gen_pick(m->g, 8) == 0,
		.wide_prev = gen_pick(m->g, 8) == 0,
		.n_free = gen_pick(m->g, 4) ? 0 : (uint8_t)gen_pick(m->g, 5),
	};
}

static struct span item_any(struct maker *m)
{
	return gen_text(m->g, m->g->scale.item_max);
}

static struct span name_new(struct maker *m)
{
	struct span s = gen_text_new(m->g, m->g->scale.item_max, m->names, m->n);
	return m->names[m->n++] = s;
}

static unsigned count_any(struct maker *m)
{
	unsigned least = m->g->loadable, max = gen_pick(m->g, 4) ? 10 : m->g->scale.n_max;
	return least + (unsigned)gen_pick(m->g, max);
}

// Whether one more element surely leaves the node within its bound.
static bool has_room(const struct maker *m, const struct gen_node *node)
{
	return node->len + 3 * m->g->scale.item_max + 90 < m->g->scale.node_max;
}

// -- scores -----------------------------------------------------------------------------------

static double score_any(struct gen *g)
{
	static const double borders[] = {0, -0.0, 1, -1, 0.1, 1e15, -1e15, 9007199254740993.0, 1e17,
					 1e300, -1e300, 5e-324, INFINITY, -INFINITY, 3.0e9, 1e-5};
	uint64_t bits = random_next(&g->random);
	double score;
	memcpy(&score, &bits, sizeof(score));
	if (gen_pick(g, 3) == 0)
		return (double)(int64_t)gen_pick(g, 2000) - 1000;
	if (gen_pick(g, 3) == 0 || isnan(score))
		return borders[gen_pick(g, sizeof(borders) / sizeof(borders[0]))];
	return score;
}

static int score_text(double score, char *buf, size_t len)
{
	if (isinf(score))
		return snprintf(buf, len, score > 0 ? "inf" : "-inf");
	return snprintf(buf, len, "%.17g", score);
}

struct scored {
	struct span member;
	double score;
};

static int by_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;
	size_t n = x->member.len < y->member.len ? x->member.len : y->member.len;
	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	int cmp = memcmp(x->member.p, y->member.p, n);
	return cmp ? cmp : x->member.len < y->member.len ? -1 : 1;
}

static void score_write(struct maker *m, double score)
{
	char text[40];
	if (m->type->layout[2] == '8') {
		rdb_write_double(m->w, score);
	} else if (isinf(score)) {
		rdb_write_bytes(m->w, score > 0 ? SPAN_LIT("\xfe") : SPAN_LIT("\xff"));
	} else {
		text[0] = (char)score_text(score, text + 1, sizeof(text) - 1);
		rdb_write_bytes(m->w, (struct span){text, 1 + (size_t)text[0]});
	}
}

// Up to n members in their order, as a server keeps them.
static unsigned scored_draw(struct maker *m, struct scored *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		all[i] = (struct scored){name_new(m), score_any(m->g)};
	qsort(all, n, sizeof(*all), by_score);
	return n;
}

static void scored_say(struct maker *m, const struct scored *s)
{
	words_element(m->words, &(struct rdb_event){.kind = RDB_ZSET_ITEM, .field = s->member,
						    .score = s->score});
}

static void zset_items(struct maker *m)
{
	struct scored all[ITEMS_MAX];
	unsigned n = scored_draw(m, all, count_any(m));
	rdb_write_len(m->w, n);
	for (unsigned i = 0; i < n; i++) {
		string_write(m, all[i].member);
		score_write(m, all[i].score);
		scored_say(m, &all[i]);
	}
}

static void zset_node(struct maker *m)
{
	struct scored all[ITEMS_MAX];
	struct gen_node node;
	char text[40];
	size_t least = (m->g->scale.node_max - 100) / (m->g->scale.item_max + 40);
	unsigned n = count_any(m);
	n = scored_draw(m, all, n < least ? n : (unsigned)least);
	node_init(&node, m->type->pack);
	for (unsigned i = 0; i < n && has_room(m, &node); i++) {
		int len = score_text(all[i].score, text, sizeof(text));
		node_add(&node, all[i].member, entry_how(m));
		node_add(&node, (struct span){text, (size_t)len}, entry_how(m));
		scored_say(m, &all[i]);
	}
	node_write(m, &node);
}

// -- hashes -----------------------------------------------------------------------------------

struct field {
	struct span name, value;
	int64_t expire_at_ms; // -1: none
};

static struct field field_any(struct maker *m, int64_t least_expiry)
{
	struct field f = {name_new(m), item_any(m), -1};
	if (least_expiry >= 0 && gen_pick(m->g, 2))
		f.expire_at_ms = least_expiry + (int64_t)gen_pick(m->g, 1 << 30);
	words_element(m->words, &(struct rdb_event){.kind = RDB_HASH_ITEM, .field = f.name,
						    .value = f.value,
						    .field_expire_at_ms = f.expire_at_ms});
	return f;
}

// The least expiry is written where the layout begins with it; -1: the type knows none.
static int64_t least_expiry(struct maker *m)
{
	int64_t least = 1 + (int64_t)gen_pick(m->g, (uint64_t)1 << 42);
	if (m->type->layout[0] == '8')
		rdb_write_le64(m->w, (uint64_t)least);
	return strchr(m->type->layout, 'l') || strchr(m->type->layout, '8') || m->type->n_parts == 3
		       ? least
		       : -1;
}

static void hash_items(struct maker *m)
{
	int64_t least = least_expiry(m);
	unsigned n = count_any(m);
	bool leads = strchr(m->type->layout, 'l') != NULL, relative = m->type->layout[0] == '8';
	rdb_write_len(m->w, n);
	for (unsigned i = 0; i < n; i++) {
		struct field f = field_any(m, least);
		int64_t base = relative ? least - 1 : 0;
		if (leads)
			rdb_write_len(m->w, f.expire_at_ms < 0 ? 0
							       : (uint64_t)(f.expire_at_ms - base));
		string_write(m, f.name);
		string_write(m, f.value);
		if (least >= 0 && !leads) // Valkey's
			rdb_write_le64(m->w, (uint64_t)f.expire_at_ms);
	}
}

static void hash_node(struct maker *m)
{
	int64_t least = least_expiry(m);
	unsigned n = count_any(m);
	struct gen_node node;
	node_init(&node, m->type->pack);
	for (unsigned i = 0; i < n && has_room(m, &node); i++) {
		struct field f = field_any(m, least);
		if (m->type->pack == RDB_PACK_ZIPMAP) {
			node_add_pair(&node, f.name, f.value, entry_how(m));
			continue;
		}
		node_add(&node, f.name, entry_how(m));
		node_add(&node, f.value, entry_how(m));
		if (m->type->n_parts == 3)
			node_add_num(&node, f.expire_at_ms < 0 ? 0 : f.expire_at_ms);
	}
	node_write(m, &node);
}

// -- lists and sets ---------------------------------------------------------------------------

static struct span member_say(struct maker *m, struct span s)
{
	bool set = m->type->kind == RDB_KIND_SET;
	words_element(m->words, &(struct rdb_event){
					.kind = set ? RDB_SET_ITEM : RDB_LIST_ITEM, .value = s});
	return s;
}

static struct span member_any(struct maker *m)
{
	return member_say(m, m->type->kind == RDB_KIND_SET ? name_new(m) : item_any(m));
}

// An element with a node of its own. Servers refuse an empty one.
static struct span plain_any(struct maker *m)
{
	struct span empty = {"", 0};
	return member_say(m, gen_text_new(m->g, m->g->scale.item_max, &empty, m->g->loadable));
}

static void member_items(struct maker *m)
{
	unsigned n = count_any(m);
	rdb_write_len(m->w, n);
	while (n-- > 0)
		string_write(m, member_any(m));
}

static void member_node(struct maker *m, unsigned n)
{
	struct gen_node node;
	node_init(&node, m->type->pack);
	while (n-- > 0 && has_room(m, &node))
		node_add(&node, member_any(m), entry_how(m));
	node_write(m, &node);
}

static void quicklist(struct maker *m)
{
	unsigned n = m->g->loadable + (unsigned)gen_pick(m->g, 6);
	bool says_container = m->type->layout[1] == 'l';
	rdb_write_len(m->w, n);
	while (n-- > 0) {
		bool plain = says_container && gen_pick(m->g, 3) == 0;
		if (says_container)
			rdb_write_len(m->w, plain ? CONTAINER_PLAIN : CONTAINER_PACKED);
		if (plain)
			string_write(m, plain_any(m));
		else
			member_node(m, count_any(m));
	}
}

static int by_num(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void intset(struct maker *m)
{
	int64_t nums[ITEMS_MAX];
	unsigned n = count_any(m), kept = 0;
	static const uint8_t shifts[] = {48, 40, 32, 16, 1};
	uint8_t shift = shifts[gen_pick(m->g, sizeof(shifts))]; // by it, 2, 4 or 8 bytes wide
	unsigned room = (unsigned)(m->g->scale.node_max - 8) / 8;
	struct gen_node node;
	char text[24];
	n = n < room ? n : room;
	for (unsigned i = 0; i < n; i++)
		nums[i] = (int64_t)random_next(&m->g->random) >> shift;
	qsort(nums, n, sizeof(nums[0]), by_num);
	for (unsigned i = 0; i < n; i++)
		if (kept == 0 || nums[kept - 1] != nums[i])
			nums[kept++] = nums[i];
	node_init(&node, RDB_PACK_INTSET);
	node_add_nums(&node, nums, kept);
	for (unsigned i = 0; i < kept; i++) {
		int len = snprintf(text, sizeof(text), "%lld", (long long)nums[i]);
		words_element(m->words, &(struct rdb_event){.kind = RDB_SET_ITEM,
							    .value = {text, (size_t)len}});
	}
	node_write(m, &node);
}

static void string_value(struct maker *m)
{
	bool is_long = gen_pick(m->g, 4) == 0;
	struct span s = gen_text(m->g, is_long ? m->g->scale.string_max : m->g->scale.item_max);
	string_write(m, s);
	words_string(m->words, s);
}

static void node_value(struct maker *m)
{
	if (m->type->pack == RDB_PACK_INTSET)
		intset(m);
	else if (m->type->kind == RDB_KIND_HASH)
		hash_node(m);
	else if (m->type->kind == RDB_KIND_ZSET)
		zset_node(m);
	else
		member_node(m, count_any(m));
}

static void items_value(struct maker *m)
{
	if (m->type->kind == RDB_KIND_HASH)
		hash_items(m);
	else if (m->type->kind == RDB_KIND_ZSET)
		zset_items(m);
	else
		member_items(m);
}

void gen_value(struct gen *g, enum rdb_magic magic, uint8_t type, struct rdb_writer *w,
	       struct words *words)
{
	struct maker m = {.g = g, .w = w, .words = words, .type = rdb_type_find(magic, type),
			  .magic = magic};
	switch (m.type->shape) {
	case RDB_SHAPE_STRING:
		string_value(&m);
		break;
	case RDB_SHAPE_ITEMS:
		items_value(&m);
		break;
	case RDB_SHAPE_NODE:
		node_value(&m);
		break;
	case RDB_SHAPE_NODES:
		quicklist(&m);
		break;
	case RDB_SHAPE_STREAM:
		gen_stream(g, m.type->level, w, words);
		break;
	default:
		abort(); // no generator
	}
}
