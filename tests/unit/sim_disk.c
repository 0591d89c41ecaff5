// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/sim_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define PENDING_MAX 256

struct sim_lost {
	struct sim_lost *older;
	ino_t file;
	uint64_t at, n; // n: of the write
	uint32_t len;
	char bytes[];   // that lay there before
};

struct queue {
	struct disk base;
	struct sim_disk *sim;
	struct disk_op *pending[PENDING_MAX];
	uint64_t synced_to[PENDING_MAX]; // of a sync: writes that it covers
	unsigned n;
};

// The seam's open() is told nothing of the test.
static struct sim_disk *sim_now;

static ino_t file_id(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int sim_open(const struct disk_config *config, struct disk **out)
{
	struct queue *q = calloc(1, sizeof(*q));
	q->base.seam = sim_disk_seam(sim_now);
	q->base.config = *config;
	q->base.buffers =
		aligned_alloc(DISK_BLOCK, (size_t)config->n_buffers * config->buffer_len);
	q->sim = sim_now;
	sim_now->queue = *out = &q->base;
	return 0;
}

static int sim_file_open(struct disk *d, const char *name, unsigned flags)
{
	int fd = openat(d->config.folder_fd, name,
			O_RDWR | (flags & DISK_CREATE ? O_CREAT | O_EXCL : 0), 0600);
	return fd < 0 ? -errno : fd;
}

static void sim_file_close(struct disk *d, int file)
{
	assert_int_equal(close(file), 0);
}

static void sim_submit(struct disk *d, struct disk_op *op)
{
	struct queue *q = (struct queue *)d;
	assert_in_range(q->n, 0, PENDING_MAX - 1);
	q->synced_to[q->n] = q->sim->n_writes;
	q->pending[q->n++] = op;
}

// ---- What operations do

static uint64_t folder_used(int fd)
{
	uint64_t used = 0;
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;
		if (!fstatat(fd, e->d_name, &st, 0) && S_ISREG(st.st_mode))
			used += (uint64_t)st.st_size;
	}
	closedir(dir);
	return used;
}

static int64_t op_allocate(struct queue *q, const struct disk_op *op)
{
	struct stat st;
	assert_int_equal(fstat(op->file, &st), 0);
	uint64_t more = op->at + op->len - (uint64_t)st.st_size;
	if (folder_used(q->base.config.folder_fd) + more > q->sim->space)
		return -ENOSPC;
	return ftruncate(op->file, (off_t)(op->at + op->len)) ? -errno : 0;
}

static void block_write(struct sim_disk *s, int fd, uint64_t at, const char *p, uint32_t len)
{
	struct sim_lost *l = calloc(1, sizeof(*l) + len);
	*l = (struct sim_lost){
		.older = s->lost, .file = file_id(fd), .at = at, .len = len, .n = s->n_writes};
	assert_true(pread(fd, l->bytes, len, (off_t)at) >= 0);
	s->lost = l;
	assert_int_equal(pwrite(fd, p, len, (off_t)at), len);
}

// Whole, or any of its blocks.
static void op_write(struct queue *q, const struct disk_op *op, bool torn)
{
	struct sim_disk *s = q->sim;
	const char *p = disk_buffer(&q->base, op->buffer) + op->buffer_at;
	for (uint32_t done = 0; done < op->len; done += DISK_BLOCK)
		if (!torn || random_below(&s->random, 2))
			block_write(s, op->file, op->at + done, p + done, DISK_BLOCK);
	s->n_writes++;
}

static void op_sync(struct sim_disk *s, int fd, uint64_t to)
{
	ino_t file = file_id(fd);
	struct sim_lost **at = &s->lost;
	while (*at) {
		struct sim_lost *l = *at;
		if (l->file != file || l->n >= to) {
			at = &l->older;
			continue;
		}
		*at = l->older;
		free(l);
	}
}

