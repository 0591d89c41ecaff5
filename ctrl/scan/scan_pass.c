// SPDX-License-Identifier: BSD-3-Clause
// Going through everything: the databases of the source one after the other, the functions, and
// where wanted the keys of the target that the source does not have.
//
// pass_begin() -> databases_find() ; pass_turn() -> stage_next() -> database_begin()
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/scan/scan_priv.h"

#define SAVE_MS 1000

void scan_note(struct scan *s, const char *format, ...)
{
	char sentence[400];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (s->options->note)
		s->options->note(s->options->arg, sentence);
}

bool extra_keys_go(const struct scan *s)
{
	if (s->options->extra_keys == EXTRA_KEYS_AUTO)
		return s->state.target_was_empty;
	return s->options->extra_keys == EXTRA_KEYS_DELETE;
}

static int side_keys(struct scan *s, enum side side, uint64_t *keys)
{
	struct client *c = &s->scanning.client[side];
	client_ask(c, "INFO keyspace");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return pair_failed(&s->scanning, s->failure);
	*keys = v->type == RESP_STRING ? databases_keys(&s->databases, side, v->text) : 0;
	return 0;
}

static int databases_find(struct scan *s)
{
	uint64_t in_target = 0;
	if (databases_read(&s->databases, &s->scanning, s->source, s->target, s->failure))
		return -1;
	if (side_keys(s, SOURCE, &s->progress->keys_total) || side_keys(s, TARGET, &in_target))
		return -1;
	if (s->state.db < 0 && !s->connected)
		s->state.target_was_empty = in_target == 0;
	return 0;
}

static int database_begin(struct scan *s, const char *cursor)
{
	const int *db = s->databases.pairs[s->at];
	bool sweep = s->stage == STAGE_SWEEP;
	s->progress->db = db[SOURCE];
	return walk_begin(&s->walk, &s->scanning.client[sweep ? TARGET : SOURCE],
			  sweep ? &s->scanning.client[SOURCE] : NULL, db,
			  db[sweep ? TARGET : SOURCE], db[SOURCE], cursor, s->failure);
}

int state_keep(struct scan *s, bool complete)
{
	s->saved_ms = mono_ms();
	s->state.complete = complete;
	snprintf(s->state.run_id, sizeof(s->state.run_id), "%s", s->run_id);
	return s->options->state_dir ? scan_state_write(&s->dir, &s->state, s->failure) : 0;
}

// @param resume  go on where the state says
int pass_begin(struct scan *s, bool resume)
{
	if (databases_find(s))
		return -1;
	s->stage = STAGE_PASS;
	s->at = 0;
	s->progress->keys_seen = 0;
	s->progress->passes++;
	if (resume) {
		while (s->at < s->databases.n && s->databases.pairs[s->at][SOURCE] < s->state.db)
			s->at++;
	} else {
		s->state.db = s->databases.n ? s->databases.pairs[0][SOURCE] : 0;
		strcpy(s->state.cursor, "0");
		s->state.keys = s->state.gone = 0;
	}
	bool same = s->at < s->databases.n && s->databases.pairs[s->at][SOURCE] == s->state.db;
	walk_forget(&s->walk);
	s->progress->keys_seen = s->state.keys;
	if (s->at < s->databases.n && database_begin(s, same ? s->state.cursor : "0"))
		return -1;
	return state_keep(s, false);
}

static int functions_pass(struct scan *s)
{
	struct functions_told *told = &s->progress->functions;
	if (functions_copy(&s->scanning, told, s->failure))
		return -1;
	if (told->refused[0])
		scan_note(s, "functions were not copied: %s", told->refused);
	return 0;
}

static int follow_on(struct scan *s)
{
	if (s->options->follow && s->progress->passes == 1)
		scan_note(s, "following: each key gets the last state of its own; order between "
			     "keys and transactions are not kept, functions are not seen");
	s->stage = s->options->follow ? STAGE_FOLLOW : STAGE_DONE;
	s->sweep = false;
	s->progress->following = s->options->follow;
	s->copier.rests = s->options->follow;
	return state_keep(s, true);
}

// A database, or the last of them, is through.
static int stage_next(struct scan *s)
{
	if (s->at < s->databases.n)
		s->at++;
	if (s->at < s->databases.n)
		return database_begin(s, "0");
	if (!copier_idle(&s->copier))
		return 0;
	if (s->stage == STAGE_PASS)
		s->stage = STAGE_FUNCTIONS;
	if (s->stage == STAGE_FUNCTIONS && functions_pass(s))
		return -1;
	if (s->stage == STAGE_FUNCTIONS && s->sweep) {
		s->stage = STAGE_SWEEP;
		s->at = 0;
		if (s->databases.n)
			return database_begin(s, "0");
	}
	return follow_on(s);
}

void through_take(struct scan *s)
{
	if (s->stage != STAGE_PASS || s->at >= s->databases.n)
		return;
	bool through = walk_is_through(&s->walk);
	s->state.db = s->databases.pairs[s->at][SOURCE] + through;
	snprintf(s->state.cursor, sizeof(s->state.cursor), "%s", through ? "0" : s->walk.through);
	s->state.keys = s->copier.counts.keys;
	s->state.gone = s->copier.counts.gone;
}

int pass_turn(struct scan *s)
{
	if (s->stage == STAGE_FOLLOW || s->stage == STAGE_DONE)
		return 0;
	uint64_t seen = s->walk.seen;
	int moved = walk_turn(&s->walk, &s->copier);
	if (moved < 0)
		return -1;
	s->progress->keys_seen += s->stage == STAGE_PASS ? s->walk.seen - seen : 0;
	through_take(s);
	if (walk_is_through(&s->walk)) {
		if (stage_next(s))
			return -1;
		moved = moved || s->stage == STAGE_DONE;
	}
	if (mono_ms() - s->saved_ms >= SAVE_MS && state_keep(s, s->stage > STAGE_SWEEP))
		return -1;
	return moved;
}
