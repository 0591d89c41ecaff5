// SPDX-License-Identifier: BSD-3-Clause
// One command of a stream -> what a target of an older release gets instead.
//
// Comes behind rewrite_command(), whose outcome it is given. What there is to say of each release
// stands in parsers/older.tsv: the options that came later, and what does the same without them.
// What nothing else can express is refused, to be parked with the reason. Pure: no clock, no
// allocation.
#pragma once

#include "parsers/commands.h"
#include "parsers/server_version.h"

#define OLDER_COMMANDS_MAX 3
#define OLDER_RUNS_MAX     16
#define OLDER_LITERALS_MAX 12
#define OLDER_ROWS_MAX     512
#define OLDER_REASON_LEN   192

// What one target takes.
struct older {
	struct server_version target;
	bool field_ttl_drop; // send what carries an expiry of hash fields without it
	bool any;            // `asks` holds at all
	bool asks[OLDER_ROWS_MAX]; // by row of the command table
};

enum older_result {
	OLDER_SAME,   // the target takes the command as it is
	OLDER_FORM,   // send the commands of struct older_form
	OLDER_PARK,   // there is no way to say it to this target: keep it, see older_reason()
	OLDER_FILTER, // it means nothing to this target
	OLDER_RESYNC, // only a full sync can follow it
};

struct older_row;

// Words that lie side by side.
struct older_run {
	const struct span *words;
	int n;
};

// Commands of one transaction. Words point into those that were given, into literals, or into this
// struct: valid while all of these are, and the struct stays where it is.
struct older_form {
	int n_commands;
	int main; // the one that stands for the original: its refusal counts
	struct older_command {
		int argc;
		int first_run, n_runs;
	} commands[OLDER_COMMANDS_MAX];
	int n_runs, n_literals;
	struct older_run runs[OLDER_RUNS_MAX];
	struct span literals[OLDER_LITERALS_MAX];
	char number[12];
	bool degraded;               // something is lost, as the settings allow
	const struct older_row *row; // why, NULL: the command itself is not known to the target
};

// Find out which commands need a look.
//
// @param target          its `at` 0, not known: none does
// @param field_ttl_drop  see struct older
void older_init(struct older *o, const struct server_version *target, bool field_ttl_drop);

// Whether older_apply() has anything to say of a command.
static inline bool older_asks(const struct older *o, const struct command *c)
{
	return o->any && o->asks[c - command_rows];
}

// @param c     row of argv, one that older_asks()
// @param form  filled for OLDER_FORM; `degraded` and `row` always
enum older_result older_apply(
	const struct older *o, const struct command *c, const struct span *argv, int argc,
	struct older_form *form);

// Whether calls of a command without newer options reach the target, in whatever words.
bool older_reaches(const struct older *o, const struct command *c);

// One command as its only form; what the command was before is the caller's to know.
void older_form_of(struct older_form *form, const struct span *argv, int argc);

// Why a command was refused, in one sentence without its end, for a person.
//
// @param row  older_form.row
void older_reason(
	const struct server_version *target, const struct command *c, const struct older_row *row,
	char out[OLDER_REASON_LEN]);
