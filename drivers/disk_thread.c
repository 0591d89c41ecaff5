// SPDX-License-Identifier: BSD-3-Clause
// The disk seam with a thread that does one operation after the other: for kernels and containers
// without io_uring.
//
//   submit() -> todo -> thread: pwrite, pread, fdatasync, fallocate, unlinkat -> done -> reap()
//
// The lock covers the two lists and is never held over a call to the disk.
#include "drivers/cores.h"
#include "drivers/disk_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct thread_disk {
	struct disk base;
	struct disk_list ready; // owner's: taken from done

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t has_todo, has_done;
	struct disk_list todo, done;
	bool stop;
	_Atomic bool any_done; // hint, so that a look into the void takes no lock
};

// ---- The thread

static int64_t op_call(const struct disk *d, const struct disk_op *op)
{
	char *p = op->kind < DISK_SYNC ? disk_op_bytes(d, op) : NULL;
	size_t len = op->len - op->done;
	off_t at = (off_t)(op->at + op->done);
	int64_t n;
	if (op->kind == DISK_WRITE)
		n = pwrite(op->file, p, len, at);
	else if (op->kind == DISK_READ)
		n = pread(op->file, p, len, at);
	else if (op->kind == DISK_SYNC)
		n = fdatasync(op->file);
	else if (op->kind == DISK_REMOVE)
		n = unlinkat(d->config.folder_fd, op->name, 0);
	else
		n = fallocate(op->file, 0, at, (off_t)len);
	if (n >= 0)
		return n;
	return errno == EOPNOTSUPP && op->kind == DISK_ALLOCATE ? disk_op_extend(op) : -errno;
}

static void op_ended(struct thread_disk *t, struct disk_op *op)
{
	pthread_mutex_lock(&t->lock);
	bool first = !t->done.first;
	disk_list_push(&t->done, op);
	atomic_store_explicit(&t->any_done, true, memory_order_release);
	pthread_cond_signal(&t->has_done);
	pthread_mutex_unlock(&t->lock);
	if (first) // the owner takes all at once
		disk_queue_wake(&t->base);
}

static struct disk_op *todo_take(struct thread_disk *t)
{
	pthread_mutex_lock(&t->lock);
	while (!t->todo.first && !t->stop)
		pthread_cond_wait(&t->has_todo, &t->lock);
	struct disk_op *op = disk_list_pop(&t->todo);
	pthread_mutex_unlock(&t->lock);
	return op;
}

static void *thread_run(void *arg)
{
	struct thread_disk *t = arg;
	struct disk_op *op;
	// Who opens may be pinned: its processor is the one that this thread should not take.
	cpu_set_t all;
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	while ((op = todo_take(t))) {
		while (!disk_op_advance(op, op_call(&t->base, op)))
			continue;
		op_ended(t, op);
	}
	return NULL;
}

// ---- The owner

// Signals are for the threads that expect them.
static int thread_start(struct thread_disk *t)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = cores_start(&t->thread, "flyover-disk", -1, thread_run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int thread_open(const struct disk_config *config, struct disk **out)
{
	struct thread_disk *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	int rc = disk_queue_init(&t->base, &disk_thread, config);
	if (rc) {
		free(t);
		return rc;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->has_todo, NULL);
	pthread_cond_init(&t->has_done, NULL);
	rc = thread_start(t);
	if (rc) {
		disk_queue_fini(&t->base);
		free(t);
		return rc;
	}
	*out = &t->base;
	return 0;
}

static void thread_close(struct disk *d)
{
	struct thread_disk *t = (struct thread_disk *)d;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->has_todo);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->has_todo);
	pthread_cond_destroy(&t->has_done);
	pthread_mutex_destroy(&t->lock);
	disk_queue_fini(d);
	free(t);
}

static void thread_submit(struct disk *d, struct disk_op *op)
{
	struct thread_disk *t = (struct thread_disk *)d;
	pthread_mutex_lock(&t->lock);
	disk_list_push(&t->todo, op);
	pthread_cond_signal(&t->has_todo);
	pthread_mutex_unlock(&t->lock);
}

static struct disk_op *thread_reap(struct disk *d)
{
	struct thread_disk *t = (struct thread_disk *)d;
	if (!t->ready.first && atomic_load_explicit(&t->any_done, memory_order_acquire)) {
		pthread_mutex_lock(&t->lock);
		t->ready = t->done;
		t->done.first = NULL;
		atomic_store_explicit(&t->any_done, false, memory_order_relaxed);
		pthread_mutex_unlock(&t->lock);
	}
	return disk_list_pop(&t->ready);
}

static void thread_wait(struct disk *d)
{
	struct thread_disk *t = (struct thread_disk *)d;
	if (t->ready.first)
		return;
	pthread_mutex_lock(&t->lock);
	while (!t->done.first)
		pthread_cond_wait(&t->has_done, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

const struct disk_seam disk_thread = {
	.name = "thread",
	.open = thread_open,
	.close = thread_close,
	.file_open = disk_queue_file_open,
	.file_close = disk_queue_file_close,
	.submit = thread_submit,
	.reap = thread_reap,
	.wait = thread_wait,
};