static int64_t op_do(struct queue *q, const struct disk_op *op, uint64_t synced_to)
{
	struct sim_disk *s = q->sim;
	bool fails = s->eio_in && op->kind != DISK_ALLOCATE && !random_below(&s->random, s->eio_in);
	s->n_failed += fails;
	switch (op->kind) {
	case DISK_WRITE:
		op_write(q, op, fails);
		return fails ? -EIO : (int64_t)op->len;
	case DISK_READ:
		s->n_reads++;
		return fails ? -EIO
			     : pread(op->file, disk_buffer(&q->base, op->buffer) + op->buffer_at,
				     op->len, (off_t)op->at);
	case DISK_SYNC:
		if (!fails)
			op_sync(s, op->file, synced_to);
		return fails ? -EIO : 0;
	case DISK_ALLOCATE:
		return op_allocate(q, op);
	case DISK_REMOVE:
		if (fails)
			return -EIO;
		return unlinkat(q->base.config.folder_fd, op->name, 0) ? -errno : 0;
	}
	return -EINVAL;
}

static struct disk_op *op_end(struct queue *q, unsigned i)
{
	struct disk_op *op = q->pending[i];
	op->result = op_do(q, op, q->synced_to[i]);
	q->pending[i] = q->pending[--q->n];
	q->synced_to[i] = q->synced_to[q->n];
	return op;
}

static struct disk_op *sim_reap(struct disk *d)
{
	struct queue *q = (struct queue *)d;
	if (!q->n || random_below(&q->sim->random, 1 + q->sim->slowness))
		return NULL;
	return op_end(q, (unsigned)random_below(&q->sim->random, q->n));
}

static void sim_wait(struct disk *d)
{
}

static void sim_close(struct disk *d)
{
	struct queue *q = (struct queue *)d;
	while (q->n)
		op_end(q, 0);
	q->sim->queue = NULL;
	free(d->buffers);
	free(q);
}

const struct disk_seam *sim_disk_seam(struct sim_disk *s)
{
	static const struct disk_seam seam = {
		.name = "simulated",
		.open = sim_open,
		.close = sim_close,
		.file_open = sim_file_open,
		.file_close = sim_file_close,
		.submit = sim_submit,
		.reap = sim_reap,
		.wait = sim_wait,
	};
	sim_now = s;
	return &seam;
}

// ---- Crash

static void file_copy(int from, int to, const char *name)
{
	char bytes[65536];
	int in = openat(from, name, O_RDONLY), out = openat(to, name, O_RDWR | O_CREAT, 0600);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, bytes, sizeof(bytes))) > 0;)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

// Take back what was written to a file and not synced, newest first, block by block.
static void file_tear(struct sim_disk *s, int from, int to, const char *name)
{
	struct stat st;
	assert_int_equal(fstatat(from, name, &st, 0), 0);
	int out = openat(to, name, O_RDWR);
	assert_true(out >= 0);
	for (const struct sim_lost *l = s->lost; l; l = l->older)
		if (l->file == st.st_ino && random_below(&s->random, 2))
			assert_int_equal(pwrite(out, l->bytes, l->len, (off_t)l->at), l->len);
	close(out);
}

// The files as they are, with parts of what is on its way.
static void pending_tear(struct sim_disk *s)
{
	struct queue *q = (struct queue *)s->queue;
	for (unsigned i = 0; q && i < q->n; i++) {
		const struct disk_op *op = q->pending[i];
		if (op->kind == DISK_WRITE)
			op_write(q, op, true);
		else if (op->kind == DISK_REMOVE && random_below(&s->random, 2))
			unlinkat(q->base.config.folder_fd, op->name, 0);
	}
}

void sim_disk_crash(struct sim_disk *s, const char *folder, const char *to, bool power_fails)
{
	assert_int_equal(mkdir(to, 0700), 0);
	pending_tear(s);
	DIR *dir = opendir(folder);
	int from_fd = open(folder, O_RDONLY | O_DIRECTORY);
	int to_fd = open(to, O_RDONLY | O_DIRECTORY);
	assert_true(dir && from_fd >= 0 && to_fd >= 0);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		file_copy(from_fd, to_fd, e->d_name);
		if (power_fails)
			file_tear(s, from_fd, to_fd, e->d_name);
	}
	closedir(dir);
	close(from_fd);
	close(to_fd);
}

void sim_disk_forget(struct sim_disk *s)
{
	while (s->lost) {
		struct sim_lost *l = s->lost;
		s->lost = l->older;
		free(l);
	}
}

uint64_t sim_disk_used(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	uint64_t used = folder_used(fd);
	close(fd);
	return used;
}

void sim_disk_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(folder), 0);
}
