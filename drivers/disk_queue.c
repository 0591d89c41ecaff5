// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/disk_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_NAME "probe"

void disk_list_push(struct disk_list *l, struct disk_op *op)
{
	op->next = NULL;
	if (l->first)
		l->last->next = op;
	else
		l->first = op;
	l->last = op;
}

struct disk_op *disk_list_pop(struct disk_list *l)
{
	struct disk_op *op = l->first;
	if (op)
		l->first = op->next;
	return op;
}

// ---- Buffers and files

static int probe_open(int folder_fd)
{
	int flags = O_RDWR | O_DIRECT | O_CLOEXEC;
	int fd = openat(folder_fd, ".", flags | O_TMPFILE, 0600);
	if (fd >= 0 || errno == EINVAL)
		return fd;
	// Some file systems have no unnamed files. Without O_DIRECT a failed open may leave the
	// name.
	fd = openat(folder_fd, PROBE_NAME, flags | O_CREAT | O_NOFOLLOW, 0600);
	int error = errno;
	unlinkat(folder_fd, PROBE_NAME, 0);
	errno = error;
	return fd;
}

// Some file systems refuse O_DIRECT when a file is opened, others when it is written.
static bool folder_takes_direct(int folder_fd, const char *block)
{
	int fd = probe_open(folder_fd);
	if (fd < 0)
		return errno != EINVAL;
	bool takes = pwrite(fd, block, DISK_BLOCK, 0) >= 0 || errno != EINVAL;
	close(fd);
	return takes;
}

int disk_queue_init(struct disk *d, const struct disk_seam *seam, const struct disk_config *config)
{
	size_t len = (size_t)config->n_buffers * config->buffer_len;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	// The kernel handles a huge page as one piece of a transfer, where it knows them.
	madvise(p, len, MADV_HUGEPAGE);
	d->seam = seam;
	d->config = *config;
	d->buffers = p;
	d->n_pending = 0;
	d->note = "";
	d->direct = folder_takes_direct(config->folder_fd, p);
	return 0;
}

void disk_queue_fini(struct disk *d)
{
	munmap(d->buffers, (size_t)d->config.n_buffers * d->config.buffer_len);
}

int disk_queue_file_open(struct disk *d, const char *name, unsigned flags)
{
	int how = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	if (flags & DISK_CREATE)
		how |= O_CREAT | O_EXCL;
	int fd = openat(d->config.folder_fd, name, how | (d->direct ? O_DIRECT : 0), 0600);
	// Not every file of a folder need be alike. One that was to be made has been, by now.
	if (fd < 0 && errno == EINVAL && d->direct)
		fd = openat(d->config.folder_fd, name, how & ~O_EXCL, 0600);
	return fd < 0 ? -errno : fd;
}

void disk_queue_file_close(struct disk *d, int file)
{
	close(file);
}

void disk_queue_wake(const struct disk *d)
{
	uint64_t one = 1;
	if (d->config.wake_fd < 0)
		return;
	ssize_t n = write(d->config.wake_fd, &one, sizeof(one));
	(void)!n; // full means that he is awake already
}

// ---- Operations

// A transfer goes on at the next block that it has not moved whole, so that O_DIRECT can. When that
// is where it was, a read has come to the end of the file, and a write to the end of the space.
static bool transfer_advance(struct disk_op *op, int64_t n)
{
	uint32_t done = op->done + (uint32_t)n;
	uint32_t whole = done - done % DISK_BLOCK;
	if (done < op->len && whole > op->done) {
		op->done = whole;
		return false;
	}
	op->result = done == op->len || op->kind == DISK_READ ? (int64_t)done : -ENOSPC;
	return true;
}

bool disk_op_advance(struct disk_op *op, int64_t n)
{
	// Work that the kernel had not begun is cancelled when the thread that submitted it ends.
	if (n == -EINTR || n == -EAGAIN || n == -ECANCELED)
		return false;
	if (n >= 0 && (op->kind == DISK_WRITE || op->kind == DISK_READ))
		return transfer_advance(op, n);
	op->result = n;
	return true;
}

int disk_op_extend(const struct disk_op *op)
{
	struct stat st;
	off_t len = (off_t)(op->at + op->len);
	if (fstat(op->file, &st))
		return -errno;
	return st.st_size < len && ftruncate(op->file, len) ? -errno : 0;
}
