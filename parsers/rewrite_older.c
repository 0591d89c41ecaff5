// SPDX-License-Identifier: BSD-3-Clause
// older_apply() -> row_fits() -> instead_take() -> words_put() | script_put() | cuts_put()
#include "parsers/rewrite_older.h"

#include <stdio.h>

#include "parsers/rewrite.h"

enum instead {
	INSTEAD_KNOWN,
	INSTEAD_CUT,
	INSTEAD_PARK,
	INSTEAD_FILTER,
	INSTEAD_RESYNC,
	INSTEAD_FIELD_TTL,
	INSTEAD_RESTORE,
	INSTEAD_EVAL,
	INSTEAD_WORDS,
};

struct older_row {
	const char *option; // NULL: the command itself
	const char *text;   // words, or a script
	uint16_t since_redis, since_valkey;
	uint8_t instead;    // enum instead
	uint8_t at;         // where options begin
	uint8_t more_than;  // only calls of more words than this; 0: any
};

#include "parsers/older_table.inc"

#define ROWS_MAX 16 // of one command

// The command at hand.
struct call {
	const struct older *o;
	const struct command *c;
	const struct span *argv;
	int argc;
	const struct older_row *rows;
	int n_rows;
	struct place {
		int at, n; // words; n 0: it is not there
	} found[ROWS_MAX]; // the option of each row
	int options_end;
	struct place cuts[ROWS_MAX];
	int n_cuts;
};

static bool lacks(const struct older *o, uint16_t since_redis, uint16_t since_valkey)
{
	uint16_t since = o->target.valkey ? since_valkey : since_redis;
	return since == 0 || since > o->target.at;
}

// Commands of modules tell nothing by the release of the server.
static bool may_ask(const struct command *c)
{
	return !(c->flags & (COMMAND_NEVER | COMMAND_FRAME)) && !strchr(c->name, '.');
}

void older_init(struct older *o, const struct server_version *target, bool field_ttl_drop)
{
	*o = (struct older){.target = *target, .field_ttl_drop = field_ttl_drop};
	assert(command_row_count <= OLDER_ROWS_MAX);
	for (size_t i = 0; i < command_row_count && target->at; i++) {
		const struct command *c = &command_rows[i];
		const struct older_row *rows = &older_rows[older_index[i].first];
		bool asks = lacks(o, c->since_redis, c->since_valkey);
		for (int k = 0; k < older_index[i].n; k++)
			asks |= lacks(o, rows[k].since_redis, rows[k].since_valkey);
		o->asks[i] = asks && may_ask(c);
		o->any |= o->asks[i];
	}
}

// ---- Options

// The next word of a text, its end.
static const char *word_end(const char *p)
{
	return p + strcspn(p, " ");
}

// How many words an option of this form takes, when it stands at argv[at]; 0 when it does not.
static int option_words(const char *option, const struct call *in, int at)
{
	int i = at;
	for (const char *p = option, *end; *p; p = end + (*end == ' ')) {
		end = word_end(p);
		struct span form = {p, (size_t)(end - p)};
		if (i >= in->argc)
			return 0;
		if (*p == '[') {
			struct span sign = in->argv[i];
			i += sign.len == 1 && memchr(p + 1, sign.p[0], form.len - 2);
			continue;
		}
		if (*p >= 'A' && *p <= 'Z' && (in->argv[i].len != form.len ||
					       strncasecmp(in->argv[i].p, p, form.len) != 0))
			return 0;
		i++;
	}
	return i - at;
}

static int option_take(struct call *in, int at)
{
	for (int i = 0; i < in->n_rows; i++) {
		int words = in->rows[i].option ? option_words(in->rows[i].option, in, at) : 0;
		if (!words)
			continue;
		in->found[i].at = at;
		in->found[i].n = words;
		return words;
	}
	return 0;
}

// Which options there are, up to the first word that is none.
static void options_find(struct call *in)
{
	int at = 0, words = 1;
	for (int i = 0; i < in->n_rows && !at; i++)
		at = in->rows[i].option ? in->rows[i].at : 0;
	while (at && words && at < in->argc && in->argv[at].len && in->argv[at].p[0] >= 'A')
		at += words = option_take(in, at);
	in->options_end = at;
}

// ---- Composing

static void command_begin(struct older_form *f)
{
	assert(f->n_commands < OLDER_COMMANDS_MAX);
	f->commands[f->n_commands++] = (struct older_command){.first_run = f->n_runs};
}

