// SPDX-License-Identifier: BSD-3-Clause
// The commands that a link sends: those of its own to either side, and those that a source's stream
// may hold. One index counts them all.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parsers/commands.h"

#define VERBS_MAX 512

enum verb_side { VERB_SOURCE, VERB_TARGET, VERB_STREAM };

struct verb {
	const char *name; // "CLIENT KILL"
	enum verb_side side;
	bool needed;               // a link cannot do without it
	unsigned n_words;          // least, its name included
	unsigned kind;             // enum rights_kind: only of such a deployment; 0: of any
	const struct command *row; // VERB_STREAM: else NULL
};

struct verb_set {
	uint64_t bits[VERBS_MAX / 64];
};

// @return false when i is past the last
bool verb_at(unsigned i, struct verb *v);

// The index of a name. @return VERBS_MAX when no verb has it
unsigned verb_find(const char *name);

static inline void verb_set_add(struct verb_set *s, unsigned i)
{
	s->bits[i / 64] |= 1ull << (i % 64);
}

static inline bool verb_set_has(const struct verb_set *s, unsigned i)
{
	return s->bits[i / 64] >> (i % 64) & 1;
}

// Whether a link sends the command whatever the stream holds: to load a snapshot, to mark, to
// sweep.
bool verb_is_ours(const struct verb *v);

// Whether a server has the command, by its version.
bool verb_since(const struct verb *v, bool valkey, unsigned version);

// Names of a set, "SET, DEL and 7 more".
//
// @return how many there are
unsigned verb_set_text(const struct verb_set *s, char *out, size_t out_len);

// Words for ACL SETUSER that allow a set, fit for a shell: "+set '+client|kill'"; "+@write" for
// many of the stream.
void verb_set_acl(const struct verb_set *s, char *out, size_t out_len);
