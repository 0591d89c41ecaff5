// SPDX-License-Identifier: BSD-3-Clause
// The lines of a file that others append to: those that came since the last time, classified by
// their ends alone.
//
// parked.jsonl, appended to by the dataplane, one command a line:
//
//   {"first_id":N,"settled":N}     may stand first, see settle.h: the id of the next line, and how
//                                  many settled commands were left out here so far
//   {...,"command":"base64"}       see dataplane/apply/park.h
//   (empty)                        a settled command that was left out
//
// The id of a command is its line's number, 1 being the first; after a header, first_id is that of
// the line below it. An id names the same command for ever.
//
// parked-settled.jsonl, appended to by whoever settles:
//
//   {"id":N,"time_ms":N,"fate":"applied"}     or "dropped"
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PARKED_FILE  "parked.jsonl"
#define SETTLED_FILE "parked-settled.jsonl"

enum line_kind {
	LINE_RECORD,  // begins and ends as a record does
	LINE_EMPTY,
	LINE_DAMAGED, // something else: a crash tore it
};

struct scan {
	int fd;         // -1: there is no file
	uint64_t ino;   // which file was read
	uint64_t at;    // read up to here
	uint64_t begin; // of the line at hand
	char first, last;
};

// @param at, len  where the line lies, without its end
typedef int scan_line(void *arg, enum line_kind kind, uint64_t at, uint64_t len);

// Open a file of a folder. @return 0, also when there is none, or -errno
int scan_open(struct scan *s, const char *folder, const char *name);
void scan_close(struct scan *s);

// Call `take` for every whole line that was not read before. What it returns ends the scan when it
// is not 0.
//
// @return 0, what take() returned, or -errno
int scan_more(struct scan *s, scan_line *take, void *arg);

// Whether bytes without a line end stand at the end of what was read.
static inline bool scan_torn(const struct scan *s)
{
	return s->at > s->begin;
}

struct scan_header {
	uint64_t first_id, settled;
};

// Read the header at the beginning of the file, when there is one.
//
// @param h  out: first_id 1, settled 0 without one
// @return bytes of its line without the end; 0: none
size_t scan_header(const struct scan *s, struct scan_header *h);
