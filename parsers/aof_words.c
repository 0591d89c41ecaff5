// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/aof_words.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What stands behind a backslash between double quotes; moves over it.
static char escape_take(struct span *line)
{
	static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
	char c = line->p[0];
	if (c == 'x' && line->len > 2 && hex_value(line->p[1]) >= 0 && hex_value(line->p[2]) >= 0) {
		c = (char)(hex_value(line->p[1]) << 4 | hex_value(line->p[2]));
		*line = (struct span){line->p + 3, line->len - 3};
		return c;
	}
	const char *at = c ? strchr(from, c) : NULL;
	*line = (struct span){line->p + 1, line->len - 1};
	return at ? to[at - from] : c;
}

// The next byte of a word.
//
// @param quote  of the word, 0: none
//
// @return false at its end, the closing quote included
static bool byte_take(struct span *line, char quote, char *c)
{
	*c = line->p[0];
	bool ends = quote ? *c == quote : is_blank(*c);
	if (ends && !quote)
		return false;
	*line = (struct span){line->p + 1, line->len - 1};
	if (ends)
		return false;
	if (quote == '"' && *c == '\\' && line->len) {
		*c = escape_take(line);
	} else if (quote == '\'' && *c == '\\' && line->len && line->p[0] == '\'') {
		*c = '\'';
		*line = (struct span){line->p + 1, line->len - 1};
	}
	return true;
}

int aof_word_take(struct span *line, char *out, size_t out_len, size_t *len)
{
	char quote = 0, c;
	bool closed = false;
	while (line->len && is_blank(line->p[0]))
		*line = (struct span){line->p + 1, line->len - 1};
	if (!line->len)
		return 0;
	if (line->p[0] == '"' || line->p[0] == '\'') {
		quote = line->p[0];
		*line = (struct span){line->p + 1, line->len - 1};
	}
	for (*len = 0; line->len; (*len)++) {
		closed = !byte_take(line, quote, &c);
		if (closed)
			break;
		if (*len + 1 >= out_len)
			return -1;
		out[*len] = c;
	}
	out[*len] = '\0';
	if (quote && (!closed || (line->len && !is_blank(line->p[0]))))
		return -1;
	return 1;
}
