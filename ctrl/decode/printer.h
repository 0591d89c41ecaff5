// SPDX-License-Identifier: BSD-3-Clause
// The seam between what was read and how it is shown: a key with its elements, streamed. What comes
// in are events of the RDB reader (parsers/rdb.h), whole keys at a time:
//
//   begin, (AUX | FUNCTION | SELECTDB | COMMAND | SKIPPED | key)..., end
//   key: STRING | RAW | STRING_BEGIN, PART..., STRING_END | BIG_BEGIN, element..., BIG_END
//
// A file of commands gives those of the AOF reader (parsers/aof.h) behind or instead of them.
// Nothing that a printer keeps grows with the data.
#pragma once

#include "ctrl/decode/command_keys.h"
#include "ctrl/decode/json_text.h"
#include "ctrl/decode/output.h"
#include "parsers/rdb.h"

struct printer;

struct printer_ops {
	const char *name; // of --format
	bool values;      // false: names are enough, so that values need not be taken apart
	bool modules;     // values of modules are wanted as they are: RDB_RAW
	void (*begin)(struct printer *p);
	void (*event)(struct printer *p, const struct rdb_event *ev);
	// AOF_COMMAND, or AOF_BIG_BEGIN, AOF_BIG_WORD..., AOF_BIG_END.
	void (*command)(struct printer *p, const struct aof_event *ev);
	// @param whole  false: the input ended too early, perhaps within a key
	void (*end)(struct printer *p, bool whole);
};

// Bytes that grow up to a limit.
struct printer_bytes {
	char *p;
	size_t len, cap;
};

struct print_json {
	enum rdb_kind kind;
	uint64_t n_items;   // of the list at hand
	int64_t last_insert;  // of an array, -1: none
	bool in_value;      // of a key whose elements come one by one
	bool in_command;    // whose words come one by one
	bool in_word;       // that comes in pieces
	bool in_idmp;
	enum { STREAM_ENTRIES, STREAM_GROUPS, STREAM_PENDING, STREAM_NACKED } at;
	struct json_parts parts;
	struct output notes; // the consumers of a group, until its pending entries are through
	uint64_t n_notes, n_notes_lost;
};

struct print_resp {
	struct printer_bytes key;  // of the elements
	struct printer_bytes args; // of the command that is being gathered
	uint64_t n_args;
	uint64_t n_parts;
	const char *verb;
	int64_t expire_at_ms;
	uint64_t db; // that was selected
	bool in_key, has_db;
	bool in_multi; // a MULTI was written, and no EXEC
};

struct printer {
	const struct printer_ops *ops;
	struct output *out;
	uint64_t db; // of the events
	bool any;    // something was printed
	const char *file; // that the commands are from, when there are several; or NULL
	struct command_keys keys;
	struct print_json json;
	struct print_resp resp;
};

extern const struct printer_ops printer_json, printer_jsonl, printer_resp, printer_keys;

// @return NULL when there is no such format
const struct printer_ops *printer_find(const char *format);

// @return 0 or -ENOMEM
int printer_init(struct printer *p, const struct printer_ops *ops, struct output *out);
void printer_fini(struct printer *p);

// A key's type as the server's TYPE tells it: "zset", or the module type's name.
//
// @param name  for a module's, at least RDB_MODULE_NAME_LEN + 1 bytes
const char *printer_type(const struct rdb_event *ev, char *name);
