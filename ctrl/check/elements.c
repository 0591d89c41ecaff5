// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/elements.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct digest {
	uint64_t low, high;
};

static void digest_add(struct digest *d, XXH128_hash_t h)
{
	d->high += h.high64 + __builtin_add_overflow(d->low, h.low64, &d->low);
}

// A tuple's digest takes the one before it as its seed: "ab","c" is not "a","bc".
static struct digest digest_of(const struct resp_value *v, unsigned n, unsigned width)
{
	struct digest sum = {0, 0};
	for (unsigned i = 0; i + width <= n; i += width) {
		XXH128_hash_t h = XXH3_128bits(v[i].text.p, v[i].text.len);
		if (width == 2)
			h = XXH3_128bits_withSeed(v[i + 1].text.p, v[i + 1].text.len,
						  h.low64 ^ (h.high64 * 0x9e3779b97f4a7c15ull));
		digest_add(&sum, h);
	}
	return sum;
}

bool elements_unordered_equal(const struct pair_reply *r, unsigned width)
{
	if (r->n[SOURCE] != r->n[TARGET])
		return false;
	struct digest a = digest_of(r->v[SOURCE] + 1, r->n[SOURCE] - 1, width);
	struct digest b = digest_of(r->v[TARGET] + 1, r->n[TARGET] - 1, width);
	return a.low == b.low && a.high == b.high;
}

static bool score_parse(struct span s, double *v)
{
	char text[64];
	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = 0;
	*v = strtod(text, NULL);
	return true;
}

bool score_equal(struct span a, struct span b)
{
	double x, y;
	if (span_eq(a, b))
		return true;
	return score_parse(a, &x) && score_parse(b, &y) && x == y;
}

bool elements_scored_equal(const struct pair_reply *r)
{
	if (r->n[SOURCE] != r->n[TARGET])
		return false;
	const struct resp_value *a = r->v[SOURCE] + 1, *b = r->v[TARGET] + 1;
	for (unsigned i = 0; i + 2 <= r->n[SOURCE]; i += 2)
		if (!value_equal(&a[i], &b[i]) || !score_equal(a[i + 1].text, b[i + 1].text))
			return false;
	return true;
}
