// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_file {
	int fd;
	off_t len;
};

static int kernel_open(const char *path, struct disk_file **out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	struct stat st;
	struct disk_file *f = malloc(sizeof(*f));
	if (!f || fstat(fd, &st)) {
		int rc = f ? -errno : -ENOMEM;
		close(fd);
		free(f);
		return rc;
	}
	*f = (struct disk_file){.fd = fd, .len = st.st_size};
	*out = f;
	return 0;
}

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

static int kernel_append_sync(struct disk_file *f, const void *bytes, size_t len)
{
	int rc = write_all(f->fd, bytes, len, f->len);
	if (!rc && fdatasync(f->fd))
		rc = -errno;
	if (rc) {
		int cut = ftruncate(f->fd, f->len);
		(void)!cut; // a torn tail stays; readers stop at the last whole record
		return rc;
	}
	f->len += (off_t)len;
	return 0;
}

static void kernel_close(struct disk_file *f)
{
	close(f->fd);
	free(f);
}

const struct disk_ops disk_kernel = {
	.open = kernel_open,
	.append_sync = kernel_append_sync,
	.close = kernel_close,
};
