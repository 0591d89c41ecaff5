// SPDX-License-Identifier: BSD-3-Clause
// The log of flyoverd: one line each on stderr, "time level link text", and the last ones kept for
// `status`.
#pragma once

#include <stdint.h>

#include "dataplane/contract/contract.h"

#define LOG_LINES 256

struct log_line {
	uint64_t time_ms; // wall clock
	enum event_level level;
	char link[NAME_LEN]; // "" when it is about no link
	char text[TEXT_LEN];
};

struct log {
	struct log_line lines[LOG_LINES];
	uint64_t n_lines; // ever written; the newest is lines[(n_lines - 1) % LOG_LINES]
};

// @param link  name, or NULL
__attribute__((format(printf, 4, 5))) void log_put(struct log *l, enum event_level level,
						   const char *link, const char *format, ...);

// As log_put(), of another time: what the dataplane told.
void log_put_event(struct log *l, const struct event_record *e, const char *link);

// Let stderr go to a file from here on; one that has grown above 1 MB begins anew.
//
// @return 0 or -errno
int log_to_file(int dir_fd, const char *name);

const char *log_level_text(enum event_level level);
