// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/databases.h"

#include <stdio.h>
#include <stdlib.h>

#include "parsers/info.h"

static int number_order(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void database_add(struct databases *d, int db)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->pairs[i][SOURCE] == db)
			return;
	if (d->n == DATABASES_MAX)
		return;
	d->pairs[d->n][SOURCE] = d->pairs[d->n][TARGET] = db;
	d->n++;
}

void databases_add(struct databases *d, struct span info)
{
	const char *end = info.p + info.len;
	for (const char *line = info.p; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		if (next - line > 3 && !memcmp(line, "db", 2) && line[2] >= '0' && line[2] <= '9')
			database_add(d, atoi(line + 2)); // a ':' ends the number
		line = next;
	}
}

int databases_read(struct databases *d, struct pair *p, const struct endpoint *source,
		   const struct endpoint *target, struct failure *f)
{
	struct pair_reply r;
	bool cluster[2] = {source->kind == URL_CLUSTER, target->kind == URL_CLUSTER};
	d->n = 0;
	if (source->db >= 0 || target->db >= 0 || (cluster[SOURCE] && cluster[TARGET])) {
		int db = source->db >= 0 ? source->db : target->db >= 0 ? target->db : 0;
		database_add(d, cluster[SOURCE] ? 0 : db);
		d->pairs[0][TARGET] = cluster[TARGET] ? 0 : target->db >= 0 ? target->db : db;
		return 0;
	}
	pair_ask(p, "INFO keyspace", (struct span){NULL, 0});
	if (pair_next_any(p, &r, f))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (r.v[i]->type != RESP_STRING)
			return client_refused(&p->client[i], "INFO", r.v[i]->text, f);
		databases_add(d, r.v[i]->text);
	}
	if (cluster[SOURCE] || cluster[TARGET])
		database_add(d, 0); // a node without keys tells none
	qsort(d->pairs, d->n, sizeof(d->pairs[0]), number_order);
	if ((!cluster[SOURCE] && !cluster[TARGET]) || !d->pairs[d->n - 1][SOURCE])
		return 0;
	return failure_set(f, ERROR_CONFIG,
			   "%s has keys in database %d, and a cluster has only database 0; name "
			   "in its URL the database that is to be compared: redis://host:port/DB",
			   p->client[cluster[SOURCE] ? TARGET : SOURCE].who,
			   d->pairs[d->n - 1][SOURCE]);
}

uint64_t databases_keys(const struct databases *d, enum side side, struct span info)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < d->n; i++) {
		char name[16], value[64];
		snprintf(name, sizeof(name), "db%d", d->pairs[i][side]);
		if (info_field(info, name, value, sizeof(value)))
			sum += span_digits(span_of(value + strcspn(value, "0123456789")));
	}
	return sum;
}
