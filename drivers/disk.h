// SPDX-License-Identifier: BSD-3-Clause
// The disk seams.
//
// `disk_ops`: lines appended to a file, durable before the call returns; for what is rare.
//
// `disk_seam`: a queue of operations on the files of one folder, whose owner never waits. Kernel
// drivers with io_uring and with a thread stand behind it, and a simulated one in the tests.
//
//   disk_buffer() is filled -> disk_submit(op) -> ... wake_fd is written ... -> disk_reap() == op
//
// A queue belongs to one thread at a time, and may be handed on. Operations end in any order: who
// wants one after the other submits it when the other has come back. So a DISK_SYNC covers the
// writes that were reaped before it was submitted, and says nothing of others.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_ops {
	// Append one line to a file that other processes read, and may replace by a new one under
	// its flock(). The line is durable before it returns. A line that a crash has torn before
	// gets its end first, so that it spoils nothing but itself.
	//
	// @param line  ends with a newline
	// @return 0, or -errno (-ENOSPC: full; the file is cut back to what it was)
	int (*append_line)(const char *path, const void *line, size_t len);
};

// pwrite and fdatasync, on the calling thread: for what is rare and must be on disk.
extern const struct disk_ops disk_kernel;

// ---- The queue

#define DISK_BLOCK       4096u // of every position and length, in memory and on disk
#define DISK_BUFFERS_MAX 1024u
#define DISK_DEPTH_MAX   1024u

enum disk_choice { DISK_AUTO, DISK_URING, DISK_THREAD };

enum disk_op_kind {
	DISK_WRITE,
	DISK_READ,
	DISK_SYNC,     // what was written is durable: fdatasync. at, len and buffer do not matter
	DISK_ALLOCATE, // [at, at + len) has its space, and the file is at least that long; new
		       // bytes are 0
	DISK_REMOVE,   // the file `name` goes, and its space with it where nobody has it open:
		       // a file system may take long over that. (-ENOENT: it is not there)
};

// One operation. Owned by the caller, and not touched by him from disk_submit() until disk_reap()
// gives it back; the same is true of the part of the buffer and of the name.
struct disk_op {
	enum disk_op_kind kind;
	int file;           // from disk_file_open(); stays open until the operation has come back
	unsigned buffer;    // which; for write and read
	uint32_t buffer_at; // in the buffer, bytes, a multiple of DISK_BLOCK
	uint32_t len;       // bytes, > 0, a multiple of DISK_BLOCK
	uint64_t at;        // in the file, bytes, a multiple of DISK_BLOCK
	const char *name;   // of DISK_REMOVE, which wants nothing else: of a file of the folder

	// out: bytes of a write or read, else 0; or -errno. Writes are whole or fail: then any part
	// of [at, at + len) may have been written, and the bytes are still in the buffer (-ENOSPC:
	// write them again when there is room). A read is short where the file ends; what lies
	// behind it in the buffer is undefined. A DISK_SYNC that failed has lost track of what is
	// on disk: everything since the last good one has to be written again.
	int64_t result;
	void *user; // the caller's

	// the driver's
	uint32_t done; // bytes of it so far
	struct disk_op *next;
};

struct disk_config {
	int folder_fd;       // of the files; borrowed until disk_close()
	unsigned n_buffers;  // 1..DISK_BUFFERS_MAX
	uint32_t buffer_len; // bytes, a multiple of DISK_BLOCK
	unsigned depth; // 1..DISK_DEPTH_MAX: most operations in the queue, those that wait to be
			// reaped included
	// An eventfd that is written after operations have ended, so that the owner may sleep on
	// it: stream_loop_wake_fd() of the core's loop. Open until disk_close(). -1: the owner
	// polls.
	int wake_fd;
};

// First member of every driver's queue.
struct disk {
	const struct disk_seam *seam;
	struct disk_config config;
	char *buffers;      // n_buffers of buffer_len in a row, aligned to DISK_BLOCK
	unsigned n_pending; // submitted and not reaped
	const char *note;   // what it does without, "" when nothing
	bool direct;        // files are opened with O_DIRECT
};

enum disk_file_flags {
	DISK_CREATE = 1, // make the file, with mode 0600; it must not be there (-EEXIST)
};

struct disk_seam {
	const char *name; // "io_uring", "thread"

	// Fills all of struct disk.
	// @return 0, or -errno (-EPERM, -ENOSYS: the kernel does not let us)
	int (*open)(const struct disk_config *config, struct disk **out);
	// As disk_close().
	void (*close)(struct disk *d);
	// As disk_file_open(), disk_file_close().
	int (*file_open)(struct disk *d, const char *name, unsigned flags);
	void (*file_close)(struct disk *d, int file);
	// Take an operation that disk_submit() has found good; done and next are 0. Never fails: an
	// error is the operation's result.
	void (*submit)(struct disk *d, struct disk_op *op);
	// As disk_reap(). n_pending still counts the operation that it gives.
	struct disk_op *(*reap)(struct disk *d);
	// As disk_wait(); something is pending.
	void (*wait)(struct disk *d);
};

extern const struct disk_seam disk_uring;
extern const struct disk_seam disk_thread;

// Open a queue over the kernel's files. The page cache is passed by where the file system lets us.
//
// @param choice  enum disk_choice; DISK_AUTO is io_uring where the kernel has it, else a thread
// @param text    out: what is used and why, such as "thread (io_uring: EPERM), O_DIRECT"
// @return 0, or -errno (text says which step) (-EINVAL: a config that makes no sense)
int disk_open(unsigned choice, const struct disk_config *config, struct disk **out, char *text,
	      size_t text_len);

// Wait for what is in the queue and free all, buffers included. Nothing is given back: the results
// are in the operations, which must live until it returns. The caller has closed the files (who has
// operations in the queue waits for them first).
void disk_close(struct disk *d);

// Open a file of the folder for writing and reading.
//
// @param name   a name, without slashes
// @param flags  enum disk_file_flags
// @return the file, >= 0, or -errno
int disk_file_open(struct disk *d, const char *name, unsigned flags);

// No operation on it may be in the queue. Never fails: only DISK_SYNC tells of lost writes.
void disk_file_close(struct disk *d, int file);

// Put an operation in the queue. Never blocks on the disk.
//
// @return 0: it will come back; or it was not taken: -EBUSY the queue is full, -EINVAL not
//         aligned, outside of its buffer or past 2^63
int disk_submit(struct disk *d, struct disk_op *op);

// Take back an operation that has ended, or NULL. Without a system call when none can have. Ask
// until it says NULL: the wake is for the first of several.
struct disk_op *disk_reap(struct disk *d);

// Block until disk_reap() has something to give, or nothing is pending: for the start and the end,
// not for a core that has other work.
void disk_wait(struct disk *d);

// Submitted and not reaped.
static inline unsigned disk_pending(const struct disk *d)
{
	return d->n_pending;
}

static inline char *disk_buffer(const struct disk *d, unsigned i)
{
	return d->buffers + (size_t)i * d->config.buffer_len;
}
