// SPDX-License-Identifier: BSD-3-Clause
// Which files make up what the user named, in the order in which they are read: one file (an RDB,
// an AOF, or one in front of the other), or the parts of a folder such as `appendonlydir`.
#pragma once

#include "ctrl/failure.h"
#include "parsers/aof_manifest.h"

struct aof_file {
	char *path;              // "-": the standard input
	const char *name;        // the last part of path
	enum aof_part_type type; // AOF_PART_INCR for a file of its own
	uint64_t len;            // bytes, 0: not known
};

struct aof_files {
	struct aof_file *v; // n of them, at least one
	size_t n;
	bool multi;         // parts of a manifest; else one file, which may be an RDB
	uint64_t len;       // bytes in all
};

// Find the files. Those of a manifest are there and can be read; one that stands by itself is not
// looked at yet, and "-" never.
//
// @param path  a file; a manifest (NAME.manifest); or a folder with just one of these
//
// @return 0, or -1 with f; only after 0 aof_files_close()
int aof_files_open(struct aof_files *files, const char *path, struct failure *f);
void aof_files_close(struct aof_files *files);

// Whether a file has to be an AOF, by where it comes from: then it may be empty, and nothing but
// commands may follow a preamble.
bool aof_file_is_aof(const struct aof_files *files, const struct aof_file *file);
