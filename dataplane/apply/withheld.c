// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>

#include "dataplane/apply/lane.h"
#include "parsers/commands.h"
#include "parsers/rewrite_older.h"

// A batch of just this command, for those who park items.
static int withheld_park(struct lane *l, const struct batch *b, const struct batch_withheld *w,
			 struct span reason)
{
	struct batch_item item = {.offset = w->offset, .db = w->db, .kind = ITEM_COMMAND};
	struct span bytes = w->bytes;
	struct batch alone = {
		.marker = b->marker, .items = &item, .n_items = 1, .segments = &bytes,
		.n_segments = 1, .len = bytes.len, .file = b->file,
	};
	return park_item(l->park, &alone, 0, "stream", l->now.wall_ms, reason);
}

bool lane_park_withheld(struct lane *l, struct batch *b)
{
	struct server_version target = lane_release(l);
	for (unsigned i = 0; i < b->n_withheld && !b->told; i++) {
		const struct batch_withheld *w = &b->withheld[i];
		char reason[OLDER_REASON_LEN];
		if (w->why)
			snprintf(reason, sizeof(reason), "%s", w->why);
		else
			older_reason(&target, w->command, w->row, reason);
		if (l->config->settings.on_error == ON_ERROR_STOP) {
			lane_fail(l, ERROR_TARGET_REFUSES, "%s cannot be sent to the target: %s",
				  w->command ? w->command->name : "a command", reason);
			return false;
		}
		int rc = withheld_park(l, b, w, span_of(reason));
		if (rc) {
			lane_fail(l, ERROR_DISK, "cannot park a command in %s: %s", l->park->path,
				  strerror(-rc));
			return false;
		}
	}
	b->told = true;
	return true;
}
