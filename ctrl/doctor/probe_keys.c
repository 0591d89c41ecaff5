// SPDX-License-Identifier: BSD-3-Clause
// probe_keys_judge() -> call_read(), call_put() ; answer_judge() -> keys_same()
#include "ctrl/doctor/probe_keys.h"

#include <stdio.h>

#include "ctrl/doctor/probe_cases.h"
#include "parsers/commands.h"

#define TOLD_MAX 8

struct call {
	struct probe_list words;
	const struct command *row;
};

// @return false for what cannot be asked: transactions, and channels, which are no keys
static bool call_read(struct call *c, const struct probe_case *row, const struct probe_names *names)
{
	if (probe_list_read(&c->words, span_of(row->command), names) || c->words.n != 1)
		return false;
	const struct probe_command *w = &c->words.list[0];
	c->row = command_find(w->argv[0], w->argc > 1 ? w->argv[1] : (struct span){"", 0});
	return c->row && c->row->class != CLASS_MSG;
}

static void call_put(struct client *source, const struct call *c)
{
	struct span argv[PROBE_ARGS_MAX + 2] = {SPAN_LIT("COMMAND"), SPAN_LIT("GETKEYS")};
	const struct probe_command *w = &c->words.list[0];
	memcpy(argv + 2, w->argv, w->argc * sizeof(*argv));
	client_put(source, w->argc + 2, argv);
}

// The same keys in any order: where an option names one, servers differ in that.
static bool keys_same(const struct call *c, const struct resp_value *v, unsigned n)
{
	const struct probe_command *w = &c->words.list[0];
	int at[PROBE_ARGS_MAX];
	int ours = command_keys(c->row, w->argv, (int)w->argc, at, PROBE_ARGS_MAX);
	if (ours < 0 || (unsigned)ours + 1 != n)
		return false;
	for (unsigned i = 1; i < n; i++) {
		bool found = false;
		for (int k = 0; k < ours; k++)
			found |= span_eq(v[i].text, w->argv[at[k]]);
		if (!found)
			return false;
	}
	return true;
}

static bool is_without_keys(const struct resp_value *v)
{
	static const char words[] = "no key arguments";
	return v->type == RESP_ERROR &&
	       memmem(v->text.p, v->text.len, words, sizeof(words) - 1) != NULL;
}

static bool agrees(const struct call *c, const struct resp_value *v, unsigned n)
{
	if (is_without_keys(v))
		return c->row->keyspec == KEYS_NONE;
	return v->type != RESP_ARRAY || keys_same(c, v, n);
}

static void tell(const struct call *c, const struct probe_names *names, const struct resp_value *v,
		 unsigned n, struct findings *f)
{
	char call[200], keys[200];
	struct probe_list told = {0};
	struct span argv[PROBE_ARGS_MAX];
	unsigned argc = 0;
	for (unsigned i = 1; i < n && argc < PROBE_ARGS_MAX; i++)
		argv[argc++] = v[i].text;
	if (argc)
		probe_list_add(&told, argc, argv);
	f->check = "probe-keys";
	finding_put(f, SEVERITY_WARNING, NULL,
		    "the source says that the keys of `%s` are: %s; Flyover finds others: use one "
		    "lane (the default), where that does not matter, and report it",
		    probe_list_text(&c->words, names, call, sizeof(call)),
		    probe_list_text(&told, names, keys, sizeof(keys)));
}

int probe_keys_judge(struct client *source, const struct probe_names *names, struct findings *f,
		     struct failure *failure)
{
	const struct command *last = NULL;
	struct call c;
	unsigned n_rows, n, told = 0;
	const struct probe_case *rows = probe_cases(&n_rows);
	for (unsigned i = 0; i < n_rows; i++)
		if (call_read(&c, &rows[i], names))
			call_put(source, &c);
	for (unsigned i = 0; i < n_rows; i++) {
		if (!call_read(&c, &rows[i], names))
			continue;
		const struct resp_value *v = client_next(source, &n);
		if (!v) {
			*failure = source->failure;
			return -1;
		}
		if (c.row == last || agrees(&c, v, n) || told++ >= TOLD_MAX)
			continue;
		last = c.row; // a verb's cases stand together
		tell(&c, names, v, n, f);
	}
	return 0;
}
