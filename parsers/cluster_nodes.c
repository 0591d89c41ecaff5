// SPDX-License-Identifier: BSD-3-Clause
// CLUSTER NODES: a line a node, of fields with a blank between them.
//
//   ID IP:PORT[@BUS[,HOSTNAME[,NAME=VALUE...]]] FLAG[,FLAG...] MASTER|- PING PONG EPOCH LINK
//   SLOT...
//
// where a SLOT is N, N-M, and of the node that was asked [N->-ID] (goes) and [N-<-ID] (comes).
// Redis 3.0 has no @BUS, 7.0 brought the name of the host.
#include "parsers/cluster_priv.h"

#include <errno.h>

// Cut the part before a separator off. @return it, all of the rest when there is no separator
static struct span part_take(struct span *rest, char separator)
{
	const char *end = memchr(rest->p, separator, rest->len);
	struct span part = {rest->p, end ? (size_t)(end - rest->p) : rest->len};
	size_t used = part.len + (end ? 1 : 0);
	*rest = (struct span){rest->p + used, rest->len - used};
	return part;
}

static struct span line_take(struct span *text)
{
	struct span line = part_take(text, '\n');
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

static unsigned flags_read(struct span text)
{
	static const struct {
		const char *word;
		unsigned flags;
	} words[] = {
		{"myself", CLUSTER_MYSELF},       {"master", CLUSTER_MASTER},
		{"slave", CLUSTER_REPLICA},       {"replica", CLUSTER_REPLICA},
		{"primary", CLUSTER_MASTER},      {"fail", CLUSTER_FAIL},
		{"fail?", CLUSTER_PFAIL},         {"noaddr", CLUSTER_NOADDR},
		{"handshake", CLUSTER_HANDSHAKE},
	};
	unsigned flags = 0;
	while (text.len) {
		struct span word = part_take(&text, ',');
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			flags |= span_caseeq(word, words[i].word) ? words[i].flags : 0;
	}
	return flags;
}

// IP:PORT@BUS,HOSTNAME,NAME=VALUE; an IP may have colons. A node that never heard its own address
// tells none, and is the one that was asked; others without one are lost.
static int address_read(struct cluster_node *node, struct span text,
			const struct cluster_asked *asked)
{
	struct span address = part_take(&text, ',');
	struct span place = part_take(&address, '@');
	const char *colon = place.len ? memrchr(place.p, ':', place.len) : NULL;
	if (!colon)
		return -EINVAL;
	struct span ip = {place.p, (size_t)(colon - place.p)};
	struct span port = {colon + 1, place.len - ip.len - 1};
	unsigned number;
	if (!cluster_number(port, UINT16_MAX, &number))
		return -EINVAL;
	struct span name = part_take(&text, ',');
	while (text.len) {
		struct span value = part_take(&text, ','), key = part_take(&value, '=');
		if (!span_caseeq(key, "shard-id") || value.len > CLUSTER_ID_LEN)
			continue;
		memset(node->shard, 0, sizeof(node->shard));
		memcpy(node->shard, value.p, value.len);
	}
	if (ip.len == 0 && !(node->flags & CLUSTER_MYSELF))
		ip = name.len ? name : SPAN_LIT("?");
	return cluster_address_set(node, ip, number, asked);
}

// [N->-ID] or [N-<-ID]
static int move_read(struct cluster_map *map, struct span text)
{
	struct span number = part_take(&text, '-');
	unsigned slot;
	if (text.len < 3 || text.p[1] != '-' || text.p[text.len - 1] != ']' ||
	    !cluster_number((struct span){number.p + 1, number.len - 1}, SLOT_COUNT - 1, &slot))
		return -EINVAL;
	bool goes = text.p[0] == '>';
	struct cluster_node *other;
	int rc = cluster_node_take(map, (struct span){text.p + 2, text.len - 3}, &other);
	if (rc)
		return rc;
	uint16_t *move = goes ? &map->migrating[slot] : &map->importing[slot];
	map->n_moving += *move == CLUSTER_NONE;
	*move = cluster_index(map, other);
	return 0;
}

static int slots_read(struct cluster_map *map, uint16_t node, struct span text)
{
	while (text.len) {
		struct span word = part_take(&text, ' ');
		if (word.len == 0)
			continue;
		if (word.p[0] == '[') {
			int rc = move_read(map, word);
			if (rc)
				return rc;
			continue;
		}
		struct span from = part_take(&word, '-');
		unsigned first, last;
		if (!cluster_number(from, SLOT_COUNT - 1, &first) ||
		    !cluster_number(word.len ? word : from, SLOT_COUNT - 1, &last) || last < first)
			return -EINVAL;
		cluster_range_set(map, first, last, node);
	}
	return 0;
}

static int line_read(struct cluster_map *map, struct span line, const struct cluster_asked *asked)
{
	struct cluster_node *node;
	int rc = cluster_node_take(map, part_take(&line, ' '), &node);
	if (rc)
		return rc;
	struct span address = part_take(&line, ' ');
	node->flags = (uint16_t)flags_read(part_take(&line, ' '));
	rc = address_read(node, address, asked);
	if (rc)
		return rc;
	uint16_t index = cluster_index(map, node);
	struct span master = part_take(&line, ' ');
	if (node->flags & CLUSTER_MASTER) {
		node->master = index;
	} else if (master.len && !span_eq(master, SPAN_LIT("-"))) {
		struct cluster_node *other; // may add a node whose line comes later
		rc = cluster_node_take(map, master, &other);
		if (rc)
			return rc;
		node->master = cluster_index(map, other);
	}
	for (int i = 0; i < 4; i++) // PING PONG EPOCH LINK
		part_take(&line, ' ');
	return slots_read(map, index, line);
}

int cluster_nodes_read(struct cluster_map *map, struct span text, const struct cluster_asked *asked)
{
	unsigned n = 0;
	while (text.len) {
		struct span line = line_take(&text);
		int rc = line.len ? line_read(map, line, asked) : 0;
		if (rc)
			return rc;
		n += line.len > 0;
	}
	return n ? 0 : -EINVAL;
}
