// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/group/shard.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/replace.h"

#define FILE_LEN_MAX (SHARD_NODES_MAX * (CLUSTER_ID_LEN + 1) + SHARD_NAME_LEN + 1)

bool shard_has(const struct shard *s, const char *id)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->ids[i], id))
			return true;
	return false;
}

// A node in handshake has an id that is not its own yet.
static bool id_counts(const struct cluster_node *node)
{
	return node->id[0] && !(node->flags & CLUSTER_HANDSHAKE);
}

static bool id_add(struct shard *s, const struct cluster_node *node)
{
	if (!id_counts(node) || shard_has(s, node->id))
		return false;
	if (s->n == SHARD_NODES_MAX)
		memmove(s->ids[0], s->ids[1], sizeof(s->ids[0]) * --s->n);
	memcpy(s->ids[s->n++], node->id, sizeof(s->ids[0]));
	return true;
}

// The nodes go that a master leads now, and so does it.
static bool ids_remove(struct shard *s, const struct cluster_map *map, uint16_t master, bool all)
{
	unsigned n_left = 0, n = s->n;
	for (unsigned i = 0; i < n; i++) {
		uint16_t at = cluster_node_find(map, span_of(s->ids[i]));
		bool led = at != CLUSTER_NONE && map->nodes[at].master == master;
		if (at == master || (all && led))
			continue;
		memmove(s->ids[n_left++], s->ids[i], sizeof(s->ids[0]));
	}
	s->n = n_left;
	return n_left < n;
}

bool shard_link_fits(const struct link_config *link, char *why)
{
	size_t name_len = strlen(link->name), folder_len = strlen(link->state_dir);
	if (name_len > SHARD_LINK_LEN_MAX)
		snprintf(why, TEXT_LEN,
			 "the name of a link whose source is a cluster has at most %d characters, "
			 "since its shards are named after it: call it something shorter",
			 SHARD_LINK_LEN_MAX);
	else if (folder_len > SHARD_FOLDER_LEN_MAX)
		snprintf(why, TEXT_LEN,
			 "the path of the link's folder has %zu bytes, of which a link whose "
			 "source is a cluster can have %zu, since its shards have folders in "
			 "there: choose a state-dir with a shorter path",
			 folder_len, SHARD_FOLDER_LEN_MAX);
	else
		return true;
	return false;
}

void shard_begin(struct shard *s, const struct cluster_map *map, uint16_t master)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%.8s", map->nodes[master].id);
	shard_learn(s, map, master);
}

bool shard_learn(struct shard *s, const struct cluster_map *map, uint16_t master)
{
	const struct cluster_node *node = &map->nodes[master];
	bool more = false;
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (i != master && map->nodes[i].master == master)
			more |= id_add(s, &map->nodes[i]);
	if (!id_counts(node) || (s->n && !strcmp(s->ids[s->n - 1], node->id)))
		return more;
	ids_remove(s, map, master, false);
	return id_add(s, node);
}

bool shard_yield(struct shard *s, const struct cluster_map *map, uint16_t master)
{
	return ids_remove(s, map, master, true);
}

enum shard_match shard_match(const struct shard *s, const struct cluster_map *map, uint16_t master)
{
	if (!s->n)
		return SHARD_OTHER;
	uint16_t own = cluster_node_find(map, span_of(s->ids[s->n - 1]));
	if (own == master)
		return SHARD_ITSELF;
	if (own != CLUSTER_NONE && map->nodes[own].n_slots)
		return SHARD_OTHER;
	if (shard_has(s, map->nodes[master].id))
		return SHARD_ITSELF;
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].master == master && shard_has(s, map->nodes[i].id))
			return SHARD_BY_REPLICA;
	return SHARD_OTHER;
}

// ---- On disk: its name, then the ids

int shard_save(const struct shard *s, const char *folder)
{
	char text[FILE_LEN_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s\n", s->name);
	for (unsigned i = 0; i < s->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\n", s->ids[i]);
	return file_replace(folder, SHARD_FILE, text, (size_t)n);
}

// @return the line at hand without its end, which `rest` then begins behind; NULL: no more
static char *line_next(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');
	if (!end)
		return NULL;
	*end = 0;
	*rest = end + 1;
	return line;
}

static int shard_parse(struct shard *s, char *text)
{
	char *line = line_next(&text);
	if (!line || !*line || strlen(line) >= SHARD_NAME_LEN)
		return -EBADMSG;
	memcpy(s->name, line, strlen(line) + 1);
	while ((line = line_next(&text))) {
		if (strlen(line) != CLUSTER_ID_LEN || s->n == SHARD_NODES_MAX)
			return -EBADMSG;
		memcpy(s->ids[s->n++], line, CLUSTER_ID_LEN + 1);
	}
	return *text || !s->n ? -EBADMSG : 0;
}

int shard_load(struct shard *s, const char *folder)
{
	char *text;
	size_t len;
	memset(s, 0, sizeof(*s));
	int rc = file_load(folder, SHARD_FILE, FILE_LEN_MAX, &text, &len);
	if (rc)
		return rc;
	rc = strlen(text) == len ? shard_parse(s, text) : -EBADMSG;
	free(text);
	return rc;
}

// A folder whose file is damaged is nobody's: its shard begins anew.
int shard_recall(struct shard *s, const char *folder, const struct cluster_map *map,
		 uint16_t master)
{
	struct shard read;
	enum shard_match best = SHARD_OTHER;
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	memset(s, 0, sizeof(*s));
	if (!dir)
		return -errno;
	while (best < SHARD_ITSELF && (entry = readdir(dir))) {
		char path[512];
		snprintf(path, sizeof(path), "%.250s/%.250s", folder, entry->d_name);
		if (entry->d_name[0] == '.' || shard_load(&read, path))
			continue;
		enum shard_match match = shard_match(&read, map, master);
		if (match > best)
			*s = read;
		best = match > best ? match : best;
	}
	closedir(dir);
	return best == SHARD_OTHER ? -ENOENT : 0;
}
