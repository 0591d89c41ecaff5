// SPDX-License-Identifier: BSD-3-Clause
// The command table: what a command of a replication stream touches, and what may become of it.
//
// One row a command, one cache line a row. The rows are parsers/commands.tsv, from which
// tools/gen-commands makes commands_table.inc at build time: the rows and a hash over their names.
// Covers Redis up to 8.x and Valkey up to 9.x.
#pragma once

#include <assert.h>

#include "parsers/span.h"

// What a command does to the state; says how it can be replayed, split and (later) merged.
enum command_class {
	CLASS_ABS,     // leaves the key, field, member or bit as written, whatever was there
	CLASS_ELADD,   // adds elements (set members, HyperLogLog registers, consumers)
	CLASS_ELREM,   // removes elements by name, or by a range that the name order fixes
	CLASS_TTL,     // expiry only
	CLASS_DELKEY,  // removes whole keys
	CLASS_DELTA,   // relative to the value: INCR and the like
	CLASS_POS,     // relative to a position: lists, APPEND, stream ids
	CLASS_DERIVED, // the result depends on other keys: RENAME, SUNIONSTORE, SORT .. STORE
	CLASS_GLOBAL,  // whole databases: FLUSHALL, FLUSHDB, SWAPDB
	CLASS_FUNC,    // function libraries, which belong to no key
	CLASS_MSG,     // Pub/Sub messages: no state
	CLASS_CONTROL, // framing and bookkeeping of the stream: SELECT, MULTI, PING, REPLCONF
	CLASS_SCRIPT,  // verbatim scripts of sources up to 4.0, and SCRIPT LOAD / FLUSH
	CLASS_READ,    // changes nothing
	CLASS_COUNT
};

// How far a command reaches, hence which lanes it is a barrier for.
enum command_scope {
	SCOPE_NONE,     // no key, no database: PING, PUBLISH
	SCOPE_KEY,      // one key
	SCOPE_MULTI,    // several keys of the selected database; one call of it may name just one
	SCOPE_CROSS_DB, // a key here and a key in another database: MOVE, COPY .. DB
	SCOPE_DB,       // every key of the selected database: FLUSHDB
	SCOPE_GLOBAL,   // everything: FLUSHALL, SWAPDB, FUNCTION, SCRIPT
	SCOPE_COUNT
};

// Which of the keys that command_key_run() finds get written.
enum command_written {
	WRITTEN_NONE,
	WRITTEN_ALL,
	WRITTEN_FIRST, // key 0 is the destination, the rest are sources
	WRITTEN_LAST,  // the last of several is: COPY, SORT .. STORE; SORT with one key writes none
};

// The shapes in which a command's keys lie in its arguments.
enum command_keyspec {
	KEYS_NONE,
	KEYS_RANGE,   // every step-th argument of first..last; a negative last counts from the end
	KEYS_NUMKEYS, // argument `count` counts the keys after it; `first` > 0 is one key more
	KEYS_STORE,   // `first`, and what follows the last STORE or STOREDIST from `count` on
	KEYS_SORT,    // the same for SORT, where BY, GET and LIMIT take arguments
	KEYS_STREAMS, // the first half of what follows STREAMS: XREAD, XREADGROUP
	KEYS_MIGRATE, // argument 3 or, when that is empty, all that follow KEYS
};

enum command_flag {
	COMMAND_WRITE = 1 << 0,      // the server's own write flag
	COMMAND_IDEMPOTENT = 1 << 1, // replaying a run of such commands leaves the same state
	COMMAND_NEVER = 1 << 2,      // never forward: counts as filtered; its bytes count
	COMMAND_FRAME = 1 << 3,      // SELECT, MULTI, EXEC: state of the one who reads the stream
	COMMAND_REWRITE = 1 << 4,    // rewrite_command() may change it; others need not ask
	COMMAND_CONTAINER = 1 << 5,  // has subcommand rows; this row stands for any that has none
	COMMAND_CONTROL = 1 << 6,    // wants an answer or an action from us: REPLCONF GETACK
	COMMAND_BY_ARGS = 1 << 7,    // COMMAND_IDEMPOTENT holds for some arguments only
	COMMAND_BY_KEY = 1 << 8,     // each key with its values may go by itself: DEL, MSET
	COMMAND_GATHER = 1 << 9,     // what it writes depends on other keys: RENAME, SUNIONSTORE
};

