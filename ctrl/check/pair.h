// SPDX-License-Identifier: BSD-3-Clause
// The two servers of a check, asked the same and read in step: while the reply of one is looked at,
// that of the other is still there.
#pragma once

#include <stdbool.h>

#include "ctrl/check/client.h"

enum side { SOURCE, TARGET };

struct pair {
	struct client client[2];
};

// The replies of both to the same request.
struct pair_reply {
	const struct resp_value *v[2];
	unsigned n[2]; // nodes
};

// Fill f from the side that failed. @return -1
int pair_failed(const struct pair *p, struct failure *f);

// Ask both the same. @param format, ...  as client_ask(), with at most one key
void pair_ask(struct pair *p, const char *format, struct span key);
void pair_flush(struct pair *p);

// The next reply of both. An error of a server is a failure, but for -WRONGTYPE and, with allow,
// any other that it may answer.
//
// @return 0, or -1 with f
int pair_next(struct pair *p, struct pair_reply *r, struct failure *f);
int pair_next_any(struct pair *p, struct pair_reply *r, struct failure *f);

// Select a database on both, and know that it is there.
int pair_select(struct pair *p, const int db[2], struct failure *f);

// Whether both replies are the same, node by node.
bool pair_equal(const struct pair_reply *r);

// Whether one node is the same as another.
bool value_equal(const struct resp_value *a, const struct resp_value *b);

bool value_is_error(const struct resp_value *v, const char *word);
