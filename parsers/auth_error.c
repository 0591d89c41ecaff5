// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/auth_error.h"

#define SHORTEST 3 // a password of fewer letters stands in any sentence

// Up to where a server begins to repeat what it was sent.
static struct span own_words(struct span error)
{
	static const char *const begins[] = {", with args beginning with", " with args beginning"};
	for (unsigned i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		const char *at = memmem(error.p, error.len, begins[i], strlen(begins[i]));
		if (at)
			error.len = (size_t)(at - error.p);
	}
	return error;
}

const char *auth_error_text(struct span error, const char *password, char *out)
{
	size_t n = 0, len = strlen(password);
	if (error.len && error.p[0] == '-')
		error = (struct span){error.p + 1, error.len - 1};
	error = own_words(error);
	for (size_t at = 0; at < error.len && n + 4 < AUTH_ERROR_LEN;) {
		bool secret = len >= SHORTEST && error.len - at >= len &&
			      !memcmp(error.p + at, password, len);
		if (secret) {
			memcpy(out + n, "***", 3);
			n += 3;
			at += len;
		} else {
			out[n++] = error.p[at++];
		}
	}
	out[n] = 0;
	return out;
}
