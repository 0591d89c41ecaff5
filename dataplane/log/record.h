// SPDX-License-Identifier: BSD-3-Clause
// The log on disk, as it lies there. A segment file is
//
//   segment header | record | record | ...          each begins at a multiple of DISK_BLOCK
//
// and a record is a header, the bytes of the stream and zeros up to the next block. Everything is
// written once, in order; nothing is written over but a whole file that is used again, and what is
// left of its former life behind the last record is told by its sequence number. Numbers are
// little-endian, as the hosts that we run on are.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER_LEN  1024u
#define RECORD_LEN_MAX     (256u * 1024)
#define RECORD_STAMPS_MAX  120
#define SEGMENT_HEADER_LEN 4096u

#define LOG_REPLID_LEN 40
#define LOG_OWNER_LEN  64

// When bytes of a record were received.
struct record_stamp {
	uint32_t at; // first byte, from the beginning of the record
	uint32_t ms; // after wall_ms of the record
};

struct record_header {
	uint64_t magic;
	uint64_t header_crc;  // of this header, with 0 here
	uint64_t payload_crc; // of payload_len bytes
	uint64_t sequence;    // of the segment that it was written for
	uint64_t first;       // offset of the stream at which the payload begins
	uint64_t wall_ms;     // when its first byte was received
	uint32_t run;         // of the segment
	uint32_t payload_len; // > 0
	uint32_t n_stamps;
	uint32_t zero;
	struct record_stamp stamps[RECORD_STAMPS_MAX]; // rising in `at`
};

_Static_assert(sizeof(struct record_header) == RECORD_HEADER_LEN, "lies on disk");

struct segment_header {
	uint64_t magic;
	uint64_t header_crc; // of this struct, with 0 here
	uint64_t sequence;   // number of the file; rises by 1
	uint64_t first;      // offset of the stream at which its first record begins
	uint64_t durable;    // before this offset all was known to be durable when it was begun
	uint64_t segment_len; // bytes of the file
	uint64_t wall_ms;    // when it was begun
	uint32_t version;
	uint32_t run;        // number of the replid: rises with each new one
	uint32_t fresh;      // 1: nothing before this segment belongs to it
	char replid[LOG_REPLID_LEN + 4];
	char owner[LOG_OWNER_LEN];
};

_Static_assert(sizeof(struct segment_header) == 176, "lies on disk");

#define SEGMENT_VERSION 1u

// Bytes on disk of a record with so much payload.
static inline uint32_t record_padded(uint32_t payload_len)
{
	return (RECORD_HEADER_LEN + payload_len + 4095u) & ~4095u;
}

// Say when the byte at `at` of the payload and those behind it were received. What is told already
// by the stamp before is left out; when all places are taken every other one goes, so that times
// become coarser.
void record_stamp_add(struct record_header *h, uint32_t at, uint64_t wall_ms);

// Fill in what makes a record whole: sums, and zeros behind the payload up to the block's end.
//
// @param h  header with everything else, the payload right behind it, room for record_padded()
void record_seal(struct record_header *h);

#define RECORD_FAULTS(X)                                                                           \
	X(OK, "")                                                                                  \
	X(NONE, "no record begins there")                                                          \
	X(HEADER_SUM, "the checksum of a record's header is wrong")                                \
	X(PLACE, "a record of another place lies there")                                           \
	X(LEN, "a record has an impossible length")                                                \
	X(SUM, "the checksum of a record is wrong")                                                \
	X(SHORT, "the file ends before it should")

enum record_fault {
#define X(name, text) RECORD_##name,
	RECORD_FAULTS(X)
#undef X
};

const char *record_fault_text(enum record_fault fault);

// Whether these RECORD_HEADER_LEN bytes begin a record of this segment at this offset, and of no
// more than `max_len` bytes with its padding. NONE: nothing that was written for this segment.
enum record_fault record_header_check(const struct record_header *h, uint64_t sequence,
				      uint32_t run, uint64_t first, uint64_t max_len);

void segment_header_seal(struct segment_header *h);

// Whether it is one of ours, of this version.
bool segment_header_check(const struct segment_header *h);
