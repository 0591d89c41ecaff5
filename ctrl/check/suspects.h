// SPDX-License-Identifier: BSD-3-Clause
// Keys that differed at first sight: as many as memory was set aside for.
#pragma once

#include "ctrl/check/subject.h"

#define SUSPECTS_BYTES_MAX (48u << 20)

struct suspect {
	int db[2]; // of source and target
	enum difference difference;
	uint32_t key_len;
	uint64_t key_at; // in the row of keys
};

struct suspects {
	unsigned n, room;
	struct suspect *list;
	char *keys; // one after the other
	size_t keys_len, keys_room;
};

// Remember one. @return 0 or -ENOMEM
int suspects_add(struct suspects *s, const int db[2], struct span key, enum difference d);

// No more are to be added before these are judged.
bool suspects_full(const struct suspects *s);

// @return its key, valid until the next suspects_add()
struct span suspect_key(const struct suspects *s, const struct suspect *one);

// Compare all of them again, in the databases where they are; those that are equal now go.
//
// @return 0, or -1 with the failure of c
int suspects_again(struct suspects *s, struct compare *c);

// Forget them, and keep the memory; suspects_free() gives it back.
void suspects_clear(struct suspects *s);
void suspects_free(struct suspects *s);
