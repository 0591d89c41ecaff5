// SPDX-License-Identifier: BSD-3-Clause
// Which keys are wanted, of an RDB or of the commands of an AOF.
#pragma once

#include "parsers/rdb.h"

// Zero wants all. With a database or a name, commands are wanted that touch such a key; with a type
// only where this is "command".
struct decode_filter {
	bool one_db;
	uint64_t db;
	const char *match; // glob as KEYS has it, or NULL
	const char *type;  // "zset", "module", a module's name, or NULL
	uint64_t limit;    // keys and commands, 0: all
};

// @param ev  of a key: key, value_kind, and for a module's module_id
bool filter_wants(const struct decode_filter *f, uint64_t db, const struct rdb_event *ev);

// Glob as Redis's KEYS: * ? [a-z] [^a-z] \x.
bool glob_matches(struct span pattern, struct span text);
