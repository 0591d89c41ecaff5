// SPDX-License-Identifier: BSD-3-Clause
// A file that is there as a whole or not at all: its bytes go to a file beside it, under a name
// that nobody can foresee, which takes its name in the end.
#pragma once

#include "ctrl/failure.h"
#include "parsers/span.h"

struct fresh_file {
	const char *path; // for sentences
	int fd;           // -1: none
	int folder_fd;    // -1: the standard output
	bool force;
	uint64_t len;     // bytes written
	char name[256];   // in the folder
	char temporary[256];
};

// @param path   kept; "-" for the standard output
// @param force  a file of this name may be there
// @return 0, or -1: OUTPUT, OUTPUT_EXISTS
int fresh_file_open(struct fresh_file *file, const char *path, bool force, struct failure *f);

// @return 0 or -errno
int fresh_file_write(struct fresh_file *file, struct span bytes);

// Have the room for so many bytes, where the file system can tell.
//
// @return 0, or -ENOSPC and the like
int fresh_file_reserve(struct fresh_file *file, uint64_t len);

// Everything was written: to the disk with it, and give it its name.
//
// @return 0, or -1: OUTPUT, OUTPUT_EXISTS
int fresh_file_keep(struct fresh_file *file, struct failure *f);

// Forget what was not kept. Nothing is left of it.
void fresh_file_drop(struct fresh_file *file);
