// SPDX-License-Identifier: BSD-3-Clause
// RESP2 both ways: commands of a replication stream, and replies of a server.
#pragma once

#include "parsers/span.h"

enum resp_verdict { RESP_OK, RESP_MORE, RESP_BAD };

// ---- Commands -------------------------------------------------------------------------------

// Where an argument lies, in bytes from the beginning of its frame.
struct resp_arg {
	uint64_t at;
	uint64_t len;
};

// One command, or one bare newline (argc 0). Positions count the bytes of the stream, from the
// position given to resp_stream_new() or resp_stream_reset().
struct resp_frame {
	uint64_t begin, end;
	unsigned argc;
	const struct resp_arg *argv; // owned by the reader, valid until the next call
};

struct resp_stream;

// Takes commands apart where they lie: the bytes stay the caller's, and nothing of them is copied.
//
// @param position  what the first byte counts as
// @return          NULL when out of memory
struct resp_stream *resp_stream_new(uint64_t position);
void resp_stream_free(struct resp_stream *s);

// Forget the frame at hand; it begins at `position`.
void resp_stream_reset(struct resp_stream *s, uint64_t position);

// The next command. A frame is an array of bulk strings with at least one element.
//
// @param in  the bytes from resp_stream_position() on. After RESP_MORE: those of last time, which
//            may lie elsewhere now, and more; what was read is not read again
// @return RESP_OK with *f filled; RESP_MORE; RESP_BAD for good, see resp_stream_error()
enum resp_verdict resp_stream_next(struct resp_stream *s, struct span in, struct resp_frame *f);

// Position of the first byte that belongs to no whole frame yet.
uint64_t resp_stream_position(const struct resp_stream *s);

// The least length that the frame at hand can have, as far as its announcements have been read:
// more than was there of it when one of its arguments is still on its way.
uint64_t resp_stream_frame_least(const struct resp_stream *s);

// How many arguments the frame at hand announces, 0 when that has not been read.
uint64_t resp_stream_frame_argc(const struct resp_stream *s);

// A sentence without a full stop, empty when all is well.
const char *resp_stream_error(const struct resp_stream *s);

// ---- Replies --------------------------------------------------------------------------------

// They stand on hiredis's reader, which wants bytes copied in: feed slices of at most RESP_SLICE
// and take out what is whole between them, since it moves what is left once a KB has been used.
#define RESP_SLICE 4096

enum resp_type { RESP_STRING = 1, RESP_ARRAY, RESP_INTEGER, RESP_NIL, RESP_STATUS, RESP_ERROR };

// One node of a reply; an array is followed by its elements, depth first.
struct resp_value {
	enum resp_type type;
	int64_t integer;   // RESP_INTEGER
	unsigned elements; // RESP_ARRAY: direct children
	struct span text;  // RESP_STRING, RESP_STATUS, RESP_ERROR; a NUL follows it
};

struct resp_replies;

struct resp_replies *resp_replies_new(void);
void resp_replies_free(struct resp_replies *r);

// Copy bytes in. @return 0, or -ENOMEM
int resp_replies_feed(struct resp_replies *r, const char *p, size_t len);

// Take the next whole reply.
//
// @param v  out: its nodes, v[0] the reply itself; valid until the next call
// @param n  out: how many nodes
// @return RESP_OK, RESP_MORE, or RESP_BAD: what was fed is not RESP (for good)
enum resp_verdict resp_replies_next(struct resp_replies *r, const struct resp_value **v,
				    unsigned *n);
