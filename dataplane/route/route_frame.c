// SPDX-License-Identifier: BSD-3-Clause
// route_frame_next() -> resp_stream_next() | giant_fill() -> giant_take()
//
// The bytes of the log are read command by command. A command or transaction that would fill much
// of the window is a giant: from its first byte on it goes to a file, see giant.h.
#include "dataplane/route/route_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGV_FIRST     256
#define ARGV_GIANT     65536 // so many words make a giant, too
#define SHOW_LEN       (64 * 1024) // of the log, between two looks for giants
#define COLLECT_MAX    (256 * 1024)
#define RETRY_EVERY_MS 1000
#define COMMAND_PART   4 // of the window that a command may fill
#define FRAME_PART     2 // and a transaction

int route_bad(struct route *r, enum error_id error, const char *what, uint64_t offset)
{
	r->error = error;
	snprintf(r->text, sizeof(r->text), "the stream of the source is broken at offset %llu: %s",
		 (unsigned long long)offset, what);
	return -1;
}

int route_stop(struct route *r, enum error_id error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
	r->error = error;
	return -1;
}

void route_read_from(struct route *r, uint64_t offset)
{
	resp_stream_reset(r->reader, offset);
	r->shown = offset;
}

// ---- Words

static void array_free(struct span *array, uint32_t n, bool in_file)
{
	if (in_file)
		memory_file_unmap(array, n * sizeof(*array));
	else
		free(array);
}

void route_argv_free(struct route *r)
{
	array_free(r->argv, r->argv_max, r->argv_in_file);
	array_free(r->argv_new, r->argv_max + REWRITE_GROWTH, r->argv_in_file);
	r->argv = r->argv_new = NULL;
	r->argv_max = 0;
}

// A giant may have as many words as bytes: they must not lie in our memory either.
int route_argv_reserve(struct route *r, uint32_t argc)
{
	if (argc <= r->argv_max)
		return 0;
	uint32_t max = argc < ARGV_FIRST ? ARGV_FIRST : argc;
	size_t len = max * sizeof(*r->argv), len_new = len + REWRITE_GROWTH * sizeof(*r->argv);
	route_argv_free(r);
	r->argv_in_file = max > ARGV_GIANT && r->giant.state != GIANT_NONE;
	errno = ENOMEM;
	r->argv = r->argv_in_file ? memory_file_map(r->giant.folder, len) : malloc(len);
	if (r->argv)
		r->argv_new = r->argv_in_file ? memory_file_map(r->giant.folder, len_new)
					      : malloc(len_new);
	r->argv_max = max;
	if (r->argv && r->argv_new)
		return 0;
	int rc = -errno;
	route_argv_free(r);
	return rc;
}

static int argv_fill(struct route *r)
{
	if (r->frame.argc > r->argv_max && route_argv_reserve(r, r->frame.argc))
		return route_bad(r, ERROR_MEMORY, "no memory for a command", r->frame.begin);
	for (unsigned i = 0; i < r->frame.argc; i++)
		r->argv[i] = (struct span){r->bytes + r->frame.argv[i].at, r->frame.argv[i].len};
	return 1;
}

// ---- Giants

static void giant_goes_on(struct route *r)
{
	r->giant.waiting[0] = 0;
	r->giant.waiting_since_ms = 0;
}

// There is no place for a giant. It is tried again, until wait-timeout is over.
static int giant_wait(struct route *r, const char *why)
{
	struct giant *g = &r->giant;
	g->tried_ms = r->now_ms;
	if (!g->waiting_since_ms)
		g->waiting_since_ms = r->now_ms;
	snprintf(
		g->waiting, sizeof(g->waiting),
		"a command longer than memory-window can hold waits for disk space under %.80s: %s",
		g->folder, why);
	if (r->now_ms > g->waiting_since_ms + r->config->settings.wait_timeout)
		return route_stop(r, ERROR_DISK, "%.*s", (int)sizeof(r->text) - 1, g->waiting);
	return 0;
}

static bool giant_is_waiting(const struct route *r)
{
	const struct giant *g = &r->giant;
	return g->waiting_since_ms && r->now_ms - g->tried_ms < RETRY_EVERY_MS;
}

static int giant_error(struct route *r, int rc)
{
	struct giant *g = &r->giant;
	if (rc == -ENOSPC || rc == -EDQUOT)
		return giant_wait(r, "it is full; free some");
	if (rc == -EBADMSG)
		return route_bad(r, ERROR_STREAM_GARBAGE, g->skim.error,
				 g->begin + g->skim.position);
	if (rc == -E2BIG)
		return route_stop(
			r, ERROR_COMMAND_TOO_LONG,
			"a transaction has more than %u commands and does not fit half of "
			"memory-window, having more than %llu bytes",
			GIANT_COMMANDS_MAX, (unsigned long long)g->skim.position);
	if (rc == -ENOMEM)
		return route_bad(r, ERROR_MEMORY, "no memory for a command", g->begin);
	return route_stop(r, ERROR_DISK, "cannot keep a long command in a file of %.120s: %s",
			  g->folder, strerror(-rc));
}

// @return 0 it is being collected, or there is no place for it, -1 error
static int giant_start(struct route *r)
{
	uint64_t begin = r->in_frame ? r->frame_begin : resp_stream_position(r->reader);
	int rc = giant_begin(&r->giant, begin, r->in_frame);
	if (rc)
		return giant_error(r, rc);
	if (r->in_frame)
		route_frame_back(r, false); // all of it is read again
	r->routed = begin;
	route_read_from(r, begin);
	return 0;
}

