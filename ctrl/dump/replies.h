// SPDX-License-Identifier: BSD-3-Clause
// Replies of a server as they come, where a string may be larger than what one wants to hold: only
// the plain ones of RESP2, no arrays.
#pragma once

#include "parsers/span.h"

#define REPLY_LINE_MAX (64 * 1024)
#define REPLY_HEAD_MIN 16 // of a string, these are there at least, or all of it

enum reply_part {
	REPLY_MORE, // of the window's bytes nothing can be taken now
	REPLY_BAD,  // no reply as we know them
	REPLY_NUMBER, // number
	REPLY_STATUS, // text
	REPLY_ERROR,  // text
	REPLY_NIL,
	REPLY_STRING, // a string begins: number is its length, text its first bytes, not yet taken
	REPLY_BYTES,  // text: its next bytes
	REPLY_STRING_END,
};

struct replies {
	enum { REPLIES_LINE, REPLIES_STRING, REPLIES_STRING_END } at;
	uint64_t left; // bytes of the string
};

struct reply_event {
	int64_t number;
	struct span text; // in the window
};

// Take the next part out of the window.
//
// @param in    unread bytes
// @param used  out: bytes that are done with, once the part has been dealt with
enum reply_part replies_next(struct replies *r, struct span in, struct reply_event *ev,
			     size_t *used);
