// SPDX-License-Identifier: BSD-3-Clause
// What servers of thirteen versions were seen to propagate, held against the expectations of a
// probe, where such files are present: FLYOVER_PROPAGATION, or the folder
// shared/reference/propagation beside the source tree. A file is a list of [setup, command,
// stream] in words of its own; a case of ours is shared with it when the two are the same but for
// the names of keys, fields and values.
#include "tests/unit/test.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>

#include "ctrl/doctor/probe_cases.h"
#include "ctrl/doctor/probe_match.h"
#include "ctrl/doctor/probe_since.h"
#include "parsers/server_version.h"

#define SHARED_LEAST 140 // of a file
#define RENAMED_MAX  60

static const char *propagation_dir(void)
{
	const char *dir = getenv("FLYOVER_PROPAGATION");
	if (!dir)
		dir = PROPAGATION_DIR;
	DIR *d = opendir(dir);
	if (!d) {
		print_message("skipped: no propagation files in %s\n", dir);
		skip();
	}
	closedir(d);
	return dir;
}

// Their names and ours for the same things.
struct renames {
	unsigned n;
	struct span theirs[RENAMED_MAX], ours[RENAMED_MAX];
};

// A name may differ: it has small letters, where options and numbers have none.
static bool is_name(struct span word)
{
	for (size_t i = 0; i < word.len; i++)
		if (islower((uint8_t)word.p[i]))
			return true;
	return false;
}

static bool rename_note(struct renames *r, struct span theirs, struct span ours)
{
	for (unsigned i = 0; i < r->n; i++)
		if (span_eq(r->theirs[i], theirs) || span_eq(r->ours[i], ours))
			return span_eq(r->theirs[i], theirs) && span_eq(r->ours[i], ours);
	assert_true(r->n < RENAMED_MAX);
	r->theirs[r->n] = theirs;
	r->ours[r->n++] = ours;
	return true;
}

static struct span rename_find(const struct renames *r, struct span theirs)
{
	for (unsigned i = 0; i < r->n; i++)
		if (span_eq(r->theirs[i], theirs))
			return r->ours[i];
	return theirs;
}

static bool command_shared(struct renames *r, const struct probe_command *theirs,
			   const struct probe_command *ours)
{
	if (theirs->argc != ours->argc)
		return false;
	for (unsigned i = 0; i < ours->argc; i++) {
		bool same = span_eq(theirs->argv[i], ours->argv[i]);
		if ((!same && !is_name(ours->argv[i])) ||
		    !rename_note(r, theirs->argv[i], ours->argv[i]))
			return false;
	}
	return true;
}

static bool list_shared(struct renames *r, const struct probe_list *theirs,
			const struct probe_list *ours)
{
	if (theirs->n != ours->n)
		return false;
	for (unsigned i = 0; i < ours->n; i++)
		if (!command_shared(r, &theirs->list[i], &ours->list[i]))
			return false;
	return true;
}

// Their text: commands parted by `between`, words by single blanks.
static void commands_split(struct probe_list *l, const char *text, const char *between)
{
	while (*text) {
		const char *end = strstr(text, between);
		size_t left = end ? (size_t)(end - text) : strlen(text);
		struct span argv[PROBE_ARGS_MAX];
		unsigned argc = 0;
		for (const char *p = text;; p++) {
			size_t len = 0;
			while (p + len < text + left && p[len] != ' ')
				len++;
			assert_true(argc < PROBE_ARGS_MAX);
			argv[argc++] = (struct span){p, len};
			p += len;
			if (p >= text + left)
				break;
		}
		probe_list_add(l, argc, argv);
		text += left + (end ? strlen(between) : 0);
	}
}

struct entry {
	struct probe_list setup, command;
	const char *stream;
	bool refused;
};

// @return false for what cannot be shared: scenes of several clients, scripts, payloads
static bool entry_read(struct entry *e, const json_t *row)
{
	static const char *const scenes[] = {"expire", "blocking", "evict", "func"};
	const char *setup = json_string_value(json_array_get(row, 0));
	const char *command = json_string_value(json_array_get(row, 1));
	e->stream = json_string_value(json_array_get(row, 2));
	assert_true(setup && command && e->stream);
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(setup, scenes[i]))
			return false;
	if (!strncmp(command, "RESTORE ", 8) || strstr(command, "EVAL"))
		return false;
	e->refused = !strncmp(e->stream, "ERR ", 4);
	memset(&e->setup, 0, sizeof(e->setup));
	memset(&e->command, 0, sizeof(e->command));
	if (strcmp(setup, "MULTI")) {
		commands_split(&e->setup, setup, " / ");
		commands_split(&e->command, command, " ; ");
		return true;
	}
	commands_split(&e->command, "MULTI", " | ");
	commands_split(&e->command, command, " | ");
	commands_split(&e->command, "EXEC", " | ");
	return true;
}

