// SPDX-License-Identifier: BSD-3-Clause
// aof_extent_find() -> commands_pass() -> event_note()
#include "ctrl/aof/extent.h"

#include <errno.h>

#include "ctrl/decode/input.h"

#define BIG_LEN (256 * 1024)

// @return whether to go on
static bool event_note(struct aof_extent *e, const struct aof_reader *r, const struct aof_event *ev,
		       int64_t until_s)
{
	if (ev->kind == AOF_TIMESTAMP && ev->at_s > until_s) {
		e->until = true;
		return false;
	}
	if (ev->kind == AOF_TIMESTAMP) {
		e->first_s = e->first_s == -1 ? ev->at_s : e->first_s;
		e->last_s = ev->at_s;
	}
	e->good = r->good;
	if (!r->in_multi)
		e->n_commands = r->n_commands;
	return true;
}

static int commands_pass(struct aof_extent *e, struct aof_reader *r, struct input *in,
			 int64_t until_s)
{
	struct aof_event ev;
	size_t used;
	for (;;) {
		enum aof_result result = aof_next(r, input_window(in), &ev, &used);
		if (result == AOF_EVENT && !event_note(e, r, &ev, until_s))
			return 0;
		if (result == AOF_BAD) {
			e->damaged = true;
			return 0;
		}
		input_used(in, used);
		if (result == AOF_EVENT)
			continue;
		int rc = input_fill(in, r->need_len);
		if (rc)
			return rc;
		if (in->len < r->need_len) {
			e->ending = aof_end(r, in->len);
			return 0;
		}
	}
}

int aof_extent_find(const char *path, uint64_t from, int64_t until_s, struct aof_extent *e)
{
	struct aof_reader r;
	struct input in;
	*e = (struct aof_extent){.from = from, .good = from, .first_s = -1, .last_s = -1};
	int rc = input_open(&in, path, BIG_LEN + AOF_LINE_MAX);
	rc = rc ? rc : input_seek(&in, from);
	if (!rc)
		rc = aof_reader_init(&r, BIG_LEN);
	if (!rc) {
		if (from)
			aof_rdb_passed(&r, from);
		rc = commands_pass(e, &r, &in, until_s);
		e->len = r.pos + in.len;
		memcpy(e->error, r.error, sizeof(e->error));
		aof_reader_fini(&r);
	}
	input_close(&in);
	return rc;
}
