// SPDX-License-Identifier: BSD-3-Clause
// The source: one connection that poses as a replica, and fills the log.
//
//   CLOSED -> CONNECTING -> HANDSHAKE --$len, $EOF--> SNAPSHOT --end--> STREAM
//     ^            |            |  \______+CONTINUE_____________________^  |
//     +------------+------------+----------- lost, silent, refused --------+
//
// A lost connection is resumed from the exact offset. A +CONTINUE under another id is held until
// the link has recorded it. When some lane has applied more than the log holds, and the id changes,
// the source is first asked whether its history holds that much: it may have forked before. While a
// snapshot is coming, its bytes go to a log of their own, which may use its disk when the target
// has held it back for long. The socket is read whenever there is room in the log.
//
// Owner: the core that reads.
#pragma once

#include "dataplane/core/core.h"
#include "dataplane/log/log.h"
#include "dataplane/source/handshake.h"
#include "dataplane/source/patience.h"
#include "dataplane/topology/whereabouts.h"

enum source_state {
	SOURCE_CLOSED,
	SOURCE_CONNECTING,
	SOURCE_HANDSHAKE,
	SOURCE_SNAPSHOT,
	SOURCE_STREAM,
};

// What happened since source_turn() was called last; the link acts on it and clears it.
enum source_news {
	SOURCE_NEWS_FULLRESYNC =
		16, // a full sync is offered: it begins once source_accept() is called
	SOURCE_NEWS_SNAPSHOT = 1, // the snapshot begins, at source->replid and snapshot_offset;
				  // both logs are begun anew
	SOURCE_NEWS_CONTINUE = 2, // the stream goes on; replid may be another
	SOURCE_NEWS_LOST = 4,     // the connection was lost
	SOURCE_NEWS_FAILED = 8,   // error and text say why; the source stays closed
	SOURCE_NEWS_RENAMED = 32, // the stream goes on under handshake.replid, once that is on
				  // record: source_rename()
	SOURCE_NEWS_PATIENCE = 64, // the snapshot goes through the disk from here on
};

struct source {
	struct core *core;
	const struct link_config *config;
	struct source_counters *counters;
	struct log *log;           // of the stream
	struct log *snapshot_log;
	struct seek seek;          // where it is
	bool seeks;                // that is being asked
	struct stream *stream;
	enum source_state state;
	unsigned news;             // enum source_news
	bool wanted;               // whether to be connected
	bool holding;              // a full sync waits for source_accept()
	bool renaming;             // a new id waits for source_rename()
	bool renamed;              // the id changed, and the new one has to vouch for proof_offset
	bool proving;              // this connection asks for proof_offset
	uint64_t proof_offset;     // somebody has applied up to here: a new id has to vouch for it
	struct handshake handshake;
	char in[4096];             // of the handshake
	size_t n_in;

	char replid[REPLID_LEN + 1]; // of the stream that the log holds, "" for none
	uint64_t snapshot_offset;    // of the stream at the snapshot
	uint64_t snapshot_left;      // bytes of it to come, UINT64_MAX until the end mark came
	char eof_mark[EOF_MARK_LEN + 1]; // of the snapshot, "" when its length was said
	char newest[EOF_MARK_LEN];   // bytes of it
	struct patience patience;    // with a target that holds it back
	bool was_connected;

	uint64_t deadline_ns;      // of the handshake
	uint64_t heard_ns;         // last byte received
	uint64_t asked_ns;         // last line of the handshake sent
	uint64_t ack_at_ns;
	uint64_t hurry_until_ns;     // ACKs come often until then
	uint64_t retry_at_ns, backoff_ns;
	uint64_t waiting_since_ns; // first refusal of a row, 0: none
	uint64_t wait_deadline_ms; // wall clock, for people
	char waiting[TEXT_LEN];    // "" when nothing is waited for
	enum error_id error;
	char text[TEXT_LEN];
	struct clock_reading now;
};

void source_init(struct source *s, struct core *core, const struct link_config *config,
		 struct source_counters *counters, struct log *log, struct log *snapshot_log,
		 struct whereabouts *where);
void source_fini(struct source *s);

// Connect, and stay connected. Forget the stream: the next connection asks for a full sync.
void source_open(struct source *s, bool forget);

// Let the full sync begin: nobody needs the bytes of either log any more.
void source_accept(struct source *s);

// The new id of the stream is on record: let its bytes come.
void source_rename(struct source *s);

// The offset up to which a new id vouches for the old one.
static inline uint64_t source_proven(const struct source *s)
{
	return s->proof_offset > s->log->tail ? s->proof_offset : s->log->tail;
}

// Connect anew, soon and without trouble: somewhere else, or for another answer.
void source_reconnect(struct source *s);

// It is somewhere else now: the pause before the next try is over, and so is a connection that does
// not open.
void source_moved(struct source *s);

// Close and stay closed.
void source_close(struct source *s);

// Connect, talk, receive. @param frontier  for `ack: applied`
// @return true when there is more to read at once
bool source_turn(struct source *s, const struct clock_reading *now, uint64_t frontier,
		 uint64_t *deadline_ns);

// Whether bytes wait for which there is room now: those that found a window full are not told of
// again.
bool source_may_receive(struct source *s);

// The RDB ended at this offset of the snapshot's log: what follows belongs to the frame or to the
// stream.
//
// @return 1 the end is in order, 0 bytes of the end mark are missing, -1 error and text are filled
int source_snapshot_end(struct source *s, uint64_t position);
