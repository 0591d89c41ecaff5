// SPDX-License-Identifier: BSD-3-Clause
// Small files that are only ever replaced as a whole: written under another name, synced, renamed
// over the old one, the folder synced. After a crash either the old or the new one is there.
//
// A replacer does this in a thread of its own, since one sync can take longer than a turn of a core
// may. Of several versions of one file that wait, the newest is written.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLACER_FILES 4 // different names that one replacer serves

struct replacer;

// Replace, or make, one file now, with mode 0600. @param bytes  NULL: remove it
//
// @return 0, or -errno (the old file is as it was)
int file_replace(const char *folder, const char *name, const void *bytes, size_t len);

// Read one file whole.
//
// @param out  out: NUL-terminated copy, owned by the caller
// @return 0, -ENOENT there is none, -EFBIG longer than max, or another -errno
int file_load(const char *folder, const char *name, size_t max, char **out, size_t *len);

// @param folder  borrowed until replacer_close()
// @param wake    called by the thread whenever something has been written or has failed
// @return 0, or -errno
int replacer_open(struct replacer **out, const char *folder, void (*wake)(void *arg), void *arg);

// Write what waits, try each once, and end the thread. NULL is allowed.
void replacer_close(struct replacer *r);

// Have a file replaced soon. What cannot be written is tried again each second.
//
// @param name   borrowed until replacer_close(), one of at most REPLACER_FILES
// @param bytes  from malloc(), owned by the replacer from now on; NULL: remove the file
void replacer_put(struct replacer *r, const char *name, char *bytes, size_t len);

// Whether everything that was put is on disk.
bool replacer_is_idle(struct replacer *r);

// Why the last write failed: -errno, or 0 when it did not.
int replacer_error(struct replacer *r);