// A row. Read-only, lives as long as the program.
struct command {
	uint64_t head, tail;  // first and last 8 bytes of the upper-case (sub)name, for the hash
	const char *name;     // upper case, NUL-terminated, subcommands as "XGROUP CREATE"
	uint16_t since_redis; // major << 8 | minor of the first release that has it; 0: none has
	uint16_t since_valkey;
	uint16_t flags;       // enum command_flag
	uint16_t parent;      // for a subcommand: index + 1 of its container's row
	int8_t arity;         // as the server's COMMAND: n exactly, -n at least; counts all words
	uint8_t name_len;     // of name, or of the subcommand's part
	uint8_t class;        // enum command_class
	uint8_t scope;        // enum command_scope
	uint8_t written;      // enum command_written
	uint8_t keyspec;      // enum command_keyspec; the next four are its arguments
	int8_t first, last, step;
	uint8_t count;
	uint8_t rewrite;      // enum rewrite_kind of parsers/rewrite.h
	uint8_t pad[21];
};
static_assert(sizeof(struct command) == 64, "a row is a cache line");

// The rows, in the order of commands.tsv; for tests, `flyover doctor` and counters by command.
extern const struct command command_rows[];
extern const size_t command_row_count;

// Find a command's row. Names in any case.
//
// @param name  argument 0
// @param sub   argument 1, or an empty span when there is none; looked at for containers only
//
// @return the row; for a container without a row for `sub`, the container's own. NULL when the
//         command is unknown (a module's, a newer server's, a renamed one): the caller then treats
//         it as a barrier over all lanes, forwards it verbatim, and takes argument 1 for its key
//         where a cluster target needs a slot to choose a node by
const struct command *command_find(struct span name, struct span sub);

// Whether a command may have argc words, its name included.
static inline bool command_arity_fits(const struct command *c, int argc)
{
	return c->arity >= 0 ? argc == c->arity : argc >= -c->arity;
}

// Where the keys of one command lie: an optional first key, then a regular run. Every key spec
// comes down to this, so a DEL of a million keys costs no more than one of two.
struct key_run {
	int n;     // keys in all, head included
	int head;  // argument index of a key before the run, 0 when there is none
	int first; // argument index of the run's first key
	int step;
};

// Find the keys of a command.
//
// @param c     its row
// @param argv  all words, the name (and subcommand) included
// @param argc  number of words, > 0
// @param run   filled; n = 0 when the command has no keys
//
// @return 0, or -EINVAL when argc contradicts the arity, or a key count is no number or points past
//         the end, or MSET's pairs do not come out even
int command_key_run(
	const struct command *c, const struct span *argv, int argc, struct key_run *run);

// @return the argument index of key i, 0 <= i < run->n
static inline int key_run_at(const struct key_run *run, int i)
{
	if (run->head) {
		if (i == 0)
			return run->head;
		i--;
	}
	return run->first + i * run->step;
}

// The same as an array.
//
// @param key_index  filled with argument indexes
// @param max        room in key_index
//
// @return number of keys, -EINVAL as command_key_run(), -E2BIG when there are more than max
int command_keys(
	const struct command *c, const struct span *argv, int argc, int *key_index, int max);

// The other database of a SCOPE_CROSS_DB command: MOVE key db, COPY .. DB db.
//
// @return the database, -ENOENT when the command names none, -EINVAL when it is no number
int command_other_db(const struct command *c, const struct span *argv, int argc);

// The word that names it. @return its index, 0 when there is none
int command_other_db_at(const struct command *c, const struct span *argv, int argc);

// How far this call of a command reaches: its row's scope, narrowed or widened by its arguments. A
// COPY without DB stays in its database, a DEL of one key is SCOPE_KEY, a SORT whose BY or GET
// names keys by pattern reads the whole database.
//
// @param run  from command_key_run() for the same words
enum command_scope command_reach(
	const struct command *c, const struct span *argv, int argc, const struct key_run *run);

// Whether this call can be replayed without a fence. Asks the arguments where COMMAND_BY_ARGS says
// so: ZADD with NX, XX or INCR, BITFIELD with INCRBY, XGROUP CREATE at `$` cannot.
//
// "Idempotent" is about runs: a run of such commands, applied again from any place that has been
// applied before, in order, ends in the same state. It says nothing about a run with others in it:
// a marker that fences an INCR must cover all of its slot up to there. One hole is known: a member
// whose removal empties the key takes the key's expiry along, which a replay does not repeat when
// members have been added since.
bool command_is_idempotent(const struct command *c, const struct span *argv, int argc);

// Whether key i of n gets written.
static inline bool command_writes_key(const struct command *c, int i, int n)
{
	switch ((enum command_written)c->written) {
	case WRITTEN_ALL:
		return true;
	case WRITTEN_FIRST:
		return i == 0;
	case WRITTEN_LAST:
		return n > 1 && i == n - 1;
	case WRITTEN_NONE:
		break;
	}
	return false;
}

// Names for counters and `decode`: "ABS", "key".
const char *command_scope_name(enum command_scope scope);
