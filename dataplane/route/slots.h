// SPDX-License-Identifier: BSD-3-Clause
// Slots: how the commands of the stream go to a cluster.
//
//   command_forward() -> slots_forward()   what no node can run: filtered, parked, gathered
//   command_place()   -> slots_place()     the rest: items of the slots of its keys
//   frame_close()     -> slots_frame_end() a transaction: a unit for each slot
//
//   one slot           an item
//   DEL, MSET          an item for each slot; one command, with one fate
//   RENAME, SUNIONSTORE over several slots      see gather.h
//   FLUSHALL, FUNCTION LOAD                     one item, for every master
//   PUBLISH            by its channel, so that messages keep their order
//   scripts over several slots, unknown commands, SORT BY patterns       parked
//
// What the target holds is known slot by slot: of a command over several, the parts of some may be
// held and those of others not. A command is held where it begins before what the slot holds; in a
// transaction the first one of a slot decides for that slot.
//
// Owner: the core that routes.
#pragma once

#include "parsers/commands.h"
#include "parsers/slot.h"

// Things by slot, each slot's in the order in which they were added.
struct slot_groups {
	struct slot_group {
		uint32_t first, last; // + 1; 0: none
	} of[SLOT_COUNT];
	uint16_t found[SLOT_COUNT]; // in the order of their first ones
	unsigned n_found;
	uint32_t *next; // + 1, of each thing; 0: it is the last of its slot
	uint32_t next_max;
	bool next_in_file;
};

struct slots {
	uint64_t frame;               // number of the transaction at hand
	uint64_t touched[SLOT_COUNT]; // the last transaction in each slot << 1 | the slot holds it
	unsigned n_touched;           // slots of the transaction at hand
	bool told;                    // that one was split
	struct slot_groups groups;
};

// Where a command goes.
enum slots_way {
	SLOTS_ONE,     // to `slot`
	SLOTS_EVERY,   // to all masters
	SLOTS_BY_KEY,  // its keys, each with its values, to theirs
	SLOTS_GATHER,  // nowhere before its keys are together
	SLOTS_NOTHING, // it would change nothing
	SLOTS_PARK,    // nowhere: `why`
};

struct slots_plan {
	enum slots_way way;
	unsigned slot;
	const char *why;
	struct key_run run;
};

// @param c  NULL: unknown
struct slots_plan slots_plan(const struct command *c, const struct span *argv, int argc);

struct slots *slots_new(void);
void slots_free(struct slots *s);

// A transaction begins.
void slots_frame_begin(struct slots *s);

// Group things 0 .. n - 1: begin, add each, walk found[] and the chains, end.
//
// @param folder  for what would take too much memory
// @return 0, or -ENOMEM
int slot_groups_begin(struct slot_groups *g, uint32_t n, const char *folder);
void slot_groups_add(struct slot_groups *g, unsigned slot, uint32_t i);
void slot_groups_end(struct slot_groups *g);
