// SPDX-License-Identifier: BSD-3-Clause
// Slots move by hand, in the steps that redis-cli takes (Redis Cluster specification, "Live
// reconfiguration").
#include "tests/e2e/harness.h"

#define PAGE 100

static struct server *giver(const struct cluster *c, uint16_t slot, const struct server *to)
{
	struct server *from = cluster_owner(c, slot);

	if (!from || from == to)
		fail_msg("slot %u cannot go to %s", slot, to->name);
	return from;
}

// Both roles are in the order in which no client is ever sent round in a circle.
void slot_move_begin(struct cluster *c, uint16_t slot, struct server *to)
{
	struct server *from = giver(c, slot, to);

	run(to, "CLUSTER SETSLOT %d IMPORTING %s", slot, cluster_id(from));
	run(from, "CLUSTER SETSLOT %d MIGRATING %s", slot, cluster_id(to));
}

static void keys_migrate(const struct cluster *c, struct server *from, const struct server *to,
			 bool over, const redisReply *keys)
{
	const char *argv[PAGE + 10] = {"MIGRATE", c->way.address, text("%d", cluster_port(to)), "",
				       "0",       "10000"};
	size_t lens[PAGE + 10];
	unsigned n = 6;

	if (to->password[0]) {
		argv[n++] = "AUTH";
		argv[n++] = to->password;
	}
	if (over)
		argv[n++] = "REPLACE";
	argv[n++] = "KEYS";
	for (unsigned i = 0; i < n; i++)
		lens[i] = strlen(argv[i]);
	for (size_t i = 0; i < keys->elements; i++) {
		argv[n] = keys->element[i]->str;
		lens[n++] = keys->element[i]->len;
	}
	queue_argv(from, (int)n, argv, lens);
	queue_flush(from);
}

static unsigned keys_send(struct cluster *c, uint16_t slot, struct server *to, bool over,
			  unsigned most)
{
	struct server *from = giver(c, slot, to);
	unsigned moved = 0;

	while (moved < most) {
		int page = (int)(most - moved < PAGE ? most - moved : PAGE);
		redisReply *keys = ask(from, "CLUSTER GETKEYSINSLOT %d %d", slot, page);
		assert_int_equal(keys->type, REDIS_REPLY_ARRAY);
		size_t n = keys->elements;
		if (n)
			keys_migrate(c, from, to, over, keys);
		freeReplyObject(keys);
		if (!n)
			break;
		moved += (unsigned)n;
	}
	return moved;
}

unsigned slot_move_keys(struct cluster *c, uint16_t slot, struct server *to, unsigned most)
{
	return keys_send(c, slot, to, false, most);
}

void slot_move_rest(struct cluster *c, uint16_t slot, struct server *to)
{
	keys_send(c, slot, to, true, UINT32_MAX);
}

// The new owner first, so that nobody is without one; the others need not wait for gossip.
static void owner_tell(struct cluster *c, uint16_t slot, struct server *from, struct server *to)
{
	const char *id = cluster_id(to);
	struct servers masters = cluster_masters(c);

	run(to, "CLUSTER SETSLOT %d NODE %s", slot, id);
	run(from, "CLUSTER SETSLOT %d NODE %s", slot, id);
	for (unsigned i = 0; i < masters.n; i++)
		if (masters.list[i] != from && masters.list[i] != to)
			run(masters.list[i], "CLUSTER SETSLOT %d NODE %s", slot, id);
}

void slot_move_end(struct cluster *c, uint16_t slot, struct server *to)
{
	owner_tell(c, slot, giver(c, slot, to), to);
	cluster_settle(c);
}

void slot_move_undo(struct cluster *c, uint16_t slot, struct server *to)
{
	struct server *from = giver(c, slot, to);

	run(from, "CLUSTER SETSLOT %d STABLE", slot);
	run(to, "CLUSTER SETSLOT %d STABLE", slot);
}

void slot_move_give_up(struct cluster *c, uint16_t slot, struct server *to)
{
	redisReply *keys = ask(to, "CLUSTER GETKEYSINSLOT %d %d", slot, INT32_MAX);

	assert_int_equal(keys->type, REDIS_REPLY_ARRAY);
	for (size_t i = 0; i < keys->elements; i++) {
		queue(to, "ASKING");
		queue(to, "DEL %b", keys->element[i]->str, keys->element[i]->len);
	}
	freeReplyObject(keys);
	queue_flush(to);
	slot_move_undo(c, slot, to);
}

void slots_move(struct cluster *c, uint16_t first, uint16_t last, struct server *to)
{
	for (unsigned slot = first; slot <= last; slot++) {
		struct server *from = cluster_owner(c, (uint16_t)slot);
		if (from == to)
			continue;
		slot_move_begin(c, (uint16_t)slot, to);
		slot_move_keys(c, (uint16_t)slot, to, UINT32_MAX);
		owner_tell(c, (uint16_t)slot, from, to);
	}
	cluster_settle(c);
}
