// SPDX-License-Identifier: BSD-3-Clause
// slots_plan(): where a command goes. slot_groups_*(): things by slot.
#include "dataplane/route/slots.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/memory.h"

#define NEXT_FIRST  256
#define NEXT_MEMORY 65536 // more lie in a file

struct slots *slots_new(void)
{
	return calloc(1, sizeof(struct slots));
}

static void next_free(struct slot_groups *g)
{
	if (g->next_in_file)
		memory_file_unmap(g->next, g->next_max * sizeof(*g->next));
	else
		free(g->next);
	g->next = NULL;
	g->next_max = 0;
	g->next_in_file = false;
}

void slots_free(struct slots *s)
{
	if (s)
		next_free(&s->groups);
	free(s);
}

void slots_frame_begin(struct slots *s)
{
	s->frame++;
	s->n_touched = 0;
}

// ---- Groups

int slot_groups_begin(struct slot_groups *g, uint32_t n, const char *folder)
{
	g->n_found = 0;
	if (n <= g->next_max)
		return 0;
	next_free(g);
	uint32_t max = n < NEXT_FIRST ? NEXT_FIRST : n;
	size_t len = max * sizeof(*g->next);
	g->next_in_file = max > NEXT_MEMORY;
	g->next = g->next_in_file ? memory_file_map(folder, len) : malloc(len);
	if (!g->next)
		return -ENOMEM;
	g->next_max = max;
	return 0;
}

void slot_groups_add(struct slot_groups *g, unsigned slot, uint32_t i)
{
	struct slot_group *of = &g->of[slot];
	if (of->first)
		g->next[of->last - 1] = i + 1;
	else
		g->found[g->n_found++] = (uint16_t)slot;
	of->first = of->first ? of->first : i + 1;
	of->last = i + 1;
	g->next[i] = 0;
}

void slot_groups_end(struct slot_groups *g)
{
	for (unsigned i = 0; i < g->n_found; i++)
		g->of[g->found[i]] = (struct slot_group){0};
	g->n_found = 0;
	if (g->next_in_file)
		next_free(g);
}

// ---- Where a command goes

// @return whether all keys lie in one slot, which is filled in
static bool is_one_slot(const struct span *argv, struct slots_plan *p)
{
	p->slot = key_slot(argv[key_run_at(&p->run, 0)]);
	for (int i = 1; i < p->run.n; i++)
		if (key_slot(argv[key_run_at(&p->run, i)]) != p->slot)
			return false;
	return true;
}

static struct slots_plan parked(struct slots_plan p, const char *why)
{
	p.way = SLOTS_PARK;
	p.why = why;
	return p;
}

static bool is_for_every_master(const struct command *c)
{
	return c->class == CLASS_GLOBAL || c->class == CLASS_FUNC ||
	       (c->class == CLASS_SCRIPT && c->keyspec == KEYS_NONE);
}

struct slots_plan slots_plan(const struct command *c, const struct span *argv, int argc)
{
	struct slots_plan p = {.way = SLOTS_ONE};
	if (!c)
		return parked(p, "nobody here knows the keys of this command, so no node of a "
				 "cluster can be chosen for it");
	if (command_key_run(c, argv, argc, &p.run))
		return parked(p, "its words do not tell its keys, so no node of a cluster can be "
				 "chosen for it");
	if (is_for_every_master(c)) {
		p.way = SLOTS_EVERY;
		return p;
	}
	if (c->class == CLASS_MSG)
		p.run = (struct key_run){.n = 1, .first = 1, .step = 1};
	bool script = c->class == CLASS_SCRIPT;
	if (script && !p.run.n)
		return parked(p, "a script that names no keys can run on no node of a cluster");
	if (!p.run.n || (!script && command_reach(c, argv, argc, &p.run) == SCOPE_DB))
		return parked(p, "it touches keys that it does not name, which lie on any node of "
				 "a cluster");
	if (is_one_slot(argv, &p))
		return p;
	if (c->class == CLASS_READ)
		p.way = SLOTS_NOTHING;
	else if (c->flags & COMMAND_BY_KEY)
		p.way = SLOTS_BY_KEY;
	else if (c->flags & COMMAND_GATHER)
		p.way = SLOTS_GATHER;
	else
		return parked(p, script ? "a script whose keys lie in several slots can run on no "
					  "node of a cluster"
					: "its keys lie in several slots, which no node of a "
					  "cluster takes together");
	return p;
}
