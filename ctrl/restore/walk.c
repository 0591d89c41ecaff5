// SPDX-License-Identifier: BSD-3-Clause
// walk_snapshot() -> snapshot_begin() ; run_parse() -> rdb_next(), event_count() | run_copy()
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/restore/walk_priv.h"

#define WINDOW_MAX  (1024ull * 1024 * 1024)
#define SCRATCH_MAX (64u * 1024 * 1024) // as the dataplane has it
#define HEAD_LEN    9                   // magic and version of an RDB

const char *walk_path(const struct walk *w)
{
	return w->set.files->v[w->part].path;
}

int walk_read_failed(const struct walk *w, int rc, struct failure *f)
{
	bool rights = rc == -EACCES || rc == -EPERM;
	return failure_set(f, rights ? ERROR_FILE_RIGHTS : ERROR_RESTORE_FILE, "cannot read %s: %s",
			   walk_path(w), strerror(-rc));
}

int walk_open(struct walk *w, const struct walk_settings *set, struct failure *f)
{
	*w = (struct walk){.set = *set, .in = {.fd = -1}};
	int rc = input_open(&w->in, walk_path(w), WINDOW_MAX);
	return rc ? walk_read_failed(w, rc, f) : 0;
}

int walk_next_part(struct walk *w, struct failure *f)
{
	input_close(&w->in);
	w->part++;
	w->taken = 0;
	int rc = input_open(&w->in, walk_path(w), WINDOW_MAX);
	return rc ? walk_read_failed(w, rc, f) : 0;
}

void walk_close(struct walk *w)
{
	if (w->rdb_open)
		rdb_reader_fini(&w->rdb);
	if (w->aof_open)
		aof_reader_fini(&w->aof);
	w->rdb_open = w->aof_open = false;
	input_close(&w->in);
}

// What the caller has had goes out of the window.
void walk_release(struct walk *w)
{
	input_used(&w->in, w->taken);
	w->taken = 0;
	w->n_items = 0;
}

static int run_give(struct walk *w, size_t len, struct span *run)
{
	*run = (struct span){input_window(&w->in).p, len};
	w->taken = len;
	return 1;
}

// ---- What is seen

static void aux_count(struct walk *w, const struct rdb_event *ev, uint64_t at, struct span in)
{
	if (span_eq(ev->key, SPAN_LIT("ctime")) && ev->key.p >= in.p && ev->key.p < in.p + in.len)
		w->ctime_at = at + (uint64_t)(ev->key.p - in.p);
	if (span_eq(ev->key, SPAN_LIT("ctime"))) {
		w->timed = true;
		w->ctime_s = (int64_t)span_digits(ev->value);
	}
	bool valkey = span_eq(ev->key, SPAN_LIT("valkey-ver"));
	if (!valkey && !span_eq(ev->key, SPAN_LIT("redis-ver")))
		return;
	char info[96];
	int n = snprintf(info, sizeof(info), "%s_version:%.*s\r\n", valkey ? "valkey" : "redis",
			 ev->value.len < 32 ? (int)ev->value.len : 32, ev->value.p);
	server_version_read((struct span){info, (size_t)n}, &w->server);
}

static void module_end(struct walk *w)
{
	uint64_t len = w->rdb.skip_end - w->module_at;
	if (w->in_module && len > w->module_len_max)
		w->module_len_max = len;
	w->in_module = false;
}

static void key_count(struct walk *w, const struct rdb_event *ev)
{
	w->n_keys++;
	w->n_items++;
	w->n_expired += ev->expire_at_ms >= 0 && (uint64_t)ev->expire_at_ms <= w->now_ms;
}

// @param at  of the event in the snapshot; its bytes are those of `in`
static void event_count(struct walk *w, const struct rdb_event *ev, uint64_t at, struct span in)
{
	module_end(w);
	switch (ev->kind) {
	case RDB_STRING:
	case RDB_STRING_BEGIN:
	case RDB_RAW:
	case RDB_BIG_BEGIN:
		key_count(w, ev);
		break;
	case RDB_SKIPPED:
		if (!ev->key.p)
			break;
		key_count(w, ev);
		w->n_modules++;
		w->in_module = true;
		w->module_at = at;
		break;
	case RDB_AUX:
		aux_count(w, ev, at, in);
		break;
	case RDB_FUNCTION:
		w->n_functions++;
		break;
	case RDB_EOF:
		w->unsummed = ev->crc == RDB_CRC_NONE;
		break;
	default:
		break;
	}
}

// ---- The snapshot

