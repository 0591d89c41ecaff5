// SPDX-License-Identifier: BSD-3-Clause
// What a probe runs, and what it expects: the verbs of parsers/commands.tsv, each in the calls in
// which a server sends something else than it was told. The one place where such cases stand; tests
// read it as well.
#pragma once

struct probe_case {
	const char *setup;    // commands before, see probe_words.h; "" none
	const char *command;  // one, or a transaction
	const char *expected; // in the stream, see probe_match.h
	// First release that takes the options of the command, "REDIS VALKEY", '-' for a family
	// that does not: "8.4 8.1"; "6.2" when Valkey always has. NULL: as the table has the verbs.
	const char *since;
};

// @param n  out
const struct probe_case *probe_cases(unsigned *n);
