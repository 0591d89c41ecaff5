// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "dataplane/route/snapshot_put.h"

static int stop(struct snapshot *s, struct span key, const char *reason)
{
	int len = key.len < 60 ? (int)key.len : 60;
	s->error = ERROR_TARGET_REFUSES;
	snprintf(s->text, sizeof(s->text),
		 "the target cannot hold \"%.*s\" of the snapshot: %.120s", len, key.p, reason);
	return -1;
}

int snapshot_park(struct snapshot *s, struct span key, const char *verb, const struct batch *b,
		  const char *reason)
{
	if (s->stops)
		return stop(s, key, reason);
	struct park_record what = {.phase = "snapshot",
				   .replid = s->place->marker.replid,
				   .wall_ms = s->now_ms,
				   .offset = s->position,
				   .db = s->db,
				   .verb = span_of(verb),
				   .key = key,
				   .reason = span_of(reason),
				   .b = b};
	int rc = park_put(s->park, &what);
	if (!rc) {
		counter_add(&s->counters->snapshot_unfit, 1);
		s->n_unfit++;
		return 1;
	}
	s->error = ERROR_DISK;
	snprintf(s->text, sizeof(s->text), "cannot park a key in %.200s: %s", s->park->path,
		 strerror(-rc));
	return -1;
}

int snapshot_degraded(struct snapshot *s)
{
	counter_add(&s->counters->degraded, 1);
	s->n_degraded++;
	return 1;
}

void snapshot_no_nacks(const struct snapshot *s, char *reason, size_t len)
{
	snprintf(reason, len, "%s has no pending entries without a consumer (XNACK)",
		 s->target.text);
}
