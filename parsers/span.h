// SPDX-License-Identifier: BSD-3-Clause
// A span: bytes that somebody else owns. Never NUL-terminated, may hold any byte.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t len;
};

#define SPAN_LIT(s) ((struct span){(s), sizeof(s) - 1})

static inline struct span span_of(const char *z)
{
	return (struct span){z, strlen(z)};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

// ASCII case-insensitive, as command names and options are compared.
static inline bool span_caseeq(struct span a, const char *z)
{
	return a.len == strlen(z) && strncasecmp(a.p, z, a.len) == 0;
}

// The digits at the beginning, as a number; 0 without any. Never reads behind the span.
static inline uint64_t span_digits(struct span s)
{
	uint64_t v = 0;
	for (size_t i = 0; i < s.len && i < 19 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	return v;
}
