// SPDX-License-Identifier: BSD-3-Clause
// What the dataplane writes to stderr goes to a file in the state folder, so that it outlives both
// processes: an assertion that failed, a sanitizer's report.
#pragma once

#include <stddef.h>

#include "ctrl/daemon/log.h"
#include "ctrl/daemon/state_dir.h"

// Open the file for a dataplane that is about to start. @return a descriptor, or -errno
int last_words_open(const struct state_dir *s);

// The very last line, cut to what fits. @param out  "" when there is none
void last_words_line(const struct state_dir *s, char *out, size_t out_len);

// Put the last lines of the file into the log.
void last_words_log(const struct state_dir *s, struct log *l);
