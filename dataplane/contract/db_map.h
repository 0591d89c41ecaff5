// SPDX-License-Identifier: BSD-3-Clause
// Which databases of a source are synced, and where they go: "0:0,3:1".
//
// An empty map: all, each to the one of its number. Otherwise those that are named and no other.
// No database of the target gets two, where keys of one name would take each other's place.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DB_MAP_MAX      16
#define DB_MAP_TEXT_LEN (DB_MAP_MAX * 12 + 1)
#define DB_NUMBER_MAX   9999

struct db_map {
	uint32_t n;
	struct db_pair {
		uint32_t from, to;
	} pairs[DB_MAP_MAX];
};

// Read FROM:TO[,FROM:TO...]; "" is the empty map.
//
// @return 0, -EINVAL, or -ERANGE: too many, a number above DB_NUMBER_MAX, or one that stands twice
// on its
//         side
int db_map_read(struct db_map *m, const char *text);

// @return bytes as snprintf(); below DB_MAP_TEXT_LEN
int db_map_text(const struct db_map *m, char *out, unsigned out_len);

// One database and where it goes.
void db_map_one(struct db_map *m, int32_t from, int32_t to);

// Where a database of the source goes. @return -1: nowhere, it is not synced
static inline int32_t db_map_to(const struct db_map *m, int32_t db)
{
	if (!m->n)
		return db;
	for (uint32_t i = 0; i < m->n; i++)
		if ((int32_t)m->pairs[i].from == db)
			return (int32_t)m->pairs[i].to;
	return -1;
}

// Whether a database of the target is one that something goes to.
static inline bool db_map_reaches(const struct db_map *m, int32_t db)
{
	for (uint32_t i = 0; i < m->n; i++)
		if ((int32_t)m->pairs[i].to == db)
			return true;
	return !m->n;
}
