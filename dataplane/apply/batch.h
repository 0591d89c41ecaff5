// SPDX-License-Identifier: BSD-3-Clause
// A batch: the commands that a lane sends as one unit. Filled by the core that routes, sent and
// answered by the core of the lane, then handed back; one owner at a time, so no locks.
//
// A batch holds no copy of what it sends where it can help it: segments point into the log, whose
// bytes stay until the batch is answered; only what we compose ourselves lies in its own text.
//
//   framed:  MULTI [SELECT db] item... [SELECT 0] SET marker EXEC     the stream; pieces of big
//   values plain:   [SELECT db] item...                                     keys of a snapshot
#pragma once

#include "dataplane/apply/marker.h"
#include "dataplane/contract/contract.h"
#include "drivers/memory.h"
#include "parsers/span.h"

enum item_kind {
	ITEM_COMMAND,  // a command of the source (or a key of the snapshot): has a fate
	ITEM_INTERNAL, // ours: SELECT and the like
};

// Where an item goes in a cluster, when it is not the slot of its keys.
#define SLOT_ANY   0xfffe // it has none: a PING, which stands for a command that is withheld
#define SLOT_EVERY 0xffff // every master gets it (FLUSHALL, FUNCTION LOAD)

// How an item goes to a cluster. A unit is an item and those behind it that are joined: all of one
// slot, sent, redirected and answered as one. A slot is one of its lane. Batches begin and end
// between the transactions of the source, which may have units in several slots and lanes; of the
// units of one slot a later one has the same offset or a higher one (the pieces of a value have the
// same, and so have the parts of what was split).
enum item_flags {
	ITEM_JOINED = 1, // belongs to the unit of the item before it
	ITEM_ATOMIC = 2, // first of a unit that has to be a transaction
	ITEM_FENCED = 4, // first of a unit that must not run twice: a transaction, with the marker
			 // of its slot
};

// One command in the batch, in the order of the replies.
struct batch_item {
	uint64_t offset; // of the source's bytes that it stands for, in the log
	uint64_t at; // where it begins among the bytes of the batch; it ends where the next begins
	int32_t db;
	uint16_t slot; // for a cluster: 0 .. SLOT_COUNT - 1, SLOT_ANY or SLOT_EVERY; else 0
	uint8_t kind;  // enum item_kind
	uint8_t flags; // enum item_flags, for a cluster; else 0
};

struct command;
struct older_row;

// A command that the target's release has no words for: it is parked, not sent.
struct batch_withheld {
	uint64_t offset;
	struct span bytes; // as it came; they outlive the batch
	const struct command *command;
	const struct older_row *row; // what older_reason() wants
	const char *why;             // another reason, NULL: that one
	int32_t db;
};

struct batch {
	// Written by the routing core before it hands the batch over.
	uint64_t seq;         // 1, 2, ... of the lane in this run
	uint64_t begin, end;  // everything of this lane in [begin, end) of the log is in here
	uint64_t received_ns; // when the first of it arrived, core clock
	uint32_t n_commands;  // commands of the source that get their fate with it, MULTI and EXEC
			      // too
	bool framed;
	bool idempotent;      // sending it again after later ones does no harm
	bool marker_all; // markers of all lanes are to be written again (FLUSHALL and the like)
	bool closed;          // handed over
	int32_t db_first;     // selected when the first item runs, -1: no items yet
	int32_t db_last;      // selected after the last item
	struct marker marker; // what the marker will say; the lane adds run, seq and client
	uint32_t after_mask;  // lanes that must be done up to after[lane] before this is sent
	uint64_t after[LANES_MAX];

	struct span *segments;
	unsigned n_segments, segments_max;
	struct batch_item *items;
	unsigned n_items, items_max;
	char *text;
	size_t n_text, text_max;
	struct text_chunk *chunks; // more text, for what is larger than usual; newest first
	size_t len; // bytes of all segments
	struct memory_file *file; // segments lie in it, not in the log; held, NULL: none
	struct batch_withheld *withheld;
	unsigned n_withheld, withheld_max;

	// Written by the lane.
	char *suffix; // SELECT 0, marker, EXEC
	size_t n_suffix, suffix_max;
	char prefix[64]; // MULTI, SELECT
	size_t n_prefix;
	bool asks_memory;  // INFO stands behind EXEC
	bool told;         // what is withheld was parked
	uint32_t n_queued; // replies inside EXEC, or replies of a plain batch
};