static void run_put(struct older_form *f, const struct span *words, int n)
{
	struct older_command *c = &f->commands[f->n_commands - 1];
	assert(f->n_runs < OLDER_RUNS_MAX);
	if (n <= 0)
		return;
	f->runs[f->n_runs++] = (struct older_run){words, n};
	c->n_runs++;
	c->argc += n;
}

static void literal_put(struct older_form *f, struct span word)
{
	assert(f->n_literals < OLDER_LITERALS_MAX);
	f->literals[f->n_literals] = word;
	run_put(f, &f->literals[f->n_literals++], 1);
}

void older_form_of(struct older_form *f, const struct span *argv, int argc)
{
	f->n_commands = f->n_runs = f->n_literals = f->main = 0;
	f->degraded = false;
	f->row = NULL;
	command_begin(f);
	run_put(f, argv, argc);
}

// One "$" of a text. @param option  where the option stands that the row is about
static void argument_put(struct older_form *f, const struct call *in, struct span word, int option)
{
	bool rest = word.len > 2 && word.p[word.len - 1] == '.';
	int at = option + 1, n = 1;
	if (word.p[1] == '*')
		at = in->options_end;
	else if (word.p[1] != 'o')
		at = word.p[1] - '0';
	if (rest)
		n = in->argc - at;
	if (at < in->argc)
		run_put(f, &in->argv[at], n);
}

static void words_put(struct older_form *f, const struct call *in, const char *text, int option)
{
	command_begin(f);
	for (const char *p = text, *end; *p; p = end + (*end == ' ')) {
		end = word_end(p);
		struct span word = {p, (size_t)(end - p)};
		if (*p == ';')
			command_begin(f);
		else if (*p == '$')
			argument_put(f, in, word, option);
		else
			literal_put(f, word);
	}
}

// EVAL script n key .. word ..: all words but the name, so that a script reads them as they stand.
// Keys that do not lie side by side are not declared: only a cluster would want that.
static void script_put(struct older_form *f, const struct call *in, const char *script)
{
	struct key_run run = {0};
	int n = 1, first = 1;
	if (!command_key_run(in->c, in->argv, in->argc, &run) && run.n > 0 && !run.head) {
		first = run.first;
		n = run.step == 1 ? run.n : 1;
	}
	command_begin(f);
	literal_put(f, SPAN_LIT("EVAL"));
	literal_put(f, span_of(script));
	int len = snprintf(f->number, sizeof(f->number), "%d", n);
	literal_put(f, (struct span){f->number, (size_t)len});
	run_put(f, &in->argv[first], n);
	run_put(f, &in->argv[1], in->argc - 1);
}

static void cuts_put(struct older_form *f, const struct call *in)
{
	int at = 0;
	command_begin(f);
	while (at < in->argc) {
		int next = in->argc, n = 0;
		for (int i = 0; i < in->n_cuts; i++) {
			if (in->cuts[i].at >= at && in->cuts[i].at < next) {
				next = in->cuts[i].at;
				n = in->cuts[i].n;
			}
		}
		run_put(f, &in->argv[at], next - at);
		at = next + n;
	}
}

// RESTORE key ttl payload options: an absolute time goes by a command of its own, which no delay on
// the way can put off; what a payload replaces goes before it where RESTORE does not see to it.
static void restore_put(struct older_form *f, const struct call *in)
{
	bool absolute = false, replaces = false;
	for (int i = 0; i < in->n_rows; i++) {
		const struct older_row *r = &in->rows[i];
		if (!strcmp(r->option, "ABSTTL"))
			absolute = in->found[i].n && !span_eq(in->argv[2], SPAN_LIT("0"));
		if (!strcmp(r->option, "REPLACE"))
			replaces = !lacks(in->o, r->since_redis, r->since_valkey);
	}
	if (!replaces)
		words_put(f, in, "DEL $1", 0);
	f->main = f->n_commands;
	words_put(f, in, absolute ? "RESTORE $1 0 $3" : "RESTORE $1 $2 $3", 0);
	if (replaces)
		literal_put(f, SPAN_LIT("REPLACE"));
	if (absolute)
		words_put(f, in, "PEXPIREAT $1 $2", 0);
}

// A text may ask for words that a malformed command does not have, or for a command that a still
// older target has not either.
static bool form_fits(const struct older *o, const struct older_form *f)
{
	for (int i = 0; i < f->n_commands; i++) {
		const struct older_command *c = &f->commands[i];
		const struct command *row =
			command_find(f->runs[c->first_run].words[0], (struct span){"", 0});
		if (!row || !command_arity_fits(row, c->argc) ||
		    lacks(o, row->since_redis, row->since_valkey))
			return false;
	}
	return true;
}

