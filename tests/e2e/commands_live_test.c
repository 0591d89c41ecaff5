// SPDX-License-Identifier: BSD-3-Clause
// Our command table against a real server's COMMAND: where a newer server differs, this says so.
#include "tests/e2e/harness.h"
#include "parsers/commands.h"

// One element of COMMAND's reply. Since 7.0 names of subcommands hold a '|'.
struct entry {
	struct span name, sub;
	const redisReply *r;
};

static struct entry entry_of(const redisReply *r)
{
	const char *name = r->element[0]->str, *bar = strchr(name, '|');
	if (!bar)
		return (struct entry){span_of(name), {"", 0}, r};
	return (struct entry){{name, (size_t)(bar - name)}, span_of(bar + 1), r};
}

// @return the entry's own row, not its container's; NULL when we have none
static const struct command *row_of(const struct entry *e)
{
	const struct command *c = command_find(e->name, e->sub);
	return c && (c->parent != 0) == (e->sub.len != 0) ? c : NULL;
}

static bool has_flag(const struct entry *e, const char *flag)
{
	const redisReply *flags = e->r->element[2];
	for (size_t i = 0; i < flags->elements; i++)
		if (strcmp(flags->element[i]->str, flag) == 0)
			return true;
	return false;
}

// @return number of complaints
typedef int entry_check(struct server *s, const struct entry *e);

static int each_entry(struct server *s, const redisReply *list, entry_check *check)
{
	int bad = 0;
	for (size_t i = 0; i < list->elements; i++) {
		struct entry e = entry_of(list->element[i]);
		bad += check(s, &e);
		if (e.r->elements > 9)
			bad += each_entry(s, e.r->element[9], check);
	}
	return bad;
}

static void expect_no_complaints(struct world *w, entry_check *check)
{
	struct server *s = server_start(w, "server", NULL);
	redisReply *list = ask(s, "COMMAND");
	assert_int_equal(list->type, REDIS_REPLY_ARRAY);
	assert_true(list->elements > 150);
	int bad = each_entry(s, list, check);
	freeReplyObject(list);
	assert_int_equal(bad, 0);
}

static int complain(const struct entry *e, const char *what, long long server, long long ours)
{
	if (server == ours)
		return 0;
	print_error("%s: %s is %lld at the server, %lld in our table\n", e->r->element[0]->str,
		    what, server, ours);
	return 1;
}

static int check_row(struct server *s, const struct entry *e)
{
	const struct command *c = row_of(e);
	if (!c)
		return 0;
	int bad = complain(e, "arity", e->r->element[1]->integer, c->arity);
	bad += complain(e, "write flag", has_flag(e, "write"), (c->flags & COMMAND_WRITE) != 0);
	if (c->flags & COMMAND_CONTAINER)
		return bad; // the server gives its keys with the subcommands
	if (c->keyspec == KEYS_NONE || c->keyspec == KEYS_RANGE) {
		bad += complain(e, "last key", e->r->element[4]->integer, c->last);
		bad += complain(e, "key step", e->r->element[5]->integer, c->step);
	}
	if (c->keyspec != KEYS_MIGRATE)
		bad += complain(e, "first key", e->r->element[3]->integer, c->first);
	return bad;
}

static int check_write_is_known(struct server *s, const struct entry *e)
{
	if (!has_flag(e, "write") || row_of(e))
		return 0;
	print_error("%s: the server writes with it, our table has no row\n", e->r->element[0]->str);
	return 1;
}

#define WORDS_MAX 16

// A call of a command as long as its arity wants, or a little longer.
//
// @return number of words
static int call_of(const struct entry *e, const struct command *c, const char **argv)
{
	static const char *const filler[WORDS_MAX] = {
		"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10", "w11",
	};
	int argc = c->arity > 0 ? c->arity : -c->arity + 4;
	if (c->keyspec == KEYS_RANGE && c->step > 1) // MSET wants pairs
		argc -= (argc - c->first) % c->step;
	for (int i = 0; i < argc; i++)
		argv[i] = filler[i];
	argv[0] = c->name;
	if (c->parent) {
		argv[0] = command_rows[c->parent - 1].name;
		argv[1] = c->name + strlen(argv[0]) + 1;
	}
	if (c->keyspec == KEYS_NUMKEYS)
		argv[c->count] = "2";
	return argc;
}