// Their stream in our words.
static void stream_read(struct probe_list *came, const char *stream, const struct renames *r)
{
	struct probe_list theirs = {0};
	memset(came, 0, sizeof(*came));
	if (strcmp(stream, "(nothing)"))
		commands_split(&theirs, stream, " ; ");
	for (unsigned i = 0; i < theirs.n; i++) {
		struct span argv[PROBE_ARGS_MAX];
		for (unsigned k = 0; k < theirs.list[i].argc; k++)
			argv[k] = rename_find(r, theirs.list[i].argv[k]);
		probe_list_add(came, theirs.list[i].argc, argv);
	}
	came->cut |= theirs.cut;
}

// A file and the server that wrote it: prop_6.2.json, prop_valkey-9.0.4.json.
struct replay {
	const char *file;
	struct probe_names names;
	bool valkey;
	unsigned version;
};

static void replay_init(struct replay *r, const char *file)
{
	unsigned major, minor;
	bool redis = strstr(file, "redis-");
	memset(r, 0, sizeof(*r));
	assert_int_equal(sscanf(file + strcspn(file, "0123456789"), "%u.%u", &major, &minor), 2);
	r->file = file;
	r->version = SERVER_VERSION(major, minor);
	r->valkey = !redis && r->version >= SERVER_VERSION(7, 2);
	probe_names_init(&r->names, 7);
	r->names.other_db = 1;
}

// @return 1 shared and as expected, 0 not shared, -1 it differs
static int case_replay(const struct replay *r, const struct probe_case *row, const struct entry *e)
{
	const struct probe_names *names = &r->names;
	struct probe_list setup, command, came;
	struct renames renames = {0};
	char text[300];
	probe_list_read(&setup, span_of(row->setup), names);
	probe_list_read(&command, span_of(row->command), names);
	if (!list_shared(&renames, &e->setup, &setup) ||
	    !list_shared(&renames, &e->command, &command))
		return 0;
	// A setup that was refused is not told.
	bool told = e->refused || !e->setup.n;
	if (told && probe_case_since(row, names, r->valkey, r->version) == e->refused) {
		print_error("%s: %s: `%s` against its releases\n", r->file, row->command,
			    e->stream);
		return -1;
	}
	if (e->refused)
		return 1;
	stream_read(&came, e->stream, &renames);
	if (probe_match(row->expected, names, &came))
		return 1;
	print_error("%s: %s: `%s` is not `%s`\n", r->file, row->command,
		    probe_list_text(&came, names, text, sizeof(text)), row->expected);
	return -1;
}

static void file_replay(const char *dir, const char *file, unsigned *n_shared, unsigned *n_differ)
{
	struct replay replay;
	char path[1024];
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	json_t *list = json_load_file(path, JSON_ALLOW_NUL, NULL);
	assert_true(json_is_array(list));
	replay_init(&replay, file);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct entry *e = malloc(sizeof(*e));
		assert_non_null(e);
		bool usable = entry_read(e, json_array_get(list, i));
		for (unsigned k = 0; usable && k < n; k++) {
			int rc = case_replay(&replay, &rows[k], e);
			*n_shared += rc != 0;
			*n_differ += rc < 0;
		}
		free(e);
	}
	json_decref(list);
}

static void what_servers_propagate_is_what_a_probe_expects(void **state)
{
	const char *dir = propagation_dir();
	unsigned n_files = 0, n_differ = 0;
	DIR *d = opendir(dir);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d))) {
		unsigned n_shared = 0;
		if (strncmp(e->d_name, "prop_", 5))
			continue;
		file_replay(dir, e->d_name, &n_shared, &n_differ);
		print_message("%s: %u cases shared\n", e->d_name, n_shared);
		assert_true(n_shared >= SHARED_LEAST);
		n_files++;
	}
	closedir(d);
	assert_int_equal(n_differ, 0);
	assert_true(n_files > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_servers_propagate_is_what_a_probe_expects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