// ---- Rows

static bool row_fits(const struct call *in, int i)
{
	const struct older_row *r = &in->rows[i];
	if (!lacks(in->o, r->since_redis, r->since_valkey) || in->argc <= r->more_than)
		return false;
	return !r->option || in->found[i].n;
}

static enum older_result instead_take(
	const struct call *in, const struct older_row *r, int at, struct older_form *f)
{
	switch ((enum instead)r->instead) {
	case INSTEAD_FILTER:
		return OLDER_FILTER;
	case INSTEAD_RESYNC:
		return OLDER_RESYNC;
	case INSTEAD_RESTORE:
		restore_put(f, in);
		break;
	case INSTEAD_EVAL:
		script_put(f, in, r->text);
		break;
	case INSTEAD_WORDS:
		words_put(f, in, r->text, at);
		break;
	default:
		return OLDER_PARK;
	}
	return form_fits(in->o, f) ? OLDER_FORM : OLDER_PARK;
}

// @return OLDER_SAME: the next row is to be looked at
static enum older_result row_take(struct call *in, int i, struct older_form *f)
{
	const struct older_row *r = &in->rows[i];
	if (r->instead == INSTEAD_KNOWN || !row_fits(in, i))
		return OLDER_SAME;
	if (r->instead == INSTEAD_CUT) {
		in->cuts[in->n_cuts++] = in->found[i];
		return OLDER_SAME;
	}
	f->row = r;
	if (r->instead == INSTEAD_FIELD_TTL && in->o->field_ttl_drop) {
		f->degraded = true;
		return OLDER_SAME;
	}
	return instead_take(in, r, in->found[i].at, f);
}

enum older_result older_apply(
	const struct older *o, const struct command *c, const struct span *argv, int argc,
	struct older_form *f)
{
	size_t index = (size_t)(c - command_rows);
	struct call in = {
		.o = o, .c = c, .argv = argv, .argc = argc,
		.rows = &older_rows[older_index[index].first], .n_rows = older_index[index].n};
	f->n_commands = f->n_runs = f->n_literals = f->main = 0;
	f->degraded = false;
	f->row = NULL;
	assert(in.n_rows <= ROWS_MAX);
	options_find(&in);
	for (int i = 0; i < in.n_rows; i++) {
		enum older_result result = row_take(&in, i, f);
		if (result != OLDER_SAME)
			return result;
	}
	if (lacks(o, c->since_redis, c->since_valkey))
		return OLDER_PARK;
	if (!in.n_cuts)
		return OLDER_SAME;
	cuts_put(f, &in);
	return OLDER_FORM;
}

// The safe form of some commands has another name.
static bool is_renamed(const struct command *c)
{
	return c->rewrite >= REWRITE_TO_SET || c->rewrite == REWRITE_GETEX ||
	       c->rewrite == REWRITE_HGETDEL;
}

bool older_reaches(const struct older *o, const struct command *c)
{
	size_t index = (size_t)(c - command_rows);
	if (!lacks(o, c->since_redis, c->since_valkey) || is_renamed(c))
		return true;
	for (int i = 0; i < older_index[index].n; i++) {
		const struct older_row *r = &older_rows[older_index[index].first + i];
		if (r->option || r->more_than || r->instead == INSTEAD_KNOWN)
			continue;
		if (r->instead == INSTEAD_FIELD_TTL && o->field_ttl_drop)
			continue;
		return r->instead != INSTEAD_PARK && r->instead != INSTEAD_FIELD_TTL;
	}
	return false;
}

void older_reason(
	const struct server_version *target, const struct command *c, const struct older_row *r,
	char out[OLDER_REASON_LEN])
{
	bool valkey = target->valkey;
	const char *family = valkey ? "Valkey" : "Redis", *option = r ? r->option : NULL;
	unsigned since = valkey ? c->since_valkey : c->since_redis;
	if (option)
		since = valkey ? r->since_valkey : r->since_redis;
	char more[16] = "";
	if (since)
		snprintf(more, sizeof(more), " %u.%u", since >> 8, since & 0xff);
	snprintf(out, OLDER_REASON_LEN, "%s%s%.*s %s %s%s, and the target is %s %u.%u%s", c->name,
		 option ? " " : "", option ? (int)(word_end(option) - option) : 0,
		 option ? option : "", since ? "came with" : "is not known to", family, more,
		 valkey ? "valkey" : "redis", target->at >> 8, target->at & 0xff,
		 r && r->instead == INSTEAD_FIELD_TTL ? "; field-ttl=drop leaves the expiry out"
						      : "");
}
