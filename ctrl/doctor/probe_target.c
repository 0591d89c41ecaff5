// SPDX-License-Identifier: BSD-3-Clause
// probe_target_send() -> batch_put() -> command_put() ; batch_judge() -> exec_judge()
// probe_target_compare() -> keys_gather()
#include "ctrl/doctor/probe_target.h"

#include <stdio.h>
#include <string.h>

#include "ctrl/check/tree.h"
#include "ctrl/clock.h"
#include "parsers/commands.h"
#include "parsers/rewrite.h"

#define KEYS_MAX 16

static void why_put(char *why, struct span text)
{
	size_t len = text.len < PROBE_TEXT_LEN - 1 ? text.len : PROBE_TEXT_LEN - 1;
	for (size_t i = 0; i < len; i++)
		why[i] = text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '.';
	why[len] = 0;
}

// ---- Sending ----------------------------------------------------------------------------------

// @param names_unknown  out: the name, when the table has no row for it
// @return how many commands were put: none of what a link leaves out
static unsigned command_put(struct client *target, const struct probe_command *c,
			    struct span *unknown)
{
	struct span sub = c->argc > 1 ? c->argv[1] : (struct span){"", 0};
	const struct command *row = command_find(c->argv[0], sub);
	if (!row)
		*unknown = c->argv[0];
	else if (row->flags & (COMMAND_FRAME | COMMAND_NEVER))
		return 0;
	struct span argv[PROBE_ARGS_MAX + REWRITE_GROWTH];
	struct rewrite w = {.argv = argv, .room = PROBE_ARGS_MAX + REWRITE_GROWTH};
	struct rewrite_rules rules = {.received_ms = (int64_t)wall_ms(),
				      .now_ms = (int64_t)wall_ms()};
	// As a link does: what cannot be rewritten goes as it came, for the target to judge.
	if (row && rewrite_command(row, c->argv, (int)c->argc, &rules, &w) == REWRITE_CHANGED)
		client_put(target, (unsigned)w.argc, w.argv);
	else
		client_put(target, c->argc, c->argv);
	return 1;
}

static unsigned batch_put(struct client *target, const struct probe_names *names,
			  const struct probe_list *const parts[2], struct span *unknown)
{
	char key[PROBE_PREFIX_LEN + 8];
	unsigned n = 0;
	client_ask(target, "MULTI");
	for (unsigned p = 0; p < 2; p++)
		for (unsigned i = 0; i < parts[p]->n; i++)
			n += command_put(target, &parts[p]->list[i], unknown);
	snprintf(key, sizeof(key), "%smarker", names->prefix);
	client_ask(target, "SET %b 1", span_of(key));
	client_ask(target, "EXEC");
	return n;
}

static void refusal_put(struct span error, enum probe_verdict *verdict, char *why)
{
	*verdict = PROBE_TARGET_REFUSES;
	why_put(why, error);
}

// A failure of a command inside the transaction, which the others do not mind.
static void exec_judge(const struct resp_value *v, unsigned n, enum probe_verdict *verdict,
		       char *why)
{
	for (unsigned i = 1; i < n; i = tree_skip(v, n, i)) {
		if (v[i].type != RESP_ERROR)
			continue;
		refusal_put(v[i].text, verdict, why);
		return;
	}
}

// Whether a target is in a state in which it takes no writes, whatever they are.
static bool is_a_state(struct span error)
{
	static const char *const words[] = {"OOM ",       "MISCONF ", "READONLY ",
					    "NOREPLICAS ", "LOADING ", "BUSY "};
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (error.len > strlen(words[i]) && !memcmp(error.p, words[i], strlen(words[i])))
			return true;
	return false;
}

// What MULTI, the commands, the marker and EXEC were answered.
static int batch_judge(struct client *target, unsigned n_commands, enum probe_verdict *verdict,
		       char *why, struct failure *f)
{
	bool refused = false, fails = false;
	char error[200] = "";
	for (unsigned i = 0; i < n_commands + 3; i++) {
		unsigned n;
		const struct resp_value *v = client_next(target, &n);
		if (!v) {
			*f = target->failure;
			return -1;
		}
		bool of_command = i > 0 && i <= n_commands;
		if (v->type == RESP_ARRAY && i == n_commands + 2)
			exec_judge(v, n, verdict, why);
		if (v->type != RESP_ERROR || refused || fails)
			continue; // the first one is what it is about
		fails = !of_command || is_a_state(v->text);
		refused = !fails;
		if (fails)
			snprintf(error, sizeof(error), "%.*s",
				 (int)(v->text.len < 199 ? v->text.len : 199), v->text.p);
		else
			refusal_put(v->text, verdict, why);
	}
	return fails ? client_refused(target, "a transaction", span_of(error), f) : 0;
}

int probe_target_send(struct client *target, const struct probe_names *names,
		      const struct probe_list *const parts[2], enum probe_verdict *verdict,
		      char *why, struct failure *f)
{
	struct span unknown = {"", 0};
	unsigned n = batch_put(target, names, parts, &unknown);
	if (batch_judge(target, n, verdict, why, f))
		return -1;
	if (*verdict == PROBE_OK && unknown.len) {
		*verdict = PROBE_UNKNOWN;
		why_put(why, unknown);
	}
	return 0;
}

// ---- Comparing --------------------------------------------------------------------------------

static unsigned keys_gather(const struct probe_list *l, const struct probe_names *names,
			    struct subject *keys, unsigned n)
{
	for (unsigned i = 0; i < l->n; i++)
		for (unsigned k = 1; k < l->list[i].argc && n < KEYS_MAX; k++) {
			struct span word = l->list[i].argv[k];
			bool known = !probe_is_key(names, word);
			for (unsigned j = 0; j < n && !known; j++)
				known = span_eq(keys[j].key, word);
			if (!known)
				keys[n++] = (struct subject){.key = word};
		}
	return n;
}

int probe_target_compare(struct compare *c, const struct probe_names *names,
			 const struct probe_list *const parts[2], enum probe_verdict *verdict,
			 char *why)
{
	struct subject keys[KEYS_MAX];
	unsigned n = keys_gather(parts[1], names, keys, keys_gather(parts[0], names, keys, 0));
	if (subjects_compare(c, keys, n))
		return -1;
	for (unsigned i = 0; i < n; i++) {
		if (keys[i].difference == DIFF_NONE)
			continue;
		size_t len = strlen(names->prefix);
		*verdict = PROBE_VALUE_DIFFERS;
		snprintf(why, PROBE_TEXT_LEN, "@%.*s %s", (int)(keys[i].key.len - len),
			 keys[i].key.p + len, difference_sentence(keys[i].difference));
		break;
	}
	return 0;
}
