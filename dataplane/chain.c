// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/chain.h"

#include <stdio.h>
#include <string.h>

static void run_add(struct chain *c, const char *replid, uint64_t offset)
{
	struct chain_run *run = &c->runs[c->n++];
	snprintf(run->replid, sizeof(run->replid), "%s", replid);
	run->first = offset;
}

void chain_begin(struct chain *c, const char *replid, uint64_t offset)
{
	c->n = 0;
	run_add(c, replid, offset);
}

void chain_rename(struct chain *c, const char *replid, uint64_t offset)
{
	if (!strcmp(chain_newest(c), replid))
		return;
	// The new history vouches for what came before its offset, and for nothing else.
	for (unsigned i = 0; i < c->n; i++)
		if (c->runs[i].first > offset)
			c->runs[i].first = offset;
	if (c->n == CHAIN_MAX)
		memmove(c->runs, c->runs + 1, --c->n * sizeof(c->runs[0]));
	run_add(c, replid, offset);
}

const char *chain_newest(const struct chain *c)
{
	return c->n ? c->runs[c->n - 1].replid : "";
}

enum chain_verdict chain_look(const struct chain *c, const char *replid, uint64_t offset,
			      uint64_t *end)
{
	for (unsigned i = c->n; i-- > 0;) {
		if (strcmp(c->runs[i].replid, replid))
			continue;
		uint64_t proven = i + 1 < c->n ? c->runs[i + 1].first : UINT64_MAX;
		if (end)
			*end = proven;
		return offset <= proven ? CHAIN_PROVEN : CHAIN_BEHIND;
	}
	return CHAIN_UNKNOWN;
}
