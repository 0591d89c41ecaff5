// SPDX-License-Identifier: BSD-3-Clause
// Which databases of two servers are to be compared.
#pragma once

#include "ctrl/check/check.h"

struct databases {
	unsigned n;
	int pairs[DATABASES_MAX][2]; // of source and target
};

// A database that a URL names is compared with the one that the other names, or with the same; when
// neither does, all that hold keys on either side are.
//
// @return 0, or -1 with f
int databases_read(struct databases *d, struct pair *p, const struct endpoint *source,
		   const struct endpoint *target, struct failure *f);

// Add the databases that hold keys, as the lines of INFO keyspace tell: "db0:keys=1,expires=0".
void databases_add(struct databases *d, struct span info);

// How many keys those lines tell for the databases of one side.
uint64_t databases_keys(const struct databases *d, enum side side, struct span info);
