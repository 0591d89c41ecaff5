// SPDX-License-Identifier: BSD-3-Clause
// probe_list_read() -> word_take() -> word_expand()
#include "ctrl/doctor/probe_words.h"

#include <errno.h>
#include <stdio.h>

#define WORD_SHOWN 48

void probe_names_init(struct probe_names *names, uint64_t seed)
{
	memset(names, 0, sizeof(*names));
	names->other_db = -1;
	snprintf(names->token, sizeof(names->token), "%012llx",
		 (unsigned long long)(seed * 0x9e3779b97f4a7c15ull >> 16));
	snprintf(names->prefix, sizeof(names->prefix), PROBE_PREFIX "{%s}:", names->token);
}

// ---- A list -----------------------------------------------------------------------------------

static struct probe_command *command_begin(struct probe_list *l)
{
	if (l->n == PROBE_COMMANDS_MAX) {
		l->cut = true;
		return NULL;
	}
	l->list[l->n].argc = 0;
	return &l->list[l->n++];
}

// Append bytes to the word that begins at `at`.
static void bytes_add(struct probe_list *l, const char *p, size_t len)
{
	if (len > sizeof(l->bytes) - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->bytes + l->len, p, len);
	l->len += len;
}

static void word_end(struct probe_list *l, struct probe_command *c, size_t at)
{
	if (c->argc == PROBE_ARGS_MAX)
		l->cut = true;
	else
		c->argv[c->argc++] = (struct span){l->bytes + at, l->len - at};
}

void probe_list_add(struct probe_list *l, unsigned argc, const struct span *argv)
{
	struct probe_command *c = command_begin(l);
	for (unsigned i = 0; c && i < argc; i++) {
		size_t at = l->len;
		bytes_add(l, argv[i].p, argv[i].len);
		word_end(l, c, at);
	}
}

// ---- From text --------------------------------------------------------------------------------

static void word_expand(struct probe_list *l, struct span word, const struct probe_names *names)
{
	char number[16];
	if (span_eq(word, SPAN_LIT("&"))) {
		snprintf(number, sizeof(number), "%d", names->other_db);
		word = span_of(number);
	} else if (span_eq(word, SPAN_LIT("<dump>"))) {
		bytes_add(l, names->dump, names->dump_len);
		return;
	} else if (word.len > 1 && word.p[0] == '@') {
		bytes_add(l, names->prefix, strlen(names->prefix));
		word = (struct span){word.p + 1, word.len - 1};
	}
	for (size_t i = 0; i < word.len; i++)
		if (word.p[i] == '%')
			bytes_add(l, names->token, strlen(names->token));
		else
			bytes_add(l, &word.p[i], 1);
}

// The next word, and what is left behind it.
static struct span word_take(struct span *text)
{
	bool quoted = text->p[0] == '\'';
	const char *begin = text->p + quoted;
	const char *end = memchr(begin, quoted ? '\'' : ' ', text->len - quoted);
	if (!end)
		end = text->p + text->len;
	size_t used = (size_t)(end - text->p) + (end < text->p + text->len);
	*text = (struct span){text->p + used, text->len - used};
	return (struct span){begin, (size_t)(end - begin)};
}

int probe_list_read(struct probe_list *l, struct span text, const struct probe_names *names)
{
	struct probe_command *c = NULL;
	l->n = 0;
	l->len = 0;
	l->cut = false;
	while (text.len && !l->cut) {
		if (text.p[0] == ' ') {
			text = (struct span){text.p + 1, text.len - 1};
			continue;
		}
		bool bare = text.p[0] != '\'';
		struct span word = word_take(&text);
		if (bare && span_eq(word, SPAN_LIT(";"))) {
			c = NULL;
			continue;
		}
		c = c ? c : command_begin(l);
		size_t at = l->len;
		if (!c)
			break;
		word_expand(l, word, names);
		word_end(l, c, at);
	}
	return l->cut ? -E2BIG : 0;
}

// ---- To text ----------------------------------------------------------------------------------

struct room {
	char *out;
	size_t len, at;
};

static void put(struct room *r, const char *p, size_t len)
{
	for (size_t i = 0; i < len && r->at + 1 < r->len; i++)
		r->out[r->at++] = p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.';
	r->out[r->at] = 0;
}

static void word_put(struct room *r, struct span word, const struct probe_names *names)
{
	if (probe_is_key(names, word)) {
		size_t len = strlen(names->prefix);
		word = (struct span){word.p + len, word.len - len};
		put(r, "@", 1);
	}
	if (word.len == 0)
		put(r, "''", 2);
	put(r, word.p, word.len < WORD_SHOWN ? word.len : WORD_SHOWN);
	if (word.len > WORD_SHOWN)
		put(r, "...", 3);
}

const char *probe_list_text(const struct probe_list *l, const struct probe_names *names, char *out,
			    size_t out_len)
{
	struct room r = {out, out_len, 0};
	put(&r, "nothing", l->n ? 0 : 7);
	for (unsigned i = 0; i < l->n; i++) {
		put(&r, " ; ", i ? 3 : 0);
		for (unsigned k = 0; k < l->list[i].argc; k++) {
			put(&r, " ", k ? 1 : 0);
			word_put(&r, l->list[i].argv[k], names);
		}
	}
	if (l->cut)
		put(&r, " ...", 4);
	return out;
}

bool probe_is_ours(const struct probe_names *names, unsigned argc, const struct span *argv)
{
	for (unsigned i = 0; i < argc; i++)
		if (memmem(argv[i].p, argv[i].len, names->token, PROBE_TOKEN_LEN))
			return true;
	return false;
}
