// SPDX-License-Identifier: BSD-3-Clause
// flyover, the command: main() -> args_copy() -> verb_find() -> options_read() -> verb's function
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/cli/verbs.h"
#include "ctrl/secret.h"

static const struct verb verbs[] = {
	{"sync", "SOURCE TARGET", "keep TARGET in step with SOURCE until Ctrl-C, or --until=caught-up",
	 OPTIONS_JSON | OPTIONS_JOB | OPTIONS_LINK | OPTIONS_PASSWORD, 2, 2, verb_sync},
	{"check", "SOURCE TARGET", "compare two servers: 0 equal, 1 different",
	 OPTIONS_JSON | OPTIONS_PASSWORD | OPTIONS_CHECK, 2, 2, verb_check},
	{"version", "", "print the version", 0, 0, 0, verb_version},
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int verb_version(const struct options *o, struct failure *f)
{
	puts("flyover " FLYOVER_VERSION);
	return 0;
}

static void help_print(FILE *out)
{
	fputs("flyover keeps Redis and Valkey data in step across hosts and data centres\n\n", out);
	for (unsigned i = 0; i < N_VERBS; i++)
		fprintf(out, "  flyover %-13s %-24s %s\n", verbs[i].word, verbs[i].args, verbs[i].help);
	fputs("  flyover help          VERB                     print what a verb takes\n\n"
	      "A URL: redis://[user[:password]@]host[:port][/db], rediss:// for TLS, unix:///path\n"
	      "Exit codes: 0 done; 1 failed, or different; 2 usage; 3 configuration; 4 no connection\n",
	      out);
}

// How many of the words from argv on make up the verb. @return 0 when they do not
static int verb_matches(const struct verb *v, int argc, char **argv)
{
	const char *space = strchr(v->word, ' ');
	size_t len = space ? (size_t)(space - v->word) : strlen(v->word);
	if (argc < 1 || strlen(argv[0]) != len || memcmp(argv[0], v->word, len))
		return 0;
	if (!space)
		return 1;
	return argc > 1 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

static const struct verb *verb_find(int argc, char **argv, int *n_words)
{
	for (unsigned i = 0; i < N_VERBS; i++) {
		*n_words = verb_matches(&verbs[i], argc, argv);
		if (*n_words)
			return &verbs[i];
	}
	return NULL;
}

static int failure_print(const struct failure *f)
{
	const struct error_row *row = error_row(f->id);
	if (f->sentence[0])
		fprintf(stderr, "flyover: %s%s%s\n", f->sentence, row->advice[0] ? "; " : "", row->advice);
	return row->exit_code;
}

static int help_run(int argc, char **argv, struct failure *f)
{
	int n_words;
	if (argc == 0) {
		help_print(stdout);
		return 0;
	}
	const struct verb *v = verb_find(argc, argv, &n_words);
	if (!v)
		return failure_set(f, ERROR_USAGE, "there is no verb '%s'", argv[0]);
	options_help(v);
	return 0;
}

static int verb_run(int argc, char **argv, struct failure *f)
{
	struct options o;
	int n_words;
	const struct verb *v = verb_find(argc, argv, &n_words);
	if (!v)
		return failure_set(f, ERROR_USAGE, "there is no verb '%s%s%s'", argv[0],
				   argc > 1 && !strcmp(argv[0], "link") ? " " : "",
				   argc > 1 && !strcmp(argv[0], "link") ? argv[1] : "");
	if (options_read(v, argc - n_words, argv + n_words, &o, f))
		return -1;
	if (!o.help)
		return v->run(&o, f);
	options_help(v);
	return 0;
}

// A copy of the words, so that the passwords in the ones that `ps` shows can be overwritten.
static char **args_copy(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));
	for (int i = 0; copy && i < argc; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i])
			return NULL;
	}
	secret_hide_args(argc, argv);
	return copy;
}

static void args_free(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		explicit_bzero(argv[i], strlen(argv[i]));
		free(argv[i]);
	}
	free(argv);
}

int main(int argc, char **argv)
{
	struct failure f = {0};
	char **words = args_copy(argc, argv);
	int rc;
	if (!words)
		return 1;
	if (argc < 2) {
		help_print(stderr);
		return error_row(ERROR_USAGE)->exit_code;
	}
	if (!strcmp(words[1], "help") || !strcmp(words[1], "--help") || !strcmp(words[1], "-h"))
		rc = help_run(argc - 2, words + 2, &f);
	else if (!strcmp(words[1], "--version"))
		rc = verb_version(NULL, &f);
	else
		rc = verb_run(argc - 1, words + 1, &f);
	args_free(argc, words);
	return rc ? failure_print(&f) : 0;
}
