// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/dump/frame.h"

#include <assert.h>

void frame_begin(struct frame *f, const struct psync_header *header)
{
	*f = (struct frame){.header = *header, .left = header->len};
}

// The mark is searched for, not just compared with the last bytes: some servers send a newline
// behind it.
static struct span mark_view(struct frame *f, struct span window)
{
	// Its beginning may be among the bytes that were looked at.
	size_t from = f->looked_at < EOF_MARK_LEN ? 0 : f->looked_at - EOF_MARK_LEN + 1;
	const char *at = window.len > from ? memmem(window.p + from, window.len - from,
						    f->header.mark, EOF_MARK_LEN)
					   : NULL;
	f->ended = at != NULL;
	if (f->ended)
		return (struct span){window.p, (size_t)(at - window.p)};
	f->looked_at = window.len;
	return (struct span){window.p, window.len < EOF_MARK_LEN ? 0
								 : window.len - EOF_MARK_LEN + 1};
}

struct span frame_view(struct frame *f, struct span window)
{
	if (f->header.mark[0])
		return mark_view(f, window);
	f->ended = window.len >= f->left;
	return (struct span){window.p, f->ended ? (size_t)f->left : window.len};
}

void frame_used(struct frame *f, size_t n)
{
	if (!f->header.mark[0]) {
		assert(n <= f->left);
		f->left -= n;
		return;
	}
	f->looked_at = f->looked_at > n ? f->looked_at - n : 0;
}
