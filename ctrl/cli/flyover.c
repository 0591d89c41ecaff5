// SPDX-License-Identifier: BSD-3-Clause
// flyover, the command: main() -> args_copy() -> verb_find() -> options_read() -> verb's function
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/cli/verbs.h"
#include "ctrl/rights.h"
#include "ctrl/secret.h"

static const char retry_notes[] =
	"A retried command is applied NOW, out of the order of the stream: what the stream has\n"
	"written to its keys since is there already, so look at the key first. Several go in the\n"
	"order of their offsets. One that the target takes leaves the list; one that it refuses\n"
	"stays, and the new reason is told. None is applied twice: after a crash in the middle, "
	"one\n"
	"that must not be repeated (INCR, RPUSH) and whose answer got lost is told as `unsure`.\n"
	"Exit code 0: all were applied.\n";

static const char trace_notes[] =
	"One line an event: segments, with sequence numbers counted from the first; timers,\n"
	"states, what was dropped and why. Each connection keeps about the last thousand. One\n"
	"that times out, is reset, or repeats itself three times in a row leaves its trace in\n"
	"the folder `traces` of flyoverd's state folder, and the log says so.\n";

static const char restore_notes[] =
	"FILE is an .rdb, an .aof (plain or behind an RDB), or a folder such as appendonlydir. It "
	"is\n"
	"looked through before anything is written: a damaged one changes nothing.\n"
	"Keys of the same name are replaced, other keys stay (--extra-keys=delete removes them). "
	"The\n"
	"commands of an AOF go on top of what is there, so they want an empty target, or\n"
	"--extra-keys=delete or =keep. What had expired is not made.\n"
	"Started again after a crash, the same command goes on where the target is. At the end\n"
	"nothing of ours stays, neither in the target nor here. Exit code 1 also when the target\n"
	"refused something: `flyover link parked list --state-dir FOLDER` shows it.\n"
	"Other defaults than below: --until=caught-up (always), --extra-keys=keep, "
	"--disk-limit=0 and\n"
	"--preflight=no.\n";

static const char dump_notes[] =
	"The source makes a snapshot as for a replica, and the file is that, byte for byte. With\n"
	"a /db in the URL, --db, --match or --type it holds the keys that fit, and no place in\n"
	"the source's stream. Where the source refuses PSYNC, or with --by-scan, SCAN and DUMP\n"
	"are used, and the file is of no one moment. It is checked on its way, and nothing is\n"
	"left of one that was not finished. `flyover help rights dump` prints what either way "
	"needs.\n";

