// SPDX-License-Identifier: BSD-3-Clause
// The libraries of functions (FUNCTION LIST, since 7.0), by name and code, in any order.
#include "ctrl/check/subject.h"

#include <xxhash.h>

#include "ctrl/check/client_cluster.h"
#include "ctrl/check/tree.h"

static uint64_t libraries_digest(const struct resp_value *v, unsigned n)
{
	uint64_t sum = 0;
	for (unsigned at = 1; at < n; at = tree_skip(v, n, at)) {
		unsigned name = tree_field(v, n, at, "library_name");
		unsigned code = tree_field(v, n, at, "library_code");
		if (name && code)
			sum += XXH3_64bits_withSeed(v[code].text.p, v[code].text.len,
						    XXH3_64bits(v[name].text.p, v[name].text.len));
	}
	return sum;
}

// Of the servers at hand.
static int libraries_compare(struct compare *c, bool *same)
{
	struct pair_reply r;
	uint64_t digest[2] = {0, 0};
	unsigned count[2] = {0, 0};
	pair_ask(c->pair, "FUNCTION LIST WITHCODE", (struct span){NULL, 0});
	if (pair_next_any(c->pair, &r, c->failure))
		return -1;
	for (int i = 0; i < 2; i++) {
		// A server that knows no functions is taken for one without any.
		if (value_is_error(r.v[i], "NOPERM"))
			return client_refused(&c->pair->client[i], "FUNCTION LIST", r.v[i]->text,
					      c->failure);
		if (r.v[i]->type != RESP_ARRAY)
			continue;
		count[i] = r.v[i]->elements;
		digest[i] = libraries_digest(r.v[i], r.n[i]);
	}
	*same = count[SOURCE] == count[TARGET] && digest[SOURCE] == digest[TARGET];
	return 0;
}

// Every master of a cluster has to have them.
int functions_compare(struct compare *c, bool *same)
{
	struct client *target = &c->pair->client[TARGET];
	int more = client_walk_begin(&c->pair->client[SOURCE], c->failure);
	if (more > 0)
		more = client_walk_begin(target, c->failure);
	for (*same = true; more > 0 && *same;) {
		if (libraries_compare(c, same))
			return -1;
		more = *same ? client_walk_next(target, c->failure) : 0;
	}
	return more;
}
