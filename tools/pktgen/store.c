// SPDX-License-Identifier: BSD-3-Clause
#include "tools/pktgen/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/pktgen/bytes.h"

struct store_row {
	struct bytes key, value;
};

static struct store_row *row_find(const struct store *s, struct span key)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct bytes *k = &s->rows[i].key;
		if (span_eq((struct span){k->p, k->len}, key))
			return &s->rows[i];
	}
	return NULL;
}

struct span store_get(const struct store *s, struct span key)
{
	const struct store_row *row = row_find(s, key);
	return row ? (struct span){row->value.p, row->value.len} : (struct span){0};
}

void store_set(struct store *s, struct span key, struct span value)
{
	struct store_row *row = row_find(s, key);
	if (!row) {
		struct store_row *more = realloc(s->rows, (s->n + 1) * sizeof(*more));
		if (!more) {
			fprintf(stderr, "pktgen: no memory for a marker\n");
			exit(1);
		}
		s->rows = more;
		row = &more[s->n++];
		*row = (struct store_row){0};
		bytes_add(&row->key, key.p, key.len);
	}
	row->value.len = 0;
	bytes_add(&row->value, value.p, value.len);
}

void store_free(struct store *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		bytes_free(&s->rows[i].key);
		bytes_free(&s->rows[i].value);
	}
	free(s->rows);
	*s = (struct store){0};
}
