// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/contract/db_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// @return the byte behind the number, NULL when there is none
static const char *number_read(const char *p, uint32_t *v)
{
	const char *begin = p;
	for (*v = 0; *p >= '0' && *p <= '9'; p++)
		*v = *v > DB_NUMBER_MAX ? *v : 10 * *v + (uint32_t)(*p - '0');
	return p == begin ? NULL : p;
}

static bool pair_fits(const struct db_map *m, const struct db_pair *pair)
{
	if (m->n == DB_MAP_MAX || pair->from > DB_NUMBER_MAX || pair->to > DB_NUMBER_MAX)
		return false;
	for (uint32_t i = 0; i < m->n; i++)
		if (m->pairs[i].from == pair->from || m->pairs[i].to == pair->to)
			return false;
	return true;
}

int db_map_read(struct db_map *m, const char *text)
{
	struct db_map map = {0};
	for (const char *p = text; *text;) {
		struct db_pair pair;
		p = number_read(p, &pair.from);
		p = p && *p == ':' ? number_read(p + 1, &pair.to) : NULL;
		if (!p || (*p && *p != ','))
			return -EINVAL;
		if (!pair_fits(&map, &pair))
			return -ERANGE;
		map.pairs[map.n++] = pair;
		if (!*p++)
			break;
	}
	*m = map;
	return 0;
}

int db_map_text(const struct db_map *m, char *out, unsigned out_len)
{
	char text[DB_MAP_TEXT_LEN] = "";
	int n = 0;
	for (uint32_t i = 0; i < m->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%u:%u", i ? "," : "",
			      m->pairs[i].from, m->pairs[i].to);
	return snprintf(out, out_len, "%s", text);
}

void db_map_one(struct db_map *m, int32_t from, int32_t to)
{
	memset(m, 0, sizeof(*m));
	m->n = 1;
	m->pairs[0] = (struct db_pair){(uint32_t)from, (uint32_t)to};
}
