// SPDX-License-Identifier: BSD-3-Clause
// Whether a stream carried what a case expects. Pure.
//
// An expectation is one text or several with " | " between them, of which one has to fit: versions
// differ. Each is commands as probe_words.h has them, "-" when nothing comes, or "?" when no server
// was seen yet and anything will do. A word may be <ms>, a time in ms as of these years; <id>, an
// id of a stream entry; or <any>. Names of commands, and words of capitals, fit in any case.
#pragma once

#include "ctrl/doctor/probe_words.h"

// @param came  what the stream carried, the frames of transactions included; SELECT and PING not
// @return whether one of the alternatives fits
bool probe_match(const char *expected, const struct probe_names *names,
		 const struct probe_list *came);

// Whether the expectation is "?".
bool probe_is_open(const char *expected);
