// SPDX-License-Identifier: BSD-3-Clause
// What the arguments of a command say: its keys, how far it reaches, whether it can be replayed.
// The walks follow the servers' own getkeys functions (src/db.c of Redis 7.0).
#include <errno.h>

#include "parsers/commands.h"
#include "parsers/commands_number.h"

static int keys_range(const struct command *c, int argc, struct key_run *run)
{
	if (c->first == c->last && c->first < argc) { // most commands: one key, no division
		*run = (struct key_run){.n = 1, .first = c->first, .step = 1};
		return 0;
	}
	int last = c->last < 0 ? argc + c->last : c->last;
	if (c->first >= argc && c->last < 0) // SUNSUBSCRIBE without channels
		return 0;
	if (c->first >= argc || last >= argc || last < c->first)
		return -EINVAL;
	int span = last - c->first + 1;
	if (c->last < 0 && span % c->step)
		return -EINVAL;
	run->first = c->first;
	run->step = c->step;
	run->n = (span + c->step - 1) / c->step;
	return 0;
}

static int keys_numkeys(
	const struct command *c, const struct span *argv, int argc, struct key_run *run)
{
	int64_t n;
	int first = c->count + 1;
	if (first > argc || !number_parse(argv[c->count], &n))
		return -EINVAL;
	if (n < 0 || n > (argc - first) / c->step)
		return -EINVAL;
	run->head = c->first;
	run->first = first;
	run->step = c->step;
	run->n = (int)n + (c->first > 0);
	return 0;
}

// The one key in front, and the destination when there is one.
static int keys_with_store(int argc, int store, struct key_run *run)
{
	if (store >= argc)
		return -EINVAL;
	run->n = store ? 2 : 1;
	run->first = store ? store : 1;
	run->head = store ? 1 : 0;
	run->step = 1;
	return 0;
}

static int keys_store(
	const struct command *c, const struct span *argv, int argc, struct key_run *run)
{
	int store = 0;
	for (int i = c->count; i < argc; i++)
		if (span_caseeq(argv[i], "STORE") || span_caseeq(argv[i], "STOREDIST"))
			store = ++i;
	return keys_with_store(argc, store, run);
}

static int keys_sort(const struct span *argv, int argc, struct key_run *run)
{
	int store = 0;
	for (int i = 2; i < argc; i++) {
		if (span_caseeq(argv[i], "LIMIT"))
			i += 2;
		else if (span_caseeq(argv[i], "GET") || span_caseeq(argv[i], "BY"))
			i++;
		else if (span_caseeq(argv[i], "STORE"))
			store = ++i;
	}
	return keys_with_store(argc, store, run);
}

// XREAD [COUNT n] [BLOCK ms] STREAMS k.. id..; XREADGROUP has GROUP g c, NOACK and CLAIM ms, too.
static int keys_streams(const struct span *argv, int argc, struct key_run *run)
{
	int i = 1;
	for (; i < argc && !span_caseeq(argv[i], "STREAMS"); i++) {
		if (span_caseeq(argv[i], "GROUP"))
			i += 2;
		else if (span_caseeq(argv[i], "COUNT") || span_caseeq(argv[i], "BLOCK") ||
			 span_caseeq(argv[i], "CLAIM"))
			i++;
		else if (!span_caseeq(argv[i], "NOACK"))
			return -EINVAL;
	}
	int rest = argc - i - 1;
	if (rest <= 0 || rest % 2)
		return -EINVAL;
	*run = (struct key_run){.n = rest / 2, .first = i + 1, .step = 1};
	return 0;
}

static int keys_migrate(const struct span *argv, int argc, struct key_run *run)
{
	*run = (struct key_run){.n = 1, .first = 3, .step = 1};
	if (argv[3].len > 0)
		return 0;
	for (int i = 6; i < argc; i++) {
		if (span_caseeq(argv[i], "AUTH")) {
			i++;
		} else if (span_caseeq(argv[i], "AUTH2")) {
			i += 2;
		} else if (span_caseeq(argv[i], "KEYS")) {
			*run = (struct key_run){.n = argc - i - 1, .first = i + 1, .step = 1};
			return run->n > 0 ? 0 : -EINVAL;
		}
	}
	return 0;
}

