// SPDX-License-Identifier: BSD-3-Clause
// The time of a line of a trace, the same in files and on the terminal.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define TRACE_TIME_LEN 24

// "07:31:00.123456", UTC. @param out  TRACE_TIME_LEN bytes. @return out
static inline char *trace_time(uint64_t wall_us, char *out)
{
	char clock[12];
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm t;
	gmtime_r(&seconds, &t);
	strftime(clock, sizeof(clock), "%H:%M:%S", &t);
	snprintf(out, TRACE_TIME_LEN, "%s.%06u", clock, (unsigned)(wall_us % 1000000));
	return out;
}
