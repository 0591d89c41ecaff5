// SPDX-License-Identifier: BSD-3-Clause
// Comparing two servers, key by key, while both may be in use.
//
// The source is scanned and each key compared; the target is scanned for keys that the source does
// not have. What differs is a suspect first: it is compared again after a pause, up to
// RECHECKS_MAX times, and counts only when it still differs. Keys of Flyover's own are left out. A
// key that is gone on one side because its time has come is no difference.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/check/own_key.h"
#include "ctrl/check/pair.h"

#define RECHECKS_MAX  3
#define DATABASES_MAX 1024

// FULL compares values and expiries, LENGTH types and lengths, KEYS names, TTL names and expiries.
enum check_mode { CHECK_FULL, CHECK_LENGTH, CHECK_KEYS, CHECK_TTL };

#define DIFFERENCES(X)                                                                             \
	X(NONE, "none", "equal")                                                                   \
	X(MISSING, "missing", "is not in the target")                                              \
	X(EXTRA, "extra", "is only in the target")                                                 \
	X(TYPE, "type", "has another type in the target")                                          \
	X(LENGTH, "length", "has another length in the target")                                    \
	X(VALUE, "value", "has another value in the target")                                       \
	X(GROUPS, "groups", "has other consumer groups or stream metadata in the target")          \
	X(EXPIRY, "expiry", "expires at another time in the target")                               \
	X(FUNCTIONS, "functions", "the libraries of functions differ")

enum difference {
#define X(name, word, sentence) DIFF_##name,
	DIFFERENCES(X)
#undef X
		DIFFERENCE_COUNT
};

const char *difference_word(enum difference d);     // "missing"
const char *difference_sentence(enum difference d); // "is not in the target"

struct found {
	int db; // of the source
	enum difference difference;
	bool repaired; // it differs no more
	char *key; // owned; not NUL-terminated text
	size_t key_len;
};

struct check_options {
	enum check_mode mode;
	unsigned show; // keep so many differing keys
	uint64_t ttl_slack_ms;
	uint64_t keys_per_s, bytes_per_s; // 0: no limit; bytes that the source sends
	// Give the target the source's state of what differs, and delete what only the target has.
	// Whoever else writes the target meanwhile, a sync for one, may then write twice.
	bool repair, repair_extra;
	uint64_t big_value; // for repairs: larger values go piece by piece
	// Told now and then, and asked whether to go on; may be NULL.
	void (*progress)(void *arg, int db, uint64_t keys);
	bool (*go_on)(void *arg);
	void *arg;
};

struct check_result {
	uint64_t keys;      // of the source that were compared
	uint64_t rechecked; // keys that differed at first sight
	unsigned databases;
	uint64_t count[DIFFERENCE_COUNT];
	uint64_t differences; // sum of count but for NONE
	uint64_t repaired;    // of these
	char refused[200];    // why the first one of them could not be, "" when nothing was said
	unsigned n_found;
	struct found *found; // owned
};

// Compare.
//
// @param r  out: to be freed by check_result_free(), also on failure
// @return   0 (see r->differences), or -1 with f
int check_run(const struct endpoint *source, const struct endpoint *target,
	      const struct check_options *o, struct check_result *r, struct failure *f);

void check_result_free(struct check_result *r);
