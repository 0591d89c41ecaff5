// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			at += n;
		}
	}
	return 0;
}

// Open and lock. Who waited for the lock may hold a file that was replaced meanwhile: again, then.
static int line_file_open(const char *path, off_t *len)
{
	for (;;) {
		struct stat st;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rc;
		if (fd < 0)
			return -errno;
		while ((rc = flock(fd, LOCK_EX)) && errno == EINTR)
			;
		if (rc || fstat(fd, &st)) {
			rc = -errno;
			close(fd);
			return rc;
		}
		*len = st.st_size;
		if (st.st_nlink)
			return fd;
		close(fd);
	}
}

// A file that was made just now is there after a crash only when its folder says so.
static int folder_sync(const char *path)
{
	char copy[4096];
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int kernel_append_line(const char *path, const void *line, size_t len)
{
	off_t end = 0;
	char last = '\n';
	int fd = line_file_open(path, &end), rc = fd < 0 ? fd : 0;
	if (fd < 0)
		return rc;
	if (end && pread(fd, &last, 1, end - 1) != 1)
		rc = -EIO;
	bool torn = last != '\n';
	if (!rc && torn)
		rc = write_all(fd, "\n", 1, end);
	rc = rc ? rc : write_all(fd, line, len, end + torn);
	if (!rc && fdatasync(fd))
		rc = -errno;
	if (!rc && !end)
		rc = folder_sync(path);
	if (rc) {
		int cut = ftruncate(fd, end);
		(void)!cut; // a torn tail stays; the next one ends it
	}
	close(fd);
	return rc;
}

const struct disk_ops disk_kernel = {
	.append_line = kernel_append_line,
};
