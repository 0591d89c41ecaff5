// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/memory.h"

#include <errno.h>
#include <fcntl.h>
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

void *memory_file_map(const char *folder, size_t len)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) // some file systems have no unnamed files
		fd = memfd_create("flyover-table", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	if (!posix_fallocate(fd, 0, (off_t)len))
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	else
		errno = ENOSPC;
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void memory_file_unmap(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}
