// SPDX-License-Identifier: BSD-3-Clause
// form_find() -> rewrite_command() -> older_apply()
// form_add() -> command_add() -> word_add()
#include "dataplane/route/route_priv.h"

#include <string.h>

void route_target_take(struct route *r)
{
	struct server_version target = lane_release(r->place->feeds[0].lane);
	older_init(&r->older, &target, r->config->settings.field_ttl == FIELD_TTL_DROP);
	r->restores = (struct rewrite_target){server_rdb_version(&target), target.valkey};
}

// ---- Which form

static void form_begin(struct form *f, const struct command *c, const struct span *argv, int argc)
{
	f->fate = FORM_BYTES;
	f->command = c;
	f->argv = argv;
	f->argc = argc;
	f->rewritten = false;
	f->why = NULL;
	f->dbs = NULL;
	f->words.degraded = false;
	f->words.row = NULL;
}

void form_of_words(struct form *f, const struct span *argv, int argc)
{
	form_begin(f, command_find(argv[0], (struct span){"", 0}), argv, argc);
	f->fate = FORM_WORDS;
	older_form_of(&f->words, argv, argc);
}

void form_of_part(struct route *r, struct form *f, const struct command *c, const struct span *argv,
		  int argc)
{
	form_begin(f, c, argv, argc);
	f->fate = FORM_WORDS;
	if (!older_asks(&r->older, c) ||
	    older_apply(&r->older, c, argv, argc, &f->words) != OLDER_FORM)
		older_form_of(&f->words, argv, argc);
}

void form_withheld(struct form *f, const struct command *c, const struct span *argv, int argc,
		   const char *why)
{
	form_begin(f, c, argv, argc);
	f->fate = FORM_WITHHELD;
	f->why = why;
}

// Safe to run again, and with a footer that the target takes.
static void form_rewrite(struct route *r, const struct rewrite_rules *rules, struct form *f)
{
	f->rewrite.argv = r->argv_new;
	f->rewrite.room = f->argc + REWRITE_GROWTH;
	switch (rewrite_command(f->command, f->argv, f->argc, rules, &f->rewrite)) {
	case REWRITE_CHANGED:
		f->fate = FORM_WORDS;
		f->rewritten = true;
		f->command = f->rewrite.command;
		f->argv = f->rewrite.argv;
		f->argc = f->rewrite.argc;
		break;
	case REWRITE_REFUSED: // of a malformed one the target says what it thinks of it
		if (f->rewrite.reason != REWRITE_FOOTER)
			break;
		f->fate = FORM_WITHHELD;
		f->why = rewrite_reason_text(f->rewrite.reason);
		break;
	case REWRITE_UNCHANGED:
		break;
	}
}

void form_find(struct route *r, const struct command *c, const struct rewrite_rules *rules,
	       struct form *f)
{
	form_begin(f, c, r->argv, (int)r->frame.argc);
	if (c->flags & COMMAND_REWRITE)
		form_rewrite(r, rules, f);
	if (f->fate == FORM_WITHHELD)
		return;
	enum older_result result = OLDER_SAME;
	if (older_asks(&r->older, f->command))
		result = older_apply(&r->older, f->command, f->argv, f->argc, &f->words);
	switch (result) {
	case OLDER_SAME:
		if (f->rewritten || r->words_changed)
			older_form_of(&f->words, f->argv, f->argc);
		if (r->words_changed)
			f->fate = FORM_WORDS;
		break;
	case OLDER_FORM:
		f->fate = FORM_WORDS;
		break;
	case OLDER_PARK:
		f->fate = FORM_WITHHELD;
		break;
	case OLDER_FILTER:
		f->fate = FORM_FILTERED;
		break;
	case OLDER_RESYNC:
		f->fate = FORM_RESYNC;
		break;
	}
}

// ---- Composing

// A giant's words may be millions; those that came as they go are sent with their header as it
// stands before them, so that they take no text.
//
// @return bytes of that header, 0 when there is none
static size_t word_stands(const struct route *r, struct span word)
{
	char head[24];
	const char *end = r->bytes + (r->frame.end - r->frame.begin);
	if (r->giant.state == GIANT_NONE || word.p < r->bytes || word.p + word.len + 2 > end)
		return 0;
	head[0] = '$';
	size_t len = 1 + decimal_write(head + 1, word.len);
	head[len++] = '\r';
	head[len++] = '\n';
	bool stands = (size_t)(word.p - r->bytes) > len && !memcmp(word.p - len, head, len) &&
		      !memcmp(word.p + word.len, "\r\n", 2);
	return stands ? len : 0;
}

