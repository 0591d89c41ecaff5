// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctrl/rights.h"

#define NAMES_SHOWN 6
#define GROUP_FROM  12 // from so many on, the whole category is asked for

static uint32_t user_of(enum verb_side side)
{
	return 1u << (side == VERB_SOURCE ? RIGHTS_SYNC_SOURCE : RIGHTS_SYNC_TARGET);
}

// A command that a link sends by itself to this side.
static bool is_own(const struct right *r, enum verb_side side)
{
	return r->least && (r->needed | r->useful) & user_of(side);
}

static unsigned own_count(void)
{
	const struct right *r;
	unsigned n = 0;
	for (unsigned k = 0; (r = right_at(k)); k++)
		n += is_own(r, VERB_SOURCE) + is_own(r, VERB_TARGET);
	return n;
}

// The i-th of them in the table of rights, those to the source first.
static bool own_at(unsigned i, struct verb *v)
{
	const struct right *r;
	for (unsigned side = VERB_SOURCE; side <= VERB_TARGET; side++)
		for (unsigned k = 0; (r = right_at(k)); k++) {
			if (!is_own(r, side) || i--)
				continue;
			bool needed = r->needed & user_of(side);
			*v = (struct verb){r->word, side, needed, r->least, r->kind, NULL};
			return true;
		}
	return false;
}

// Commands that a server never sends on as they are: it sends what they did.
static bool is_decided(const char *name)
{
	static const char *const names[] = {"RESTORE-ASKING", "PFDEBUG", "XREADGROUP"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return name[0] == 'B' && strchr("LRZ", name[1]); // the blocking ones
}

// Whether a stream may hold the command. Modules are looked at by MODULE LIST.
static bool in_stream(const struct command *c)
{
	const unsigned not = COMMAND_NEVER | COMMAND_FRAME | COMMAND_CONTAINER | COMMAND_CONTROL;
	if (strchr(c->name, '.') || (c->flags & not) || is_decided(c->name))
		return false;
	return (c->flags & COMMAND_WRITE) || c->class == CLASS_MSG || c->class == CLASS_READ;
}

bool verb_at(unsigned i, struct verb *v)
{
	unsigned n_own = own_count();
	if (i < n_own)
		return own_at(i, v);
	if (i - n_own >= command_row_count || i >= VERBS_MAX)
		return false;
	const struct command *c = &command_rows[i - n_own];
	unsigned n_words = (unsigned)(c->arity < 0 ? -c->arity : c->arity);
	*v = (struct verb){in_stream(c) ? c->name : NULL, VERB_STREAM, false, n_words, 0, c};
	return true;
}

unsigned verb_find(const char *name)
{
	struct verb v;
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (v.name && v.side == VERB_STREAM && !strcasecmp(v.name, name))
			return i;
	for (unsigned i = 0; verb_at(i, &v) && v.side != VERB_STREAM; i++)
		if (!strcasecmp(v.name, name))
			return i;
	return VERBS_MAX;
}

bool verb_is_ours(const struct verb *v)
{
	static const char *const names[] = {"SET",  "DEL",       "RESTORE", "INCR", "APPEND",
					    "SADD", "PEXPIREAT", "RENAME",  "HSET", "RPUSH",
					    "ZADD"};
	for (unsigned i = 0; v->name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(v->name, names[i]))
			return true;
	return v->needed;
}

bool verb_since(const struct verb *v, bool valkey, unsigned version)
{
	if (!v->row || !version)
		return true;
	unsigned since = valkey ? v->row->since_valkey : v->row->since_redis;
	return since && since <= version;
}

unsigned verb_set_text(const struct verb_set *s, char *out, size_t out_len)
{
	struct verb v;
	unsigned n = 0;
	size_t at = 0;
	out[0] = 0;
	for (unsigned i = 0; verb_at(i, &v); i++) {
		if (!v.name || !verb_set_has(s, i))
			continue;
		if (n++ < NAMES_SHOWN && at < out_len)
			at += (size_t)snprintf(out + at, out_len - at, "%s%s", n > 1 ? ", " : "",
					       v.name);
	}
	if (n > NAMES_SHOWN && at < out_len)
		snprintf(out + at, out_len - at, " and %u more", n - NAMES_SHOWN);
	return n;
}

// " +set", and " '+client|kill'": the bar means something to a shell.
static size_t acl_word(char *out, size_t out_len, const char *name)
{
	size_t at = 0;
	bool quoted = strchr(name, ' ') != NULL;
	for (const char *word = quoted ? " '+" : " +"; *word && at + 1 < out_len; word++)
		out[at++] = *word;
	for (; *name && at + 1 < out_len; name++)
		out[at++] = *name == ' ' ? '|' : (char)tolower((uint8_t)*name);
	if (quoted && at + 1 < out_len)
		out[at++] = '\'';
	out[at] = 0;
	return at;
}

void verb_set_acl(const struct verb_set *s, char *out, size_t out_len)
{
	struct verb v;
	unsigned n_stream = 0;
	size_t at = 0;
	for (unsigned i = own_count(); verb_at(i, &v); i++)
		n_stream += v.name && verb_set_has(s, i);
	out[0] = 0;
	if (n_stream >= GROUP_FROM)
		at = acl_word(out, out_len, "@write");
	for (unsigned i = 0; verb_at(i, &v); i++) {
		bool grouped = v.row && (v.row->flags & COMMAND_WRITE);
		if (!v.name || !verb_set_has(s, i) || (n_stream >= GROUP_FROM && grouped))
			continue;
		at += acl_word(out + at, out_len - at, v.name);
	}
}
