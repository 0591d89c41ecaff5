// SPDX-License-Identifier: BSD-3-Clause
// What of hand-offs outlives a crash, as text: who is the home of each slot, the tasks, and which
// slots are in flux. Of those nobody knows afterwards whose key is the newest.
//
//   flyover-slots 1
//   member NAME                              in the order of their numbers
//   home MEMBER FIRST LAST
//   task MEMBER FROM STATE BY-KEYS BEGIN END NAME FIRST LAST ..
//   flux SLOT MEMBERS                        as hexadecimal bits
//   litter SLOT MEMBERS                      who may have copies that are not the slot's
//   before MEMBER OFFSET                     what begins there is older than the last full sync
//   since FIRST LAST                         of these slots
//   older FIRST LAST                         the last full sync of these was an earlier one
//   until MEMBER OFFSET                      what begins there was judged as slots moved
//   anew MEMBER                              its full sync is not over
//   doubt MEMBER                             what it had claimed is not borne out by a view
//   crc64 HEX                                of all before
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/group/handoff_priv.h"
#include "parsers/crc64.h"

#define FILE_HEAD "flyover-slots 1\n"

// When full syncs of former lives began, no clock tells, but in which order.
#define OLDER_NS 1
#define SINCE_NS 2
#define LOADS_NS 3 // perhaps later than anything that is known of a slot

// ---- Composing

static void homes_put(const struct handoff *h, FILE *out)
{
	unsigned last;
	for (unsigned first = 0; first < SLOT_COUNT; first = last + 1) {
		last = first;
		while (last + 1 < SLOT_COUNT && h->home[last + 1] == h->home[first])
			last++;
		if (h->home[first] != HANDOFF_NOBODY)
			fprintf(out, "home %u %u %u\n", h->home[first], first, last);
	}
}

static void task_put(const struct handoff_task *t, FILE *out)
{
	fprintf(out, "task %u %u %u %u %" PRIu64 " %" PRIu64 " %s", t->member, t->from, t->state,
		t->by_keys, t->begin, t->end, t->name);
	for (unsigned first = 0; first < SLOT_COUNT; first++) {
		unsigned last = first;
		if (!bit_has(t->slots, first))
			continue;
		while (last + 1 < SLOT_COUNT && bit_has(t->slots, last + 1))
			last++;
		fprintf(out, " %u %u", first, last);
		first = last;
	}
	fputc('\n', out);
}

// A full sync that is not over has not found all of it again.
static uint64_t litter_of(const struct handoff *h, unsigned slot)
{
	uint64_t litter = h->litter[slot];
	for (unsigned i = 0; i < h->n_members; i++)
		if (h->members[i].loading && bit_has(h->members[i].littered, slot))
			litter |= 1ull << i;
	return litter;
}

static void untils_put(const struct handoff *h, FILE *out)
{
	for (unsigned i = 0; i < h->n_members; i++)
		if (h->members[i].moved_until)
			fprintf(out, "until %u %" PRIu64 "\n", i, h->members[i].moved_until);
}

static void loads_put(const struct handoff *h, FILE *out)
{
	for (unsigned i = 0; i < h->n_members; i++) {
		if (h->members[i].loading)
			fprintf(out, "anew %u\n", i);
		else if (h->members[i].claim_ns)
			fprintf(out, "doubt %u\n", i);
	}
}

static void sinces_put(const struct handoff *h, FILE *out)
{
	for (unsigned i = 0; i < h->n_members; i++)
		if (h->members[i].old_until)
			fprintf(out, "before %u %" PRIu64 "\n", i, h->members[i].old_until);
	for (unsigned first = 0; first < SLOT_COUNT; first++) {
		unsigned last = first;
		if (!h->since_ns[first])
			continue;
		bool newest = h->since_ns[first] == h->claim_ns;
		while (last + 1 < SLOT_COUNT && h->since_ns[last + 1] &&
		       (h->since_ns[last + 1] == h->claim_ns) == newest)
			last++;
		fprintf(out, "%s %u %u\n", newest ? "since" : "older", first, last);
		first = last;
	}
}

size_t handoff_text(const struct handoff *h, char **text)
{
	size_t len = 0;
	FILE *out = open_memstream(text, &len);
	if (!out)
		return 0;
	fputs(FILE_HEAD, out);
	for (unsigned i = 0; i < h->n_members; i++)
		fprintf(out, "member %s\n", h->members[i].name);
	homes_put(h, out);
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (h->tasks[i].state != TASK_NONE)
			task_put(&h->tasks[i], out);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (h->flux[slot])
			fprintf(out, "flux %u %" PRIx64 "\n", slot, h->parties[slot]);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (litter_of(h, slot))
			fprintf(out, "litter %u %" PRIx64 "\n", slot, litter_of(h, slot));
	sinces_put(h, out);
	untils_put(h, out);
	loads_put(h, out);
	fflush(out);
	fprintf(out, "crc64 %016" PRIx64 "\n", crc64(0, *text, len));
	if (fclose(out)) {
		free(*text);
		*text = NULL;
		return 0;
	}
	return len;
}

// ---- Reading. The sum was right, so lines are what we wrote, or of another version

static bool member_read(struct handoff *h, const char *line)
{
	char name[HANDOFF_NAME_LEN];
	int number = -1;
	if (sscanf(line, "member %15s", name) == 1)
		number = handoff_join(h, name);
	if (number < 0)
		return false;
	h->members[number].here = false; // until it joins
	h->members[number].loads_ns = LOADS_NS;
	return true;
}

static bool home_read(struct handoff *h, const char *line)
{
	unsigned member, first, last;
	if (sscanf(line, "home %u %u %u", &member, &first, &last) != 3 || member >= h->n_members ||
	    last >= SLOT_COUNT)
		return false;
	for (unsigned slot = first; slot <= last; slot++)
		h->home[slot] = (uint8_t)member;
	return true;
}

