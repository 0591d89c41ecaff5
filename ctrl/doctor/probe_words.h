// SPDX-License-Identifier: BSD-3-Clause
// Commands of a probe: those that its cases write down, and those that a stream carries.
//
// A case writes commands as people do, parted by " ; ", their words by blanks; 'in quotes' a word
// may hold blanks. What differs from run to run has a sign:
//
//   @cup    the scratch key "cup"            &       the number of the other database
//   %       the run's token, in any place    <dump>  a payload for RESTORE
#pragma once

#include "parsers/span.h"

#define PROBE_TOKEN_LEN    12
#define PROBE_PREFIX       "__flyover:probe:"
#define PROBE_PREFIX_LEN   (sizeof(PROBE_PREFIX) + PROBE_TOKEN_LEN + 3)
#define PROBE_ARGS_MAX     24
#define PROBE_COMMANDS_MAX 12
#define PROBE_BYTES_MAX    4096
#define PROBE_DUMP_MAX     128

// What the signs stand for in one run.
struct probe_names {
	char token[PROBE_TOKEN_LEN + 1];   // lower-case hex; nobody else's commands hold it
	char prefix[PROBE_PREFIX_LEN + 1]; // "__flyover:probe:{TOKEN}:"
	int other_db;                      // -1: there is none to be used
	size_t dump_len;
	char dump[PROBE_DUMP_MAX];
};

struct probe_command {
	unsigned argc;
	struct span argv[PROBE_ARGS_MAX]; // into the list's bytes
};

// Must not be moved: the spans point into it.
struct probe_list {
	unsigned n;
	bool cut; // there was more than it holds
	size_t len;
	struct probe_command list[PROBE_COMMANDS_MAX];
	char bytes[PROBE_BYTES_MAX];
};

// Set token and prefix. @param seed  any number that differs from run to run
void probe_names_init(struct probe_names *names, uint64_t seed);

// Append a copy of a command. What does not fit sets list->cut.
void probe_list_add(struct probe_list *l, unsigned argc, const struct span *argv);

// Take text apart, in place of what the list held.
//
// @return 0, or -E2BIG
int probe_list_read(struct probe_list *l, struct span text, const struct probe_names *names);

// The other way, for sentences: keys as "@cup", odd bytes as '.', long words cut.
//
// @return out
const char *probe_list_text(const struct probe_list *l, const struct probe_names *names, char *out,
			    size_t out_len);

// Whether some argument holds the token: then it is a command of this run.
bool probe_is_ours(const struct probe_names *names, unsigned argc, const struct span *argv);

// Whether a word is a scratch key, or a name like one.
static inline bool probe_is_key(const struct probe_names *names, struct span word)
{
	size_t len = strlen(names->prefix);
	return word.len > len && !memcmp(word.p, names->prefix, len);
}
