// SPDX-License-Identifier: BSD-3-Clause
// report_command() -> name_find(), key_note() -> command_end()
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "ctrl/decode/report.h"

void report_commands_begin(struct report *r)
{
	r->commands.any = true;
}

void report_time(struct report *r, int64_t at_s)
{
	struct report_commands *c = &r->commands;
	c->first_s = c->first_s == -1 ? at_s : c->first_s;
	c->last_s = at_s;
}

// ---- Names

static struct report_name *unknown_find(struct report_commands *c, struct span name)
{
	char text[REPORT_NAME_LEN];
	size_t len = name.len < sizeof(text) ? name.len : sizeof(text) - 1;
	for (size_t i = 0; i < len; i++)
		text[i] = name.p[i] > ' ' && name.p[i] < 0x7f ? name.p[i] : '?';
	text[len] = '\0';
	unsigned i = 0;
	for (; i < REPORT_UNKNOWN && c->unknown[i].n; i++)
		if (!strcasecmp(c->unknown[i].text, text))
			return &c->unknown[i];
	snprintf(c->unknown[i].text, sizeof(text), "%s", i < REPORT_UNKNOWN ? text : "(others)");
	return &c->unknown[i];
}

static struct report_name *name_find(struct report_commands *c, struct span name)
{
	if (!c->keys.row)
		return unknown_find(c, name);
	struct report_name *known = &c->known[c->keys.row - command_rows];
	if (!known->n)
		snprintf(known->text, sizeof(known->text), "%s", c->keys.row->name);
	return known;
}

static int by_number(const void *a, const void *b)
{
	const struct report_name *const *p = a, *const *q = b;
	if ((*p)->n != (*q)->n)
		return (*p)->n < (*q)->n ? 1 : -1;
	return strcmp((*p)->text, (*q)->text);
}

unsigned report_names(const struct report *r, const struct report_name **out, unsigned max)
{
	const struct report_commands *c = &r->commands;
	const struct report_name **all =
		calloc(command_row_count + REPORT_UNKNOWN + 1, sizeof(*all));
	unsigned n = 0;
	for (size_t i = 0; all && i < command_row_count; i++)
		if (c->known[i].n)
			all[n++] = &c->known[i];
	for (unsigned i = 0; all && i <= REPORT_UNKNOWN; i++)
		if (c->unknown[i].n)
			all[n++] = &c->unknown[i];
	if (n)
		qsort(all, n, sizeof(*all), by_number);
	n = n < max ? n : max;
	if (n)
		memcpy(out, all, n * sizeof(*all));
	free(all);
	return n;
}

// ---- Keys

// HyperLogLog (Flajolet and others, 2007): the longest run of zero bits in each of many classes of
// hashes tells how many different ones there were, within some 2 %.
static void key_note(void *arg, struct span key, bool written)
{
	struct report_commands *c = arg;
	uint64_t hash = XXH3_64bits_withSeed(key.p, key.len, c->now_db);
	uint64_t rest = hash / REPORT_SKETCH;
	uint8_t run = (uint8_t)(rest ? __builtin_ctzll(rest) + 1 : 64);
	uint8_t *slot = &c->sketch[hash % REPORT_SKETCH];
	c->n_keys++;
	*slot = run > *slot ? run : *slot;
}

uint64_t report_keys_different(const struct report *r)
{
	const double m = REPORT_SKETCH;
	double sum = 0, empty = 0;
	for (unsigned i = 0; i < REPORT_SKETCH; i++) {
		sum += ldexp(1, -r->commands.sketch[i]);
		empty += r->commands.sketch[i] == 0;
	}
	double n = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (n <= 2.5 * m && empty > 0)
		n = m * log(m / empty);
	return (uint64_t)(n + 0.5);
}

// ----

static void command_end(struct report_commands *c, const struct aof_event *ev)
{
	uint64_t bytes = ev->end - ev->begin;
	c->n++;
	c->bytes += bytes;
	c->now->n++;
	c->now->bytes += bytes;
}

void report_command(struct report *r, const struct aof_event *ev)
{
	struct report_commands *c = &r->commands;
	c->now_db = ev->db;
	command_keys_each(&c->keys, ev, key_note, c);
	if (ev->kind == AOF_COMMAND)
		c->now = name_find(c, ev->argv[0]);
	else if (ev->kind == AOF_BIG_WORD && ev->index == 0 && ev->word_at == 0)
		c->now = name_find(c, ev->word);
	if (ev->kind == AOF_COMMAND || ev->kind == AOF_BIG_END)
		command_end(c, ev);
}
