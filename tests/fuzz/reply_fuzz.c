// SPDX-License-Identifier: BSD-3-Clause
// Replies of arbitrary bytes: what reply_scan() calls whole is as long as what the reader of
// replies takes out, and a verdict does not change with bytes behind it.
#include <stdlib.h>

#include "parsers/info.h"
#include "parsers/reply.h"
#include "parsers/resp.h"
#include "tests/fuzz/fuzz.h"

static void ends_agree(struct span in, const struct reply *r)
{
	struct resp_replies *replies = resp_replies_new();
	const struct resp_value *v;
	unsigned n;
	CHECK(!resp_replies_feed(replies, in.p, r->len - 1));
	enum resp_verdict before = resp_replies_next(replies, &v, &n);
	CHECK(before != RESP_OK);
	if (before == RESP_MORE) {
		CHECK(!resp_replies_feed(replies, in.p + r->len - 1, 1));
		// hiredis refuses a few that pass here, never the other way round
		if (resp_replies_next(replies, &v, &n) == RESP_OK)
			CHECK((r->type == '-') == (v[0].type == RESP_ERROR));
	}
	resp_replies_free(replies);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct span in = {(const char *)p, len};
	struct reply r, line;
	char out[16];
	info_field(in, "name", out, sizeof(out));
	enum reply_verdict v = reply_scan(in, &r);
	if (v != REPLY_OK)
		return 0;
	CHECK(r.len <= len && r.line.p >= in.p && r.line.p + r.line.len <= in.p + r.len);
	CHECK(reply_scan_line(in, &line) == REPLY_OK && line.type == r.type);
	CHECK(reply_scan((struct span){in.p, r.len}, &line) == REPLY_OK && line.len == r.len);
	for (size_t cut = 0; cut < r.len; cut++)
		CHECK(reply_scan((struct span){in.p, cut}, &line) == REPLY_MORE);
	ends_agree(in, &r);
	return 0;
}
