// SPDX-License-Identifier: BSD-3-Clause
// A folder of files that one process at a time owns. Plain blocking calls, for what is rare; the
// bytes of the files go through the queue of drivers/disk.h.
//
// The owner is who holds the lock of the folder's identity file. The kernel lets go of it when the
// process ends, however it ends, so nothing stale is ever in the way.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DISK_IDENTITY "identity" // name of the identity file

struct disk_folder {
	int fd; // of the folder, for disk_config
	int identity_fd;
};

// Make the folder (mode 0700) unless it is there, its parent must be, and lock it.
//
// @return 0, or -errno (-EBUSY: another owner has it, in this process or another; -ENOTDIR;
// -EACCES;
//         -ENOLCK or -EOPNOTSUPP: the file system has no locks)
int disk_folder_open(struct disk_folder *f, const char *path);

// Unlock and close. Safe after disk_folder_open() failed.
void disk_folder_close(struct disk_folder *f);

// What the identity file says; it is empty when nobody has written it.
//
// @return bytes, 0..len; -EFBIG there are more than len; or -errno
ssize_t disk_folder_identity(const struct disk_folder *f, void *bytes, size_t len);

// Write the identity file anew, durable before it returns. Not atomic: a crash may leave a part, so
// do it before other files are made, and let the bytes carry a checksum.
//
// @return 0, or -errno
int disk_folder_identify(struct disk_folder *f, const void *bytes, size_t len);

// Call each() for every plain file but the identity, in no order. Files may be removed meanwhile.
//
// @param len  bytes of the file
// @return 0, or -errno
int disk_folder_list(const struct disk_folder *f,
		     void (*each)(void *arg, const char *name, uint64_t len), void *arg);

// Remove, or rename over whatever has that name. Durable only after disk_folder_sync(), as is the
// making of files; before it a crash may undo any of them and not the others.
//
// @return 0, or -errno (-ENOENT)
int disk_folder_unlink(const struct disk_folder *f, const char *name);
int disk_folder_rename(const struct disk_folder *f, const char *from, const char *to);

// @return 0, or -errno
int disk_folder_sync(const struct disk_folder *f);
