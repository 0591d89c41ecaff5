// SPDX-License-Identifier: BSD-3-Clause
// What a doctor finds: one sentence each, and the command that mends it.
#pragma once

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

#define FINDINGS_MAX     128
#define FINDING_LEN      480
#define FINDING_MEND_LEN 960 // as long as a line with all rights

enum severity {
	SEVERITY_INFO,    // worth knowing, nothing to do
	SEVERITY_WARNING, // may go wrong, or costs something
	SEVERITY_ERROR,   // a sync would fail or lose data
	SEVERITY_DAMAGE,  // the same, and to begin would do damage: a link does not start
};

struct finding {
	enum severity severity;
	const char *check;           // name of the row that found it
	char sentence[FINDING_LEN];  // no full stop, no password
	char mend[FINDING_MEND_LEN]; // a command, or "" when there is none
};

// Grows only. The one who fills it may be another thread than the readers: what lies below n does
// not change any more.
struct findings {
	_Atomic unsigned n;
	struct finding list[FINDINGS_MAX];
	const char *check; // of the row that is at work
};

// Append a finding. One too many is left out.
//
// @param mend  NULL: there is no command for it
__attribute__((format(printf, 4, 5))) void finding_put(struct findings *f, enum severity severity,
						       const char *mend, const char *format, ...);

// How many there are of a severity; those of SEVERITY_DAMAGE count as errors too.
unsigned findings_count(const struct findings *f, enum severity severity);

// The first that forbids a start, or NULL.
const struct finding *findings_damage(const struct findings *f);

// "info", "warning", "error"
const char *severity_text(enum severity severity);

// {"severity", "check", "sentence", "mend"}; the last is null when there is none.
json_t *finding_json(const struct finding *found);
