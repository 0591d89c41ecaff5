// SPDX-License-Identifier: BSD-3-Clause
// Between rewrite.c and rewrite_expiry.c.
#pragma once

#include "parsers/rewrite.h"

// The command at hand.
struct call {
	const struct command *c;
	const struct span *argv;
	int argc;
	const struct rewrite_rules *rules;
};

// rewrite_apply() has made sure that argc + REWRITE_GROWTH words find room.
static inline void put(struct rewrite *w, struct span word)
{
	w->argv[w->argc++] = word;
}

static inline void put_rest(struct rewrite *w, const struct call *in, int from)
{
	for (int i = from; i < in->argc; i++)
		put(w, in->argv[i]);
}

// Whether a word is one of a NULL-ended list.
bool word_among(struct span word, const char *const *list);

// Begin again under another name.
void begin_as(struct rewrite *w, const char *name);

enum rewrite_reason rewrite_set(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_setex(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_expire(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_hexpire(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_getex(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_hgetex(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_hsetex(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_msetex(const struct call *in, struct rewrite *w);
enum rewrite_reason rewrite_restore(const struct call *in, struct rewrite *w);
