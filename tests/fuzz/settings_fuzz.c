// SPDX-License-Identifier: BSD-3-Clause
// A name and a text for a setting, as they stand on a command line: what is taken lies within the
// limits of its row, and said again it gives the same.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/contract/settings.h"
#include "tests/fuzz/fuzz.h"

static uint64_t value_of(const struct link_settings *s, const struct setting_row *row)
{
	uint64_t v;
	memcpy(&v, (const char *)s + row->field, sizeof(v));
	return v;
}

static void row_check(const struct setting_row *row, const char *text)
{
	struct link_settings s, again;
	char why[200];
	settings_default(&s);
	settings_default(&again);
	int rc = setting_set(&s, row->name, text, why, sizeof(why));
	CHECK(rc == 0 || ((rc == -EINVAL || rc == -ERANGE) && memchr(why, 0, sizeof(why))));
	if (rc) {
		CHECK(!memcmp(&s, &again, sizeof(s)));
		return;
	}
	char said[SETTING_TEXT_LEN];
	if (row->kind == SETTING_DATABASES) {
		CHECK(setting_text(&s, row, said, sizeof(said)) < (int)sizeof(said));
		CHECK(!setting_set(&again, row->name, said, why, sizeof(why)));
		CHECK(!memcmp(&s, &again, sizeof(s)));
		return;
	}
	CHECK(value_of(&s, row) >= row->min && value_of(&s, row) <= row->max);
	CHECK(setting_text(&s, row, said, sizeof(said)) < (int)sizeof(said));
	CHECK(!setting_set(&again, row->name, said, why, sizeof(why)));
	CHECK(value_of(&s, row) == value_of(&again, row));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char *text = malloc(len + 1), why[200];
	struct link_settings s;
	unsigned n;
	const struct setting_row *rows = setting_rows(&n);
	memcpy(text, p, len);
	text[len] = 0;
	for (unsigned i = 0; i < n; i++)
		row_check(&rows[i], text);
	settings_default(&s);
	setting_set(&s, text, text, why, sizeof(why));
	free(text);
	return 0;
}
