// SPDX-License-Identifier: BSD-3-Clause
// What a file holds, in numbers: by database, type, encoding, prefix, size and expiry, and the
// biggest keys; of an AOF the commands by name. Memory does not grow with the file.
#pragma once

#include <stdio.h>

#include "ctrl/decode/command_keys.h"
#include "parsers/rdb.h"

#define REPORT_TOP          20
#define REPORT_PREFIXES     64   // shown
#define REPORT_PREFIX_SLOTS 8192 // told apart; the others are added up
#define REPORT_PREFIX_LEN   48
#define REPORT_KEY_LEN      120
#define REPORT_DATABASES    64   // told apart
#define REPORT_TYPES        9    // enum rdb_kind
#define REPORT_ENCODINGS    64   // type bytes
#define REPORT_SIZES        40   // powers of two
#define REPORT_EXPIRIES     8
#define REPORT_NAME_LEN     32
#define REPORT_UNKNOWN      16   // commands that we do not know, told apart
#define REPORT_SKETCH       4096

struct report_count {
	uint64_t keys;
	uint64_t bytes;    // in the file, compressed as it is there
	uint64_t elements;
	uint64_t expiring; // keys
};

struct report_key {
	uint64_t bytes, elements, db;
	const char *type, *encoding;
	int64_t expire_at_ms;
	size_t len; // of the whole key
	char key[REPORT_KEY_LEN];
	char type_text[RDB_MODULE_NAME_LEN + 1];
};

struct report_prefix {
	struct report_count count;
	uint8_t len;
	char text[REPORT_PREFIX_LEN];
};

// The commands of one name.
struct report_name {
	char text[REPORT_NAME_LEN];
	uint64_t n;
	uint64_t bytes; // in the file
};

struct report_commands {
	bool any;                  // the file is an AOF
	uint64_t n, bytes;
	uint64_t n_keys;           // that were named, each as often as it was
	struct report_name *known; // by the rows of the command table
	struct report_name unknown[REPORT_UNKNOWN + 1]; // the last one: all others
	int64_t first_s, last_s;   // unix time, -1: none stands there
	struct command_keys keys;  // of the command at hand
	struct report_name *now;
	uint64_t now_db;
	uint8_t sketch[REPORT_SKETCH]; // of the keys, to say how many different ones there were
};

struct report {
	struct report_commands commands;
	struct report_count all;
	struct report_count types[REPORT_TYPES];
	struct report_count encodings[REPORT_ENCODINGS];
	const char *encoding_names[REPORT_ENCODINGS];
	struct report_count databases[REPORT_DATABASES];
	struct report_count other_databases;
	struct report_count sizes[REPORT_SIZES];       // 2^(i - 1) to 2^i - 1 bytes
	struct report_count expiries[REPORT_EXPIRIES]; // report_expiry_name()
	uint64_t field_expiries;
	uint64_t n_functions, function_bytes;
	uint64_t n_skipped;
	char server[48];      // AUX fields
	uint64_t taken_ms;    // ctime
	uint64_t used_memory; // used-mem

	struct report_key top[REPORT_TOP]; // by bytes, greatest first
	struct report_key most[REPORT_TOP]; // by elements
	unsigned n_top, n_most;
	struct report_prefix *prefixes; // REPORT_PREFIX_SLOTS
	unsigned n_prefixes;
	struct report_count other_prefixes;

	struct report_key now; // the key at hand
	enum rdb_kind now_kind;
	uint8_t now_type;
	uint64_t now_begin;
	uint64_t now_ms; // what counts as expired, when the file does not tell its time
	bool now_skipped;
};

// What stands beside the numbers.
struct report_file {
	const char *path, *magic;
	int version;
	uint64_t bytes;
	const char *warning; // or NULL
};

// @return 0 or -ENOMEM
int report_init(struct report *r, uint64_t now_ms);
void report_fini(struct report *r);

// @param db         of the event
// @param key_begin  offset where the key at hand begins, with its attributes
// @param pos        offset behind the event
void report_event(struct report *r, const struct rdb_event *ev, uint64_t db, uint64_t key_begin,
		  uint64_t pos);

// What RDB_SKIPPED was about ends here.
void report_skipped(struct report *r, uint64_t pos);

// The commands of an AOF begin.
void report_commands_begin(struct report *r);

// A command, or an event of a long one.
void report_command(struct report *r, const struct aof_event *ev);

// A time that stands between commands.
void report_time(struct report *r, int64_t at_s);

// The names with most commands, greatest first.
//
// @param out  room for `max`
// @return how many
unsigned report_names(const struct report *r, const struct report_name **out, unsigned max);

// About how many different keys the commands named.
uint64_t report_keys_different(const struct report *r);

// The prefixes with most bytes, greatest first. @return how many, at most REPORT_PREFIXES
unsigned report_prefixes(const struct report *r, const struct report_prefix **out);

// "expired", "1 min", ... "never"
const char *report_expiry_name(unsigned i);

void report_text(const struct report *r, const struct report_file *file, FILE *out);

// One page that needs nothing else: styles and charts are in it.
void report_html(const struct report *r, const struct report_file *file, FILE *out);
