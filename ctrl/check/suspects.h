// SPDX-License-Identifier: BSD-3-Clause
// Keys that differed at first sight.
#pragma once

#include "ctrl/check/subject.h"

struct suspect {
	int db[2]; // of source and target
	enum difference difference;
	char *key; // owned
	size_t key_len;
};

struct suspects {
	unsigned n, room;
	struct suspect *list;
};

// Remember one. @return 0 or -ENOMEM
int suspects_add(struct suspects *s, const int db[2], struct span key, enum difference d);

// Compare all of them again, in the databases where they are; those that are equal now go.
//
// @return 0, or -1 with the failure of c
int suspects_again(struct suspects *s, struct compare *c);

void suspects_clear(struct suspects *s);