static const struct verb verbs[] = {
	{"sync", "SOURCE TARGET",
	 "keep TARGET in step with SOURCE until Ctrl-C, or --until=caught-up",
	 OPTIONS_JSON | OPTIONS_JOB | OPTIONS_LINK | OPTIONS_PASSWORD, 2, 2, verb_sync},
	{"scan", "SOURCE TARGET", "copy a source that gives no right to replicate, by SCAN",
	 OPTIONS_JSON | OPTIONS_STATE | OPTIONS_PASSWORD | OPTIONS_SCAN | OPTIONS_PACE, 2, 2,
	 verb_scan},
	{"dump", "SOURCE -o FILE.rdb",
	 "take an RDB file of a live server, from anywhere", OPTIONS_JSON | OPTIONS_DUMP, 1, 1,
	 verb_dump, dump_notes},
	{"restore", "FILE TARGET", "bring an .rdb, an .aof or an appendonlydir into a server",
	 OPTIONS_JSON | OPTIONS_JOB | OPTIONS_LINK | OPTIONS_PASSWORD | OPTIONS_PACE |
		 OPTIONS_RESTORE | OPTIONS_AOF,
	 2, 2, verb_restore, restore_notes},
	{"check", "SOURCE TARGET", "compare two servers: 0 equal, 1 different",
	 OPTIONS_JSON | OPTIONS_PASSWORD | OPTIONS_CHECK | OPTIONS_PACE, 2, 2, verb_check},
	{"decode", "FILE",
	 "print what an RDB, an AOF or an appendonlydir holds; - is the standard input",
	 OPTIONS_DECODE | OPTIONS_AOF, 1, 1, verb_decode},
	{"doctor", "[SOURCE TARGET]",
	 "look at two servers, or at this host, and name what would go wrong",
	 OPTIONS_JSON | OPTIONS_PASSWORD | OPTIONS_DOCTOR, 0, 2, verb_doctor},
	{"status", "", "what flyoverd and its links are doing", OPTIONS_JSON | OPTIONS_SOCKET, 0, 0,
	 verb_status},
	{"top", "", "the same, refreshed every second until q", OPTIONS_SOCKET | OPTIONS_JSON, 0, 0,
	 verb_top},
	{"metrics", "", "all counters in Prometheus' text format", OPTIONS_SOCKET, 0, 0,
	 verb_metrics},
	{"link create", "NAME SOURCE TARGET", "create and start a link",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_LINK | OPTIONS_PASSWORD, 3, 3, verb_link_create},
	{"link list", "", "all links", OPTIONS_JSON | OPTIONS_SOCKET, 0, 0, verb_link_list},
	{"link show", "NAME", "everything about one link", OPTIONS_JSON | OPTIONS_SOCKET, 1, 1,
	 verb_link_show},
	{"link pause", "NAME", "stop applying, stay connected", OPTIONS_SOCKET, 1, 1,
	 verb_link_pause},
	{"link resume", "NAME", "go on, or start again what has ended", OPTIONS_SOCKET, 1, 1,
	 verb_link_resume},
	{"link drain", "NAME", "apply what was received, then end", OPTIONS_SOCKET, 1, 1,
	 verb_link_drain},
	{"link delete", "NAME", "forget a link that has ended", OPTIONS_SOCKET, 1, 1,
	 verb_link_delete},
	{"link parked list", "[LINK]", "commands that the target refused, with the reason",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_PARKED | OPTIONS_PAGE, 0, 1, verb_parked_list},
	{"link parked show", "[LINK] ID", "one of them, with all of its arguments",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_PARKED | OPTIONS_RAW, 1, 2, verb_parked_show},
	{"link parked retry", "[LINK] ID...", "send them to the target now",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_PARKED | OPTIONS_ALL | OPTIONS_RETRY, 0, ARGS_MAX,
	 verb_parked_retry, retry_notes},
	{"link parked drop", "[LINK] ID...", "give them up",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_PARKED | OPTIONS_ALL | OPTIONS_YES, 0, ARGS_MAX,
	 verb_parked_drop},
	{"debug trace", "[LINK|all]", "what has last happened on the connections of our own TCP",
	 OPTIONS_JSON | OPTIONS_SOCKET | OPTIONS_TRACE, 0, 1, verb_debug_trace, trace_notes},
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
		fprintf(out, "  flyover %-17s %-19s %s\n", verbs[i].word, verbs[i].args,
			verbs[i].help);
	fputs("  flyover help              VERB                print what a verb takes\n"
	      "  flyover help rights       [VERB]              print the ACL SETUSER lines for "
	      "it\n\n"
	      "A URL: redis://[user[:password]@]host[:port][/db], rediss:// for TLS, "
	      "unix:///path,\n"
	      "       redis+sentinel://host[:port][,host[:port]...]/master-name[/db]\n"
	      "Exit codes: 0 done; 1 failed, or different; 2 usage; 3 configuration; 4 no "
	      "connection\n",
	      out);
}

// How many of the words from argv on make up the verb. @return 0 when they do not
static int verb_matches(const struct verb *v, int argc, char **argv)
{
	const char *at = v->word;
	for (int n = 0; n < argc; n++) {
		size_t len = strcspn(at, " ");
		if (strlen(argv[n]) != len || memcmp(argv[n], at, len))
			return 0;
		if (!at[len])
			return n + 1;
		at += len + 1;
	}
	return 0;
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
		fprintf(stderr, "flyover: %s%s%s\n", f->sentence, row->advice[0] ? "; " : "",
			row->advice);
	return row->exit_code;
}

static int verb_unknown(int argc, char **argv, struct failure *f)
{
	char shown[WORD_SHOWN_LEN];
	if (argc > 2 && !strcmp(argv[0], "link") && !strcmp(argv[1], "parked"))
		return failure_set(f, ERROR_USAGE, "there is no verb 'link parked %s'",
				   secret_hide(argv[2], shown));
	if (argc > 1 && !strcmp(argv[0], "link"))
		return failure_set(f, ERROR_USAGE, "there is no verb 'link %s'",
				   secret_hide(argv[1], shown));
	return failure_set(f, ERROR_USAGE, "there is no verb '%s'", secret_hide(argv[0], shown));
}

static int rights_help(int argc, char **argv, struct failure *f)
{
	char verb[64] = "";
	size_t len = 0;
	for (int i = 0; i < argc && len < sizeof(verb); i++)
		len += (size_t)snprintf(verb + len, sizeof(verb) - len, "%s%s", i ? " " : "",
					argv[i]);
	if (!rights_print(verb))
		return 0;
	return failure_set(f, ERROR_USAGE, "`flyover %s` logs in nowhere, or is no verb", verb);
}

static int help_run(int argc, char **argv, struct failure *f)
{
	int n_words;
	if (argc && !strcmp(argv[0], "rights"))
		return rights_help(argc - 1, argv + 1, f);
	if (argc == 0) {
		help_print(stdout);
		return 0;
	}
	const struct verb *v = verb_find(argc, argv, &n_words);
	if (!v)
		return verb_unknown(argc, argv, f);
	options_help(v);
	return 0;
}

static int verb_run(int argc, char **argv, struct failure *f)
{
	struct options o;
	int n_words;
	const struct verb *v = verb_find(argc, argv, &n_words);
	if (!v)
		return verb_unknown(argc, argv, f);
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
	secret_forbid_core();
	secret_wipe_json();
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
