// SPDX-License-Identifier: BSD-3-Clause
// What a user has to be allowed, for every job and side, as words of ACL SETUSER: one row a word.
// `flyover help rights` prints it, the doctor asks servers by it, and sentences name it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Name, the verb, who it is.
#define RIGHTS_USERS(X)                                                                            \
	X(SYNC_SOURCE, "sync", "source")                                                           \
	X(SYNC_TARGET, "sync", "target")                                                           \
	X(SCAN_SOURCE, "scan", "source")                                                           \
	X(FOLLOW_SOURCE, "scan", "source, with --follow")                                          \
	X(SCAN_TARGET, "scan", "target")                                                           \
	X(DUMP_SOURCE, "dump", "source")                                                           \
	X(HARVEST_SOURCE, "dump", "source, with --by-scan")                                        \
	X(RESTORE_TARGET, "restore", "target")                                                     \
	X(CHECK_SOURCE, "check", "source")                                                         \
	X(CHECK_TARGET, "check", "target")                                                         \
	X(REPAIR_SOURCE, "check", "source, with --repair")                                         \
	X(REPAIR_TARGET, "check", "target, with --repair")                                         \
	X(DOCTOR_SOURCE, "doctor", "source")                                                       \
	X(DOCTOR_TARGET, "doctor", "target")                                                       \
	X(PROBE_SOURCE, "doctor", "source, with --probe")                                          \
	X(PROBE_TARGET, "doctor", "target, with --probe")                                          \
	X(RETRY_TARGET, "link parked retry", "target")                                             \
	X(SENTINELS, "sync", "sentinels, of either side and every verb")

enum rights_user {
#define X(name, verb, who) RIGHTS_##name,
	RIGHTS_USERS(X)
#undef X
		RIGHTS_USERS_COUNT
};

struct right {
	const char *word;    // "~*", "+@write", or a command as it is called: "CLIENT KILL"
	unsigned least;      // words of a command when it is asked for, its name included; 0: never
	uint32_t needed;     // users who cannot do without it, a bit each
	uint32_t useful;     // users who do less without it
	const char *without; // what they do less; NULL: the job ends
	const char *when;    // only then, so that no line has it; NULL: always
	unsigned kind;       // enum rights_kind: only of such a deployment; 0: of any
};

enum rights_kind { RIGHTS_SINGLE, RIGHTS_CLUSTER, RIGHTS_WATCHED };

// @return NULL past the last
const struct right *right_at(unsigned i);

struct rights_row {
	const char *verb, *who;
};

const struct rights_row *rights_row(enum rights_user user);

// A word as it stands in a line, fit for a shell: "+get", "'+client|kill'", "'~*'".
//
// @return its length
size_t right_text(const struct right *r, char *out, size_t out_len);

#define RIGHTS_LEN 1024

// All words of a user, in the order in which they have to be said.
//
// @param kind  of the deployment: one server, a cluster, or servers that sentinels watch
// @param out   RIGHTS_LEN bytes
// @return      out
const char *rights_text(enum rights_user user, enum rights_kind kind, char *out);

// Print what the verb's users need. @param verb  "": of every verb
//
// @return 0, or -1 when no user is of that verb
int rights_print(const char *verb);
