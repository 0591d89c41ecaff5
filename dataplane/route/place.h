// SPDX-License-Identifier: BSD-3-Clause
// Place: which lane a command goes to, and the batches being filled for each lane.
//
// Order. A key always goes to one lane, so commands of one key keep their order. What touches
// several lanes runs on one of them and is a barrier for just those: its batch waits until the
// others have answered all that came before (`after`), and their next batches wait for it. A batch
// only ever waits for batches that were handed over earlier, so nothing can wait in a circle.
//
// Owner: the core that routes.
#pragma once

#include "dataplane/apply/lane.h"
#include "parsers/slot.h"

// The routing side of one lane.
struct feed {
	struct lane *lane;
	struct batch *open;         // being filled, NULL: none
	uint32_t open_handle;
	uint32_t free[LANE_BATCHES];
	unsigned n_free;
	uint32_t out[LANE_BATCHES]; // handed over and not back, oldest first (ring)
	unsigned out_head, n_out;
	uint64_t next_seq;
	uint64_t closed_seq;        // last batch handed over
	uint64_t marked_offset;     // end of the last framed batch handed over
	bool marked;                // there was one since the stream began
	uint64_t held;              // its marker of a former life: the next ones never say less
	int32_t held_db;
	uint32_t after_mask;        // what the next batch has to wait for
	uint64_t after[LANES_MAX];
};

struct place {
	const struct link_settings *settings;
	struct feed feeds[LANES_MAX];
	unsigned n_lanes;
	uint8_t lane_of_slot[SLOT_COUNT];
	uint64_t files_len;   // bytes of files that batches hold; once for each of them
	struct marker marker; // replid, phase, epoch and site of what is routed now
};

void place_init(struct place *p, const struct link_settings *settings, struct lane *lanes,
		unsigned n_lanes);

static inline unsigned place_lane_of(const struct place *p, struct span key)
{
	return p->n_lanes == 1 ? 0 : p->lane_of_slot[key_slot(key)];
}

static inline uint32_t place_all(const struct place *p)
{
	return p->n_lanes == 32 ? UINT32_MAX : (1u << p->n_lanes) - 1;
}

// A new history begins: what markers of another one said no longer counts.
void place_begin(struct place *p);

// Take back what the lanes have answered. @return batches that came back
unsigned place_collect(struct place *p);

// The batch being filled for a lane; a new one when there is none, or when it is of the other form.
//
// @param offset       of the command that will be added: where the batch begins
// @param received_ns  when that command came
// @return NULL when all batches of the lane are on their way: try again after place_collect()
struct batch *place_open(struct place *p, unsigned lane, uint64_t offset, uint64_t received_ns,
			 bool framed);

// Let the open batch of a lane hold the file that its commands lie in, until it is answered.
void place_give_file(struct place *p, unsigned lane, struct memory_file *file);

// Hand the open batch of a lane over. @param end  offset after its last command
// @param db  database that the stream has selected there
void place_close(struct place *p, unsigned lane, uint64_t end, int32_t db);

// Make the open batch of `lane` a barrier for the lanes of `mask`: open batches of the others are
// handed over first. Call it before place_close() of the lane.
//
// @param begin  offset at which what touches them all begins
void place_join(struct place *p, unsigned lane, uint32_t mask, uint64_t begin, int32_t db);

// Hand over what is open, as far as it pays: a lane that has enough to do can have more added.
//
// @param all     even if it does not pay
// @param except  lanes to leave alone
void place_flush(struct place *p, uint64_t end, int32_t db, bool all, uint32_t except);

// Let every lane that has been idle write a bare marker, so that none stays behind.
void place_touch(struct place *p, uint64_t end, int32_t db);

// The offset up to which everything has been answered.
// @param routed  the offset up to which everything has been given to a lane, or needed none
uint64_t place_frontier(const struct place *p, uint64_t routed);

// Whether nothing is open or on its way.
bool place_is_idle(const struct place *p);

// Forget everything open; the lanes have settled and given everything back.
void place_discard(struct place *p);
