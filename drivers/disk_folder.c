// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/disk_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd_sync(int fd)
{
	return fsync(fd) ? -errno : 0;
}

// The folder itself must not be lost when what lies in it is durable.
static int parent_sync(int folder_fd)
{
	int fd = openat(folder_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fd_sync(fd);
	close(fd);
	return rc;
}

static int folder_make(struct disk_folder *f, const char *path)
{
	bool made = !mkdir(path, 0700);
	if (!made && errno != EEXIST)
		return -errno;
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		return -errno;
	return made ? parent_sync(f->fd) : 0;
}

static int folder_lock(struct disk_folder *f)
{
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	f->identity_fd = openat(f->fd, DISK_IDENTITY, flags, 0600);
	if (f->identity_fd < 0)
		return -errno;
	int rc;
	do
		rc = flock(f->identity_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
	while (rc == -EINTR);
	return rc == -EWOULDBLOCK ? -EBUSY : rc;
}

int disk_folder_open(struct disk_folder *f, const char *path)
{
	*f = (struct disk_folder){.fd = -1, .identity_fd = -1};
	int rc = folder_make(f, path);
	if (!rc)
		rc = folder_lock(f);
	if (rc)
		disk_folder_close(f);
	return rc;
}

void disk_folder_close(struct disk_folder *f)
{
	if (f->identity_fd >= 0)
		close(f->identity_fd);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct disk_folder){.fd = -1, .identity_fd = -1};
}

ssize_t disk_folder_identity(const struct disk_folder *f, void *bytes, size_t len)
{
	struct stat st;
	if (fstat(f->identity_fd, &st))
		return -errno;
	if ((uint64_t)st.st_size > len)
		return -EFBIG;
	size_t have = 0;
	while (have < (size_t)st.st_size) {
		ssize_t n = pread(f->identity_fd, (char *)bytes + have,
				  (size_t)st.st_size - have, (off_t)have);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)have;
}

int disk_folder_identify(struct disk_folder *f, const void *bytes, size_t len)
{
	if (ftruncate(f->identity_fd, 0))
		return -errno;
	for (size_t at = 0; at < len;) {
		ssize_t n = pwrite(f->identity_fd, (const char *)bytes + at, len - at, (off_t)at);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	int rc = fd_sync(f->identity_fd);
	return rc ? rc : disk_folder_sync(f);
}

int disk_folder_list(const struct disk_folder *f,
		     void (*each)(void *arg, const char *name, uint64_t len), void *arg)
{
	// A description of its own: the position in it is not shared with another list.
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	struct dirent *entry;
	while (errno = 0, (entry = readdir(dir))) {
		struct stat st;
		if (!strcmp(entry->d_name, DISK_IDENTITY))
			continue;
		if (fstatat(f->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) {
			if (errno == ENOENT) // removed since it was read
				continue;
			break;
		}
		if (S_ISREG(st.st_mode))
			each(arg, entry->d_name, (uint64_t)st.st_size);
	}
	int rc = -errno;
	closedir(dir);
	return rc;
}

int disk_folder_unlink(const struct disk_folder *f, const char *name)
{
	return unlinkat(f->fd, name, 0) ? -errno : 0;
}

int disk_folder_rename(const struct disk_folder *f, const char *from, const char *to)
{
	return renameat(f->fd, from, f->fd, to) ? -errno : 0;
}

int disk_folder_sync(const struct disk_folder *f)
{
	return fd_sync(f->fd);
}
