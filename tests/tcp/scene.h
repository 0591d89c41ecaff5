// SPDX-License-Identifier: BSD-3-Clause
// One run of a script. scene.c plays it, scene_verbs.c is the application and what is to hold,
// scene_tell.c says what went wrong.
#pragma once

#include "dataplane/contract/trace.h"
#include "tests/tcp/script.h"

#define SEEN_MAX 4096

struct seen {
	uint64_t at_ns; // since the beginning
	struct tcp_segment s;
};

struct scene {
	const char *path;
	const struct script_line *line;
	bool failed;
	uint64_t begin_ns, now_ns; // of the connection's clock; now_ns: since the beginning
	struct tcp_settings set;
	struct tcp_host *host;
	struct tcp *tcp; // NULL: not opened, or freed
	bool listens;
	struct trace_zone *traces;
	uint32_t iss, irs;
	unsigned refuse;

	// what came out and was not asked for yet
	unsigned n_seen, first_seen;
	struct seen seen[SEEN_MAX];

	// the peer
	uint16_t window;
	bool has_time; // both ends have said so
	bool syn_had_time;
	uint32_t ts_zero; // of ours at the beginning
	bool ts_known;
	uint32_t ts_newest;     // of ours, as it came
	uint64_t written, read; // bytes of the application
};

static const struct tcp_tuple scene_tuple = {
	.family = 4,
	.local = {10, 99, 0, 2},
	.remote = {10, 99, 0, 1},
	.local_port = 40000,
	.remote_port = 6379,
};

// What stands at a place of a stream, so that a byte in the wrong place shows.
static inline char byte_at(uint64_t i, char salt)
{
	return (char)(i * 2654435761u >> 13 ^ i >> 8 ^ (uint64_t)salt);
}

static inline uint64_t clock_ns(const struct scene *c)
{
	return c->begin_ns + c->now_ns;
}

// Tell that the line of the script does not hold, and what has happened; once.
void wrong(struct scene *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

// As the script would have it. @param out  of len bytes
void segment_text(const struct scene *c, const struct seen *o, char *out, size_t len);

// All that the connection has to send now.
void outputs_take(struct scene *c);

// Before the next thing happens to it: what was sent must have been named by the script.
void nothing_is_left(struct scene *c);

// What the application does, or what is to hold: the first word says.
void verb_run(struct scene *c, const struct script_line *line);
void verb_connect(struct scene *c, const struct script_line *line);
void traces_attach(struct scene *c);
