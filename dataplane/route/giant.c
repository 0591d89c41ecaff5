// SPDX-License-Identifier: BSD-3-Clause
// giant_collect() -> scan() -> memory_file_append() .. memory_file_seal(), giant_next()
#include "dataplane/route/giant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/apply/batch.h"
#include "parsers/commands.h"

#define FORGET_EVERY (1u << 20)

int giant_begin(struct giant *g, uint64_t begin, bool transaction)
{
	struct memory_file *file = malloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	int rc = memory_file_init(file, g->folder);
	if (rc) {
		free(file);
		return rc;
	}
	g->state = GIANT_COLLECTING;
	file->n_holders = 1;
	g->file = file;
	g->transaction = transaction;
	g->begin = g->end = begin;
	g->n_commands = 0;
	g->argc_max = 0;
	resp_skim_init(&g->skim);
	return 0;
}

// EXEC, or DISCARD: what ends a transaction in route.c.
static bool is_last(const struct giant *g)
{
	const struct resp_skim *s = &g->skim;
	if (!g->transaction)
		return s->argc > 0;
	if (s->argc != 1 || s->name_len > SKIM_NAME_LEN)
		return false;
	const struct command *c =
		command_find((struct span){s->name, s->name_len}, (struct span){"", 0});
	return c && c->flags & COMMAND_FRAME && c->name[0] != 'M' && c->name[0] != 'S';
}

// @param n  out: bytes up to the end of the frame, or all of them
// @return as giant_collect()
static int scan(struct giant *g, struct span in, size_t *n)
{
	size_t used;
	for (*n = 0;;) {
		struct span rest = {in.p + *n, in.len - *n};
		enum skim_verdict v = resp_skim_next(&g->skim, rest, &used);
		*n += used;
		if (v == SKIM_MORE)
			return 0;
		if (v == SKIM_BAD)
			return -EBADMSG;
		if (v != SKIM_COMMAND)
			continue;
		if (g->skim.argc > g->argc_max)
			g->argc_max = g->skim.argc;
		if (++g->n_commands > GIANT_COMMANDS_MAX)
			return -E2BIG;
		if (is_last(g))
			return 1;
	}
}

void giant_rewind(struct giant *g)
{
	g->forgotten = 0;
	resp_skim_init(&g->skim);
}

static int whole(struct giant *g)
{
	int rc = memory_file_seal(g->file);
	if (rc)
		return rc;
	g->state = GIANT_WHOLE;
	giant_rewind(g);
	return 1;
}

int giant_collect(struct giant *g, struct span in, size_t *used)
{
	struct giant before = *g;
	size_t n;
	*used = 0;
	int rc = scan(g, in, &n);
	if (rc < 0)
		return rc;
	ssize_t written = n ? memory_file_append(g->file, in.p, n) : 0;
	if (written != (ssize_t)n) { // look again, at what is safe
		*g = before;
		if (written < 0)
			return (int)written;
		rc = scan(g, (struct span){in.p, (size_t)written}, &n);
	}
	*used = n;
	g->end += n;
	return rc == 1 ? whole(g) : rc;
}

// What was looked at on the way.
static void pages_forget(struct giant *g, uint64_t behind)
{
	memory_file_forget(g->file, g->forgotten, behind);
	g->forgotten = behind;
}

const char *giant_next(struct giant *g, struct span *argv, struct resp_frame *f)
{
	struct resp_skim *s = &g->skim;
	const char *base = g->file->base;
	enum skim_verdict v;
	size_t used;
	assert(s->position < g->file->len);
	if (s->begin - g->forgotten >= FORGET_EVERY)
		pages_forget(g, s->begin);
	do {
		struct span rest = {base + s->position, g->file->len - s->position};
		v = resp_skim_next(s, rest, &used);
		if (s->argc > g->argc_max)
			return NULL;
		if (v == SKIM_ARG)
			argv[s->n_args - 1] =
				(struct span){base + s->begin + s->arg.at, (size_t)s->arg.len};
	} while (v == SKIM_ARG);
	if (v != SKIM_COMMAND)
		return NULL;
	if (s->position == g->file->len)
		pages_forget(g, s->position);
	*f = (struct resp_frame){
		.begin = g->begin + s->begin, .end = g->begin + s->position, .argc = s->argc};
	return base + s->begin;
}

void giant_drop(struct giant *g)
{
	batch_file_drop(g->file);
	g->file = NULL;
	g->state = GIANT_NONE;
	g->waiting[0] = 0;
	g->waiting_since_ms = 0;
}
