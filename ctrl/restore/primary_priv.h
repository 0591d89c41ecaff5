// SPDX-License-Identifier: BSD-3-Clause
// What the files of the primary share: primary.c (thread, connections), talk.c (requests and
// answers), feed.c (what a replica gets).
#pragma once

#include "ctrl/pace.h"
#include "ctrl/restore/primary.h"
#include "ctrl/restore/walk.h"
#include "parsers/resp.h"

#define CONN_IN_LEN  4096
#define CONN_OUT_LEN 2048
#define EMPTY_RDB_LEN 18 // what is served for a file without an RDB

enum feed_stage { FEED_NONE, FEED_SNAPSHOT, FEED_STREAM, FEED_TAIL };

struct feed {
	enum feed_stage stage;
	struct walk walk;
	struct span run;           // what is left of it to be sent
	uint64_t skip;             // bytes of the stream that the replica has already
	uint64_t sent;             // bytes of the snapshot, those of `run` included
	XXH3_state_t *digest;
	struct pace keys, bytes;
	uint64_t ping_at_ms;
};

struct conn {
	int fd;
	bool gone;                 // to be closed
	struct resp_stream *requests;
	char in[CONN_IN_LEN];      // bytes from the beginning of a request on
	size_t in_len;
	char out[CONN_OUT_LEN];    // goes before anything of the feed
	size_t out_len;
	struct feed feed;
};

void primary_fail(struct primary *p, const struct failure *f);

// talk.c: take the bytes that came, and answer.
void conn_listen(struct primary *p, struct conn *c);
// Put an answer.
void conn_say(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

// feed.c
// Begin to serve. @param offset  UINT64_MAX: from the snapshot on
void feed_begin(struct primary *p, struct conn *c, uint64_t offset);
void feed_end(struct feed *f);
// Send what goes. @param wake_ms  lowered to when there is more to do
//
// @return whether it waits for room in the socket
bool feed_turn(struct primary *p, struct conn *c, uint64_t now_ms, uint64_t *wake_ms);
