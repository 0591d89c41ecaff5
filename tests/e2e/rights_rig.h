// SPDX-License-Identifier: BSD-3-Clause
// Users made from the very lines that `flyover help rights` prints, less a word if need be.
#pragma once

#include "tests/e2e/harness.h"

#define RIGHTS_WORDS_MAX 64

struct rights {
	const char *words[RIGHTS_WORDS_MAX]; // as a server takes them, without the shell's quotes
	unsigned n;
};

// What `flyover help rights` says of a verb. @return freed by the caller
static inline char *rights_help(struct world *w, const char *verb)
{
	static char *all;

	if (!all) {
		struct job *j = job_start(w, "help", "rights", NULL);
		assert_int_equal(process_wait(j->process), 0);
		all = process_stdout(j->process);
	}
	const char *begin = strstr(all, text("flyover %s\n\n", verb));
	assert_non_null(begin);
	const char *end = strstr(begin, "\n\nflyover ");
	return strndup(begin, end ? (size_t)(end - begin) : strlen(begin));
}

// The line of a verb. @param who  "source", "target, with --repair"
static inline struct rights rights_of(struct world *w, const char *verb, const char *who)
{
	char *said = rights_help(w, verb), *next;
	char *line = strstr(said, text("\n%s:\n  ACL SETUSER flyover reset on ", who));
	struct rights r = {.n = 0};

	assert_non_null(line);
	line = strstr(line, "'>PASSWORD' ") + strlen("'>PASSWORD' ");
	line[strcspn(line, "\n")] = 0;
	for (char *word = strtok_r(line, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
		assert_true(r.n < RIGHTS_WORDS_MAX);
		word += *word == '\'';
		r.words[r.n++] = text("%.*s", (int)strcspn(word, "'"), word);
	}
	assert_true(r.n > 0);
	free(said);
	return r;
}

// As it stands in a line for a shell.
static inline const char *rights_word(const char *word)
{
	return strpbrk(word, "~*&|") ? text("'%s'", word) : word;
}

// Whether the help says what is missed without the word.
static inline bool rights_spares(struct world *w, const char *verb, const char *word)
{
	char *said = rights_help(w, verb);
	const char *notes = strstr(said, "What may be left out");
	bool spared = notes && strstr(notes, text(" %s ", rights_word(word)));

	free(said);
	return spared;
}

// The user `flyover`, with all words but one. @param without  NULL: all
static inline void rights_grant(struct server *s, const struct rights *r, const char *without)
{
	const char *line = "ACL SETUSER flyover reset on >pw";

	for (unsigned i = 0; i < r->n; i++)
		if (!without || strcmp(r->words[i], without))
			line = text("%s %s", line, r->words[i]);
	run(s, line);
	run(s, "ACL LOG RESET");
}

static inline const char *rights_url(const struct server *s)
{
	return text("redis://flyover:pw@127.0.0.1:%d", s->port);
}

// What the server has denied our user since: "SCAN FUNCTION|LIST ", "" for nothing. Whether it may
// ask for a dry run is what the doctor finds out by asking.
static inline const char *rights_denied(struct server *s)
{
	redisReply *log = ask(s, "ACL LOG");
	const char *all = "";

	for (size_t i = 0; i < log->elements; i++) {
		const char *object = log->element[i]->element[7]->str;
		const char *user = log->element[i]->element[9]->str;
		if (!strcmp(user, "flyover") && strcmp(object, "acl|dryrun"))
			all = text("%s%s ", all, object);
	}
	freeReplyObject(log);
	return all;
}
