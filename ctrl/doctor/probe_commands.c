// SPDX-License-Identifier: BSD-3-Clause
// probe_commands_judge() -> entries_judge() -> entry_read() -> unknown_tell() | row_compare()
//
// An entry of COMMAND: name, arity, flags, first key, last key, step, and since 7.0 categories,
// tips, key specs, subcommands as entries with names like "xgroup|create".
#include "ctrl/doctor/probe_commands.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/check/tree.h"
#include "parsers/commands.h"
#include "parsers/server_version.h"

#define TOLD_MAX  8
#define FLAGS_LEN 120
#define AT_SUBCOMMANDS 9 // index in an entry

struct entry {
	struct span name, sub; // "xgroup" and "create"
	char words[64];        // "XGROUP CREATE"
	char flags[FLAGS_LEN]; // "write denyoom"
	bool writes, may_replicate, movable;
	int64_t first, last, step;
	unsigned subcommands; // index of their array, 0 none
	const struct command *row; // its own, not its container's; or NULL
};

struct judging {
	struct findings *findings;
	bool old; // before 7.0, when movable keys had no place of their own in COMMAND
	unsigned n_unknown, n_keys;
};

// ---- Reading ----------------------------------------------------------------------------------

static void name_split(struct entry *e, struct span name)
{
	const char *bar = memchr(name.p, '|', name.len);
	size_t len = bar ? (size_t)(bar - name.p) : name.len;
	e->name = (struct span){name.p, len};
	e->sub = bar ? (struct span){bar + 1, name.len - len - 1} : (struct span){"", 0};
	snprintf(e->words, sizeof(e->words), "%.*s", (int)(name.len < 63 ? name.len : 63), name.p);
	for (char *p = e->words; *p; p++)
		*p = *p == '|' ? ' ' : (char)toupper((uint8_t)*p);
}

// @param at  of the array of flags
static void flags_take(struct entry *e, const struct resp_value *v, unsigned n, unsigned at)
{
	size_t len = 0;
	for (unsigned i = at + 1; i < n && i <= at + v[at].elements; i++) {
		struct span flag = v[i].text;
		if (v[i].type != RESP_STATUS && v[i].type != RESP_STRING)
			return;
		e->writes |= span_eq(flag, SPAN_LIT("write"));
		e->may_replicate |= span_eq(flag, SPAN_LIT("may_replicate"));
		e->movable |= span_eq(flag, SPAN_LIT("movablekeys"));
		if (len + flag.len + 2 > sizeof(e->flags))
			continue;
		len += (size_t)snprintf(e->flags + len, sizeof(e->flags) - len, "%s%.*s",
					len ? " " : "", (int)flag.len, flag.p);
	}
}

// @param at  of an entry's array
static bool entry_read(struct entry *e, const struct resp_value *v, unsigned n, unsigned at)
{
	memset(e, 0, sizeof(*e));
	if (v[at].type != RESP_ARRAY || v[at].elements < 6 || at + 3 >= n)
		return false;
	if (v[at + 1].type != RESP_STRING || v[at + 3].type != RESP_ARRAY)
		return false;
	name_split(e, v[at + 1].text);
	flags_take(e, v, n, at + 3);
	unsigned keys = tree_skip(v, n, at + 3);
	if (keys + 2 >= n)
		return false;
	e->first = v[keys].integer;
	e->last = v[keys + 1].integer;
	e->step = v[keys + 2].integer;
	unsigned sub = at + 1;
	for (unsigned i = 0; i < AT_SUBCOMMANDS; i++)
		sub = tree_skip(v, n, sub);
	bool has_sub = v[at].elements > AT_SUBCOMMANDS && sub < n && v[sub].type == RESP_ARRAY;
	e->subcommands = has_sub && v[sub].elements ? sub : 0;
	const struct command *row = command_find(e->name, e->sub);
	e->row = row && (row->parent != 0) == (e->sub.len != 0) ? row : NULL;
	return true;
}

// ---- Judging ----------------------------------------------------------------------------------

