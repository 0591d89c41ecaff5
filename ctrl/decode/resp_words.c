// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "ctrl/decode/print_resp.h"

struct span resp_number(uint64_t v, char *text)
{
	char *p = text + NUMBER_LEN;
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return (struct span){p, (size_t)(text + NUMBER_LEN - p)};
}

size_t resp_bulk_write(char *out, struct span s)
{
	char text[NUMBER_LEN], *at = out;
	struct span len = resp_number(s.len, text);
	*at++ = '$';
	memcpy(at, len.p, len.len);
	memcpy(at + len.len, "\r\n", 2);
	at += len.len + 2;
	if (s.len)
		memcpy(at, s.p, s.len);
	memcpy(at + s.len, "\r\n", 2);
	return (size_t)(at + s.len + 2 - out);
}

void resp_bulk(struct output *o, struct span s)
{
	char *room = output_room(o, s.len + BULK_EXTRA);
	if (room) {
		output_took(o, resp_bulk_write(room, s));
		return;
	}
	output_char(o, '$');
	output_u64(o, s.len);
	OUTPUT_LIT(o, "\r\n");
	output_add(o, s);
	OUTPUT_LIT(o, "\r\n");
}

void resp_head(struct output *o, uint64_t argc)
{
	output_char(o, '*');
	output_u64(o, argc);
	OUTPUT_LIT(o, "\r\n");
}

void resp_words(struct printer *p, const struct span *words, size_t n)
{
	resp_head(p->out, n);
	for (size_t i = 0; i < n; i++)
		resp_bulk(p->out, words[i]);
}

struct span resp_id(struct rdb_stream_id id, char *text)
{
	int n = snprintf(text, ID_LEN, "%llu-%llu", (unsigned long long)id.ms,
			 (unsigned long long)id.seq);
	return (struct span){text, (size_t)n};
}
