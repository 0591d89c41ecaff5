// SPDX-License-Identifier: BSD-3-Clause
// Streams as Redis 5 (level 1), 7.0 (2) and 7.2 (3) write them: nodes, then the stream's own
// numbers, then groups with their pending lists.
#include "tests/unit/rdb_gen.h"
#include "tests/unit/rdb_gen_node.h"

#define FLAG_DELETED 1
#define FLAG_SAME    2
#define NAMES_MAX    5
#define PENDING_MAX  40
#define GROUPS_MAX   3

struct stream {
	struct gen *g;
	struct rdb_writer *w;
	struct words *words;
	struct rdb_stream_id last;  // of the entries so far
	struct rdb_stream_id first; // that is not deleted
	uint64_t n_live, n_all;
};

static void id_write(struct rdb_writer *w, struct rdb_stream_id id)
{
	uint64_t be[2] = {htobe64(id.ms), htobe64(id.seq)};
	rdb_write_bytes(w, (struct span){(const char *)be, sizeof(be)});
}

static struct rdb_stream_id id_next(struct stream *s)
{
	struct rdb_stream_id id = s->last;
	if (gen_pick(s->g, 3)) {
		id.seq += 1 + gen_pick(s->g, 3);
	} else {
		id.ms += 1 + (gen_pick(s->g, 4) ? gen_pick(s->g, 100) : gen_pick(s->g, 1ll << 33));
		id.seq = gen_pick(s->g, 4) ? 0 : gen_pick(s->g, 1ll << 40);
	}
	s->n_all++;
	return s->last = id;
}

static struct span text_any(struct stream *s)
{
	return gen_text(s->g, s->g->scale.item_max);
}

static void pair_add(struct stream *s, struct gen_node *node, const struct span *name, bool same,
		     bool deleted)
{
	const struct gen_entry_how how = {0};
	struct span own = same ? *name : text_any(s), value = text_any(s);
	if (!same)
		node_add(node, own, how);
	node_add(node, value, how);
	if (!deleted)
		words_pair(s->words, own, value);
}

static void entry_add(struct stream *s, struct gen_node *node, struct rdb_stream_id master,
		      struct rdb_stream_id id, const struct span *names, unsigned n_names,
		      bool deleted)
{
	bool same = n_names > 0 && gen_pick(s->g, 2);
	unsigned n = same ? n_names : 1 + (unsigned)gen_pick(s->g, NAMES_MAX);
	node_add_num(node, (deleted ? FLAG_DELETED : 0) | (same ? FLAG_SAME : 0));
	node_add_num(node, (int64_t)(id.ms - master.ms));
	node_add_num(node, (int64_t)(id.seq - master.seq));
	if (!same)
		node_add_num(node, n);
	if (!deleted)
		words_entry(s->words, id);
	for (unsigned i = 0; i < n; i++)
		pair_add(s, node, &names[i], same, deleted);
	if (!deleted)
		words_entry_end(s->words);
	node_add_num(node, same ? 3 + n : 4 + 2 * n); // entries of the listpack in this one
	if (deleted)
		return;
	if (s->n_live++ == 0)
		s->first = id;
}

// A node of entries; the first one is never deleted, as a server drops nodes that are all so.
static void node_make(struct stream *s)
{
	struct span names[NAMES_MAX];
	struct gen_node node;
	unsigned n_names = 1 + (unsigned)gen_pick(s->g, NAMES_MAX);
	unsigned n = 1 + (unsigned)gen_pick(s->g, gen_pick(s->g, 3) ? 4 : 60), deleted = 0;
	bool dead[64] = {false};
	// Few enough to stay within the bound.
	size_t room = s->g->scale.node_max / (2 * NAMES_MAX * (s->g->scale.item_max + 12) + 60);
	n = n < room ? n : room > 2 ? (unsigned)room - 1 : 1;
	for (unsigned i = 1; i < n; i++)
		deleted += dead[i] = gen_pick(s->g, 5) == 0;
	struct rdb_stream_id master = id_next(s), id = master;
	node_init(&node, RDB_PACK_LISTPACK);
	node_add_num(&node, n - deleted);
	node_add_num(&node, deleted);
	node_add_num(&node, n_names);
	for (unsigned i = 0; i < n_names; i++) {
		names[i] = text_any(s);
		node_add(&node, names[i], (struct gen_entry_how){0});
	}
	node_add_num(&node, 0);
	for (unsigned i = 0; i < n; i++) {
		entry_add(s, &node, master, id, names, n_names, dead[i]);
		if (i + 1 < n)
			id = id_next(s);
	}
	rdb_write_len(s->w, 16);
	id_write(s->w, master);
	struct span body = node_end(&node, gen_pick(s->g, 8) == 0);
	s->w->lzf_buf ? rdb_write_str(s->w, body) : rdb_write_plain(s->w, body);
	node_fini(&node);
}

static void meta_write(struct stream *s, int level)
{
	struct rdb_stream_meta m = {.length = s->n_live, .last = s->last, .first = s->first,
				    .full = level > 1};
	if (gen_pick(s->g, 3) == 0)
		m.last = id_next(s);
	m.max_deleted = gen_pick(s->g, 2) ? m.last : (struct rdb_stream_id){0, 0};
	m.entries_added = s->n_all + gen_pick(s->g, 1000);
	const uint64_t all[] = {m.length, m.last.ms, m.last.seq, m.first.ms, m.first.seq,
				m.max_deleted.ms, m.max_deleted.seq, m.entries_added};
	for (int i = 0; i < (level > 1 ? 8 : 3); i++)
		rdb_write_len(s->w, all[i]);
	words_element(s->words, &(struct rdb_event){.kind = RDB_STREAM_META, .stream = m});
}

