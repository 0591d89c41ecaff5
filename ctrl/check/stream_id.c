// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/stream_id.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/tree.h"

void stream_id_next(struct span id, char out[STREAM_ID_LEN])
{
	char text[STREAM_ID_LEN] = "";
	if (id.len < sizeof(text))
		memcpy(text, id.p, id.len);
	char *dash = strchr(text, '-');
	unsigned long long ms = strtoull(text, NULL, 10),
			   seq = dash ? strtoull(dash + 1, NULL, 10) : 0;
	if (seq == UINT64_MAX)
		snprintf(out, STREAM_ID_LEN, "%llu-0", ms + 1);
	else
		snprintf(out, STREAM_ID_LEN, "%llu-%llu", ms, seq + 1);
}

struct span stream_id_last(const struct resp_value *v, unsigned n)
{
	unsigned last = 1;
	for (unsigned at = 1; at < n; at = tree_skip(v, n, at))
		last = at;
	return last + 1 < n ? v[last + 1].text : (struct span){"", 0};
}
