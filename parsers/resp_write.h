// SPDX-License-Identifier: BSD-3-Clause
// Commands as RESP, for the few that we say ourselves; the stream's own are sent as they came.
#pragma once

#include <stddef.h>

// @param words  NUL-terminated
// @return bytes that the command takes; when that is out_len or more, it was cut
size_t resp_write(char *out, size_t out_len, unsigned n, const char *const *words);

// The same with the words in place: RESP_WRITE(out, len, "CLIENT", "ID")
#define RESP_WRITE(out, out_len, ...)                                                              \
	resp_write(out, out_len, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),      \
		   (const char *const[]){__VA_ARGS__})