// Sizes at the start; items and segments grow for one huge transaction.
//
// @return 0, or -ENOMEM
int batch_init(struct batch *b, size_t text_len, unsigned n_items);
void batch_fini(struct batch *b);

// Make it empty. @param framed  which of the two forms
void batch_reset(struct batch *b, uint64_t seq, uint64_t begin, bool framed);

// It was answered, or given up: what it took more than others goes now, not when it is used again.
void batch_release(struct batch *b);

// A holder of a file lets go of it, on the core that routes. NULL: nothing to do.
void batch_file_drop(struct memory_file *file);

// Room for one more item with this much text of our own and this many segments.
static inline bool batch_has_text(const struct batch *b, size_t text_len)
{
	return b->text_max - b->n_text >= text_len;
}

// Make room for this much more text. What was added stays where it is.
//
// @return false when out of memory
bool batch_text_grow(struct batch *b, size_t text_len);

// Begin an item; what is added until the next one belongs to it. Adds a SELECT before it when its
// database is not the one selected.
//
// @return 0, or -ENOMEM (nothing added)
int batch_item_begin(struct batch *b, uint64_t offset, int32_t db, enum item_kind kind);

// Add a command that is not sent. PING stands in its place, so that the batch is not empty.
//
// The caller has asked batch_has_text() for BATCH_HEAD_LEN. @return 0, or -ENOMEM
int batch_withhold(struct batch *b, const struct batch_withheld *w);

// Add bytes to the item at hand: by copy, or by reference to bytes that outlive the batch.
//
// The caller has asked batch_has_text() first. @return 0, or -ENOMEM
int batch_copy(struct batch *b, const char *p, size_t len);
int batch_refer(struct batch *b, const char *p, size_t len);

// Compose in RESP: "*argc", then arguments; those above BATCH_COPY_MAX by reference when `stable`.
#define BATCH_COPY_MAX 512
#define BATCH_HEAD_LEN 32 // text that one header takes at most
int batch_head(struct batch *b, unsigned argc);
int batch_arg(struct batch *b, struct span arg, bool stable);
int batch_arg_u64(struct batch *b, uint64_t v);
// One argument in two parts; the second is copied.
int batch_arg_parts(struct batch *b, struct span arg, bool stable, struct span end);

// Text that batch_arg() will use.
static inline size_t batch_arg_len(struct span arg, bool stable)
{
	return BATCH_HEAD_LEN + 2 + (stable && arg.len > BATCH_COPY_MAX ? 0 : arg.len);
}

// A place to come back to, while nothing has been handed over.
struct batch_mark {
	unsigned n_segments, n_items, n_withheld;
	size_t n_text, len, last_segment_len;
	const struct text_chunk *chunks;
	uint32_t n_commands;
	int32_t db_first, db_last;
	bool idempotent;
};
struct batch_mark batch_mark(const struct batch *b);
void batch_back(struct batch *b, const struct batch_mark *m);

// Make one unit of the items from `from` on. @param first  enum item_flags of the first of them
static inline void batch_unit(struct batch *b, unsigned from, uint16_t slot, uint8_t first)
{
	for (unsigned i = from; i < b->n_items; i++) {
		b->items[i].slot = slot;
		b->items[i].flags = i == from ? first : ITEM_JOINED;
	}
}

// Put the items from `from` on into another order, before the batch is handed over. There is one.
//
// @param order  for each place which of them stands there, counted from `from`
// @return 0, or -ENOMEM: the batch is of no use any more
int batch_reorder(struct batch *b, unsigned from, const uint32_t *order);

// Bytes of item i as they are sent.
static inline size_t batch_item_len(const struct batch *b, unsigned i)
{
	return (i + 1 < b->n_items ? b->items[i + 1].at : b->len) - b->items[i].at;
}

// Copy them out. @return how many there are; at most out_len of them were copied
size_t batch_item_bytes(const struct batch *b, unsigned i, char *out, size_t out_len);

// Copy out some of them, from the byte `from` on.
//
// @return bytes copied, fewer than out_len only at the end of the item
size_t batch_item_piece(const struct batch *b, unsigned i, size_t from, char *out, size_t out_len);

// Write a number in decimal. @return bytes written, at most 20
size_t decimal_write(char *out, uint64_t v);
