// SPDX-License-Identifier: BSD-3-Clause
// What a stranger answers to a handshake of TLS, in slices: it never opens, it ends once the
// stranger has, and the sentence moves no terminal.
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "drivers/tls/tls.h"

struct stranger {
	const uint8_t *p;
	size_t left, slice;
	bool pause; // before each slice
};

static ssize_t stranger_says(void *arg, void *buf, size_t len)
{
	struct stranger *s = arg;
	s->pause = !s->pause;
	if (s->pause)
		return -EAGAIN;
	size_t n = len < s->slice ? len : s->slice;
	n = n < s->left ? n : s->left;
	if (n)
		memcpy(buf, s->p, n);
	s->p += n;
	s->left -= n;
	return (ssize_t)n;
}

static ssize_t stranger_hears(void *arg, const void *p, size_t len)
{
	return (ssize_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct tls_wire wire = {stranger_says, stranger_hears};
	struct tls_settings set = {.name = "localhost", .verify = true};
	char why[TLS_TEXT_LEN], buf[16];
	if (!len)
		return 0;
	struct stranger s = {p + 1, len - 1, p[0] ? p[0] : len, false};
	struct tls *t = tls_new(&set, &wire, &s, why);
	CHECK(t);
	int rc = -EAGAIN;
	for (size_t i = 0; rc == -EAGAIN; i++) {
		CHECK(i < 2 * len + 16);
		rc = tls_handshake(t);
	}
	CHECK(rc == -EPROTO);
	const char *reason = tls_reason(t);
	CHECK(reason && strlen(reason) > 10 && strlen(reason) < TLS_TEXT_LEN);
	for (; *reason; reason++)
		CHECK((unsigned char)*reason >= ' ' && *reason != 0x7f);
	CHECK(tls_read(t, buf, sizeof(buf)) < 0);
	CHECK(tls_writev(t, &(struct iovec){"x", 1}, 1) < 0);
	tls_end(t);
	tls_free(t);
	return 0;
}
