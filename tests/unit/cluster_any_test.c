// SPDX-License-Identifier: BSD-3-Clause
// A lane and a cluster in which anything may happen at any time: slots move, half of them for long;
// nodes refuse, are restarted, lose connections with or without what these carried; replicas that
// lack something take over; we die and go on. Every key must end as if its commands had run once
// and in order. FLYOVER_SEED=n runs the same again, FLYOVER_ROUNDS=n more of them.
#include "tests/unit/cluster_scene.h"
#include "tests/unit/random.h"

#define ROUNDS   2
#define COMMANDS 400
#define KEYS     60

struct any {
	struct scene *s;
	struct random random;
	char *expected[KEYS];
	unsigned n_moves, n_failovers;
	unsigned rest; // moves are so rare: then replicas may be behind
};

static unsigned below(struct any *a, unsigned n)
{
	return (unsigned)random_below(&a->random, n);
}

// A few tags, so that slots have several keys.
static void key_name(char out[24], unsigned key)
{
	snprintf(out, 24, "{t%u}k%u", key % 17, key);
}

static void expect(struct any *a, unsigned key, const char *value, bool appends)
{
	char *old = a->expected[key], *now = NULL;
	if (value && asprintf(&now, "%s%s", appends && old ? old : "", value) < 0)
		abort();
	free(old);
	a->expected[key] = now;
}

static void append_make(struct any *a, unsigned key, uint8_t flags)
{
	char name[24], value[16];
	key_name(name, key);
	snprintf(value, sizeof(value), "%u,", a->s->n_commands);
	COMMAND(a->s, flags, "APPEND", name, value);
	expect(a, key, value, true);
}

static void command_make(struct any *a)
{
	char name[24], value[16];
	unsigned key = below(a, KEYS);
	key_name(name, key);
	snprintf(value, sizeof(value), "%u;", a->s->n_commands);
	switch (below(a, 20)) {
	case 0:
		COMMAND(a->s, 0, "DEL", name);
		expect(a, key, NULL, false);
		break;
	case 1: // a transaction of one slot
		append_make(a, key, ITEM_FENCED);
		for (unsigned i = below(a, 3); i; i--)
			append_make(a, (key + 17 * i) % 51, ITEM_JOINED);
		for (struct stream_command *c = &a->s->commands[a->s->n_commands - 1];
		     c->flags & ITEM_JOINED; c--)
			assert_true(c->slot == c[-1].slot);
		break;
	case 2:
		if (below(a, 30))
			break;
		COMMAND(a->s, 0, "FLUSHALL");
		for (unsigned i = 0; i < KEYS; i++)
			expect(a, i, NULL, false);
		break;
	default:
		if (below(a, 2)) {
			append_make(a, key, ITEM_FENCED);
		} else {
			COMMAND(a->s, 0, "SET", name, value);
			expect(a, key, value, false);
		}
	}
}

// ---- What happens

static unsigned slot_any(struct any *a)
{
	char name[24];
	key_name(name, below(a, KEYS));
	return below(a, 4) ? key_slot(span_of(name)) : below(a, SLOT_COUNT);
}

static unsigned master_any(struct any *a, unsigned but)
{
	struct world *w = a->s->world;
	unsigned node;
	do
		node = below(a, w->n_nodes);
	while (node == but || !world_is_master(w, node));
	return node;
}

static void slot_moves(struct any *a)
{
	struct world *w = a->s->world;
	unsigned slot = slot_any(a), owner = world_owner(w, slot);
	bool moving = w->nodes[owner].to[slot] != CLUSTER_NONE;
	a->n_moves++;
	if (!moving)
		world_move_begin(w, slot, master_any(a, owner));
	else if (below(a, 2))
		world_move_keys(w, slot, 1 + below(a, 3));
	else
		world_move_end(w, slot);
	w->map_holds = below(a, 3) == 0;
}

static struct world_client *client_any(struct any *a)
{
	return &a->s->world->clients[below(a, 8)];
}

static void refusals_end(struct any *a)
{
	for (unsigned i = 0; i < a->s->world->n_nodes; i++)
		a->s->world->nodes[i].refuses = NULL;
}

static void look(struct any *a)
{
	refusals_end(a);
	scene_look(a->s);
}

// What moves has moved before: of a slot that is half here and half there not even servers know
// what is left.
static void failover(struct any *a)
{
	struct world *w = a->s->world;
	unsigned node = master_any(a, WORLD_NODES);
	if (!w->nodes[node].has_replica)
		return;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		unsigned owner = world_owner(w, slot), to = w->nodes[owner].to[slot];
		if (to != CLUSTER_NONE && (owner == node || to == node))
			world_move_end(w, slot);
	}
	world_failover(w, node);
	world_map_tell(w);
	a->n_failovers++;
}

