// SPDX-License-Identifier: BSD-3-Clause
// Replies that a connection has received and nobody has taken yet. They lie in one piece, so that a
// reply can be scanned where it lies; one that is longer than usual gets memory of its own until it
// is taken.
#pragma once

#include "parsers/span.h"

#define INBOX_LEN (64 * 1024)

struct inbox {
	char bytes[INBOX_LEN];
	size_t len;
	char *big; // when one reply exceeds `bytes`; owned
	size_t big_len, big_max;
};

// Empty it.
void inbox_reset(struct inbox *in);

// Where to receive, never no room. @return NULL: one reply is longer than 1 GB, or out of memory
char *inbox_space(struct inbox *in, size_t *len);

// So many bytes were received there. @return all that is there
struct span inbox_received(struct inbox *in, size_t n);

// So many of them were taken.
void inbox_eaten(struct inbox *in, size_t n);