// Bytes for which disk-limit has room.
static uint64_t giant_room(const struct route *r)
{
	uint64_t limit = r->config->settings.disk_limit;
	uint64_t used = r->place->files_len + r->giant.file->len;
	return used < limit ? limit - used : 0;
}

static int giant_limit(struct route *r)
{
	if (r->place->files_len)
		return giant_wait(r, "disk-limit is reached by what the target has not answered");
	return route_stop(
		r, ERROR_COMMAND_TOO_LONG,
		"a command or transaction is longer than both memory-window and disk-limit, "
		"having more than %llu bytes",
		(unsigned long long)r->giant.file->len);
}

// Collect what the log has of it. Nobody else reads these bytes there, so the log may forget them
// as soon as nothing older is needed either.
//
// @return as route_frame_next()
static int giant_fill(struct route *r)
{
	struct giant *g = &r->giant;
	size_t taken = 0, used = 1, len = 1;
	int rc = 0;
	while (!rc && taken < TURN_BYTES) {
		const char *p = log_view(r->log, g->end, &len);
		uint64_t room = giant_room(r), most = room < COLLECT_MAX ? room : COLLECT_MAX;
		if (!len)
			break;
		if (!room)
			return giant_limit(r);
		rc = giant_collect(g, (struct span){p, len < most ? len : (size_t)most}, &used);
		taken += used;
	}
	if (taken)
		giant_goes_on(r);
	if (place_frontier(r->place, r->routed) >= g->begin)
		log_release(r->log, g->end);
	if (rc < 0)
		return giant_error(r, rc);
	return rc ? 1 : len ? 2 : 0;
}

// @return 1, 0 there is no place for its words, -1 error
static int giant_take(struct route *r)
{
	struct giant *g = &r->giant;
	int rc = route_argv_reserve(r, g->argc_max);
	if (rc)
		return giant_error(r, rc);
	giant_goes_on(r);
	r->bytes = giant_next(g, r->argv, &r->frame);
	if (!r->bytes)
		return route_stop(r, ERROR_DISK,
				  "the disk under %.120s does not give back what was "
				  "written to it",
				  g->folder);
	return 1;
}

int route_giant_over(struct route *r)
{
	uint64_t end = r->giant.end;
	giant_drop(&r->giant);
	if (r->argv_in_file)
		route_argv_free(r);
	route_read_from(r, end);
	if (route_argv_reserve(r, 1))
		return route_bad(r, ERROR_MEMORY, "no memory for a command", end);
	return 0;
}

// ---- Frames

// Whether the frame at hand would fill too much of the window. Without disk it has to try.
static bool frame_is_giant(const struct route *r)
{
	size_t window = log_capacity(r->log);
	if (!r->config->settings.disk_limit)
		return false;
	if (r->in_frame && r->shown - r->frame_begin > window / FRAME_PART)
		return true;
	return r->shown != resp_stream_position(r->reader) &&
	       (resp_stream_frame_least(r->reader) > window / COMMAND_PART ||
		resp_stream_frame_argc(r->reader) > ARGV_GIANT);
}

// Show the reader more of the log. @return false when there is no more
static bool reader_show(struct route *r)
{
	uint64_t end = log_end(r->log), before = r->shown;
	r->shown = end - before > SHOW_LEN ? before + SHOW_LEN : end;
	return r->shown != before;
}

// Whether one command, or one transaction, fills the whole window, so that its end can never come.
static bool window_is_stuck(const struct route *r)
{
	if (resp_stream_frame_least(r->reader) > log_capacity(r->log))
		return true;
	return log_is_stuffed(r->log) && r->log->head == r->routed;
}

// The frame that begins where the reader stands.
static enum resp_verdict reader_next(struct route *r)
{
	size_t len;
	uint64_t position = resp_stream_position(r->reader);
	r->bytes = log_view(r->log, position, &len);
	if (len > r->shown - position)
		len = (size_t)(r->shown - position);
	return resp_stream_next(r->reader, (struct span){r->bytes, len}, &r->frame);
}

// @return as route_frame_next(); 0 with a giant begun
static int frame_read(struct route *r)
{
	for (;;) {
		switch (reader_next(r)) {
		case RESP_OK:
			return argv_fill(r);
		case RESP_BAD:
			return route_bad(r, ERROR_STREAM_GARBAGE, resp_stream_error(r->reader),
					 resp_stream_position(r->reader));
		case RESP_MORE:
			break;
		}
		if (frame_is_giant(r))
			return giant_start(r);
		if (reader_show(r))
			continue;
		if (!r->config->settings.disk_limit && window_is_stuck(r))
			return route_stop(
				r, ERROR_COMMAND_TOO_LONG,
				"a command or transaction is longer than memory-window, and "
				"disk-limit is 0");
		return 0;
	}
}

int route_frame_next(struct route *r)
{
	int rc = 0;
	if (giant_is_waiting(r))
		return 0;
	if (r->giant.state == GIANT_NONE) {
		rc = frame_read(r);
		if (rc || r->giant.state == GIANT_NONE)
			return rc;
	}
	if (r->giant.state == GIANT_COLLECTING)
		rc = giant_fill(r);
	return r->giant.state == GIANT_WHOLE ? giant_take(r) : rc;
}

int route_frame_again(struct route *r)
{
	size_t len;
	if (r->giant.state != GIANT_NONE)
		return 1;
	r->bytes = log_view(r->log, r->frame.begin, &len);
	return argv_fill(r);
}
