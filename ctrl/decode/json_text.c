// SPDX-License-Identifier: BSD-3-Clause
// output_json() -> plain_copy() | escaped() | base64
#include "ctrl/decode/json_text.h"

#include <stdlib.h>

#define ONES  0x0101010101010101ull
#define HIGHS 0x8080808080808080ull
#define ROOM  4096 // output bytes that are asked for at a time

static uint64_t word_at(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return w;
}

// Not zero when one of the eight bytes is a control, a quote, a backslash or not ASCII.
static uint64_t word_is_special(uint64_t w)
{
	uint64_t quote = w ^ ONES * '"', back = w ^ ONES * '\\';
	return ((w - ONES * 0x20) | (quote - ONES) | (back - ONES) | w) & HIGHS;
}

static bool byte_is_special(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

// Copy as long as nothing needs care. @return bytes copied
static inline size_t plain_copy(char *out, struct span s)
{
	size_t at = 0;
	for (; at + 8 <= s.len; at += 8) {
		uint64_t w = word_at(s.p + at);
		if (word_is_special(w))
			break;
		memcpy(out + at, &w, 8);
	}
	// The rest with some of the bytes before, which are known to be plain.
	if (s.len >= 8 && s.len - at < 8) {
		uint64_t w = word_at(s.p + s.len - 8);
		if (!word_is_special(w)) {
			memcpy(out + s.len - 8, &w, 8);
			return s.len;
		}
	}
	for (; at < s.len && !byte_is_special((uint8_t)s.p[at]); at++)
		out[at] = s.p[at];
	return at;
}

// Length of the UTF-8 sequence of two bytes or more; 0 when it is none.
static size_t sequence_len(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

bool text_is_utf8(struct span s)
{
	for (size_t at = 0; at < s.len;) {
		if (at + 8 <= s.len && !(word_at(s.p + at) & HIGHS)) {
			at += 8;
		} else if ((uint8_t)s.p[at] < 0x80) {
			at++;
		} else {
			size_t len = sequence_len((const uint8_t *)s.p + at, s.len - at);
			if (!len)
				return false;
			at += len;
		}
	}
	return true;
}

static size_t escape(uint8_t c, char *out)
{
	static const char from[] = "\n\r\t\"\\\b\f", to[] = "nrt\"\\bf", hex[] = "0123456789abcdef";
	const char *at = c ? strchr(from, c) : NULL;
	out[0] = '\\';
	if (at) {
		out[1] = to[at - from];
		return 2;
	}
	memcpy(out + 1, "u00", 3);
	out[4] = hex[c >> 4];
	out[5] = hex[c & 15];
	return 6;
}

// The rest of a UTF-8 text, without quotes.
static void escaped(struct output *o, struct span s)
{
	while (s.len > 0) {
		size_t take = s.len < ROOM / 6 ? s.len : ROOM / 6;
		char *out = output_room(o, ROOM);
		size_t n = 0;
		for (size_t i = 0; i < take; i++) {
			uint8_t c = (uint8_t)s.p[i];
			if (byte_is_special(c) && c < 0x80)
				n += escape(c, out + n);
			else
				out[n++] = (char)c;
		}
		output_took(o, n);
		s.p += take;
		s.len -= take;
	}
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void group_write(const uint8_t p[3], char *out)
{
	uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	out[0] = letters[v >> 18];
	out[1] = letters[v >> 12 & 63];
	out[2] = letters[v >> 6 & 63];
	out[3] = letters[v & 63];
}

void json_parts_begin(struct json_parts *j, struct output *o)
{
	j->n_left = 0;
	OUTPUT_LIT(o, "{\"base64\":\"");
}

void json_parts_add(struct json_parts *j, struct output *o, struct span part)
{
	const uint8_t *p = (const uint8_t *)part.p, *end = p + part.len;
	while (p < end) {
		if (j->n_left == 0 && end - p >= 3) {
			size_t groups = (size_t)(end - p) / 3;
			groups = groups < ROOM / 4 ? groups : ROOM / 4;
			char *out = output_room(o, ROOM);
			for (size_t i = 0; i < groups; i++, p += 3)
				group_write(p, out + 4 * i);
			output_took(o, 4 * groups);
			continue;
		}
		j->left[j->n_left++] = *p++;
		if (j->n_left == 3) {
			char four[4];
			group_write(j->left, four);
			output_add(o, (struct span){four, 4});
			j->n_left = 0;
		}
	}
}

void json_parts_end(struct json_parts *j, struct output *o)
{
	char four[4];
	if (j->n_left) {
		memset(j->left + j->n_left, 0, 3 - j->n_left);
		group_write(j->left, four);
		memset(four + j->n_left + 1, '=', 3 - j->n_left);
		output_add(o, (struct span){four, 4});
	}
	OUTPUT_LIT(o, "\"}");
}

void output_json(struct output *o, struct span s)
{
	size_t done = 0;
	char *out = output_room(o, s.len + 2);
	if (out) {
		out[0] = '"';
		done = plain_copy(out + 1, s);
		if (done == s.len) {
			out[1 + done] = '"';
			output_took(o, done + 2);
			return;
		}
	}
	if (!text_is_utf8((struct span){s.p + done, s.len - done})) {
		struct json_parts j;
		json_parts_begin(&j, o);
		json_parts_add(&j, o, s);
		json_parts_end(&j, o);
		return;
	}
	if (out)
		output_took(o, done + 1);
	else
		output_char(o, '"');
	escaped(o, (struct span){s.p + done, s.len - done});
	output_char(o, '"');
}
