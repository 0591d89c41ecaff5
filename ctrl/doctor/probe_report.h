// SPDX-License-Identifier: BSD-3-Clause
// What a probe found: a verdict for each case, and the findings that follow.
#pragma once

#include "ctrl/doctor/findings.h"
#include "ctrl/doctor/probe_cases.h"
#include "ctrl/doctor/probe_words.h"

#define PROBE_FOUND_MAX 300
#define PROBE_TEXT_LEN  320

// OK              as expected, and the target has the same value
// SKIPPED         the source lacks the verb, or an option of it
// REFUSED         the source should have it, and refuses it
// DIFFERS         the stream is another one; the target has the same value all the same
// UNKNOWN         the stream holds a command that our table does not name
// TARGET_REFUSES  the target does not take what would be sent
// VALUE_DIFFERS   it takes it, and has another value then
#define PROBE_VERDICTS(X)                                                                          \
	X(OK, "ok")                                                                                \
	X(SKIPPED, "skipped")                                                                      \
	X(REFUSED, "refused")                                                                      \
	X(DIFFERS, "differs")                                                                      \
	X(UNKNOWN, "unknown")                                                                      \
	X(TARGET_REFUSES, "target-refuses")                                                        \
	X(VALUE_DIFFERS, "value-differs")

enum probe_verdict {
#define X(name, word) PROBE_##name,
	PROBE_VERDICTS(X)
#undef X
	PROBE_VERDICT_COUNT
};

struct probe_found {
	const struct probe_case *row;
	enum probe_verdict verdict;
	char came[PROBE_TEXT_LEN]; // what the stream carried, "" when it was not looked at
	char why[PROBE_TEXT_LEN];  // what a server said, or how the value differs; or ""
};

struct probe_report {
	struct probe_names names;
	int db;       // where the scratch keys are in the source
	bool full;    // by a full sync
	bool leftovers; // scratch keys may be left
	unsigned n;   // cases run
	struct probe_found found[PROBE_FOUND_MAX];
};

unsigned probe_report_count(const struct probe_report *r, enum probe_verdict v);

// Append what was found to the findings, most urgent first; the last line sums up.
//
// @param source, target  versions, "redis 7.0.15"
void probe_report_tell(const struct probe_report *r, const char *source, const char *target,
		       struct findings *f);

// {"database", "prefix", "way", "cases", "ok", "skipped", ..., "list": all that are not ok}
json_t *probe_report_json(const struct probe_report *r);