size_t form_text_len(const struct route *r, const struct form *f)
{
	size_t need = FORM_TEXT_MAX + (f->dbs ? f->dbs->n * 4 * BATCH_HEAD_LEN : 0);
	for (int i = 0; f->fate == FORM_WORDS && i < f->words.n_runs; i++) {
		const struct older_run *run = &f->words.runs[i];
		for (int k = 0; k < run->n; k++)
			need += word_stands(r, run->words[k]) ? 0
							      : batch_arg_len(run->words[k], true);
	}
	return need;
}

// The payload whose footer is another.
static bool is_payload(const struct form *f, const struct span *word)
{
	return f->rewritten && f->rewrite.footer_at &&
	       word == &f->rewrite.argv[f->rewrite.footer_at];
}

// Words in the log stay where they are; the rest is short.
static int word_add(const struct route *r, struct batch *b, const struct form *f,
		    const struct span *word)
{
	if (is_payload(f, word)) {
		struct span body = {word->p, word->len - RDB_FOOTER_LEN};
		struct span footer = {(const char *)f->rewrite.footer, RDB_FOOTER_LEN};
		return batch_arg_parts(b, body, true, footer);
	}
	size_t head_len = word_stands(r, *word);
	return head_len ? batch_refer(b, word->p - head_len, head_len + word->len + 2)
			: batch_arg(b, *word, true);
}

static int command_add(const struct route *r, struct batch *b, const struct form *f, int i)
{
	const struct older_command *c = &f->words.commands[i];
	int rc = batch_head(b, (unsigned)c->argc);
	for (int k = c->first_run; k < c->first_run + c->n_runs; k++)
		for (int w = 0; w < f->words.runs[k].n && !rc; w++)
			rc = word_add(r, b, f, &f->words.runs[k].words[w]);
	return rc;
}

static int withheld_add(struct route *r, struct batch *b, const struct form *f, int32_t db)
{
	struct batch_withheld w = {
		.offset = r->frame.begin,
		.bytes = {r->bytes, (size_t)(r->frame.end - r->frame.begin)},
		.command = f->command,
		.row = f->words.row,
		.why = f->why,
		.db = db,
	};
	return batch_withhold(b, &w);
}

// The same in several databases is one command still.
static int databases_add(struct route *r, struct batch *b, const struct form *f)
{
	int rc = 0;
	for (uint32_t i = 0; i < f->dbs->n && !rc; i++) {
		enum item_kind kind = i ? ITEM_INTERNAL : ITEM_COMMAND;
		rc = batch_item_begin(b, r->frame.begin, (int32_t)f->dbs->pairs[i].to, kind);
		rc = rc ? rc : command_add(r, b, f, 0);
	}
	return rc;
}

int form_add(struct route *r, struct batch *b, const struct form *f, int32_t db)
{
	if (f->fate == FORM_WITHHELD)
		return withheld_add(r, b, f, db);
	if (f->dbs)
		return databases_add(r, b, f);
	int rc = 0;
	for (int i = 0; i < f->words.n_commands && !rc; i++) {
		enum item_kind kind = i == f->words.main ? ITEM_COMMAND : ITEM_INTERNAL;
		rc = batch_item_begin(b, r->frame.begin, db, kind);
		rc = rc ? rc : command_add(r, b, f, i);
	}
	return rc;
}

// ---- Commands of ours

size_t form_of_ours(const struct route *r, const struct span *argv, int argc, struct older_form *f)
{
	const struct command *c = command_find(argv[0], (struct span){"", 0});
	size_t need = FORM_TEXT_MAX;
	if (!older_asks(&r->older, c) ||
	    older_apply(&r->older, c, argv, argc, f) != OLDER_FORM)
		older_form_of(f, argv, argc);
	for (int i = 0; i < f->n_runs; i++)
		for (int k = 0; k < f->runs[i].n; k++)
			need += batch_arg_len(f->runs[i].words[k], false);
	return need;
}

int form_of_ours_add(struct batch *b, const struct older_form *f, uint64_t offset, int32_t db,
		     enum item_kind kind, bool stable)
{
	int rc = 0;
	for (int i = 0; i < f->n_commands && !rc; i++) {
		const struct older_command *c = &f->commands[i];
		rc = batch_item_begin(b, offset, db, kind);
		rc = rc ? rc : batch_head(b, (unsigned)c->argc);
		for (int k = c->first_run; k < c->first_run + c->n_runs; k++)
			for (int w = 0; w < f->runs[k].n && !rc; w++)
				rc = batch_arg(b, f->runs[k].words[w], stable);
	}
	return rc;
}
