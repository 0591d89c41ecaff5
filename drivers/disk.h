// SPDX-License-Identifier: BSD-3-Clause
// The disk seam: append-only files that survive a crash once synced.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct disk_file;

struct disk_ops {
	// Open for appending, made with mode 0600 when it is not there.
	// @return 0, or -errno
	int (*open)(const char *path, struct disk_file **out);

	// Append all bytes and make them durable before it returns.
	// @return 0, or -errno (-ENOSPC: full; the file is cut back to what it was)
	int (*append_sync)(struct disk_file *f, const void *bytes, size_t len);

	void (*close)(struct disk_file *f);

	// Append one line to a file that other processes read, and may replace by a new one under
	// its flock(). The line is durable before it returns. A line that a crash has torn before
	// gets its end first, so that it spoils nothing but itself.
	//
	// @param line  ends with a newline
	// @return 0, or -errno (-ENOSPC: full; the file is cut back to what it was)
	int (*append_line)(const char *path, const void *line, size_t len);
};

// pwrite and fdatasync, on the calling thread: for what is rare and must be on disk.
extern const struct disk_ops disk_kernel;
