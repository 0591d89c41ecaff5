// SPDX-License-Identifier: BSD-3-Clause
// Snapshot: the RDB's events -> commands that make the same keys in the target -> lanes.
//
//   strings            SET key value [PXAT ms]
//   other values       RESTORE key ttl body+footer REPLACE ABSTTL [IDLETIME s | FREQ n]
//   of types that the  RPUSH, SADD, HSET, ZADD into the key, behind a DEL of it
//     target has not     (streams: RESTORE of an older type)
//   values above       DEL temporary; RPUSH, SADD, HSET, ZADD, XADD, APPEND in pieces;
//   big-value            [PEXPIREAT]; RENAME temporary key
//   functions          FUNCTION LOAD REPLACE
//
// For a target of an older version in the words that it has: DEL, RESTORE, PEXPIREAT in one
// transaction. What its version cannot hold is parked (RDB_FIT_NONE of parsers/rdb_fit.h) or sent
// without that part, and counted.
//
// All of it may be sent again but the pieces: those go in framed batches, whose marker tells how
// far they came. Keys that have expired are counted and not made.
//
// To a cluster a value goes as a unit of the slot of its key, and each piece as a fenced one; the
// temporary key lies in that slot, too. Functions go to all masters.
//
//   snapshot.c         turn, events that are no values
//   snapshot_whole.c   a value that is here as a whole
//   snapshot_piece.c   a value element by element; snapshot_stream.c: a stream
//   snapshot_park.c    what the target cannot hold
//   snapshot_put.c     words -> batch
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/apply/keyset.h"
#include "dataplane/apply/park.h"
#include "dataplane/group/handoff.h"
#include "dataplane/log/log.h"
#include "dataplane/route/hold.h"
#include "dataplane/route/place.h"
#include "parsers/rdb.h"
#include "parsers/rdb_fit.h"

struct snapshot {
	struct log *log;          // the bytes of the RDB, from offset 0
	struct place *place;
	struct source_counters *counters;
	struct keyset *keys;      // collects the keys when it is open
	struct db_map dbs;        // which are synced and where they go; set before snapshot_init()
	bool is_cluster;          // the target; likewise
	const char *link;         // its name, for that of what grows; likewise. NULL: none
	struct holds *holds;      // volatile keys that may not vanish yet
	struct handoff *handoff;  // of a shard of a cluster, NULL: all keys are loaded; set by the
				  // owner behind snapshot_begin()
	unsigned member;
	uint64_t offset;          // of the stream at the snapshot
	struct park *park;        // for what the target cannot hold
	struct server_version target;
	struct rdb_verbs verbs;   // of the target
	uint8_t fits[2][256];     // enum rdb_fit by enum rdb_magic and type
	bool drops_field_ttl, stops; // settings field_ttl and on_error
	uint64_t n_unfit, n_degraded; // of this snapshot
	bool framed;              // values of several commands are to be expected: all go framed
	uint64_t taken_ms;        // wall clock of the source as the snapshot was taken, 0: not said
	struct rdb_reader reader;
	bool reader_open;
	uint64_t position;        // bytes that the reader has taken
	struct span view;         // what the last rdb_next() was shown
	struct rdb_event event;
	int64_t hold_at_ms;       // expiry that the key at hand is created with
	bool pending;             // the event at hand found no free batch
	size_t pending_len;       // bytes to release once it is done
	uint16_t slot;            // for a cluster: of what is being put, or SLOT_EVERY
	bool fenced;              // it must not run twice
	unsigned unit_from;       // its first item in the batch at hand
	int32_t db;               // of the keys in the target
	bool skips_db;            // the database at hand is not forwarded
	int32_t stream_db;        // selected in the stream as the snapshot was taken, -1: not said
	uint64_t now_ms;
	bool done;

	// A value in pieces.
	struct span key;          // its name, in key_copy
	char *key_copy;
	size_t key_copy_max;
	char temporary[112];      // the name while it grows
	bool grows;               // something of it is there
	bool unfit;               // the target cannot hold it: passed over, to be parked
	bool has_entries;         // of a stream, the first of which is first_entry
	struct rdb_stream_id first_entry;
	bool degraded;            // something of it was left out
	char unfit_reason[TEXT_LEN];
	unsigned lane;
	int64_t expire_at_ms;
	bool expired;             // passed over
	enum rdb_kind kind;
	unsigned step;            // commands of the event at hand that are out already
	char *pieces;             // arguments collected for one command, in RESP
	size_t n_pieces, pieces_max;
	unsigned n_piece_args;
	const char *piece_verb;

	enum error_id error;      // why snapshot_turn() said -1
	char text[TEXT_LEN];
};

void snapshot_init(struct snapshot *s, struct log *log, struct place *place,
		   struct source_counters *counters, struct keyset *keys, struct holds *holds,
		   struct park *park);
void snapshot_fini(struct snapshot *s);

// Begin with a new RDB at offset 0 of the log.
// @param target  what its INFO said; decides how values are sent
// @return 0, or -errno
int snapshot_begin(struct snapshot *s, const struct link_settings *set,
		   const struct server_version *target);

// Take apart what the log holds, until the lanes are full or a slice of work is done.
//
// @return 1 more to do at once, 0 waits for bytes or lanes (or `done`), -1 error and text are
// filled
int snapshot_turn(struct snapshot *s, uint64_t now_ms);
