// SPDX-License-Identifier: BSD-3-Clause
// walk_stream() -> part_begin() ; run_collect() -> aof_next(), frame_end() ; part_end()
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/restore/walk_priv.h"

#define BIG_LEN (256u * 1024) // longer commands are passed on in parts

// Each file begins in database 0, whatever the one before had selected.
static const char select_0[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

static int stream_damaged(const struct walk *w, const char *what, struct failure *f)
{
	return failure_set(f, ERROR_RESTORE_DAMAGED, "%s: %s", walk_path(w), what);
}

static int window_fill(struct walk *w, size_t need, struct failure *f)
{
	int rc = input_fill(&w->in, need);
	return rc ? walk_read_failed(w, rc, f) : 0;
}

// Up to here all is whole: no command and no transaction is open.
static void frame_end(struct walk *w, size_t done)
{
	uint64_t at = w->stream_pos + done;
	if (w->aof.good != w->aof.pos)
		return;
	if (at - w->good_pos > w->frame_max)
		w->frame_max = at - w->good_pos;
	w->good_pos = at;
}

static bool looks_like_commands(const struct walk *w)
{
	char first = input_window(&w->in).p[0];
	return first == '*' || first == '#';
}

// Whether commands follow an RDB. Behind one that is no AOF by its name a server reads nothing.
static bool may_follow(const struct walk *w)
{
	return aof_file_is_aof(w->set.files, &w->set.files->v[w->part]) || looks_like_commands(w);
}

// @return 1 a run is there, 0 the part has no commands, -1 f
static int part_begin(struct walk *w, struct span *run, struct failure *f)
{
	if (aof_reader_init(&w->aof, BIG_LEN))
		return failure_set(f, ERROR_MEMORY, "no memory for the reader of commands");
	w->aof_open = true;
	if (window_fill(w, 1, f))
		return -1;
	// Behind an RDB nothing need follow, and a new file of a folder may be empty.
	uint64_t preamble = w->part == 0 ? w->snapshot_pos : 0;
	if (preamble)
		aof_rdb_passed(&w->aof, preamble);
	if (!w->in.len || (preamble && !may_follow(w)))
		return 0;
	if (!preamble && !looks_like_commands(w))
		return stream_damaged(w, "this is neither an RDB nor an append-only file", f);
	*run = (struct span){select_0, sizeof(select_0) - 1};
	w->stream_pos += run->len;
	w->good_pos = w->stream_pos;
	return 1;
}

// The part has no more bytes. @return 1 the next one is open, 0 it was the last, -1 f
static int part_end(struct walk *w, struct failure *f)
{
	enum aof_ending ending = aof_end(&w->aof, w->in.len);
	bool last = w->part + 1 == w->set.files->n;
	bool whole = ending == AOF_WHOLE || ending == AOF_EMPTY;
	if (!whole && (!last || w->set.strict))
		return stream_damaged(w, w->aof.error, f);
	if (!whole)
		snprintf(w->cut, sizeof(w->cut), "%s", w->aof.error);
	w->stream_over = last;
	if (last)
		return 0;
	aof_reader_fini(&w->aof);
	w->aof_open = false;
	return walk_next_part(w, f) ? -1 : 1;
}

// What to do with an event. @return whether its bytes are served
static bool event_take(struct walk *w, const struct aof_event *ev)
{
	switch (ev->kind) {
	case AOF_TIMESTAMP:
		w->timed = true;
		w->stream_over |= ev->at_s > w->set.until_s;
		return false;
	case AOF_ANNOTATION:
		return false;
	case AOF_COMMAND:
	case AOF_BIG_END:
		w->n_items++;
		w->n_commands++;
		return true;
	default:
		return true;
	}
}

// @return 1 a run is there, 0 the part has no more bytes, -1 f
static int run_collect(struct walk *w, struct span *run, struct failure *f)
{
	size_t done = 0, used = 0, passed = 0;
	struct aof_event ev;
	while (!w->stream_over && !passed && done < w->set.run_len &&
	       w->n_items < w->set.run_items && w->stream_pos + done < w->set.stream_limit) {
		struct span all = input_window(&w->in), in = {all.p + done, all.len - done};
		enum aof_result result = aof_next(&w->aof, in, &ev, &used);
		if (result == AOF_BAD)
			return stream_damaged(w, w->aof.error, f);
		if (result == AOF_EVENT && ev.kind == AOF_RDB)
			return stream_damaged(w, "an RDB stands where only commands may be", f);
		if (result == AOF_MORE && done)
			break;
		if (result == AOF_MORE && window_fill(w, w->aof.need_len, f))
			return -1;
		if (result == AOF_MORE && w->in.len < w->aof.need_len)
			return 0;
		if (result == AOF_MORE)
			continue;
		if (event_take(w, &ev))
			done += used;
		else
			passed = used;
		frame_end(w, done);
	}
	// The base of a folder is what there was when a rewrite began: nothing is before it.
	if (w->stream_over && w->set.files->v[w->part].type == AOF_PART_BASE)
		return failure_set(f, ERROR_UNTIL_TIME, "%s, the base, is later than --until-time",
				   walk_path(w));
	*run = (struct span){input_window(&w->in).p, done};
	w->stream_pos += done;
	w->taken = done + passed;
	return 1;
}

int walk_stream(struct walk *w, struct span *run, struct failure *f)
{
	for (;;) {
		walk_release(w);
		if (w->stream_over || w->stream_pos >= w->set.stream_limit)
			return 0;
		int rc = w->aof_open ? run_collect(w, run, f) : part_begin(w, run, f);
		if (rc < 0 || (rc && run->len))
			return rc;
		rc = rc ? 1 : part_end(w, f);
		if (rc <= 0)
			return rc;
	}
}
