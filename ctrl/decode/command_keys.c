// SPDX-License-Identifier: BSD-3-Clause
// command_keys_each() -> row_take() -> whole_each() | word_look()
#include "ctrl/decode/command_keys.h"

#include <limits.h>

static void row_take(struct command_keys *k, struct span name, struct span sub)
{
	k->row = command_find(name, sub);
	k->unknown = !k->row;
	k->run = (struct key_run){0};
}

static void whole_each(struct command_keys *k, const struct aof_event *ev, command_key *found,
		       void *arg)
{
	if (k->unknown && ev->argc > 1)
		found(arg, ev->argv[1], true);
	if (k->unknown || command_key_run(k->row, ev->argv, (int)ev->argc, &k->run))
		return;
	for (int i = 0; i < k->run.n; i++)
		found(arg, ev->argv[key_run_at(&k->run, i)],
		      command_writes_key(k->row, i, k->run.n));
}

// The name of a long command has come: where its keys will be.
static void run_expect(struct command_keys *k, uint32_t argc)
{
	int first = k->row ? k->row->first : 1;
	if (k->row && k->row->keyspec == KEYS_NONE)
		return;
	if (k->row && k->row->keyspec == KEYS_RANGE &&
	    !command_key_run(k->row, NULL, (int)argc, &k->run))
		return;
	k->run = (struct key_run){.n = first > 0, .first = first, .step = 1};
}

static void word_look(const struct command_keys *k, const struct aof_event *ev, command_key *found,
		      void *arg)
{
	int at = (int)ev->index - k->run.first, step = k->run.step;
	if (!k->run.n || at < 0 || at % step || at / step >= k->run.n)
		return;
	if (ev->word.len == ev->word_len) // no server takes keys that are longer than a piece
		found(arg, ev->word,
		      k->unknown || (k->run.n == 1
					     ? k->row->written != WRITTEN_NONE
					     : command_writes_key(k->row, at / step, k->run.n)));
}

void command_keys_each(struct command_keys *k, const struct aof_event *ev, command_key *found,
		       void *arg)
{
	static const struct span none = {NULL, 0};
	if (ev->kind == AOF_COMMAND) {
		row_take(k, ev->argv[0], ev->argc > 1 ? ev->argv[1] : none);
		whole_each(k, ev, found, arg);
	} else if (ev->kind == AOF_BIG_WORD && ev->index == 0 && ev->word_at == 0) {
		row_take(k, ev->word, none);
		run_expect(k, ev->argc);
	} else if (ev->kind == AOF_BIG_WORD) {
		word_look(k, ev, found, arg);
	}
}
