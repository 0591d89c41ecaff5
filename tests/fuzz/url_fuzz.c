// SPDX-License-Identifier: BSD-3-Clause
// URLs from arbitrary bytes: what is taken prints as a URL that means the same; what is refused is
// refused in a sentence without the password.
#include <stdlib.h>

#include "parsers/url.h"
#include "tests/fuzz/fuzz.h"

static void check_same(const struct url *a, const struct url *b)
{
	CHECK(a->kind == b->kind && a->tls == b->tls && a->db == b->db);
	CHECK(!strcmp(a->user, b->user) && !strcmp(a->path, b->path));
	CHECK(!strcmp(a->master, b->master) && a->n_nodes == b->n_nodes);
	for (unsigned i = 0; i < a->n_nodes; i++)
		CHECK(!strcmp(a->nodes[i].host, b->nodes[i].host) &&
		      a->nodes[i].port == b->nodes[i].port);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct span in = {(const char *)p, len};
	struct url u, again;
	char why[200] = "", text[8192];
	struct span secret = url_secret(in);

	CHECK(secret.len <= len);
	CHECK(secret.len == 0 || (secret.p > in.p && secret.p + secret.len < in.p + len));
	if (url_parse(in, &u, why, sizeof(why))) {
		CHECK(why[0] && strlen(why) < sizeof(why) - 1);
		// Long and odd enough not to stand in a sentence of ours by chance.
		if (secret.p && secret.len >= 12 && !memmem(secret.p, secret.len, "//", 2))
			CHECK(!memmem(why, strlen(why), secret.p, secret.len));
		return 0;
	}
	CHECK(u.has_password || secret.len == 0);
	int n = url_print(&u, text, sizeof(text));
	CHECK(n > 0 && (size_t)n < sizeof(text) && strlen(text) == (size_t)n);
	CHECK(url_secret(span_of(text)).len == 0);
	CHECK(url_parse(span_of(text), &again, why, sizeof(why)) == 0);
	check_same(&u, &again);
	return 0;
}
