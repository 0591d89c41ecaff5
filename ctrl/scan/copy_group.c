// SPDX-License-Identifier: BSD-3-Clause
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ctrl/scan/copy_priv.h"

int copy_group_begin(struct copy_group *g, const int db[2], unsigned n, size_t bytes)
{
	assert(g->open == 0);
	g->n = 0;
	memcpy(g->db, db, sizeof(g->db));
	g->len = 0;
	if (n > g->room) {
		struct copy_item *items = realloc(g->items, n * sizeof(*items));
		if (!items)
			return -ENOMEM;
		g->items = items;
		g->room = n;
	}
	if (bytes > g->bytes_room) {
		char *more = realloc(g->bytes, bytes);
		if (!more)
			return -ENOMEM;
		g->bytes = more;
		g->bytes_room = bytes;
	}
	return 0;
}

void copy_group_add(struct copy_group *g, struct span key)
{
	assert(g->n < g->room && g->len + key.len <= g->bytes_room);
	if (key.len)
		memcpy(g->bytes + g->len, key.p, key.len);
	g->items[g->n++] =
		(struct copy_item){.group = g, .key = {g->bytes + g->len, key.len}, .hint = -1};
	g->len += key.len;
}

void copy_group_free(struct copy_group *g)
{
	free(g->items);
	free(g->bytes);
	*g = (struct copy_group){0};
}

// ---- Lists of items, and replies to come ------------------------------------------------------

void copy_list_add(struct copy_list *l, struct copy_item *item)
{
	item->next = NULL;
	if (l->last)
		l->last->next = item;
	else
		l->first = item;
	l->last = item;
	l->n++;
}

struct copy_item *copy_list_take(struct copy_list *l)
{
	struct copy_item *item = l->first;
	l->first = item->next;
	l->n--;
	if (!l->first)
		l->last = NULL;
	return item;
}

int copy_expect(struct copier *c, struct copy_fifo *f, struct copy_item *item, unsigned kind)
{
	if (f->n == f->room) {
		unsigned room = f->room ? f->room * 2 : 4096;
		struct copy_expected *list = malloc(room * sizeof(*list));
		if (!list)
			return failure_set(c->failure, ERROR_MEMORY, "no memory to copy keys");
		for (unsigned i = 0; i < f->n; i++)
			list[i] = f->list[(f->head + i) % f->room];
		free(f->list);
		f->list = list;
		f->room = room;
		f->head = 0;
	}
	f->list[(f->head + f->n++) % f->room] = (struct copy_expected){item, (uint8_t)kind};
	return 0;
}
