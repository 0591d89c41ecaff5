// SPDX-License-Identifier: BSD-3-Clause
// An RDB on its way into a file: every byte is read, the checksum is verified, and with a filter
// the keys that fit are copied as they lie there. A value passes piece by piece, whatever its size.
//
// What a filter leaves of the rest: databases and hints about them as far as they are wanted;
// functions and modules' data of their own where keys are picked by database alone; not the place
// in the source's stream, since the file does not hold what was written up to there.
#pragma once

#include "ctrl/decode/filter.h"
#include "parsers/rdb_write.h"

enum sieve_fate { SIEVE_DROP, SIEVE_KEEP, SIEVE_HOLD };

// The checksum of a file that cannot be read to its end: that of all bytes but the last eight,
// which hold it.
struct sieve_sum {
	uint64_t crc;
	size_t n; // bytes in last
	uint8_t last[8];
};

struct sieve {
	uint64_t n_keys; // seen
	uint64_t n_kept;
	uint64_t n_behind; // bytes behind the end of the RDB
	bool unsummed;     // the RDB has no checksum
	bool unread;       // it was kept for its checksum alone: why says what could not be read
	char why[300];

	struct rdb_reader reader;
	const struct decode_filter *filter; // NULL: everything passes as it is
	rdb_write_sink *sink;
	void *arg;
	struct rdb_writer writer; // with a filter
	uint8_t *buf;
	uint64_t db;
	bool ended;
	int error; // of the sink
	bool passing; // over a value, or what else the reader does not look into
	enum sieve_fate passing_fate;
	uint64_t passing_from;
	char *held; // bytes before a key, which share its fate
	size_t n_held, held_room;
	struct sieve_sum sum;
};

// @param filter  kept; NULL: the file comes out byte for byte
// @param sink    takes the bytes of the file
// @return 0 or -ENOMEM
int sieve_init(struct sieve *s, const struct decode_filter *filter, rdb_write_sink *sink,
	       void *arg);
void sieve_fini(struct sieve *s);

// Take the next bytes of the RDB.
//
// @param in    unread bytes; the end never moves back between calls
// @param used  out: bytes that are done with
// @return 0; -EBADMSG: s->why says what is wrong with the RDB; or what the sink returned
int sieve_feed(struct sieve *s, struct span in, size_t *used);

// There is no more.
//
// @param n_unused  bytes that sieve_feed() left
// @return as sieve_feed(): 0 when all is in order, and given to the sink
int sieve_end(struct sieve *s, size_t n_unused);
