// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/noperm.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool begins(struct span text, const char *word)
{
	return text.len >= strlen(word) && !memcmp(text.p, word, strlen(word));
}

static bool holds(struct span text, const char *word)
{
	return memmem(text.p, text.len, word, strlen(word)) != NULL;
}

bool noperm_is(struct span error)
{
	if (error.len && error.p[0] == '-')
		error = (struct span){error.p + 1, error.len - 1};
	return begins(error, "NOPERM") ||
	       (begins(error, "EXECABORT") && holds(error, "because of: NOPERM"));
}

// The name in "run the 'client|kill' command"; a server that tells its own words in it, or a client
// that had its own put there, is not believed.
static struct span command_name(struct span error)
{
	static const char before[] = "to run the '";
	const char *at = memmem(error.p, error.len, before, sizeof(before) - 1);
	if (!at)
		return (struct span){NULL, 0};
	at += sizeof(before) - 1;
	struct span name = {at, 0};
	const char *end = error.p + error.len;
	while (at < end && (isalnum((uint8_t)*at) || strchr("|._-", *at)))
		at++;
	if (at < end && *at == '\'' && (size_t)(at - name.p) < NOPERM_WORD_LEN - 4)
		name.len = (size_t)(at - name.p);
	return name;
}

size_t noperm_word(struct span error, char *out)
{
	struct span name = command_name(error);
	int n = 0;
	out[0] = 0;
	if (name.len && memchr(name.p, '|', name.len))
		n = snprintf(out, NOPERM_WORD_LEN, "'+%.*s'", (int)name.len, name.p);
	else if (name.len)
		n = snprintf(out, NOPERM_WORD_LEN, "+%.*s", (int)name.len, name.p);
	else if (holds(error, " channel"))
		n = snprintf(out, NOPERM_WORD_LEN, "'&*'");
	else if (holds(error, " key"))
		n = snprintf(out, NOPERM_WORD_LEN, "'~*'");
	return (size_t)n;
}

bool noperm_short(struct span error, const char *user, char *out, size_t out_len)
{
	char word[NOPERM_WORD_LEN];
	if (!noperm_is(error) || !noperm_word(error, word))
		return false;
	snprintf(out, out_len, "NOPERM: it wants `ACL SETUSER %.64s %s`",
		 user[0] ? user : "default", word);
	return true;
}

void noperm_advice(struct span error, const char *user, char *out, size_t out_len)
{
	char word[NOPERM_WORD_LEN];
	out[0] = 0;
	if (noperm_is(error) && noperm_word(error, word))
		snprintf(out, out_len, "; it wants `ACL SETUSER %.64s %s`",
			 user[0] ? user : "default", word);
}