int command_key_run(
	const struct command *c, const struct span *argv, int argc, struct key_run *run)
{
	assert(argc > 0);
	*run = (struct key_run){0};
	if (!command_arity_fits(c, argc))
		return -EINVAL;
	switch ((enum command_keyspec)c->keyspec) {
	case KEYS_NONE:
		return 0;
	case KEYS_RANGE:
		return keys_range(c, argc, run);
	case KEYS_NUMKEYS:
		return keys_numkeys(c, argv, argc, run);
	case KEYS_STORE:
		return keys_store(c, argv, argc, run);
	case KEYS_SORT:
		return keys_sort(argv, argc, run);
	case KEYS_STREAMS:
		return keys_streams(argv, argc, run);
	case KEYS_MIGRATE:
		return keys_migrate(argv, argc, run);
	}
	return -EINVAL;
}

int command_keys(
	const struct command *c, const struct span *argv, int argc, int *key_index, int max)
{
	struct key_run run;
	int rc = command_key_run(c, argv, argc, &run);
	if (rc < 0)
		return rc;
	if (run.n > max)
		return -E2BIG;
	for (int i = 0; i < run.n; i++)
		key_index[i] = key_run_at(&run, i);
	return run.n;
}

int command_other_db_at(const struct command *c, const struct span *argv, int argc)
{
	int at = 0;
	if (c->scope != SCOPE_CROSS_DB)
		return 0;
	if (c->class == CLASS_DERIVED && c->keyspec == KEYS_RANGE && c->last == 1)
		at = 2; // MOVE key db
	for (int i = 3; i < argc && !at; i++)
		if (span_caseeq(argv[i], "DB"))
			at = i + 1;
	return at;
}

int command_other_db(const struct command *c, const struct span *argv, int argc)
{
	int at = command_other_db_at(c, argv, argc);
	int64_t db;
	if (!at)
		return -ENOENT;
	if (at >= argc || !number_parse(argv[at], &db) || db < 0 || db > INT32_MAX)
		return -EINVAL;
	return (int)db;
}

// Whether SORT has a BY or GET that names keys by a pattern.
static bool sort_has_pattern(const struct span *argv, int argc)
{
	for (int i = 2; i < argc; i++) {
		if (span_caseeq(argv[i], "LIMIT"))
			i += 2;
		else if (span_caseeq(argv[i], "STORE"))
			i++;
		else if (span_caseeq(argv[i], "BY") || span_caseeq(argv[i], "GET"))
			if (++i < argc && memchr(argv[i].p, '*', argv[i].len))
				return true;
	}
	return false;
}

enum command_scope command_reach(
	const struct command *c, const struct span *argv, int argc, const struct key_run *run)
{
	enum command_scope scope = (enum command_scope)c->scope;
	if (scope == SCOPE_CROSS_DB && command_other_db(c, argv, argc) == -ENOENT)
		scope = SCOPE_MULTI;
	if (scope != SCOPE_MULTI)
		return scope;
	if (run->n == 0 || (c->keyspec == KEYS_SORT && sort_has_pattern(argv, argc)))
		return SCOPE_DB;
	return run->n == 1 ? SCOPE_KEY : SCOPE_MULTI;
}

// ZADD's NX and XX look at the member, INCR at its score. GT and LT are bounds, which do no harm.
static bool zadd_is_idempotent(const struct span *argv, int argc)
{
	for (int i = 2; i < argc; i++) {
		if (span_caseeq(argv[i], "NX") || span_caseeq(argv[i], "XX") ||
		    span_caseeq(argv[i], "INCR"))
			return false;
		if (!span_caseeq(argv[i], "GT") && !span_caseeq(argv[i], "LT") &&
		    !span_caseeq(argv[i], "CH"))
			break;
	}
	return true;
}

static bool bitfield_is_idempotent(const struct span *argv, int argc)
{
	for (int i = 2; i < argc; i++)
		if (span_caseeq(argv[i], "INCRBY"))
			return false;
	return true;
}

bool command_is_idempotent(const struct command *c, const struct span *argv, int argc)
{
	if (!(c->flags & COMMAND_BY_ARGS))
		return c->flags & COMMAND_IDEMPOTENT;
	if (c->parent) // XGROUP CREATE and SETID: `$` is the id that the stream has by then
		return argc < 5 || argv[4].len != 1 || argv[4].p[0] != '$';
	if (c->name[0] == 'Z')
		return zadd_is_idempotent(argv, argc);
	return bitfield_is_idempotent(argv, argc);
}
