// SPDX-License-Identifier: BSD-3-Clause
// suspects_repair() -> groups_copy() by the copier of a scan, then suspects_again()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/check_priv.h"
#include "ctrl/clock.h"
#include "ctrl/scan/functions.h"
#include "ctrl/scan/walk.h"

#define REPAIR_NAME "__flyover:repair" // big values are built under it

// Keys that only the target has are deleted when that was asked for.
static bool is_to_repair(const struct check *c, const struct suspect *s)
{
	return s->difference != DIFF_EXTRA || c->options->repair_extra;
}

// The next keys, as long as they lie in one database. @return how many were looked at, 0 failed
static unsigned group_fill(struct check *c, struct copy_group *g, unsigned from)
{
	const struct suspects *s = &c->suspects;
	unsigned n = 0;
	size_t bytes = 1;
	while (n < BATCH_KEYS && from + n < s->n &&
	       s->list[from + n].db[SOURCE] == s->list[from].db[SOURCE])
		bytes += s->list[from + n++].key_len;
	if (copy_group_begin(g, s->list[from].db, n, bytes)) {
		failure_set(c->failure, ERROR_MEMORY, "no memory to repair keys");
		return 0;
	}
	for (unsigned i = from; i < from + n; i++)
		if (is_to_repair(c, &s->list[i]))
			copy_group_add(g, suspect_key(s, &s->list[i]));
	return n;
}

static int groups_copy(struct check *c, struct copier *copier)
{
	struct copy_group group = {0};
	int rc = 0;
	for (unsigned at = 0, n; at < c->suspects.n && rc == 0; at += n) {
		n = group_fill(c, &group, at);
		if (n == 0)
			rc = -1;
		else
			copier_take(copier, &group);
		rc = rc ? rc : copier_finish(copier);
		rc = rc ? rc : check_goes_on(c);
	}
	group.open = 0;
	copy_group_free(&group);
	if (copier->why_refused[0])
		snprintf(c->result->refused, sizeof(c->result->refused), "%s",
			 copier->why_refused);
	return rc;
}

static int pair_copy(struct check *c, struct pair *p)
{
	struct copier copier;
	const struct check_options *o = c->options;
	struct copy_options options = {.big_value = o->big_value,
				       .keys_per_s = o->keys_per_s,
				       .bytes_per_s = o->bytes_per_s,
				       .wait_ms = CLIENT_SILENCE_MS,
				       .temporary = REPAIR_NAME};
	if (client_open(&p->client[SOURCE], c->source, "the source", c->failure) ||
	    client_open(&p->client[TARGET], c->target, "the target", c->failure) ||
	    copier_init(&copier, p, &options, c->failure))
		return -1;
	int rc = groups_copy(c, &copier);
	copier_free(&copier);
	return rc;
}

int suspects_repair(struct check *c)
{
	struct pair *p = calloc(1, sizeof(*p));
	if (!p)
		return failure_set(c->failure, ERROR_MEMORY, "no memory to repair keys");
	p->client[SOURCE].fd = p->client[TARGET].fd = -1;
	int rc = pair_copy(c, p);
	for (int i = 0; i < 2; i++)
		client_close(&p->client[i]);
	free(p);
	return rc ? -1 : suspects_again(&c->suspects, &c->compare);
}

int functions_repair(struct check *c, bool *same)
{
	struct functions_told told;
	if (functions_copy(&c->pair, &told, c->failure))
		return -1;
	if (told.refused[0] && !c->result->refused[0])
		snprintf(c->result->refused, sizeof(c->result->refused), "%s", told.refused);
	return functions_compare(&c->compare, same);
}
