// SPDX-License-Identifier: BSD-3-Clause
// Where a snapshot ends among the bytes that a primary sends: after the length that it announced,
// or at the mark that it announced.
#pragma once

#include "parsers/psync.h"

struct frame {
	struct psync_header header;
	uint64_t left;    // bytes of the snapshot not used yet, where its length is known
	size_t looked_at; // bytes of the window in which the mark was looked for
	bool ended;       // the view holds the end
};

void frame_begin(struct frame *f, const struct psync_header *header);

// What of the window surely belongs to the snapshot.
//
// @param window  unread bytes; its end never moves back between calls
struct span frame_view(struct frame *f, struct span window);

// So many bytes of the view were used.
void frame_used(struct frame *f, size_t n);
