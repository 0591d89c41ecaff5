// SPDX-License-Identifier: BSD-3-Clause
// functions_copy() -> payload_copy(), or libraries_copy()
#include "ctrl/scan/functions.h"

#include <stdio.h>

#include "ctrl/check/tree.h"

static void refuse(struct functions_told *t, struct span why)
{
	if (!t->refused[0])
		snprintf(t->refused, sizeof(t->refused), "%.*s",
			 (int)(why.len < 150 ? why.len : 150), why.p);
}

// The answer to what was put, unless the connection failed.
static const struct resp_value *answer(struct pair *p, enum side side, unsigned *n,
				       struct failure *f)
{
	const struct resp_value *v = client_next(&p->client[side], n);
	if (!v)
		pair_failed(p, f);
	return v;
}

// @return 1 done, 0 there is another way, -1 failed
static int payload_copy(struct pair *p, struct functions_told *t, struct failure *f)
{
	client_ask(&p->client[SOURCE], "FUNCTION DUMP");
	const struct resp_value *v = answer(p, SOURCE, NULL, f);
	if (!v)
		return -1;
	t->known = v->type == RESP_STRING;
	if (v->type != RESP_STRING)
		return !value_is_error(v, "NOPERM"); // before 7.0 there are none
	client_ask(&p->client[TARGET], "FUNCTION RESTORE %b REPLACE", v->text);
	v = answer(p, TARGET, NULL, f);
	return v ? v->type != RESP_ERROR : -1;
}

static int libraries_copy(struct pair *p, struct functions_told *t, struct failure *f)
{
	unsigned n, count = 0;
	client_ask(&p->client[SOURCE], "FUNCTION LIST WITHCODE");
	const struct resp_value *v = answer(p, SOURCE, &n, f);
	if (!v)
		return -1;
	t->known = v->type == RESP_ARRAY;
	if (v->type == RESP_ERROR)
		refuse(t, v->text);
	for (unsigned at = 1; v->type == RESP_ARRAY && at < n; at = tree_skip(v, n, at)) {
		unsigned code = tree_field(v, n, at, "library_code");
		if (!code)
			continue;
		client_ask(&p->client[TARGET], "FUNCTION LOAD REPLACE %b", v[code].text);
		count++;
	}
	for (; count; count--) {
		v = answer(p, TARGET, NULL, f);
		if (!v)
			return -1;
		if (v->type == RESP_ERROR)
			refuse(t, v->text);
	}
	return 0;
}

int functions_copy(struct pair *p, struct functions_told *t, struct failure *f)
{
	*t = (struct functions_told){0};
	int rc = payload_copy(p, t, f);
	return rc ? (rc < 0 ? -1 : 0) : libraries_copy(p, t, f);
}
