// SPDX-License-Identifier: BSD-3-Clause
// What a release of Redis does not know, see elder.h.
#pragma once

#include "parsers/span.h"

#define ELDER_TEXT_LEN 200

enum elder_verdict {
	ELDER_PASS,
	ELDER_AT_QUEUEING, // refused before it is looked at: unknown, or too many words
	ELDER_AT_RUNNING,  // refused as it runs: an option, a payload
};

// @param at    version of the release, SERVER_VERSION()
// @param argv  the command, its name first
// @param text  filled with the error, without '-', ELDER_TEXT_LEN bytes
enum elder_verdict elder_judge(uint16_t at, const struct span *argv, unsigned argc, char *text);

// Whether the release has a command of this name.
bool elder_knows(uint16_t at, struct span name);
