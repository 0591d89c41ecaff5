// SPDX-License-Identifier: BSD-3-Clause
// Between the files of the RDB reader.
//
//   rdb.c         window, sum, scratch, errors: what every step uses
//   rdb_file.c    header, opcodes, end of file
//   rdb_value.c   key and value: strings, long strings, raw bodies, modules
//   rdb_big.c     a big value, element by element
//   rdb_node.c    the elements of one packed node
//   rdb_stream.c  a stream: nodes and entries
//   rdb_group.c   a stream: groups, consumers, pending entries
//   rdb_idmp.c    a stream: producers of idempotent entries
//   rdb_array.c   an array
//   rdb_template.c  hashes whose field names stand in a template
//   rdb_extra.c   opcodes that are rare: functions, templates, commands
//
// A step reads from the cursor and returns RDB_EVENT, RDB_MORE, RDB_BAD or RDB_AGAIN (call the step
// that r->step now names). A step that returns RDB_MORE has moved the cursor over nothing that it
// wants to see again.
#pragma once

#include "parsers/rdb.h"
#include "parsers/rdb_string.h"
#include "parsers/rdb_types.h"

#define RDB_AGAIN 100

struct rdb_cursor {
	const uint8_t *start; // of the window
	const uint8_t *p;     // next byte
	const uint8_t *end;
};

typedef int rdb_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev);

// rdb.c

// Note what is wrong, with the position of the cursor. Returns RDB_BAD.
int rdb_fail(struct rdb_reader *r, const struct rdb_cursor *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Make the sum that of the file up to `to`, and no further. For the end of the file.
void rdb_sum_end(struct rdb_reader *r, const struct rdb_cursor *c, const uint8_t *to);

// Ask for `len` bytes from the cursor; RDB_BAD when the window can never show them.
int rdb_more(struct rdb_reader *r, struct rdb_cursor *c, uint64_t len, const char *what);

// What a failed take means to the caller: RDB_MORE, or RDB_BAD with "WHAT: ...".
int rdb_untaken(struct rdb_reader *r, struct rdb_cursor *c, enum rdb_take t, const char *what);

// Make the scratch at least this long, keeping what is in it.
//
// @return RDB_AGAIN, or RDB_BAD
int rdb_scratch_grow(struct rdb_reader *r, const struct rdb_cursor *c, uint64_t len,
		     const char *what);

// Look at a string that must be in the window as a whole; *p moves behind it.
//
// @return RDB_AGAIN, RDB_MORE or RDB_BAD
int rdb_str_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, struct rdb_str *s,
		 const char *what);

// Decode strings: plain ones stay in the window, LZF goes to scratch from scratch_used on, integers
// to r->num[i].
//
// @param n  at most 3
//
// @return RDB_AGAIN or RDB_BAD
int rdb_str_decode(struct rdb_reader *r, struct rdb_cursor *c, const struct rdb_str *s,
		   struct span *out, size_t n);

// The same for one string that is to stay in scratch, at `off`.
int rdb_str_keep(struct rdb_reader *r, struct rdb_cursor *c, const struct rdb_str *s, size_t off,
		 size_t *len);

// Steps that other files go to.
rdb_step rdb_header_step;
rdb_step rdb_opcode_step;
rdb_step rdb_skip_step;
rdb_step rdb_value_step;
rdb_step rdb_big_begin_step;
rdb_step rdb_big_end_step;
rdb_step rdb_nodes_step;
rdb_step rdb_node_open_step;
rdb_step rdb_stream_begin_step;
rdb_step rdb_groups_step;
rdb_step rdb_idmp_step;
rdb_step rdb_array_step;
rdb_step rdb_template_hash_step;

// Opcodes, at the cursor.
rdb_step rdb_function_step;
rdb_step rdb_function_pre_step;
rdb_step rdb_template_step;
rdb_step rdb_command_step;

// rdb_value.c: the key at the cursor, behind the type byte.
int rdb_key_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p,
		 struct rdb_str *key);

// Fill in what every event of a key carries, and forget the attributes.
void rdb_key_event(struct rdb_reader *r, struct rdb_event *ev, enum rdb_event_kind kind,
		   uint8_t type);

// rdb_value.c: id and version of the module at *p. RDB_AGAIN, or what rdb_untaken() says.
int rdb_module_look(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t *p,
		    struct rdb_event *ev);

// rdb_template.c: choose the template for the values that follow; then its names one by one.
int rdb_template_choose(struct rdb_reader *r, struct rdb_cursor *c, uint64_t id);
bool rdb_template_name(struct rdb_reader *r, struct span *name);

// rdb_big.c: the score of a zset element into the event, with its text.
int rdb_score_text(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev, double score);
int rdb_score_parse(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
		    struct span text);
