// SPDX-License-Identifier: BSD-3-Clause
// Between the files of decode.
//
//   decode.c       files, and the keys of an RDB
//   decode_aof.c   the commands of an AOF
#pragma once

#include "ctrl/aof/files.h"
#include "ctrl/aof/instant.h"
#include "ctrl/decode/decode.h"
#include "ctrl/decode/input.h"
#include "ctrl/decode/report.h"

#define MB            (1024ull * 1024)
#define BIG_LEN       (8 * MB) // longer strings and commands are shown in parts
#define PROGRESS_STEP (8 * MB)

struct run {
	struct decode *d;
	struct aof_files files;
	const struct aof_file *file; // at hand
	struct input in;
	uint64_t before;  // bytes of the files before this one
	uint64_t told_at; // bytes of this one at the last progress
	bool begun;       // the printer was told
	bool enough;      // no more keys and commands are wanted
	bool dropping;    // the key or command at hand is not shown

	struct rdb_reader reader;
	struct rdb_event ev;
	uint64_t db;
	uint64_t key_begin; // where the key at hand begins in the file

	struct aof_reader commands;
	bool any_time; // an annotation told one
};

static inline bool decode_is_filtered(const struct decode_filter *f)
{
	return f->one_db || f->match || f->type || f->limit;
}

// decode.c

// @return -1
int decode_damaged(struct run *r, const char *sentence, struct failure *f);
int decode_unreadable(struct run *r, int error, struct failure *f);

// Tell the progress, and look whether the output takes what it is given.
//
// @param pos  bytes of this file that have been used
//
// @return 0, or -1 with f
int decode_tell(struct run *r, uint64_t pos, struct failure *f);

// decode_aof.c

// Show the commands from the window's beginning on.
//
// @param from  offset of the window in the file: behind an RDB
//
// @return 0, or -1 with f
int decode_commands(struct run *r, uint64_t from, struct failure *f);

// One command, which is wanted.
void decode_command(struct run *r, const struct aof_event *ev);

// Add to what the user should know.
void decode_note(struct decode *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

// After the last file: a time was asked for, and no command had one.
void decode_time_note(struct run *r);
