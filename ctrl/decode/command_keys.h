// SPDX-License-Identifier: BSD-3-Clause
// The keys of the commands that a file holds, as the AOF reader gives these: whole, or word by
// word.
#pragma once

#include "parsers/aof.h"
#include "parsers/commands.h"

// What is known of the command at hand; zero at first.
struct command_keys {
	const struct command *row; // NULL: unknown, or its name has not come
	struct key_run run;        // n = 0: no keys
	bool unknown;              // argument 1 counts as its key
};

// Called with each key.
typedef void command_key(void *arg, struct span key, bool written);

// Go over the keys of a command, or over those that an event of a long one brings. Of long commands
// whose keys are counted by a number or stand behind a word, only the first key is found.
void command_keys_each(struct command_keys *k, const struct aof_event *ev, command_key *found,
		       void *arg);