struct group {
	struct span name, consumers[PENDING_MAX];
	unsigned n_consumers, n_pending;
	struct {
		struct rdb_stream_id id;
		int64_t at_ms;
		uint64_t n;
		unsigned owner;
	} pending[PENDING_MAX];
};

static void group_draw(struct stream *s, struct group *g)
{
	struct rdb_stream_id id = {gen_pick(s->g, 100), gen_pick(s->g, 100)};
	g->n_consumers = (unsigned)gen_pick(s->g, 5);
	g->n_pending = g->n_consumers ? (unsigned)gen_pick(s->g, PENDING_MAX) : 0;
	for (unsigned i = 0; i < g->n_consumers; i++)
		g->consumers[i] = gen_text_new(s->g, s->g->scale.item_max, g->consumers, i);
	for (unsigned i = 0; i < g->n_pending; i++) {
		id.ms += gen_pick(s->g, 2) ? 0 : gen_pick(s->g, 1ll << 40);
		id.seq += 1 + gen_pick(s->g, 100);
		g->pending[i].id = id;
		g->pending[i].at_ms = (int64_t)gen_pick(s->g, 1ll << 42);
		g->pending[i].n = 1 + gen_pick(s->g, 1ll << gen_pick(s->g, 40));
		g->pending[i].owner = (unsigned)gen_pick(s->g, g->n_consumers);
	}
}

static void consumer_write(struct stream *s, const struct group *g, unsigned c, int level)
{
	struct rdb_event ev = {.kind = RDB_STREAM_CONSUMER, .group = g->name,
			       .consumer = g->consumers[c], .active_at_ms = -1};
	uint64_t owned = 0;
	ev.seen_at_ms = (int64_t)gen_pick(s->g, 1ll << 42);
	if (level > 2 && gen_pick(s->g, 2))
		ev.active_at_ms = (int64_t)gen_pick(s->g, 1ll << 42);
	rdb_write_str(s->w, ev.consumer);
	rdb_write_le64(s->w, (uint64_t)ev.seen_at_ms);
	if (level > 2)
		rdb_write_le64(s->w, (uint64_t)ev.active_at_ms);
	words_element(s->words, &ev);
	for (unsigned i = 0; i < g->n_pending; i++)
		owned += g->pending[i].owner == c;
	rdb_write_len(s->w, owned);
	ev.kind = RDB_STREAM_PENDING;
	for (unsigned i = 0; i < g->n_pending; i++) {
		if (g->pending[i].owner != c)
			continue;
		id_write(s->w, g->pending[i].id);
		ev.id = g->pending[i].id;
		ev.delivered_at_ms = g->pending[i].at_ms;
		ev.n_delivered = g->pending[i].n;
		words_element(s->words, &ev);
	}
}

static void group_write(struct stream *s, struct group *g, int level)
{
	struct rdb_event ev = {.kind = RDB_STREAM_GROUP, .group = g->name, .entries_read = -1};
	ev.id = (struct rdb_stream_id){gen_pick(s->g, s->last.ms + 1), gen_pick(s->g, 1000)};
	if (level > 1 && gen_pick(s->g, 2))
		ev.entries_read = (int64_t)gen_pick(s->g, s->n_all + 1);
	rdb_write_str(s->w, g->name);
	rdb_write_len(s->w, ev.id.ms);
	rdb_write_len(s->w, ev.id.seq);
	if (level > 1)
		rdb_write_len(s->w, (uint64_t)ev.entries_read);
	words_element(s->words, &ev);
	group_draw(s, g);
	rdb_write_len(s->w, g->n_pending);
	for (unsigned i = 0; i < g->n_pending; i++) {
		id_write(s->w, g->pending[i].id);
		rdb_write_le64(s->w, (uint64_t)g->pending[i].at_ms);
		rdb_write_len(s->w, g->pending[i].n);
	}
	rdb_write_len(s->w, g->n_consumers);
	for (unsigned i = 0; i < g->n_consumers; i++)
		consumer_write(s, g, i, level);
}

void gen_stream(struct gen *g, int level, struct rdb_writer *w, struct words *words)
{
	struct stream s = {.g = g, .w = w, .words = words};
	struct span names[GROUPS_MAX];
	unsigned n_nodes = (unsigned)gen_pick(g, 5),
		 n_groups = (unsigned)gen_pick(g, GROUPS_MAX + 1);
	s.last = (struct rdb_stream_id){gen_pick(g, 1ll << 42), gen_pick(g, 10)};
	rdb_write_len(w, n_nodes);
	while (n_nodes-- > 0)
		node_make(&s);
	meta_write(&s, level);
	rdb_write_len(w, n_groups);
	for (unsigned i = 0; i < n_groups; i++) {
		struct group group = {.name = gen_text_new(g, g->scale.item_max, names, i)};
		names[i] = group.name;
		group_write(&s, &group, level);
	}
}
