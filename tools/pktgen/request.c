// SPDX-License-Identifier: BSD-3-Clause
#include "tools/pktgen/request.h"

// "*3\r\n" or "$16\r\n".
//
// @return behind it; NULL: more is wanted, or with *v = UINT64_MAX it is none
static const char *head_read(const char *p, const char *end, char type, uint64_t *v)
{
	const char *first = p + 1;
	uint64_t n = 0;
	*v = 0;
	if (p < end && *p != type) {
		*v = UINT64_MAX;
		return NULL;
	}
	for (p++; p < end && *p >= '0' && *p <= '9' && n <= REQUEST_BULK_MAX; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	if (p < end && (*p != '\r' || p == first || n > REQUEST_BULK_MAX)) {
		*v = UINT64_MAX;
		return NULL;
	}
	if (end - p < 2)
		return NULL;
	if (p[1] != '\n') {
		*v = UINT64_MAX;
		return NULL;
	}
	*v = n;
	return p + 2;
}

enum request_verdict request_scan(struct span in, struct request *r)
{
	const char *end = in.p + in.len;
	uint64_t n;
	const char *p = head_read(in.p, end, '*', &n);
	if (!p)
		return n ? REQUEST_BAD : REQUEST_MORE;
	if (!n || n > REQUEST_ARGS_MAX)
		return REQUEST_BAD;
	r->argc = (unsigned)n;
	for (unsigned i = 0; i < r->argc; i++) {
		if (i == 1)
			r->second = p;
		p = head_read(p, end, '$', &n);
		if (!p)
			return n ? REQUEST_BAD : REQUEST_MORE;
		if ((uint64_t)(end - p) < n + 2)
			return REQUEST_MORE;
		if (i < REQUEST_ARGS_KEPT)
			r->argv[i] = (struct span){p, n};
		if (p[n] != '\r' || p[n + 1] != '\n')
			return REQUEST_BAD;
		p += n + 2;
	}
	if (r->argc == 1)
		r->second = p;
	r->whole = (struct span){in.p, (size_t)(p - in.p)};
	return REQUEST_OK;
}

bool request_arg(const struct request *r, const char **at, struct span *arg)
{
	const char *end = r->whole.p + r->whole.len;
	uint64_t n;
	if (*at == end)
		return false;
	const char *p = head_read(*at, end, '$', &n);
	*arg = (struct span){p, n};
	*at = p + n + 2;
	return true;
}
