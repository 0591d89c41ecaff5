// SPDX-License-Identifier: BSD-3-Clause
// recording_follow() -> move_follow() of each move -> classic_follow(), whole_follow()
#include "tests/e2e/harness.h"
#include "tests/e2e/recording.h"

#include "parsers/slot.h"

// One move, as the events tell it.
struct move {
	struct recording *r;
	uint8_t from, to;
	unsigned first, last;
	double begin_ms, end_ms;
	double last_ms[SLOT_COUNT]; // when the old owner wrote to the slot last
	double taken_ms, heard_ms;  // the new owner has them, the old one knows; 0: not seen
};

static bool within(const struct move *m, const struct recorded_command *c)
{
	return c->ms >= m->begin_ms && c->ms <= m->end_ms;
}

static uint8_t node_number(const struct recording *r, char name)
{
	uint8_t i = 0;

	while (i < r->n_nodes && r->nodes[i].name != name)
		i++;
	assert_true(i < r->n_nodes);
	return i;
}

static void change_add(struct recording *r, struct recorded_change change)
{
	if (r->n_changes == r->room) {
		r->room = r->room ? 2 * r->room : 256;
		r->changes = realloc(r->changes, r->room * sizeof(*r->changes));
		assert_non_null(r->changes);
	}
	change.order = r->n_changes;
	r->changes[r->n_changes++] = change;
}

// Those that take no part hear of it as the new owner does.
static void taken_add(const struct move *m, unsigned first, unsigned last, double taken_ms,
		      double heard_ms)
{
	for (uint8_t i = 0; i < m->r->n_nodes; i++)
		change_add(m->r, (struct recorded_change){.ms = i == m->from ? heard_ms : taken_ms,
							  .first = (uint16_t)first,
							  .last = (uint16_t)last,
							  .node = i,
							  .owner = m->to,
							  .other = RECORDED_NOBODY});
}

// ---- A slot after the other

static bool is_key_of(const struct recorded_command *c, unsigned first, unsigned last)
{
	static const char *const keyless[] = {"SELECT",  "PING",      "MULTI",   "EXEC",
					      "CLUSTER", "TRIMSLOTS", "FUNCTION"};

	for (unsigned i = 0; i < sizeof(keyless) / sizeof(keyless[0]); i++)
		if (span_caseeq(c->argv[0], keyless[i]))
			return false;
	if (c->argc < 2)
		return false;
	unsigned slot = key_slot(c->argv[1]);
	return slot >= first && slot <= last;
}

static void last_note(void *arg, const struct recorded_command *c)
{
	struct move *m = arg;

	if (within(m, c) && is_key_of(c, m->first, m->last))
		m->last_ms[key_slot(c->argv[1])] = c->ms;
}

static void moving_add(const struct move *m, unsigned slot, double ms)
{
	const uint8_t sides[] = {m->from, m->to};

	for (unsigned i = 0; i < 2; i++)
		change_add(m->r, (struct recorded_change){.ms = ms,
							  .first = (uint16_t)slot,
							  .last = (uint16_t)slot,
							  .node = sides[i],
							  .owner = m->from,
							  .other = m->to});
}

static void classic_follow(struct move *m)
{
	double ms = m->begin_ms;

	recorded_commands(&m->r->nodes[m->from], last_note, m);
	for (unsigned slot = m->first; slot <= m->last; slot++) {
		moving_add(m, slot, ms);
		ms = m->last_ms[slot] > ms ? m->last_ms[slot] : ms;
		taken_add(m, slot, slot, ms, ms);
	}
}

// ---- All slots at once

// "id:source:destination:operation:state:slots"
static void task_read(struct move *m, const struct recorded_command *c)
{
	char source[CLUSTER_ID_LEN + 1], target[CLUSTER_ID_LEN + 1], state[16];

	if (c->argc < 5 || !span_caseeq(c->argv[3], "ASM-TASK") ||
	    sscanf(c->argv[4].p, "%*40[0-9a-f]:%40[0-9a-f]:%40[0-9a-f]:import:%15[a-z]", source,
		   target, state) != 3)
		return;
	memcpy(m->r->nodes[m->from].id, source, sizeof(source));
	memcpy(m->r->nodes[m->to].id, target, sizeof(target));
	if (!strcmp(state, "completed"))
		m->taken_ms = c->ms;
}

static void new_owner_read(void *arg, const struct recorded_command *c)
{
	struct move *m = arg;
	bool told = within(m, c) && c->argc >= 5 && span_caseeq(c->argv[0], "CLUSTER");

	if (!told)
		return;
	task_read(m, c);
	if (span_caseeq(c->argv[2], "ESTABLISH") && span_caseeq(c->argv[3], "SOURCE") &&
	    c->argv[4].len == CLUSTER_ID_LEN)
		memcpy(m->r->nodes[m->from].id, c->argv[4].p, CLUSTER_ID_LEN);
	if (span_caseeq(c->argv[2], "FINISH") && span_caseeq(c->argv[4], "SUCCESS"))
		m->taken_ms = c->ms;
}

static void old_owner_read(void *arg, const struct recorded_command *c)
{
	struct move *m = arg;
	bool removes = span_caseeq(c->argv[0], "TRIMSLOTS") ||
		       (span_caseeq(c->argv[0], "UNLINK") && is_key_of(c, m->first, m->last));

	if (!m->heard_ms && within(m, c) && c->ms >= m->taken_ms && removes)
		m->heard_ms = c->ms;
}

static void whole_follow(struct move *m)
{
	recorded_commands(&m->r->nodes[m->to], new_owner_read, m);
	if (!m->taken_ms)
		fail_msg("%s: the end of the move at %.0f ms is in no stream", m->r->folder,
			 m->begin_ms);
	recorded_commands(&m->r->nodes[m->from], old_owner_read, m);
	taken_add(m, m->first, m->last, m->taken_ms, m->heard_ms ? m->heard_ms : m->end_ms);
}

// ---- All moves

static int by_time(const void *left, const void *right)
{
	const struct recorded_change *a = left, *b = right;

	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void recording_follow(struct recording *r)
{
	const json_t *events = json_object_get(r->timeline, "events"), *event;
	struct move *m = calloc(1, sizeof(*m));
	size_t i;

	assert_non_null(m);
	json_array_foreach((json_t *)events, i, event)
	{
		const char *said = json_string_value(json_array_get(event, 1));
		const json_t *next = json_array_get(events, i + 1);
		char from, to;

		memset(m, 0, sizeof(*m));
		if (sscanf(said, "%c->%c %u-%u", &from, &to, &m->first, &m->last) != 4)
			continue;
		m->r = r;
		m->from = node_number(r, from);
		m->to = node_number(r, to);
		m->begin_ms = json_number_value(json_array_get(event, 0));
		m->end_ms = json_number_value(json_array_get(next, 0));
		assert_true(m->last < SLOT_COUNT);
		if (!strcmp(r->mode, "classic"))
			classic_follow(m);
		else
			whole_follow(m);
	}
	free(m);
	qsort(r->changes, r->n_changes, sizeof(*r->changes), by_time);
}
