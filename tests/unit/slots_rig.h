// SPDX-License-Identifier: BSD-3-Clause
// A stream to a cluster without servers: lines go in, items come out as text, parted by '|':
//
//   {a} SET {a}k v     an item of the slot of the tag a
//   {a}* ..            that begins a transaction; {a}! one that must not run twice
//   {a}+ ..            that belongs to the unit before
//   every ..           for all masters
//   parked             one that is not sent
//
// With several lanes the number of the lane and a colon stand before each. To one server:
//
//   7 SET k v          an item in database 7; SELECT is not shown
#pragma once

#include "tests/unit/lanes_rig.h"
#include "tests/unit/words.h"

struct slots_rig {
	struct rig *rig;
	uint64_t len;     // bytes of the stream so far
	uint64_t n_fates; // of the batches that were answered
	char said[8192];
};

static inline struct slots_rig *slots_rig_new(unsigned n_lanes, enum url_kind target)
{
	struct slots_rig *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->rig = rig_new(n_lanes, 128);
	struct rig *r = s->rig;
	route_fini(&r->route);
	r->config.target.kind = target;
	assert_int_equal(route_init(&r->route, &r->log, &r->place, &r->counters, &r->config), 0);
	route_reset(&r->route, 0, 0);
	return s;
}

static inline void slots_rig_free(struct slots_rig *s)
{
	rig_free(s->rig);
	free(s);
}

// One command of the source.
static inline void slots_say(struct slots_rig *s, const char *line)
{
	struct words w;
	char bytes[4096];
	words_split(line, &w);
	int n = sprintf(bytes, "*%d\r\n", w.argc);
	for (int i = 0; i < w.argc; i++)
		n += sprintf(bytes + n, "$%zu\r\n%.*s\r\n", w.argv[i].len, (int)w.argv[i].len,
			     w.argv[i].p);
	assert_int_equal(rig_receive(s->rig, bytes, (size_t)n), n);
	s->len += (uint64_t)n;
}

// The words of an item, from its RESP. @return where the text ends
static inline char *item_words(const struct batch *b, unsigned i, char *out)
{
	char bytes[4096], *at = bytes, *end;
	size_t len = batch_item_bytes(b, i, bytes, sizeof(bytes) - 1);
	assert_true(len < sizeof(bytes));
	bytes[len] = 0;
	unsigned long argc = strtoul(at + 1, &end, 10);
	at = end + 2;
	for (unsigned long k = 0; k < argc; k++) {
		size_t n = strtoul(at + 1, &end, 10);
		out += sprintf(out, " %.*s", (int)n, end + 2);
		at = end + 2 + n + 2;
	}
	assert_ptr_equal(at, bytes + len);
	return out;
}

static inline bool item_is_withheld(const struct batch *b, unsigned i)
{
	for (unsigned k = 0; k < b->n_withheld; k++)
		if (b->withheld[k].offset == b->items[i].offset)
			return true;
	return false;
}

static inline char *item_slot_said(const struct batch *b, unsigned i, char *out)
{
	const struct batch_item *item = &b->items[i];
	char text[4096], tag[64] = "every";
	item_words(b, i, text);
	if (item->slot == SLOT_ANY) {
		assert_true(item_is_withheld(b, i));
		return out + sprintf(out, "parked");
	}
	if (item->slot != SLOT_EVERY) { // one of ours, or the first word with a tag shows it
		const char *open = strchr(text, '{');
		assert_non_null(open);
		snprintf(tag, sizeof(tag), "%.*s", (int)(strchr(open, '}') + 1 - open), open);
		assert_int_equal(key_slot(span_of(tag)), item->slot);
	}
	const char *sign = item->flags & ITEM_JOINED   ? "+"
			   : item->flags & ITEM_FENCED ? "!"
			   : item->flags & ITEM_ATOMIC ? "*"
						       : "";
	return out + sprintf(out, "%s%s%s", tag, sign, text);
}

static inline char *item_said(const struct slots_rig *s, const struct batch *b, unsigned i,
			      char *out)
{
	char text[4096];
	if (s->rig->route.slots)
		return item_slot_said(b, i, out);
	item_words(b, i, text);
	return out + sprintf(out, "%d%s", b->items[i].db, text);
}

static inline bool item_selects(const struct batch *b, unsigned i)
{
	char text[4096];
	item_words(b, i, text);
	return !strncmp(text, " SELECT ", 8);
}

// What the lanes were given; answers all of it.
static inline const char *slots_said(struct slots_rig *s)
{
	struct rig *r = s->rig;
	char *out = s->said;
	*out = 0;
	route_flush(&r->route, true);
	for (unsigned lane = 0; lane < r->n_lanes; lane++)
		for (struct batch *b; (b = rig_ready(r, lane)); rig_answer(r, lane)) {
			for (unsigned i = 0; i < b->n_items; i++) {
				if (item_selects(b, i))
					continue;
				out += sprintf(out, "%s", out == s->said ? "" : "|");
				out += r->n_lanes > 1 ? sprintf(out, "%u:", lane) : 0;
				out = item_said(s, b, i, out);
			}
			s->n_fates += b->n_commands;
		}
	rig_frontier(r);
	return s->said;
}

// Commands of the stream that have their fate by a batch.
static inline uint64_t slots_fates(const struct slots_rig *s)
{
	return s->n_fates;
}

// Lines parted by '/' -> items.
static inline void assert_said(struct slots_rig *s, const char *lines, const char *items)
{
	char copy[1024], *rest = NULL;
	assert_true(strlen(lines) < sizeof(copy));
	strcpy(copy, lines);
	for (char *line = strtok_r(copy, "/", &rest); line; line = strtok_r(NULL, "/", &rest))
		slots_say(s, line);
	if (route_turn(&s->rig->route, 5000) < 0)
		fail_msg("%s: %s", lines, s->rig->route.text);
	assert_string_equal(slots_said(s), items);
	assert_int_equal(s->rig->route.routed, s->len);
}
