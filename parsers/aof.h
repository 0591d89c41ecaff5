// SPDX-License-Identifier: BSD-3-Clause
// A streaming reader of append-only files: bytes -> events, pulled by the caller, as parsers/rdb.h
// does it for RDB files. Format: aof.c of Redis 2.x to 8.x and Valkey 7.2 to 9. One reader reads
// one file; how the files of a directory belong together says parsers/aof_manifest.h.
//
//   aof_reader_init -> aof_next, aof_next, ... until there are no more bytes -> aof_end -> _fini
//
//   file:  [RDB preamble] (command | annotation)...
//
// The preamble is for rdb_next(), see AOF_RDB. A command takes one of two shapes, by its size in
// the file:
//
//   up to big_len   AOF_COMMAND, with all its words
//   longer          AOF_BIG_BEGIN, AOF_BIG_WORD..., AOF_BIG_END: a word of up to big_len bytes is
//                   one event, a longer one comes in pieces of big_len
//
// so that memory stays below a few times big_len, whatever the file announces. The bytes taken with
// the events of a command are just the bytes of that command, hence a caller who forwards can copy
// them as they are.
//
// A file that ends early is no error of the reader: the writer crashed, and the server itself would
// cut the file back to its last good point. r->good says at any time where that is.
#pragma once

#include "parsers/resp.h"
#include "parsers/resp_skim.h"

// Longest annotation, its line end included: what servers take.
#define AOF_LINE_MAX 1024

#define AOF_BIG_LEN_MIN 4096 // of aof_reader_init()

enum aof_result {
	AOF_EVENT, // *ev is filled
	AOF_MORE,  // show at least r->need_len bytes, from the first one not yet used
	AOF_BAD,   // r->error says what and where; the reader stays in this state
};

// What is in an event. The fields of struct aof_event that each one sets stand behind it; begin, db
// and at_s are always set.
enum aof_event_kind {
	AOF_RDB,        // nothing was taken: an RDB file begins at the window's first byte. Read it
	                // with rdb_next() to RDB_DONE, then call aof_rdb_passed(). At offset 0 only
	AOF_COMMAND,    // end, argc, argv
	AOF_BIG_BEGIN,  // argc
	AOF_BIG_WORD,   // index, word_len, word_at, word
	AOF_BIG_END,    // end, argc
	AOF_TIMESTAMP,  // end; at_s is new
	AOF_ANNOTATION, // end, word: any other line that begins with '#', without its line end
};

// Spans point into the caller's window, argv itself into the reader; both live until the next
// aof_next().
struct aof_event {
	enum aof_event_kind kind;
	uint64_t begin, end; // offsets in the file, of the whole command or annotation
	uint64_t db;         // selected where the command runs; a SELECT itself has the former one
	int64_t at_s;        // unix time of the last AOF_TIMESTAMP, -1: there was none
	bool in_multi;       // between MULTI and EXEC; false for these two, as far as it is known:
	                     // of a long command that is with AOF_BIG_END

	const struct span *argv;
	uint32_t argc;

	uint32_t index;    // of the word, 0: the command's name
	uint64_t word_len; // of the whole word
	uint64_t word_at;  // where this piece begins in it; its end is word_at + word.len
	struct span word;  // this piece
};

// How a file ends.
enum aof_ending {
	AOF_WHOLE,      // behind a command
	AOF_CUT,        // within a command or an annotation
	AOF_OPEN_MULTI, // within a transaction whose EXEC is missing, perhaps within a command of
			// it
	AOF_EMPTY,      // there was not one byte
};

// All state of one reader. Fields up to the blank line are for the caller to read, the rest is the
// reader's own.
struct aof_reader {
	uint64_t pos;        // offset of the first byte not yet used
	uint64_t good;       // the last good point: offset behind the last whole command or
	                     // annotation (or preamble) outside of an open MULTI
	uint64_t db;         // selected at pos
	int64_t at_s;        // last AOF_TIMESTAMP, unix time; -1: none yet
	uint64_t n_commands; // whole ones; SELECT, MULTI and EXEC count
	bool in_multi;       // at pos
	size_t need_len;     // with AOF_MORE; at most big_len + AOF_LINE_MAX
	char error[256];     // one sentence without a full stop, with AOF_BAD and after aof_end()

	size_t big_len;
	enum { AOF_AT_START, AOF_BETWEEN, AOF_IN_BIG, AOF_BROKEN } state;
	struct resp_stream *resp; // holds a copy of the command at hand, at most big_len bytes
	struct span *argv;
	uint32_t argv_max;
	uint64_t begin;           // of the command at hand
	struct resp_skim skim;    // of the long command at hand
	uint64_t word_at;         // bytes of its word at hand that were given
};

// @param big_len  commands above this come word by word; at least AOF_BIG_LEN_MIN. A caller's
//                 window must be able to hold big_len + AOF_LINE_MAX bytes
//
// @return 0, -EINVAL when big_len is too small, or -ENOMEM
int aof_reader_init(struct aof_reader *r, size_t big_len);
void aof_reader_fini(struct aof_reader *r);

// Take the next event out of the window.
//
// The window is the caller's unread bytes: it begins with the first byte that was not used, and its
// end never moves back between calls. `*used` bytes may be released, once the event has been dealt
// with. With AOF_MORE nothing was taken.
//
// An EXEC without MULTI, a MULTI within one, and bytes that are neither command nor annotation are
// AOF_BAD, as `redis-check-aof` has it.
//
// @param in    unread bytes
// @param ev    filled with AOF_EVENT
// @param used  bytes of `in` that were taken, set in every case
enum aof_result aof_next(struct aof_reader *r, struct span in, struct aof_event *ev, size_t *used);

// After AOF_RDB: the preamble took `len` bytes, its checksum included, and the next byte shown is
// the one behind it.
void aof_rdb_passed(struct aof_reader *r, uint64_t len);

// For a caller that was told AOF_MORE and has no more: how the file ends. Unless that is AOF_WHOLE,
// r->error says so in a sentence, with offsets.
//
// @param n_unused  bytes left in the window; the file's length is r->pos + n_unused
enum aof_ending aof_end(struct aof_reader *r, size_t n_unused);