static bool task_read(struct handoff *h, unsigned number, const char *line)
{
	struct handoff_task *t = &h->tasks[number < HANDOFF_TASKS ? number : 0];
	unsigned member, from, state, by_keys, first, last;
	int at = 0, n;
	if (number >= HANDOFF_TASKS ||
	    sscanf(line, "task %u %u %u %u %" SCNu64 " %" SCNu64 " %63s%n", &member, &from, &state,
		   &by_keys, &t->begin, &t->end, t->name, &at) != 7 ||
	    member >= h->n_members || state > TASK_FAILED)
		return false;
	t->member = (uint8_t)member;
	t->from = (uint8_t)from;
	t->state = (enum handoff_task_state)state;
	t->by_keys = by_keys;
	h->members[member].n_active += state == TASK_ACTIVE;
	if (state == TASK_DONE && !by_keys && t->end > h->members[member].task_end)
		h->members[member].task_end = t->end;
	for (; sscanf(line + at, " %u %u%n", &first, &last, &n) == 2; at += n)
		for (unsigned slot = first; slot <= last && slot < SLOT_COUNT; slot++)
			bit_set(t->slots, slot);
	return true;
}

// Who took it in begins anew with a full sync, at once; once it is over, so does its owner.
static bool flux_read(struct handoff *h, const char *line)
{
	unsigned slot;
	uint64_t parties;
	if (sscanf(line, "flux %u %" SCNx64, &slot, &parties) != 2 || slot >= SLOT_COUNT)
		return false;
	for (unsigned i = 0; i < h->n_members; i++)
		if (parties >> i & 1 && h->home[slot] != i)
			handoff_resync(h, i, "slot %u was moving as the last life ended", slot);
	h->parties[slot] = parties;
	h->litter[slot] |= parties;
	slot_spoil(h, slot);
	return true;
}

static bool litter_read(struct handoff *h, const char *line)
{
	unsigned slot;
	uint64_t members;
	if (sscanf(line, "litter %u %" SCNx64, &slot, &members) != 2 || slot >= SLOT_COUNT)
		return false;
	h->litter[slot] |= members;
	return true;
}

static bool before_read(struct handoff *h, const char *line)
{
	unsigned member;
	uint64_t offset;
	if (sscanf(line, "before %u %" SCNu64, &member, &offset) != 2 || member >= h->n_members)
		return false;
	h->members[member].old_until = offset;
	return true;
}

static bool until_read(struct handoff *h, const char *line)
{
	unsigned member;
	uint64_t offset;
	if (sscanf(line, "until %u %" SCNu64, &member, &offset) != 2 || member >= h->n_members)
		return false;
	h->members[member].moved_until = offset;
	return true;
}

static bool since_read(struct handoff *h, const char *line, uint64_t since_ns)
{
	unsigned first, last;
	if (sscanf(line + 5, "%u %u", &first, &last) != 2 || last >= SLOT_COUNT)
		return false;
	for (unsigned slot = first; slot <= last; slot++)
		h->since_ns[slot] = since_ns;
	h->claim_ns = SINCE_NS;
	return true;
}

// Its homes are those of the full sync, and where its stream goes on may be from before.
static bool anew_read(struct handoff *h, const char *line)
{
	unsigned member;
	if (sscanf(line, "anew %u", &member) != 1 || member >= h->n_members)
		return false;
	handoff_resync(h, member, "its full sync was not over as the last life ended");
	return true;
}

static bool doubt_read(struct handoff *h, const char *line)
{
	unsigned member;
	if (sscanf(line, "doubt %u", &member) != 1 || member >= h->n_members)
		return false;
	h->members[member].claim_ns = SINCE_NS;
	return true;
}

static bool line_read(struct handoff *h, const char *line, unsigned *n_tasks)
{
	switch (line[0]) {
	case 'm':
		return member_read(h, line);
	case 'h':
		return home_read(h, line);
	case 't':
		return task_read(h, (*n_tasks)++, line);
	case 'f':
		return flux_read(h, line);
	case 'l':
		return litter_read(h, line);
	case 'b':
		return before_read(h, line);
	case 's':
		return since_read(h, line, SINCE_NS);
	case 'o':
		return since_read(h, line, OLDER_NS);
	case 'u':
		return until_read(h, line);
	case 'a':
		return anew_read(h, line);
	case 'd':
		return doubt_read(h, line);
	case 'c':
		return true;
	default:
		return false;
	}
}

static bool sum_is_right(struct span text)
{
	static const char word[] = "crc64 ";
	size_t len = sizeof(word) - 1 + 16 + 1, head_len = sizeof(FILE_HEAD) - 1;
	char sum[32];
	if (text.len < head_len + len || memcmp(text.p, FILE_HEAD, head_len) != 0)
		return false;
	const char *at = text.p + text.len - len;
	snprintf(sum, sizeof(sum), "crc64 %016" PRIx64 "\n", crc64(0, text.p, text.len - len));
	return !memcmp(at, sum, len);
}

int handoff_parse(struct handoff *h, struct span text)
{
	unsigned n_tasks = 0;
	if (!sum_is_right(text))
		return -EBADMSG;
	char *copy = strndup(text.p, text.len), *rest = NULL;
	if (!copy)
		return -ENOMEM;
	bool ok = true;
	strtok_r(copy, "\n", &rest);
	for (char *line; ok && (line = strtok_r(NULL, "\n", &rest));)
		ok = line_read(h, line, &n_tasks);
	free(copy);
	return ok ? 0 : -EBADMSG;
}
