// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/group/shard.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/replace.h"

#define FILE_LEN_MAX (SHARD_NODES_MAX * (CLUSTER_ID_LEN + 1) + SHARD_NAME_LEN + 1)

static bool id_known(const struct shard *s, const char *id)
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
	if (!id_counts(node) || id_known(s, node->id))
		return false;
	if (s->n == SHARD_NODES_MAX)
		memmove(s->ids[0], s->ids[1], sizeof(s->ids[0]) * --s->n);
	memcpy(s->ids[s->n++], node->id, sizeof(s->ids[0]));
	return true;
}

void shard_begin(struct shard *s, const struct cluster_map *map, uint16_t master)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%.8s", map->nodes[master].id);
	shard_learn(s, map, master);
}

bool shard_learn(struct shard *s, const struct cluster_map *map, uint16_t master)
{
	bool more = id_add(s, &map->nodes[master]);
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].master == master)
			more |= id_add(s, &map->nodes[i]);
	return more;
}

bool shard_is(const struct shard *s, const struct cluster_map *map, uint16_t master)
{
	if (id_known(s, map->nodes[master].id))
		return true;
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].master == master && id_known(s, map->nodes[i].id))
			return true;
	return false;
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
	DIR *dir = opendir(folder);
	int rc = dir ? -ENOENT : -errno;
	const struct dirent *entry;
	while (rc == -ENOENT && dir && (entry = readdir(dir))) {
		char path[512];
		snprintf(path, sizeof(path), "%.250s/%.250s", folder, entry->d_name);
		if (entry->d_name[0] != '.' && !shard_load(s, path) && shard_is(s, map, master))
			rc = 0;
	}
	if (dir)
		closedir(dir);
	if (rc)
		memset(s, 0, sizeof(*s));
	return rc;
}