// The commands whose keys take a walk over the arguments.
static int call_with_options(const struct command *c, const char **argv)
{
	static const struct {
		const char *name, *words[WORDS_MAX];
	} calls[] = {
		{"SORT", {"k", "BY", "STORE", "LIMIT", "0", "5", "GET", "g", "STORE", "d"}},
		{"MIGRATE", {"h", "1", "", "0", "9", "AUTH2", "KEYS", "p", "KEYS", "a", "b"}},
		{"GEORADIUS", {"g", "1", "2", "3", "km", "COUNT", "5", "STOREDIST", "d"}},
		{"GEORADIUSBYMEMBER", {"g", "STORE", "3", "km", "STORE", "d"}},
		{"XREAD", {"COUNT", "5", "STREAMS", "a", "b", "0", "0"}},
		{"XREADGROUP", {"GROUP", "STREAMS", "c", "NOACK", "STREAMS", "a", "b", ">", ">"}},
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].name, c->name))
			continue;
		int argc = 1;
		argv[0] = c->name;
		for (; calls[i].words[argc - 1]; argc++)
			argv[argc] = calls[i].words[argc - 1];
		return argc;
	}
	return 0;
}

static redisReply *getkeys(struct server *s, const char **argv, int argc)
{
	const char *words[WORDS_MAX + 2] = {"COMMAND", "GETKEYS"};
	memcpy(words + 2, argv, sizeof(*argv) * (size_t)argc);
	redisContext *redis = server_connect(s);
	redisReply *r = redisCommandArgv(redis, argc + 2, words, NULL);
	assert_non_null(r);
	redisFree(redis);
	return r;
}

// Our keys and the server's, for one call. Where an option names two keys, the server may give them
// in another order.
static bool same_keys(const struct command *c, const char **argv, int argc, const redisReply *r)
{
	struct span words[WORDS_MAX];
	int at[WORDS_MAX];
	for (int i = 0; i < argc; i++)
		words[i] = span_of(argv[i]);
	int n = command_keys(c, words, argc, at, WORDS_MAX);
	if (r->type != REDIS_REPLY_ARRAY || (size_t)n != r->elements)
		return false;
	for (int i = 0; i < n; i++) {
		bool found = false;
		for (int k = 0; k < n; k++)
			found |= strcmp(r->element[k]->str, argv[at[i]]) == 0;
		if (!found)
			return false;
	}
	return true;
}

static int check_keys(struct server *s, const struct entry *e)
{
	const struct command *c = row_of(e);
	// Channels and watched keys are no key arguments to COMMAND GETKEYS.
	if (!c || c->keyspec == KEYS_NONE || c->flags & COMMAND_CONTAINER ||
	    c->class == CLASS_MSG || c->class == CLASS_CONTROL)
		return 0;
	const char *argv[WORDS_MAX];
	int argc = call_with_options(c, argv);
	if (!argc)
		argc = call_of(e, c, argv);
	redisReply *r = getkeys(s, argv, argc);
	bool same = same_keys(c, argv, argc, r);
	if (!same)
		print_error("%s: other keys at the server%s%s\n", c->name,
			    r->type == REDIS_REPLY_ERROR ? ": " : "", r->str ? r->str : "");
	freeReplyObject(r);
	return !same;
}

static void rows_agree_with_the_server(struct world *w)
{
	expect_no_complaints(w, check_row);
}

static void every_write_command_of_the_server_has_a_row(struct world *w)
{
	expect_no_complaints(w, check_write_is_known);
}

static void keys_agree_with_command_getkeys(struct world *w)
{
	expect_no_complaints(w, check_keys);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(rows_agree_with_the_server),
		E2E_TEST(every_write_command_of_the_server_has_a_row),
		E2E_TEST(keys_agree_with_command_getkeys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
