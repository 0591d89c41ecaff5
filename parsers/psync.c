// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/psync.h"

#include <stdio.h>
#include <stdlib.h>

static bool begins(struct span line, const char *word)
{
	size_t len = strlen(word);
	return line.len >= len && !memcmp(line.p, word, len);
}

static bool is_replid(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdef", p[i]) || !p[i])
			return false;
	return len == REPLID_LEN;
}

bool psync_fullresync_read(struct span line, struct psync_place *out)
{
	char text[96], id[48];
	unsigned long long offset;
	size_t n = line.len < sizeof(text) ? line.len : sizeof(text) - 1;
	memcpy(text, line.p, n);
	text[n] = 0;
	if (sscanf(text, "+FULLRESYNC %47s %llu", id, &offset) != 2 || !is_replid(id, strlen(id)))
		return false;
	memcpy(out->replid, id, sizeof(out->replid));
	out->offset = offset;
	return true;
}

void psync_continue_read(struct span line, char *replid)
{
	static const char word[] = "+CONTINUE ";
	size_t at = sizeof(word) - 1;
	if (line.len < at + REPLID_LEN || !is_replid(line.p + at, REPLID_LEN))
		return;
	memcpy(replid, line.p + at, REPLID_LEN);
	replid[REPLID_LEN] = 0;
}

bool psync_header_read(struct span line, struct psync_header *out)
{
	char *end, text[24] = "";
	*out = (struct psync_header){0};
	if (begins(line, "$EOF:") && line.len == 5 + EOF_MARK_LEN) {
		memcpy(out->mark, line.p + 5, EOF_MARK_LEN);
		return true;
	}
	if (!begins(line, "$") || line.len > 19)
		return false;
	memcpy(text, line.p + 1, line.len - 1);
	out->len = strtoull(text, &end, 10);
	return out->len && !*end && text[0] != '-';
}

bool psync_error_passes(struct span error)
{
	static const char *const words[] = {"LOADING",  "NOMASTERLINK",
					    "BUSY",     "MASTERDOWN",
					    "TRYAGAIN", "ERR max number of clients"};
	if (error.len && error.p[0] == '-')
		error = (struct span){error.p + 1, error.len - 1};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(error, words[i]))
			return true;
	return false;
}