static void keys_text(const struct entry *e, char *out, size_t out_len)
{
	if (e->movable)
		snprintf(out, out_len, "keys by its arguments");
	else if (e->first == 0)
		snprintf(out, out_len, "no keys");
	else
		snprintf(out, out_len, "keys %lld..%lld/%lld", (long long)e->first,
			 (long long)e->last, (long long)e->step);
}

static void unknown_tell(struct judging *j, const struct entry *e)
{
	char keys[80];
	if (j->n_unknown++ >= TOLD_MAX)
		return;
	keys_text(e, keys, sizeof(keys));
	j->findings->check = "probe-commands";
	finding_put(j->findings, SEVERITY_WARNING, NULL,
		    "the source can write by %s (%s; %s), which Flyover does not know: where the "
		    "stream has it, it is forwarded as it came, behind a barrier over all lanes",
		    e->words, e->flags, keys);
}

// Whether the row's places of keys are those that COMMAND tells. It has no words for what a walk
// over the arguments finds, but for the first key.
static bool keys_agree(const struct entry *e, bool old)
{
	const struct command *c = e->row;
	if (c->keyspec == KEYS_MIGRATE || (c->flags & COMMAND_CONTAINER) || (old && e->movable))
		return true;
	if (e->first != c->first)
		return false;
	if (c->keyspec != KEYS_NONE && c->keyspec != KEYS_RANGE)
		return true;
	return e->last == c->last && (e->step == c->step || e->first == 0);
}

// A link leaves these out of what it forwards.
static bool is_left_out(const struct command *c)
{
	return (c->flags & COMMAND_NEVER) && !(c->flags & COMMAND_CONTAINER);
}

static void row_compare(struct judging *j, const struct entry *e)
{
	const struct command *c = e->row;
	bool left_out = is_left_out(c) && !(c->flags & COMMAND_WRITE); // knowingly, where it writes
	bool elsewhere = !is_left_out(c) && !keys_agree(e, j->old);
	char keys[80];
	if (!e->writes || (!left_out && !elsewhere) || j->n_keys++ >= TOLD_MAX)
		return;
	keys_text(e, keys, sizeof(keys));
	j->findings->check = "probe-keys";
	if (left_out)
		finding_put(j->findings, SEVERITY_ERROR, NULL,
			    "the source writes by %s, which Flyover takes for a command that does "
			    "not, and leaves out: keep its clients from using it, and report it",
			    e->words);
	else
		finding_put(j->findings, SEVERITY_WARNING, NULL,
			    "the source says that %s has %s, Flyover has them at %d..%d/%d: use "
			    "one lane (the default), where that does not matter, and report it",
			    e->words, keys, c->first, c->last, c->step);
}

static void entries_judge(struct judging *j, const struct resp_value *v, unsigned n, unsigned at)
{
	unsigned end = tree_skip(v, n, at);
	struct entry e;
	for (unsigned i = at + 1; i < end; i = tree_skip(v, n, i)) {
		if (!entry_read(&e, v, n, i))
			continue;
		if (e.row)
			row_compare(j, &e);
		else if ((e.writes || e.may_replicate) && !e.subcommands)
			unknown_tell(j, &e);
		// Subcommands have none of their own.
		if (e.subcommands && !e.sub.len)
			entries_judge(j, v, n, e.subcommands);
	}
}

void probe_commands_judge(const struct resp_value *v, unsigned n, unsigned version,
			  struct findings *f)
{
	struct judging j = {.findings = f, .old = version && version < SERVER_VERSION(7, 0)};
	if (v->type != RESP_ARRAY) {
		f->check = "probe-commands";
		finding_put(f, SEVERITY_INFO, NULL,
			    "the source refuses COMMAND: its list of commands was not compared");
		return;
	}
	entries_judge(&j, v, n, 0);
	if (j.n_unknown > TOLD_MAX)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the source has %u more commands that write and that Flyover does not "
			    "know",
			    j.n_unknown - TOLD_MAX);
}