static void something_happens(struct any *a)
{
	static const char *const refusals[] = {"-OOM no memory\r\n", "-CLUSTERDOWN it is\r\n",
					       "-LOADING it does\r\n"};
	struct world *w = a->s->world;
	struct world_node *n = &w->nodes[below(a, w->n_nodes)];
	struct world_client *c = client_any(a);
	switch (below(a, 60)) {
	case 0:
		if (c->used && !c->closed)
			world_lose(w, c, below(a, 2));
		break;
	case 1:
		n->refuses = n->refuses ? NULL : refusals[below(a, 3)];
		break;
	case 2:
		if (below(a, 12))
			break;
		n->run_id[below(a, 8)] = (char)('a' + below(a, 6));
		for (unsigned i = 0; i < WORLD_CLIENTS; i++)
			if (w->clients[i].used && w->clients[i].node == (unsigned)(n - w->nodes))
				world_lose(w, &w->clients[i], below(a, 2));
		break;
	case 3:
		w->write_max = below(a, 2) ? 0 : 400 + below(a, 200); // a greeting fits
		break;
	case 4:
		if (below(a, 8))
			break;
		refusals_end(a);
		scene_crash(a->s);
		break;
	case 5:
		if (below(a, 2) == 0)
			failover(a);
		break;
	case 6:
		world_replicate(w, (unsigned)(n - w->nodes), below(a, 30));
		break;
	default:
		if (below(a, a->rest) == 0)
			slot_moves(a);
	}
}

// Nodes carry out what they got, at their own pace.
static void nodes_run(struct any *a)
{
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		world_run(a->s->world, &a->s->world->clients[i], below(a, 12));
}

static void all_is_well(struct any *a)
{
	struct world *w = a->s->world;
	w->map_holds = false;
	w->write_max = 0;
	refusals_end(a);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (w->nodes[world_owner(w, slot)].to[slot] != CLUSTER_NONE)
			world_move_end(w, slot);
}

static void keys_compare(struct any *a)
{
	char name[24];
	for (unsigned i = 0; i < KEYS; i++) {
		key_name(name, i);
		const char *is = world_value(a->s->world, name);
		if ((is && a->expected[i]) ? strcmp(is, a->expected[i]) != 0
					   : is != a->expected[i]) {
			print_message("%s is\n%s\nand should be\n%s\n", name, is, a->expected[i]);
			assert_true(false);
		}
	}
}

static void round_run(struct any *a)
{
	unsigned n = 2 + below(a, 3);
	struct scene *s = a->s = scene_of(below(a, 2) ? world_new(n) : world_new_replicated(n));
	a->rest = (const unsigned[]){3, 20, 60}[below(a, 3)];
	memset(a->expected, 0, sizeof(a->expected));
	s->may_be_full = true;
	a->n_moves = a->n_failovers = 0;
	open_lane(s);
	scene_stream_begins(s);
	while (s->n_commands < COMMANDS)
		command_make(a);
	for (unsigned i = 0; s->next < s->n_commands && i < 100000; i++) {
		if (below(a, 3) == 0)
			give(s, below(a, 12));
		something_happens(a);
		lane_step(s);
		nodes_run(a);
		if (!is_fine(s))
			look(a);
	}
	all_is_well(a);
	for (int i = 0; i < 50 && (i < 20 || !is_fine(s)); i++) {
		turns(s, 20);
		if (!is_fine(s))
			look(a);
	}
	settle(s);
	keys_compare(a);
	printf("  %u commands, %u lives, %u looks, %u full syncs, %u moves, %u failovers, "
	       "%llu redirects, %llu asks\n",
	       s->n_commands, s->n_lives, s->n_looks, s->n_full, a->n_moves, a->n_failovers,
	       (unsigned long long)counter_get(&s->counters.redirects),
	       (unsigned long long)counter_get(&s->counters.asks));
	fflush(stdout);
	for (unsigned i = 0; i < KEYS; i++)
		free(a->expected[i]);
	scene_free(s);
}

static void whatever_happens_every_key_is_right(void **state)
{
	struct any *a = calloc(1, sizeof(*a));
	const char *rounds = getenv("FLYOVER_ROUNDS");
	a->random = random_seeded("cluster_any");
	for (int i = 0; i < (rounds ? atoi(rounds) : ROUNDS); i++)
		round_run(a);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_every_key_is_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
