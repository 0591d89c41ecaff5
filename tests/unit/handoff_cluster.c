// SPDX-License-Identifier: BSD-3-Clause
// The servers and the clients of the model. Every write has a number of its own, so that what is
// lost, repeated or in another order shows.
#include <stdio.h>
#include <string.h>

#include "parsers/cluster.h"
#include "tests/unit/handoff_model.h"

void trace(const struct model *m, unsigned slot, const char *format, ...)
{
	va_list args;
	if (m->traced != (int)slot)
		return;
	printf("%" PRIu64 " slot %u ", m->now, slot);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

// ---- Commands on a state. "SET key v", "APPEND key v", "DEL key ..", "RESTORE-ASKING key 0 v"

static char names[SLOTS][KEYS][16];

void names_make(void)
{
	for (unsigned slot = 0; slot < SLOTS; slot++)
		for (unsigned key = 0; key < KEYS; key++)
			snprintf(names[slot][key], sizeof(names[slot][key]), "{%s}%u",
				 cluster_tag((uint16_t)(slot * 100)), key);
}

void key_name(char out[32], unsigned slot, unsigned key)
{
	memcpy(out, names[slot][key], sizeof(names[slot][key]));
}

bool key_parse(struct span name, unsigned *slot, unsigned *key)
{
	if (!name.len || *name.p != '{')
		return false;
	*key = (unsigned)(name.p[name.len - 1] - '0');
	for (*slot = 0; *slot < SLOTS; ++*slot)
		if (*key < KEYS && !memcmp(name.p, names[*slot][*key], name.len))
			return true;
	return false;
}

int words_of(const char *text, struct span argv[WORDS])
{
	int argc = 0;
	for (; *text; text += *text == ' ') {
		size_t len = strcspn(text, " ");
		assert_true(argc < WORDS);
		argv[argc++] = (struct span){text, len};
		text += len;
	}
	return argc;
}

void state_run(struct state *s, const struct span *argv, int argc)
{
	unsigned slot, key;
	for (int i = 1; i < argc; i++) {
		if (!key_parse(argv[i], &slot, &key))
			continue;
		char *v = s->of[slot][key];
		struct span given = argv[argc - 1];
		size_t len = strlen(v);
		if (span_eq(argv[0], SPAN_LIT("APPEND")))
			snprintf(v + len, VALUE_LEN - len, "%.*s", (int)given.len, given.p);
		else if (span_eq(argv[0], SPAN_LIT("MSET")))
			snprintf(v, VALUE_LEN, "%.*s", (int)argv[i + 1].len, argv[i + 1].p);
		else if (span_eq(argv[0], SPAN_LIT("DEL")) || span_eq(argv[0], SPAN_LIT("UNLINK")))
			*v = 0;
		else
			snprintf(v, VALUE_LEN, "%.*s", (int)given.len, given.p);
	}
}

bool is_of_slot(const struct span *argv, int argc, unsigned slot)
{
	unsigned s, key;
	for (int i = 1; i < argc; i++)
		if (key_parse(argv[i], &s, &key) && s == slot)
			return true;
	return span_eq(argv[0], SPAN_LIT("CLUSTER")) || span_eq(argv[0], SPAN_LIT("TRIMSLOTS"));
}

bool is_control(const struct span *argv)
{
	return span_eq(argv[0], SPAN_LIT("CLUSTER")) || span_eq(argv[0], SPAN_LIT("TRIMSLOTS"));
}

// A shard carries a command out.
static void say(struct model *m, unsigned shard, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct model *m, unsigned shard, const char *format, ...)
{
	struct shard *s = &m->shards[shard];
	struct span argv[WORDS];
	va_list args;
	assert_true(s->n < STREAM_MAX);
	va_start(args, format);
	vsnprintf(s->stream[s->n], VALUE_LEN, format, args);
	va_end(args);
	int argc = words_of(s->stream[s->n++], argv);
	for (unsigned slot = 0; m->traced >= 0 && slot < SLOTS; slot++)
		if (is_of_slot(argv, argc, slot))
			trace(m, slot, "                       shard%u #%u: %.80s", shard, s->n - 1,
			      s->stream[s->n - 1]);
	if (!span_eq(argv[0], SPAN_LIT("CLUSTER")) && !span_eq(argv[0], SPAN_LIT("TRIMSLOTS")))
		state_run(&s->state, argv, argc);
}

// ---- Clients

// Where a command on a key goes; it is in the state of a task that copies live.
static unsigned where(const struct model *m, unsigned slot, unsigned key)
{
	const struct move *v = &m->moves[slot];
	if (v->on && v->way == CLASSIC && !m->shards[m->owner[slot]].state.of[slot][key][0])
		return v->to;
	return m->owner[slot];
}

static void write_as(struct model *m, unsigned slot, const char *text)
{
	const struct move *v = &m->moves[slot];
	say(m, m->owner[slot], "%s", text);
	if (v->on && v->way != CLASSIC && v->copied)
		say(m, v->to, "%s", text);
}

void client_writes(struct model *m)
{
	unsigned slot = below(m, SLOTS), key = below(m, m->n_keys), other = below(m, m->n_keys);
	unsigned at = where(m, slot, key), kind = below(m, m->kinds), id = m->n_ids++;
	char a[32], b[32], text[VALUE_LEN];
	key_name(a, slot, key);
	key_name(b, slot, other);
	bool full = strlen(m->shards[at].state.of[slot][key]) > VALUE_LEN / 2;
	bool exists = m->shards[at].state.of[slot][key][0];
	if ((kind == 0 || full) && exists)
		snprintf(text, sizeof(text), "DEL %s", a);
	else if (kind == 1)
		snprintf(text, sizeof(text), "SET %s %u,", a, id);
	else if (kind == 2 && where(m, slot, other) == at)
		snprintf(text, sizeof(text), "MSET %s %u, %s %u;", a, id, b, id);
	else
		snprintf(text, sizeof(text), "APPEND %s %u,", a, id);
	if (at == m->owner[slot])
		write_as(m, slot, text);
	else
		say(m, at, "%s", text);
}

// ---- Moves

static void task_say(struct model *m, unsigned slot, const char *state)
{
	const struct move *v = &m->moves[slot];
	unsigned number = slot * 100;
	if (v->way == TASK)
		say(m, v->to, "CLUSTER SYNCSLOTS CONF ASM-TASK t%u:node%u:node%u:import:%s:%u-%u",
		    v->number, v->from, v->to, state, number, number);
	else if (!strcmp(state, "connecting"))
		say(m, v->to, "CLUSTER SYNCSLOTS ESTABLISH SOURCE node%u NAME t%u SLOTSRANGE %u %u",
		    v->from, v->number, number, number);
	else
		say(m, v->to, "CLUSTER SYNCSLOTS FINISH STATE %s NAME t%u",
		    strcmp(state, "completed") ? "FAILED" : "SUCCESS", v->number);
}

static void keys_unlink(struct model *m, unsigned shard, unsigned slot)
{
	char name[32];
	for (unsigned key = 0; key < KEYS; key++) {
		key_name(name, slot, key);
		if (m->shards[shard].state.of[slot][key][0])
			say(m, shard, "UNLINK %s", name);
	}
}

// What is left of a slot goes without a word.
static void keys_trim(struct model *m, unsigned shard, unsigned slot)
{
	memset(m->shards[shard].state.of[slot], 0, sizeof(m->shards[shard].state.of[slot]));
}

static void move_begin(struct model *m, unsigned slot)
{
	struct move *v = &m->moves[slot];
	unsigned to = below(m, m->n_shards), way = below(m, WAYS);
	if (to == m->owner[slot] || !m->ways[way])
		return;
	*v = (struct move){true, false, (enum way)way, m->owner[slot], to, m->n_tasks++};
	if (way != CLASSIC)
		task_say(m, slot, "connecting");
}

static void key_migrate(struct model *m, unsigned slot, unsigned key)
{
	const struct move *v = &m->moves[slot];
	const char *held = m->shards[v->from].state.of[slot][key];
	char name[32];
	key_name(name, slot, key);
	say(m, v->to, "RESTORE-ASKING %s 0 %s", name, held);
	say(m, v->from, "DEL %s", name);
}

static void keys_copy(struct model *m, unsigned slot)
{
	struct move *v = &m->moves[slot];
	char name[32];
	v->copied = true;
	for (unsigned key = 0; key < KEYS; key++) {
		const char *held = m->shards[v->from].state.of[slot][key];
		key_name(name, slot, key);
		if (*held)
			say(m, v->to, "APPEND %s %s", name, held);
	}
}

static void slot_given(struct model *m, unsigned slot)
{
	struct move *v = &m->moves[slot];
	m->owner[slot] = v->to;
	v->on = false;
	if (v->way == CLASSIC)
		return;
	task_say(m, slot, "completed");
	if (v->way == BY_KEYS) {
		keys_unlink(m, v->from, slot);
		return;
	}
	say(m, v->from, "TRIMSLOTS RANGES 1 %u %u", slot * 100, slot * 100);
	keys_trim(m, v->from, slot);
}

// Of a classic one keys stay where they went.
static void move_undo(struct model *m, unsigned slot)
{
	struct move *v = &m->moves[slot];
	v->on = false;
	if (v->way == CLASSIC)
		return;
	task_say(m, slot, "failed");
	if (v->way == BY_KEYS)
		keys_unlink(m, v->to, slot);
	else
		keys_trim(m, v->to, slot);
}

void move_step(struct model *m, unsigned slot)
{
	struct move *v = &m->moves[slot];
	if (!v->on) {
		move_begin(m, slot);
	} else if (m->halves && !below(m, 8)) {
		move_undo(m, slot);
	} else if (v->way != CLASSIC) {
		if (v->copied)
			slot_given(m, slot);
		else
			keys_copy(m, slot);
	} else {
		for (unsigned key = 0; key < KEYS; key++)
			if (m->shards[v->from].state.of[slot][key][0]) {
				key_migrate(m, slot, key);
				return;
			}
		slot_given(m, slot);
	}
}
