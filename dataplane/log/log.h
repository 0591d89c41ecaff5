// SPDX-License-Identifier: BSD-3-Clause
// The log: what we hold of a stream, addressed by the source's own offsets. Here is the window in
// memory; its bytes lie in one of two rings: a small one that stays in the processor's cache, as
// long as nobody is far behind, and a large one of the size of the window. When the small one is
// full the log moves to the large one, and comes back when it is nearly empty. Older bytes stay
// where they are until nobody needs them: nothing that was handed out ever moves.
//
// Bytes that a cursor still needs are never overwritten, so when the slowest cursor is a
// whole window behind, log_space() is 0 and the owner holds the source back. Segment files on disk
// will take over at that point: they belong behind log_space() (older bytes go out) and log_view()
// (they come back), and nothing else of the pipeline changes.
//
//   head <= cursor <= tail        byte at offset o stands for "the (o+1)-th byte of the stream"
//
// Owner: the core that reads the source. Lanes on other cores read bytes between head and tail
// through pointers that they were handed; head moves only past what they have reported as done.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/memory.h"

#define LOG_CURSORS_MAX 4
#define LOG_STAMPS      4096

// When the bytes from an offset on were received.
struct log_stamp {
	uint64_t offset;
	uint64_t mono_ns, wall_ms;
};

enum log_ring { LOG_RING_LARGE, LOG_RING_SMALL };

struct log {
	struct memory_ring rings[2]; // by enum log_ring; the small one is empty in a small window
	enum log_ring active;        // where bytes come in
	uint64_t moved_at;           // older bytes than this lie in the other ring
	uint64_t head;               // oldest byte held
	uint64_t released;           // older bytes are kept elsewhere, whoever still needs them
	uint64_t tail;               // next byte to come
	uint64_t cursors[LOG_CURSORS_MAX];
	unsigned n_cursors;
	struct log_stamp stamps[LOG_STAMPS]; // ring, oldest first, offsets rising
	unsigned stamp_first, n_stamps;
};

// @param window_len  bytes of memory, rounded up to pages
// @return 0, or -errno
int log_init(struct log *l, size_t window_len);
void log_fini(struct log *l);

// Begin anew at an offset: nothing held, every cursor there.
void log_reset(struct log *l, uint64_t offset);

// Give the memory back to the system until bytes come again. Everything held is lost.
void log_release_memory(struct log *l);

// A new cursor at head. @return its number, below LOG_CURSORS_MAX
unsigned log_cursor_add(struct log *l);

// Move a cursor forward; memory behind the slowest one is free again.
void log_cursor_set(struct log *l, unsigned cursor, uint64_t offset);

// Let the memory of the bytes before an offset go, though a cursor still stands before it: whoever
// needs them keeps them elsewhere. They are never viewable again.
//
// @param offset  up to the end; nobody holds pointers to what lies before it
void log_release(struct log *l, uint64_t offset);

// Viewable up to here.
static inline uint64_t log_end(const struct log *l)
{
	return l->tail;
}

// Longest run of bytes that the log can ever hold.
static inline size_t log_capacity(const struct log *l)
{
	return l->rings[LOG_RING_LARGE].size;
}

// Move to the ring that fits what is held, when that pays and nothing stands in the way.
//
// @param whole  first byte of what has not been taken apart yet: a view from there on has to stay
// in
//               one piece, so these bytes are copied over
void log_settle(struct log *l, uint64_t whole);

// Where to receive the next bytes.
//
// @param len  out: contiguous free bytes, 0 when the window is full
// @return     the place
char *log_space(struct log *l, size_t *len);

// Say that `len` bytes were received there, at this time.
void log_received(struct log *l, size_t len, uint64_t mono_ns, uint64_t wall_ms);

// The bytes from an offset on.
//
// @param offset  head <= offset <= tail
// @param len     out: contiguous bytes: up to tail, or to where the log moved to its other ring
const char *log_view(const struct log *l, uint64_t offset, size_t *len);

// When the byte at an offset was received; the newest stamp at or before it.
struct log_stamp log_stamp_at(const struct log *l, uint64_t offset);