static int damaged(const struct walk *w, const char *what, struct failure *f)
{
	bool unknown = strstr(what, "unknown") || strstr(what, "newer");
	return failure_set(f, unknown ? ERROR_RDB_UNSUPPORTED : ERROR_RESTORE_DAMAGED, "%s: %s",
			   walk_path(w), what);
}

static int reader_open(struct walk *w, struct failure *f)
{
	// Modules' values are passed over here, whatever their length.
	const struct rdb_settings set = {.window_len = WINDOW_MAX,
					 .big_len = w->set.big_value,
					 .scratch_len = SCRATCH_MAX,
					 .module_len = 1};
	int rc = rdb_reader_init(&w->rdb, &set);
	w->rdb_open = !rc;
	return rc ? failure_set(f, ERROR_INTERNAL, "settings of the reader are impossible") : 0;
}

static bool is_rdb(struct span in)
{
	return in.len >= HEAD_LEN && (!memcmp(in.p, "REDIS", 5) || !memcmp(in.p, "VALKEY", 6));
}

// @return 1 it is there, 0 there is none, -1 f
static int snapshot_begin(struct walk *w, struct failure *f)
{
	int rc = input_fill(&w->in, HEAD_LEN);
	if (rc)
		return walk_read_failed(w, rc, f);
	struct span in = input_window(&w->in);
	if (!is_rdb(in))
		return 0;
	return reader_open(w, f) ? -1 : 1;
}

// @return 1 need_len bytes are there, or -1
static int rdb_fill(struct walk *w, struct failure *f)
{
	int rc = input_fill(&w->in, w->rdb.need_len);
	if (rc)
		return walk_read_failed(w, rc, f);
	if (w->in.len < w->rdb.need_len)
		return damaged(w, rdb_truncated(&w->rdb, w->in.len), f);
	return 1;
}

static int run_parse(struct walk *w, struct span *run, struct failure *f)
{
	size_t done = 0, used;
	struct rdb_event ev;
	while (done < w->set.run_len && w->n_items < w->set.run_items) {
		struct span all = input_window(&w->in), in = {all.p + done, all.len - done};
		uint64_t at = w->rdb.pos;
		enum rdb_result result = rdb_next(&w->rdb, in, &ev, &used);
		if (result == RDB_BAD)
			return damaged(w, w->rdb.error, f);
		if (result == RDB_EVENT)
			event_count(w, &ev, at, in);
		if (result == RDB_EVENT && ev.kind == RDB_EOF && ev.crc == RDB_CRC_WRONG)
			return damaged(w, w->rdb.error, f);
		done += used;
		w->snapshot_over = result == RDB_DONE;
		if (w->snapshot_over || (result == RDB_MORE && done))
			break;
		if (result == RDB_MORE && rdb_fill(w, f) < 0)
			return -1;
	}
	w->rdb_version = w->rdb.version;
	if (w->timed && w->ctime_s > w->set.until_s)
		return failure_set(f, ERROR_UNTIL_TIME,
				   "the snapshot in %s was taken after --until-time", walk_path(w));
	w->snapshot_pos += done;
	return done ? run_give(w, done, run) : 0;
}

static int run_copy(struct walk *w, struct span *run, struct failure *f)
{
	uint64_t left = w->set.snapshot_len - w->snapshot_pos;
	if (!left) {
		w->snapshot_over = true;
		return 0;
	}
	int rc = input_fill(&w->in, 1);
	if (rc)
		return walk_read_failed(w, rc, f);
	size_t len = w->in.len < left ? w->in.len : (size_t)left;
	if (!len)
		return failure_set(f, ERROR_RESTORE_CHANGED,
				   "%s became shorter while it was restored", walk_path(w));
	if (len > w->set.run_len)
		len = w->set.run_len;
	w->snapshot_pos += len;
	return run_give(w, len, run);
}

int walk_snapshot(struct walk *w, struct span *run, struct failure *f)
{
	walk_release(w);
	if (w->snapshot_over)
		return 0;
	if (w->set.snapshot_len)
		return run_copy(w, run, f);
	if (!w->rdb_open) {
		int rc = snapshot_begin(w, f);
		w->snapshot_over = rc == 0;
		if (rc <= 0)
			return rc;
	}
	return run_parse(w, run, f);
}

int walk_snapshot_pass(struct walk *w, struct failure *f)
{
	int rc = input_seek(&w->in, w->set.snapshot_len);
	if (rc)
		return walk_read_failed(w, rc, f);
	w->snapshot_pos = w->set.snapshot_len;
	w->snapshot_over = true;
	return 0;
}
