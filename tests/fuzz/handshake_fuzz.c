// SPDX-License-Identifier: BSD-3-Clause
// What a stranger answers to our handshake, whole and one byte at a time: the same verdict, the
// same words, and never more taken than there was.
#include <stdlib.h>

#include "dataplane/source/handshake.h"
#include "tests/fuzz/fuzz.h"

static const struct endpoint endpoints[2] = {{.port = 1},
					     {.user = "u", .password = "p", .has_password = 1}};

static enum handshake_verdict run(struct handshake *h, const char *p, size_t len, size_t slice)
{
	size_t at = 0, shown = 0, used;
	enum handshake_verdict v = HANDSHAKE_MORE;
	for (;;) {
		v = handshake_feed(h, (struct span){p + at, shown - at}, &used);
		CHECK(used <= shown - at);
		at += used;
		CHECK(h->out_len < sizeof(h->out) && strlen(h->text) < sizeof(h->text));
		CHECK(strlen(h->replid) <= REPLID_LEN);
		if (v > HANDSHAKE_FULLRESYNC)
			return v;
		if (v == HANDSHAKE_MORE && !used && shown == len)
			return v;
		if (!used)
			shown = len - shown < slice ? len : shown + slice;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct handshake whole, slow;
	if (!len)
		return 0;
	const char *bytes = (const char *)p + 1;
	const char *replid = p[0] & 2 ? "0123456789abcdef0123456789abcdef01234567" : NULL;
	handshake_begin(&whole, &endpoints[p[0] & 1], replid, 77);
	handshake_begin(&slow, &endpoints[p[0] & 1], replid, 77);
	enum handshake_verdict a = run(&whole, bytes, len - 1, len);
	enum handshake_verdict b = run(&slow, bytes, len - 1, 1);
	// A line without an end is refused by its length: how much of it is quoted may differ.
	CHECK(a == b && whole.step == slow.step && whole.error == slow.error);
	CHECK(whole.offset == slow.offset && whole.snapshot_len == slow.snapshot_len);
	return 0;
}
