// SPDX-License-Identifier: BSD-3-Clause
// The work inside a check, private to ctrl/check: keys under comparison.
#pragma once

#include "ctrl/check/check.h"
#include "ctrl/check/value_type.h"

#define BATCH_KEYS 1000

struct subject {
	struct span key;
	enum difference difference;
	enum value_type type; // once known; VALUE_NONE: settled, or not known yet
	bool open;            // more rounds to come
	int64_t length;       // of the source's value
};

struct compare {
	struct pair *pair;
	enum check_mode mode;
	uint64_t ttl_slack_ms;
	bool absolute_expiry; // both know PEXPIRETIME
	struct failure *failure;
};

// Compare up to BATCH_KEYS keys of the selected databases; fills difference of each.
//
// @return 0, or -1 with the failure
int subjects_compare(struct compare *c, struct subject *s, unsigned n);

// The same for keys of which the target has none: only the source is asked whether it has them
// still, and for how long.
int subjects_missing(struct compare *c, struct subject *s, unsigned n);

// How many of up to BATCH_KEYS keys each side has.
int keys_count_in(struct compare *c, const struct subject *s, unsigned n, int64_t count[2]);

// Compare one value of any size in pieces. Its type and length are known to be the same.
//
// @return 0 with s->difference, or -1 with the failure
int value_compare(struct compare *c, struct subject *s);
int stream_compare(struct compare *c, struct subject *s);

// The libraries of functions. @param same  out
int functions_compare(struct compare *c, bool *same);
