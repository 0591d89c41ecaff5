// SPDX-License-Identifier: BSD-3-Clause
// Commands as an append-only file has them, for tests to put together.
#pragma once

#include "tests/unit/test.h"

#define SELECT_3 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
#define SET_K_V  "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
#define INCR_N   "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
#define MULTI    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC     "*1\r\n$4\r\nEXEC\r\n"

static inline void says(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}
