// SPDX-License-Identifier: BSD-3-Clause
// A replication stream of arbitrary bytes. The first byte chooses the slices; the same bytes, whole
// and in slices, must give the same frames, which lie one behind the other.
#include <stdlib.h>

#include "parsers/crc64.h"
#include "parsers/resp.h"
#include "parsers/resp_skim.h"
#include "tests/fuzz/fuzz.h"

static uint64_t frame_sum(uint64_t sum, const struct resp_frame *f, const char *p)
{
	sum = crc64(sum, &f->begin, sizeof(f->begin));
	sum = crc64(sum, &f->end, sizeof(f->end));
	for (unsigned i = 0; i < f->argc; i++) {
		CHECK(f->argv[i].at + f->argv[i].len + 2 <= f->end - f->begin);
		sum = crc64(sum, p + f->begin + f->argv[i].at, f->argv[i].len);
	}
	return sum;
}

// The reader sees a copy that ends where they end: nothing may be read behind them.
static enum resp_verdict next(struct resp_stream *s, const char *p, size_t end,
			      struct resp_frame *f)
{
	size_t from = resp_stream_position(s), len = end - from;
	char *exact = malloc(len ? len : 1);
	CHECK(exact);
	memcpy(exact, p + from, len);
	enum resp_verdict v = resp_stream_next(s, (struct span){exact, len}, f);
	free(exact);
	return v;
}

static uint64_t run(const char *p, size_t len, size_t slice)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame f;
	enum resp_verdict v = RESP_MORE;
	uint64_t sum = 0, end = 0;
	for (size_t at = 0; at < len && v != RESP_BAD; at += slice) {
		size_t n = len - at < slice ? len - at : slice;
		while ((v = next(s, p, at + n, &f)) == RESP_OK) {
			CHECK(f.begin == end && f.end > f.begin && f.end <= at + n);
			end = f.end;
			sum = frame_sum(sum, &f, p);
		}
		CHECK(resp_stream_position(s) == end);
		if (v == RESP_MORE)
			(void)resp_stream_frame_least(s);
	}
	CHECK((v == RESP_BAD) == (resp_stream_error(s)[0] != 0));
	resp_stream_free(s);
	return crc64(sum, &v, sizeof(v));
}

// The same without the bodies.
static uint64_t skim(const char *p, size_t len, size_t slice)
{
	struct resp_skim s;
	enum skim_verdict v = SKIM_MORE;
	uint64_t sum = 0;
	resp_skim_init(&s);
	for (size_t at = 0, used; at < len && v != SKIM_BAD;) {
		size_t n = len - at < slice ? len - at : slice;
		for (size_t end = at + n; at < end || v != SKIM_MORE; at += used) {
			v = resp_skim_next(&s, (struct span){p + at, end - at}, &used);
			CHECK(used <= end - at);
			if (v == SKIM_BAD)
				break;
			if (v == SKIM_ARG)
				sum = crc64(sum, &s.arg, sizeof(s.arg));
			if (v == SKIM_COMMAND)
				sum = crc64(sum, &s.position, sizeof(s.position));
		}
	}
	CHECK((v == SKIM_BAD) == (s.error != NULL));
	return crc64(sum, &v, sizeof(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (!len)
		return 0;
	const char *bytes = (const char *)p + 1;
	CHECK(run(bytes, len - 1, len) == run(bytes, len - 1, 1 + p[0]));
	CHECK(skim(bytes, len - 1, len) == skim(bytes, len - 1, 1 + p[0]));
	return 0;
}
