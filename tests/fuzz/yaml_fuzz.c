// SPDX-License-Identifier: BSD-3-Clause
// Configuration files from arbitrary bytes: a tree as config.h promises it, or a sentence.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parsers/config.h"
#include "tests/fuzz/fuzz.h"

static void check_node(const struct config_node *n, unsigned depth)
{
	CHECK(depth <= CONFIG_DEPTH_MAX && n->line >= 1);
	CHECK((n->kind == CONFIG_SCALAR) == (n->text != NULL));
	CHECK(n->kind != CONFIG_SCALAR || (!n->child && strlen(n->text) <= CONFIG_TEXT_MAX));
	for (const struct config_node *c = n->child; c; c = c->next) {
		CHECK((n->kind == CONFIG_MAPPING) == (c->key != NULL));
		CHECK(!c->key || config_find(n, c->key) == c); // no key stands twice
		check_node(c, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct config_node *root;
	char why[200] = "";
	int rc = config_parse((const char *)p, len, &root, why, sizeof(why));

	if (rc) {
		CHECK(!root && (rc == -ENOMEM || (rc == -EINVAL && !strncmp(why, "line ", 5))));
		return 0;
	}
	CHECK(root->kind == CONFIG_MAPPING && !root->key && !root->next);
	check_node(root, 0);
	config_free(root);
	return 0;
}
