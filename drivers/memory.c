// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int ring_map(struct memory_ring *r, int fd)
{
	char *both = mmap(NULL, 2 * r->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (both == MAP_FAILED)
		return -errno;
	for (int half = 0; half < 2; half++) {
		char *at = both + (size_t)half * r->size;
		if (mmap(at, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED) {
			int rc = -errno;
			munmap(both, 2 * r->size);
			return rc;
		}
	}
	r->base = both;
	return 0;
}

int memory_ring_init(struct memory_ring *r, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	r->base = NULL;
	r->size = (size + page - 1) / page * page;
	int fd = memfd_create("flyover-ring", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = ftruncate(fd, (off_t)r->size) ? -errno : ring_map(r, fd);
	close(fd);
	return rc;
}

void memory_ring_fini(struct memory_ring *r)
{
	if (r->base)
		munmap(r->base, 2 * r->size);
	r->base = NULL;
}

void memory_ring_clear(struct memory_ring *r)
{
	// Shared pages live until they are removed from the file itself.
	madvise(r->base, r->size, MADV_REMOVE);
}

// A file without a name. Some file systems have none: then a named one that is removed at once.
static int unnamed_open(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	char path[512];
	if (snprintf(path, sizeof(path), "%s/.flyover-XXXXXX", folder) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

void *memory_file_map(const char *folder, size_t len)
{
	int fd = unnamed_open(folder);
	if (fd < 0)
		fd = memfd_create("flyover-table", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	int rc = posix_fallocate(fd, 0, (off_t)len);
	if (rc)
		errno = rc;
	else
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void memory_file_unmap(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}

int memory_file_init(struct memory_file *f, const char *folder)
{
	*f = (struct memory_file){.fd = unnamed_open(folder)};
	return f->fd < 0 ? -errno : 0;
}

void memory_file_fini(struct memory_file *f)
{
	if (f->base)
		munmap((void *)f->base, f->len);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct memory_file){.fd = -1};
}

ssize_t memory_file_append(struct memory_file *f, const char *p, size_t len)
{
	ssize_t n;
	do
		n = pwrite(f->fd, p, len, (off_t)f->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	f->len += (size_t)n;
	return n;
}

int memory_file_seal(struct memory_file *f)
{
	void *p = mmap(NULL, f->len, PROT_READ, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	madvise(p, f->len, MADV_SEQUENTIAL);
	f->base = p;
	return 0;
}

void memory_file_forget(const struct memory_file *f, size_t from, size_t to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	from = (from + page - 1) / page * page;
	to = to == f->len ? (to + page - 1) / page * page : to / page * page;
	if (from < to)
		madvise((void *)(f->base + from), to - from, MADV_DONTNEED);
}
