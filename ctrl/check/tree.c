// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/tree.h"

unsigned tree_skip(const struct resp_value *v, unsigned n, unsigned at)
{
	uint64_t left = 1; // nodes of the subtree still to come
	while (left && at < n) {
		left--;
		if (v[at].type == RESP_ARRAY)
			left += v[at].elements;
		at++;
	}
	return at;
}

unsigned tree_field(const struct resp_value *v, unsigned n, unsigned at, const char *name)
{
	if (at >= n || v[at].type != RESP_ARRAY)
		return 0;
	unsigned fields = v[at].elements / 2;
	for (unsigned i = at + 1; fields && i + 1 < n; fields--) {
		if (v[i].type == RESP_STRING && span_eq(v[i].text, span_of(name)))
			return i + 1;
		i = tree_skip(v, n, i);
		i = tree_skip(v, n, i);
	}
	return 0;
}
