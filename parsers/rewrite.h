// SPDX-License-Identifier: BSD-3-Clause
// One command of a stream -> what to send, so that running it again does no harm.
//
// The stream holds only what the source has carried out, so a condition in it was true already and
// would just make a replay differ: SETNX becomes SET, NX, XX and the like go, RESTORE gets REPLACE.
// ZADD keeps its conditions, which hold member by member. Relative expiries (sources before 7.0)
// become absolute, counted from when the bytes came in; what has expired already becomes a DEL.
// Blocking forms lose the wait. Expiries of keys, not of fields, may be held. Pure: no clock, no
// allocation; rewriting a result changes nothing.
#pragma once

#include "parsers/commands.h"
#include "parsers/rdb_footer.h"

// The `rewrite` column of commands.tsv.
enum rewrite_kind {
	REWRITE_NONE,
	REWRITE_SET,
	REWRITE_SETEX,
	REWRITE_PSETEX,
	REWRITE_GETEX,
	REWRITE_EXPIRE,
	REWRITE_PEXPIRE,
	REWRITE_EXPIREAT,
	REWRITE_PEXPIREAT,
	REWRITE_HEXPIRE,
	REWRITE_HPEXPIRE,
	REWRITE_HEXPIREAT,
	REWRITE_HPEXPIREAT,
	REWRITE_HGETEX,
	REWRITE_HSETEX,
	REWRITE_HGETDEL,
	REWRITE_MSETEX,
	REWRITE_RESTORE,
	REWRITE_COPY,
	REWRITE_XADD,
	REWRITE_XTRIM,
	REWRITE_FUNCTION_LOAD,
	REWRITE_FUNCTION_RESTORE,
	// From here on just another name in front of the first arguments.
	REWRITE_TO_SET,
	REWRITE_TO_MSET,
	REWRITE_TO_HSET,
	REWRITE_TO_RENAME,
	REWRITE_TO_LPUSH,
	REWRITE_TO_RPUSH,
	REWRITE_TO_RPOPLPUSH,
	REWRITE_TO_LMOVE,
	REWRITE_TO_DEL,
	REWRITE_KIND_COUNT
};

enum rewrite_result {
	REWRITE_UNCHANGED, // send the command as it came; struct rewrite was not filled
	REWRITE_CHANGED,   // send struct rewrite's words
	REWRITE_REFUSED,   // do not send: park it, with the reason
};

enum rewrite_reason {
	REWRITE_OK,
	REWRITE_MALFORMED, // arguments missing, or a number that is none
	REWRITE_RANGE,     // an expiry beyond int64 milliseconds
	REWRITE_NO_TIME,   // a relative expiry, but received_ms is not known
	REWRITE_FOOTER,    // rules->footer refused a payload
	REWRITE_REASON_COUNT
};

#define REWRITE_GROWTH 2 // words that a rewrite may add

// Decides over the footer of a DUMP payload (RESTORE, FUNCTION RESTORE): a target refuses versions
// newer than its own and a CRC of zero.
//
// @param payload  at least RDB_FOOTER_LEN bytes
// @param footer   filled when the payload's own will not do
//
// @return 0 keep it, 1 replace it by footer, -errno when the target cannot load such a payload
typedef int rewrite_footer_fn(
	const void *arg, struct span payload, uint8_t footer[RDB_FOOTER_LEN]);

// What RESTORE of a target takes.
struct rewrite_target {
	uint16_t rdb_version_max; // the RDB version that it writes itself
	bool valkey;              // refuses 12 to 79, the versions of Redis after the fork
};

// The footer function for a known target: keeps what that takes, writes the lowest version that
// owns the value's type where its own is too new, of the other family, or has a CRC of zero. Reads
// the whole payload only then.
//
// @param target  struct rewrite_target
//
// @return as rewrite_footer_fn; -ENOTSUP when the target does not know the type
int rewrite_footer(const void *target, struct span payload, uint8_t footer[RDB_FOOTER_LEN]);

// What holds for all commands of a moment. Times are Unix time, ms.
struct rewrite_rules {
	int64_t received_ms; // when the command's bytes came in; 0: not known
	int64_t now_ms;      // expiries up to here have passed; 0: leave expired writes as they are
	int64_t hold_until_ms; // a key that would expire up to here is held; 0: none is
	int64_t hold_at_ms;    // the expiry that it gets instead, later than hold_until_ms
	rewrite_footer_fn *footer; // NULL: leave all footers
	const void *footer_arg;
};

// A changed command. Words point into the original's bytes, into literals, or into this struct:
// valid while all of these are, and the struct stays where it is.
struct rewrite {
	struct span *argv; // in: room for the words; must not overlap the original's
	int room;          // in: at least the original's argc + REWRITE_GROWTH
	int argc;          // out
	int footer_at;     // out: the word whose last RDB_FOOTER_LEN bytes `footer` replaces, or 0
	int64_t held_ms;   // out: the keys' own expiry, where hold_at_ms is sent; 0: none is held
	enum rewrite_reason reason;    // out, when refused
	const struct command *command; // out: the row of the new name
	uint8_t footer[RDB_FOOTER_LEN];
	char number[20];
};

// Behind rewrite_command(), for commands that may need a change.
enum rewrite_result rewrite_apply(
	const struct command *c, const struct span *argv, int argc,
	const struct rewrite_rules *rules, struct rewrite *out);

// Rewrite one command.
//
// @param c      its row
// @param rules  read only
// @param out    argv and room set by the caller
//
// @return see enum rewrite_result
static inline enum rewrite_result rewrite_command(
	const struct command *c, const struct span *argv, int argc,
	const struct rewrite_rules *rules, struct rewrite *out)
{
	if (!(c->flags & COMMAND_REWRITE) || (c->rewrite == REWRITE_SET && argc == 3))
		return REWRITE_UNCHANGED;
	return rewrite_apply(c, argv, argc, rules, out);
}

// A few words for a parked command and for `status`.
const char *rewrite_reason_text(enum rewrite_reason reason);
