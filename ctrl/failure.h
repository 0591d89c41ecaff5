// SPDX-License-Identifier: BSD-3-Clause
// Why something ended: the kind, and one sentence for a person. The kind's row adds the advice and
// the exit code.
#pragma once

#include "dataplane/contract/errors.h"

#define SENTENCE_LEN 512

struct failure {
	enum error_id id;
	char sentence[SENTENCE_LEN]; // no full stop, no line end, no password
};

// Fill f. @return -1, so that a caller can return failure_set(...)
__attribute__((format(printf, 3, 4))) int failure_set(struct failure *f, enum error_id id,
						      const char *format, ...);

// Put words in front of the sentence: "SOURCE: <sentence>".
void failure_prefix(struct failure *f, const char *words);
