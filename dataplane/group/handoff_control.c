// SPDX-License-Identifier: BSD-3-Clause
// What servers tell their replicas of moves of whole slots, and only them:
//
//   Redis 8.4   CLUSTER SYNCSLOTS CONF ASM-TASK id:source:destination:import:STATE:first-last ..
//               whenever its state changes; the old owner's stream has TRIMSLOTS RANGES n first
//               last .. once it has lost them. Source: cluster_asm.c, asmTaskSerialize()
//   Valkey 9    CLUSTER SYNCSLOTS ESTABLISH SOURCE node NAME id SLOTSRANGE first last ..
//               CLUSTER SYNCSLOTS FINISH STATE SUCCESS|FAILED NAME id MESSAGE text
//               Source: cluster_migrateslots.c
#include <string.h>

#include "dataplane/group/handoff_priv.h"

static bool range_set(uint64_t *slots, uint64_t first, uint64_t last)
{
	if (first > last || last >= SLOT_COUNT)
		return false;
	for (unsigned slot = (unsigned)first; slot <= last; slot++)
		bit_set(slots, slot);
	return true;
}

// "0-1999 3000"
static bool ranges_read(struct span text, uint64_t *slots)
{
	memset(slots, 0, HANDOFF_SLOT_WORDS * sizeof(*slots));
	for (size_t at = 0; at < text.len;) {
		struct span rest = {text.p + at, text.len - at};
		const char *space = memchr(rest.p, ' ', rest.len);
		size_t len = space ? (size_t)(space - rest.p) : rest.len;
		const char *dash = memchr(rest.p, '-', len);
		uint64_t first = span_digits(rest), last = first;
		if (dash)
			last = span_digits(
				(struct span){dash + 1, (size_t)(rest.p + rest.len - dash) - 1});
		if (!range_set(slots, first, last))
			return false;
		at += len + 1;
	}
	return text.len > 0;
}

static bool words_slots(const struct span *argv, int argc, uint64_t *slots)
{
	memset(slots, 0, HANDOFF_SLOT_WORDS * sizeof(*slots));
	for (int i = 0; i + 1 < argc; i += 2)
		if (!range_set(slots, span_digits(argv[i]), span_digits(argv[i + 1])))
			return false;
	return argc >= 2;
}

#define ASM_FIELDS 6 // id, source, destination, operation, state, slots; more may come

static int asm_split(struct span text, struct span fields[ASM_FIELDS])
{
	int n = 0;
	while (n < ASM_FIELDS) {
		const char *end = memchr(text.p, ':', text.len);
		size_t len = end ? (size_t)(end - text.p) : text.len;
		fields[n++] = (struct span){text.p, len};
		if (!end)
			break;
		text = (struct span){end + 1, text.len - len - 1};
	}
	return n;
}

// @return whether it tells of an import
static bool asm_read(struct span text, struct told *told, struct span *state)
{
	struct span fields[ASM_FIELDS];
	if (asm_split(text, fields) < ASM_FIELDS || !span_caseeq(fields[3], "import"))
		return false;
	told->name = fields[0];
	told->from = fields[1];
	told->has_slots = ranges_read(fields[5], told->slots);
	*state = fields[4];
	return told->has_slots;
}

static enum handoff_verdict asm_take(struct handoff *h, const struct handoff_at *at,
				     struct span text)
{
	struct told told = {.by_keys = false};
	struct span state;
	if (!asm_read(text, &told, &state))
		return HANDOFF_SKIP;
	if (span_caseeq(state, "completed") || span_caseeq(state, "done"))
		return task_ends(h, at, &told, true);
	if (span_caseeq(state, "failed") || span_caseeq(state, "canceled"))
		return task_ends(h, at, &told, false);
	return task_begin(h, at, &told);
}

void handoff_snapshot_task(struct handoff *h, unsigned member, struct span text, uint64_t offset)
{
	struct told told = {.by_keys = false};
	struct span state;
	const struct handoff_at at = {.member = member, .begin = offset, .end = offset};
	if (asm_read(text, &told, &state))
		task_in_snapshot(h, &at, &told);
}

// The value of an option: SOURCE node, NAME id.
static struct span option(const struct span *argv, int argc, const char *name)
{
	for (int i = 3; i + 1 < argc; i++)
		if (span_caseeq(argv[i], name))
			return argv[i + 1];
	return (struct span){"", 0};
}

static enum handoff_verdict establish_take(struct handoff *h, const struct handoff_at *at,
					   const struct span *argv, int argc)
{
	struct told told = {.name = option(argv, argc, "NAME"),
			    .from = option(argv, argc, "SOURCE"),
			    .by_keys = true};
	int i = 3;
	while (i < argc && !span_caseeq(argv[i], "SLOTSRANGE"))
		i++;
	told.has_slots = i < argc && words_slots(argv + i + 1, argc - i - 1, told.slots);
	return told.has_slots ? task_begin(h, at, &told) : HANDOFF_SKIP;
}

static enum handoff_verdict finish_take(struct handoff *h, const struct handoff_at *at,
					const struct span *argv, int argc)
{
	struct told told = {.name = option(argv, argc, "NAME")};
	return task_ends(h, at, &told, span_caseeq(option(argv, argc, "STATE"), "SUCCESS"));
}

// TRIMSLOTS RANGES n first last ..
static void trim_take(struct handoff *h, const struct handoff_at *at, const struct span *argv,
		      int argc)
{
	uint64_t slots[HANDOFF_SLOT_WORDS];
	if (argc >= 5 && words_slots(argv + 3, argc - 3, slots))
		losses_note(h, at, slots, true);
}

enum handoff_verdict handoff_control(struct handoff *h, const struct handoff_at *at,
				     const struct span *argv, int argc)
{
	struct handoff_member *m = &h->members[at->member];
	enum handoff_verdict verdict = HANDOFF_SKIP;
	if (span_caseeq(argv[0], "TRIMSLOTS"))
		trim_take(h, at, argv, argc);
	else if (argc < 4 || !span_caseeq(argv[1], "SYNCSLOTS"))
		return HANDOFF_SKIP;
	else if (argc >= 5 && span_caseeq(argv[2], "CONF") && span_caseeq(argv[3], "ASM-TASK"))
		verdict = asm_take(h, at, argv[4]);
	else if (span_caseeq(argv[2], "ESTABLISH"))
		verdict = establish_take(h, at, argv, argc);
	else if (span_caseeq(argv[2], "FINISH"))
		verdict = finish_take(h, at, argv, argc);
	if (verdict != HANDOFF_WAIT) {
		m->wait.reason = HANDOFF_READY;
		m->judged = at->end > m->judged ? at->end : m->judged;
	}
	return verdict;
}
