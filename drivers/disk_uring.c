// SPDX-License-Identifier: BSD-3-Clause
// The disk seam with io_uring, from Linux 5.12 on.
//
//   submit() -> io_uring_enter() -> completion, which writes the owner's eventfd -> reap()
//
// reap() reads the completion ring in memory; it calls the kernel only when that says that it has
// something for us. The ring is not bound to a thread: the one that opens the queue and reads what
// a former process left is not the core that goes on with it.
#include "drivers/disk_queue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <liburing.h>
#include <sys/uio.h>

#define PATIENCE_MS 10

struct uring_disk {
	struct disk base;
	struct io_uring ring;
	struct disk_list ready; // ended without the kernel: it did not take them
	bool fixed;             // the kernel has mapped the buffers
};

// ---- To the kernel

static void op_prepare(struct uring_disk *q, struct disk_op *op, struct io_uring_sqe *sqe)
{
	unsigned len = op->len - op->done;
	uint64_t at = op->at + op->done;
	char *p = op->kind < DISK_SYNC ? disk_op_bytes(&q->base, op) : NULL;
	if (op->kind == DISK_WRITE && q->fixed)
		io_uring_prep_write_fixed(sqe, op->file, p, len, at, (int)op->buffer);
	else if (op->kind == DISK_WRITE)
		io_uring_prep_write(sqe, op->file, p, len, at);
	else if (op->kind == DISK_READ && q->fixed)
		io_uring_prep_read_fixed(sqe, op->file, p, len, at, (int)op->buffer);
	else if (op->kind == DISK_READ)
		io_uring_prep_read(sqe, op->file, p, len, at);
	else if (op->kind == DISK_SYNC)
		io_uring_prep_fsync(sqe, op->file, IORING_FSYNC_DATASYNC);
	else if (op->kind == DISK_REMOVE)
		io_uring_prep_unlinkat(sqe, q->base.config.folder_fd, op->name, 0);
	else
		io_uring_prep_fallocate(sqe, op->file, 0, (off_t)at, (off_t)len);
	io_uring_sqe_set_data(sqe, op);
}

static void op_fail(struct uring_disk *q, struct disk_op *op, int error)
{
	op->result = error;
	disk_list_push(&q->ready, op);
	disk_queue_wake(&q->base);
}

// The kernel takes nothing more. What it has not taken ends here, and its places in the ring must
// not mean those operations if it changes its mind.
static void queue_fail(struct uring_disk *q, int error)
{
	struct io_uring_sq *sq = &q->ring.sq;
	for (unsigned i = io_uring_smp_load_acquire(sq->khead); i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
		struct disk_op *op = (struct disk_op *)(uintptr_t)sqe->user_data;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data(sqe, NULL);
		if (op)
			op_fail(q, op, error);
	}
}

static void queue_enter(struct uring_disk *q, bool fetch)
{
	int rc = fetch ? io_uring_submit_and_get_events(&q->ring) : io_uring_submit(&q->ring);
	if (!io_uring_sq_ready(&q->ring))
		return;
	if (rc >= 0 || rc == -EAGAIN || rc == -EBUSY || rc == -EINTR)
		disk_queue_wake(&q->base); // the rest with the next reap()
	else
		queue_fail(q, rc);
}

static void uring_submit(struct disk *d, struct disk_op *op)
{
	struct uring_disk *q = (struct uring_disk *)d;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
	if (!sqe) { // only when the kernel has long refused to take anything
		op_fail(q, op, -EIO);
		return;
	}
	op_prepare(q, op, sqe);
	queue_enter(q, false);
}

// ---- From the kernel

static bool op_ended(struct uring_disk *q, struct disk_op *op, int n)
{
	if (n == -EOPNOTSUPP && op->kind == DISK_ALLOCATE)
		n = disk_op_extend(op);
	if (disk_op_advance(op, n))
		return true;
	uring_submit(&q->base, op);
	return false;
}

static struct disk_op *uring_reap(struct disk *d)
{
	struct uring_disk *q = (struct uring_disk *)d;
	unsigned flags = IO_URING_READ_ONCE(*q->ring.sq.kflags);
	bool fetch = flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
	if (fetch || io_uring_sq_ready(&q->ring))
		queue_enter(q, fetch);
	struct io_uring_cqe *cqe;
	unsigned head;
	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		struct disk_op *op = io_uring_cqe_get_data(cqe);
		int n = cqe->res;
		io_uring_cq_advance(&q->ring, 1);
		if (op && op_ended(q, op, n))
			return op;
	}
	return disk_list_pop(&q->ready);
}

static void uring_wait(struct disk *d)
{
	struct uring_disk *q = (struct uring_disk *)d;
	if (q->ready.first)
		return;
	int rc = io_uring_submit_and_wait(&q->ring, 1);
	if (rc >= 0 || rc == -EINTR)
		return;
	// Not even waiting is allowed, or the kernel is short of memory. What it has taken it ends.
	struct pollfd p = {.fd = q->ring.ring_fd, .events = POLLIN};
	poll(&p, 1, PATIENCE_MS);
}

// ---- Life

// Best first. Completions run when this thread is in the kernel anyway, without an interrupt that
// makes it go there (Linux 5.19).
static int ring_open(struct io_uring *ring, unsigned depth)
{
	static const unsigned flags[] = {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};
	int rc = -EINVAL;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]) && rc == -EINVAL; i++) {
		struct io_uring_params p = {.flags = flags[i]};
		rc = io_uring_queue_init_params(depth, ring, &p);
	}
	// Before, its workers ran with less than our rights and signals ended their calls.
	if (!rc && !(ring->features & IORING_FEAT_NATIVE_WORKERS)) {
		io_uring_queue_exit(ring);
		rc = -EOPNOTSUPP;
	}
	return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

// It works without, only each operation has to look up its pages.
static void buffers_register(struct uring_disk *q)
{
	struct iovec iov[DISK_BUFFERS_MAX];
	const struct disk_config *c = &q->base.config;
	for (unsigned i = 0; i < c->n_buffers; i++)
		iov[i] = (struct iovec){disk_buffer(&q->base, i), c->buffer_len};
	int rc = io_uring_register_buffers(&q->ring, iov, c->n_buffers);
	q->fixed = !rc;
	if (rc)
		q->base.note = rc == -ENOMEM ? "buffers not registered: over RLIMIT_MEMLOCK"
					     : "buffers not registered";
}

static int uring_open(const struct disk_config *config, struct disk **out)
{
	struct uring_disk *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	int rc = ring_open(&q->ring, config->depth);
	if (rc) {
		free(q);
		return rc;
	}
	rc = disk_queue_init(&q->base, &disk_uring, config);
	if (rc) {
		io_uring_queue_exit(&q->ring);
		free(q);
		return rc;
	}
	buffers_register(q);
	if (config->wake_fd >= 0)
		rc = io_uring_register_eventfd(&q->ring, config->wake_fd);
	if (rc)
		q->base.seam->close(&q->base);
	else
		*out = &q->base;
	return rc;
}

static void uring_close(struct disk *d)
{
	struct uring_disk *q = (struct uring_disk *)d;
	io_uring_queue_exit(&q->ring);
	disk_queue_fini(d);
	free(q);
}

const struct disk_seam disk_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.file_open = disk_queue_file_open,
	.file_close = disk_queue_file_close,
	.submit = uring_submit,
	.reap = uring_reap,
	.wait = uring_wait,
};
