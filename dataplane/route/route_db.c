// SPDX-License-Identifier: BSD-3-Clause
// Not all databases are forwarded, or to others: what of a command that reaches beyond its own?
//
//   FLUSHALL            FLUSHDB of each that is filled
//   SWAPDB              of two that are forwarded: of those that they go to; of one: full sync
//   MOVE, COPY .. DB    out of those that are forwarded: DEL, nothing; into one: full sync
//
// A cluster has database 0 alone. Where the link says nothing of databases, the others of the
// source must be empty: a write to one ends it.
#include <string.h>

#include "dataplane/route/route_priv.h"

int32_t route_target_db(const struct route *r)
{
	int32_t to = r->dbs.n ? db_map_to(&r->dbs, r->db) : r->db;
	return to < 0 ? 0 : to;
}

static int database_of(struct span s)
{
	return (int)span_digits(s);
}

static int words_place(struct route *r, const char *name, int argc)
{
	struct form f;
	r->argv_new[0] = span_of(name);
	for (int i = 1; i < argc; i++)
		r->argv_new[i] = r->argv[i];
	form_of_words(&f, r->argv_new, argc);
	return command_place(r, f.command, f.argv, f.argc, &f);
}

static int flush_place(struct route *r)
{
	struct form f;
	r->argv_new[0] = SPAN_LIT("FLUSHDB");
	form_of_words(&f, r->argv_new, 1);
	f.dbs = &r->dbs;
	return command_place(r, f.command, f.argv, f.argc, &f);
}

// SWAPDB of two that go to databases of other numbers.
static int swap_place(struct route *r, int32_t a, int32_t b)
{
	char text[2][24];
	struct form f;
	r->argv_new[0] = SPAN_LIT("SWAPDB");
	r->argv_new[1] = (struct span){text[0], decimal_write(text[0], (uint64_t)a)};
	r->argv_new[2] = (struct span){text[1], decimal_write(text[1], (uint64_t)b)};
	form_of_words(&f, r->argv_new, 3);
	return command_place(r, f.command, f.argv, f.argc, &f);
}

static int swap_filter(struct route *r)
{
	int32_t a = db_map_to(&r->dbs, database_of(r->argv[1]));
	int32_t b = db_map_to(&r->dbs, database_of(r->argv[2]));
	if (a < 0 && b < 0)
		return command_filter(r);
	if (a < 0 || b < 0)
		return resync_want(r, "SWAPDB exchanged a database that is synced with one that "
				      "is not");
	return swap_place(r, a, b);
}

// A command with a key in another database, both forwarded.
static int crossing_place(struct route *r, const struct command *c, int32_t to)
{
	char text[24];
	int at = command_other_db_at(c, r->argv, (int)r->frame.argc);
	struct span word = r->argv[at];
	r->argv[at] = (struct span){text, decimal_write(text, (uint64_t)to)};
	r->words_changed = true;
	int rc = r->slots ? slots_forward(r, c) : -2;
	rc = rc == -2 ? command_adapt(r, c) : rc;
	r->words_changed = false;
	r->argv[at] = word;
	return rc;
}

static int crossing_filter(struct route *r, const struct command *c, bool here)
{
	int other = command_other_db(c, r->argv, (int)r->frame.argc);
	int32_t to = other < 0 ? -1 : db_map_to(&r->dbs, other);
	if (other < 0)
		return here ? -2 : command_filter(r);
	if (here && to >= 0)
		return to == other ? -2 : crossing_place(r, c, to);
	if (to >= 0)
		return resync_want(r, "a key came into a database that is synced from one that "
				      "is not");
	if (!here || strcmp(c->name, "MOVE"))
		return command_filter(r);
	int rc = r->slots ? slots_forward(r, c) : -2;
	return rc == -2 ? words_place(r, "DEL", 2) : rc;
}

// ---- A cluster, and nothing said of databases

static int database_refuse(struct route *r, int db)
{
	return route_stop(r, ERROR_DATABASE,
			  "the source writes to database %d, and a cluster has database 0 alone",
			  db);
}

static int cluster_filter(struct route *r, const struct command *c)
{
	int argc = (int)r->frame.argc, other = c ? command_other_db(c, r->argv, argc) : -1;
	if (c && !strcmp(c->name, "SWAPDB")) {
		int a = database_of(r->argv[1]), b = database_of(r->argv[2]);
		return a != b && (!a || !b) ? database_refuse(r, a ? a : b) : command_filter(r);
	}
	bool anywhere = c && (c->scope == SCOPE_GLOBAL || c->scope == SCOPE_NONE);
	if (r->db && !anywhere)
		return c && c->class == CLASS_GLOBAL ? command_filter(r)
						     : database_refuse(r, r->db);
	return other > 0 ? database_refuse(r, other) : -2;
}

int route_db_filter(struct route *r, const struct command *c)
{
	if (!r->dbs.n)
		return cluster_filter(r, c);
	bool here = db_map_to(&r->dbs, r->db) >= 0;
	if (c && c->scope == SCOPE_GLOBAL && c->class == CLASS_GLOBAL) {
		if (!strcmp(c->name, "FLUSHALL"))
			return r->slots ? -2 : flush_place(r);
		return r->frame.argc == 3 ? swap_filter(r) : command_filter(r);
	}
	if (c && c->scope == SCOPE_CROSS_DB)
		return crossing_filter(r, c, here);
	bool anywhere = c && (c->scope == SCOPE_GLOBAL || c->scope == SCOPE_NONE);
	return here || anywhere ? -2 : command_filter(r);
}
