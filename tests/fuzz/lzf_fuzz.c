// SPDX-License-Identifier: BSD-3-Clause
// LZF: arbitrary bytes decompressed by liblzf as a whole and by our reader in pieces must make the
// same or both be refused; what is compressed must come back. Four bytes choose the length that is
// promised, and the slices of input and output.
#include <string.h>

#include "parsers/rdb_lzf.h"
#include "parsers/rdb_string.h"
#include "tests/fuzz/fuzz.h"

// Decompress by pieces, exactly s->len bytes. The pieces of output move down as the reader's do, so
// that only RDB_LZF_REACH bytes of the past are at hand.
static bool pieces_run(const struct rdb_str *s, size_t in_slice, size_t out_slice, char *whole)
{
	uint8_t *window = malloc(RDB_LZF_REACH + out_slice);
	const uint8_t *at = s->at, *end = s->at, *last = s->at + s->body;
	size_t made = 0, have = 0, done;
	struct rdb_lzf z;
	bool ok = true;

	rdb_lzf_begin(&z, s);
	while (ok && made < s->len) {
		size_t want = s->len - made < out_slice ? s->len - made : out_slice;
		enum rdb_take t = rdb_lzf_run(&z, &at, end, window + RDB_LZF_REACH + have,
					      want - have, &done);

		CHECK(done <= want - have && at <= end);
		have += done;
		if (t == RDB_TAKE_OK) {
			CHECK(have == want);
			memcpy(whole + made, window + RDB_LZF_REACH, have);
			memmove(window, window + have, RDB_LZF_REACH);
			made += have;
			have = 0;
		} else if (t == RDB_TAKE_BAD || end == last) {
			ok = false;
		} else {
			end += (size_t)(last - end) < in_slice ? (size_t)(last - end) : in_slice;
		}
	}
	free(window);
	return ok && rdb_lzf_ended(&z);
}

static void decompress_check(const struct rdb_str *s, size_t in_slice, size_t out_slice)
{
	char *a = malloc(s->len), *b = malloc(s->len);
	bool whole = rdb_str_unlzf(s, a), pieces = pieces_run(s, in_slice, out_slice, b);

	CHECK(whole == pieces);
	CHECK(!whole || memcmp(a, b, s->len) == 0);
	free(a);
	free(b);
}

static void roundtrip_check(struct span in, size_t in_slice, size_t out_slice)
{
	char *packed = malloc(in.len + 16), *out = malloc(in.len);
	size_t n = rdb_str_lzf(in, packed, in.len + 16);
	struct rdb_str s = {.how = RDB_STR_LZF, .body = n, .len = in.len,
			    .at = (const uint8_t *)packed};

	if (n > 0) {
		CHECK(rdb_lzf_plausible(&s));
		CHECK(rdb_str_unlzf(&s, out) && memcmp(out, in.p, in.len) == 0);
		memset(out, 0, in.len);
		CHECK(pieces_run(&s, in_slice, out_slice, out));
		CHECK(memcmp(out, in.p, in.len) == 0);
	}
	free(packed);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len < 5)
		return 0;
	struct rdb_str s = {.how = RDB_STR_LZF, .body = len - 4, .at = p + 4,
			    .len = 1 + (p[0] | (size_t)p[1] << 8)};
	size_t in_slice = 1 + p[2], out_slice = 1 + p[3] * 5u;

	if (rdb_lzf_plausible(&s))
		decompress_check(&s, in_slice, out_slice);
	roundtrip_check((struct span){(const char *)p + 4, len - 4}, in_slice, out_slice);
	return 0;
}
