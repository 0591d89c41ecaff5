// SPDX-License-Identifier: BSD-3-Clause
// A folder of its own and a disk queue on it, for tests of every driver.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/disk.h"
#include "drivers/disk_folder.h"
#include "tests/unit/test.h"

#define RIG_BUFFERS 16
#define RIG_PATIENCE_MS 20000

struct rig {
	char path[64];
	struct disk_folder folder;
	struct disk *disk;
	int wake_fd;
	char text[128];
};

static inline void rig_remove(void *arg, const char *name, uint64_t len)
{
	disk_folder_unlink(arg, name);
}

static inline void rig_folder(struct rig *r)
{
	snprintf(r->path, sizeof(r->path), "/tmp/flyover-disk-XXXXXX");
	assert_non_null(mkdtemp(r->path));
}

// @return 0, or -errno of disk_open()
static inline int rig_open(struct rig *r, unsigned choice, uint32_t buffer_len)
{
	assert_int_equal(disk_folder_open(&r->folder, r->path), 0);
	r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct disk_config c = {
		.folder_fd = r->folder.fd,
		.n_buffers = RIG_BUFFERS,
		.buffer_len = buffer_len,
		.depth = RIG_BUFFERS,
		.wake_fd = r->wake_fd,
	};
	return disk_open(choice, &c, &r->disk, r->text, sizeof(r->text));
}

static inline void rig_close(struct rig *r)
{
	if (r->disk)
		disk_close(r->disk);
	r->disk = NULL;
	disk_folder_list(&r->folder, rig_remove, &r->folder);
	disk_folder_unlink(&r->folder, DISK_IDENTITY);
	disk_folder_close(&r->folder);
	close(r->wake_fd);
}

static inline void rig_fini(struct rig *r)
{
	rig_close(r);
	rmdir(r->path);
}

static inline int rig_file(struct rig *r, const char *name)
{
	int file = disk_file_open(r->disk, name, DISK_CREATE);
	assert_true(file >= 0);
	return file;
}

static inline struct disk_op *rig_reap(struct rig *r)
{
	struct disk_op *op;
	while (!(op = disk_reap(r->disk))) {
		assert_true(disk_pending(r->disk) > 0);
		disk_wait(r->disk);
	}
	return op;
}

// Submit it alone and wait for it. @return its result
static inline int64_t rig_do(struct rig *r, struct disk_op op)
{
	assert_int_equal(disk_submit(r->disk, &op), 0);
	assert_ptr_equal(rig_reap(r), &op);
	assert_int_equal(disk_pending(r->disk), 0);
	return op.result;
}

// Bytes that tell where they belong, and which writing of that place they are.
static inline void blocks_fill(char *p, size_t len, uint64_t at, uint32_t generation)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = ((at + i) ^ 0x5bd1e995) * 0x9e3779b97f4a7c15 + generation;
		memcpy(p + i, &word, sizeof(word));
	}
}

static inline bool blocks_are(const char *p, size_t len, uint64_t at, uint32_t generation)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = ((at + i) ^ 0x5bd1e995) * 0x9e3779b97f4a7c15 + generation;
		if (memcmp(p + i, &word, sizeof(word)))
			return false;
	}
	return true;
}
