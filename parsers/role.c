// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/role.h"

static uint64_t offset_of(const struct resp_value *v)
{
	return v->type == RESP_INTEGER && v->integer > 0 ? (uint64_t)v->integer : 0;
}

struct role role_read(const struct resp_value *v, unsigned n)
{
	struct role r = {ROLE_UNKNOWN, false, 0};
	if (v->type != RESP_ARRAY || n < 2 || v[1].type != RESP_STRING)
		return r;
	if (span_eq(v[1].text, SPAN_LIT("master")) && n >= 3) {
		r.kind = ROLE_MASTER;
		r.offset = offset_of(&v[2]);
	} else if (span_eq(v[1].text, SPAN_LIT("slave")) && n == 6) {
		r.kind = ROLE_REPLICA;
		r.is_connected =
			v[4].type == RESP_STRING && span_eq(v[4].text, SPAN_LIT("connected"));
		r.offset = offset_of(&v[5]);
	} else if (span_eq(v[1].text, SPAN_LIT("sentinel"))) {
		r.kind = ROLE_SENTINEL;
	}
	return r;
}
