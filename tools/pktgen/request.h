// SPDX-License-Identifier: BSD-3-Clause
// Where one command lies in bytes that are at hand, as cheaply as it can be known. It takes what a
// well-behaved client sends, arrays of bulk strings; parsers/resp.h is for the others.
#pragma once

#include "parsers/span.h"

#define REQUEST_ARGS_KEPT 3
#define REQUEST_ARGS_MAX  (1 << 20)
#define REQUEST_BULK_MAX  (512u << 20) // as proto-max-bulk-len has it

enum request_verdict { REQUEST_OK, REQUEST_MORE, REQUEST_BAD };

struct request {
	struct span whole;
	unsigned argc;
	struct span argv[REQUEST_ARGS_KEPT]; // the first ones; the others by request_arg()
	const char *second;                  // where argument 1 begins, with its length
};

// @param in  bytes from the beginning of a command
enum request_verdict request_scan(struct span in, struct request *r);

// Walk over the arguments behind the name: `*at` begins as r->second.
// @return false behind the last
bool request_arg(const struct request *r, const char **at, struct span *arg);

// A name of at most 8 letters as a number, upper and lower case alike. 0: longer, or none
static inline uint64_t request_verb(struct span name)
{
	uint64_t v = 0;
	if (name.len > sizeof(v))
		return 0;
	memcpy(&v, name.p, name.len);
	return v & 0xdfdfdfdfdfdfdfdfull;
}
