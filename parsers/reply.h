// SPDX-License-Identifier: BSD-3-Clause
// Where one RESP2 reply ends and whether it is an error, without taking it apart. A lane needs
// nothing else of millions of replies a second; whoever wants values uses resp.h.
#pragma once

#include "parsers/span.h"

#define REPLY_DEPTH_MAX 7

enum reply_verdict { REPLY_OK, REPLY_MORE, REPLY_BAD };

struct reply {
	char type;        // '+', '-', ':', '$' or '*'
	int64_t integer;  // of ':', or the length of '$' and '*' (-1: nil)
	struct span line; // the first line without its type byte and CR LF; text of '+' and '-'
	size_t len;       // bytes of the whole reply
};

// @param in  bytes from the beginning of a reply
// @param r   out, with REPLY_OK
// @return    REPLY_OK; REPLY_MORE when it is not all there; REPLY_BAD when it is not RESP
enum reply_verdict reply_scan(struct span in, struct reply *r);

// The same for the first line alone: of an array, whose elements the caller scans one by one.
enum reply_verdict reply_scan_line(struct span in, struct reply *r);
