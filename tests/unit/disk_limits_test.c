// SPDX-License-Identifier: BSD-3-Clause
// The disk queue where it is not given all: disks that are full or without O_DIRECT and fallocate,
// kernels that forbid io_uring, users with little locked memory.
//
// Small file systems are mounted in a mount namespace of this program's own; what takes a right
// away happens in a child, which reports by its exit code.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/disk_queue.h"
#include "tests/unit/disk_rig.h"

#define BUFFER_LEN (64u * 1024)
#define SMALL_LEN  (512u * 1024)

static const unsigned choices[] = {DISK_THREAD, DISK_URING};

// ---- Calls that do less than they were asked for

static void short_transfers_go_on_at_a_block(void **state)
{
	struct disk_op op = {DISK_WRITE, .len = 4 * DISK_BLOCK};
	assert_false(disk_op_advance(&op, DISK_BLOCK + 1000));
	assert_int_equal(op.done, DISK_BLOCK); // the part of a block is done again
	assert_false(disk_op_advance(&op, -EINTR));
	assert_false(disk_op_advance(&op, -EAGAIN));
	assert_false(disk_op_advance(&op, -ECANCELED));
	assert_false(disk_op_advance(&op, 2 * DISK_BLOCK));
	assert_int_equal(op.done, 3 * DISK_BLOCK);
	assert_true(disk_op_advance(&op, DISK_BLOCK));
	assert_int_equal(op.result, 4 * DISK_BLOCK);

	op = (struct disk_op){DISK_WRITE, .len = 4 * DISK_BLOCK, .done = DISK_BLOCK};
	assert_true(disk_op_advance(&op, 1000)); // a disk that has less than a block left
	assert_int_equal(op.result, -ENOSPC);
	op = (struct disk_op){DISK_WRITE, .len = 4 * DISK_BLOCK, .done = DISK_BLOCK};
	assert_true(disk_op_advance(&op, 0));
	assert_int_equal(op.result, -ENOSPC);
	op = (struct disk_op){DISK_WRITE, .len = 4 * DISK_BLOCK, .done = DISK_BLOCK};
	assert_true(disk_op_advance(&op, -EIO)); // not the bytes that it had got to
	assert_int_equal(op.result, -EIO);
	op = (struct disk_op){DISK_READ, .len = 4 * DISK_BLOCK, .done = DISK_BLOCK};
	assert_true(disk_op_advance(&op, 1000));
	assert_int_equal(op.result, DISK_BLOCK + 1000);
}

// ---- Small file systems

// @return false: it is not permitted here
static bool mount_own(const char *type, const char *path, const char *options)
{
	static bool apart;
	if (!apart && unshare(CLONE_NEWNS)) {
		print_message("skipped: a mount namespace of our own: %s\n", strerror(errno));
		return false;
	}
	apart = true;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("test", path, type, 0, options)) {
		print_message("skipped: mount of %s: %s\n", type, strerror(errno));
		return false;
	}
	return true;
}

// @return false: no io_uring here
static bool rig_has(struct rig *r, unsigned choice)
{
	int rc = rig_open(r, choice, BUFFER_LEN);
	if (rc && choice == DISK_URING) {
		print_message("not tested here: %s\n", r->text);
		r->disk = NULL;
		rig_close(r);
		return false;
	}
	assert_int_equal(rc, 0);
	return true;
}

// Fill the disk with everything in flight. @return writes that found no room
static unsigned disk_fill(struct rig *r, struct disk_op *ops, int file)
{
	unsigned n_failed = 0;
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		uint64_t at = (uint64_t)i * BUFFER_LEN;
		blocks_fill(disk_buffer(r->disk, i), BUFFER_LEN, at, 5);
		ops[i] = (struct disk_op){DISK_WRITE, file, i, 0, BUFFER_LEN, at};
		assert_int_equal(disk_submit(r->disk, &ops[i]), 0);
	}
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		struct disk_op *op = rig_reap(r);
		assert_true(op->result == BUFFER_LEN || op->result == -ENOSPC);
		n_failed += op->result < 0;
	}
	return n_failed;
}

static void a_full_disk_loses_nothing(struct rig *r)
{
	struct disk_op ops[RIG_BUFFERS];
	// Half of what is there, so that it is full before all is written.
	int filler = rig_file(r, "filler"), file = rig_file(r, "segment");
	struct disk_op room = {DISK_ALLOCATE, filler, .len = SMALL_LEN};
	assert_int_equal(rig_do(r, room), 0);
	struct disk_op more = {DISK_ALLOCATE, file, .len = 2 * SMALL_LEN};
	assert_int_equal(rig_do(r, more), -ENOSPC);
	unsigned n_failed = disk_fill(r, ops, file);
	assert_true(n_failed > 0 && n_failed < RIG_BUFFERS);

	disk_file_close(r->disk, filler);
	assert_int_equal(disk_folder_unlink(&r->folder, "filler"), 0);
	for (unsigned i = 0; i < RIG_BUFFERS; i++) // from the same buffers, once there is room
		if (ops[i].result < 0)
			assert_int_equal(rig_do(r, ops[i]), BUFFER_LEN);
	assert_int_equal(rig_do(r, (struct disk_op){DISK_SYNC, file}), 0);
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		ops[i].kind = DISK_READ;
		memset(disk_buffer(r->disk, i), 0, BUFFER_LEN);
		assert_int_equal(rig_do(r, ops[i]), BUFFER_LEN);
		assert_true(blocks_are(disk_buffer(r->disk, i), BUFFER_LEN, ops[i].at, 5));
	}
	disk_file_close(r->disk, file);
}

static void enospc_is_told_and_loses_nothing(void **state)
{
	struct rig *r = *state;
	char options[32];
	// What is written in all, and a bit for the folder.
	snprintf(options, sizeof(options), "size=%u", RIG_BUFFERS * BUFFER_LEN + 16 * DISK_BLOCK);
	if (!mount_own("tmpfs", r->path, options))
		skip();
	for (unsigned i = 0; i < 2; i++)
		if (rig_has(r, choices[i])) {
			a_full_disk_loses_nothing(r);
			rig_close(r);
		}
	assert_int_equal(umount(r->path), 0);
}

static void without_o_direct_and_fallocate(void **state)
{
	struct rig *r = *state;
	if (!mount_own("ramfs", r->path, NULL)) // has neither
		skip();
	for (unsigned i = 0; i < 2; i++) {
		if (!rig_has(r, choices[i]))
			continue;
		assert_non_null(strstr(r->text, ", buffered (no O_DIRECT here)"));
		int file = rig_file(r, "segment");
		struct stat st;
		for (uint32_t len = 1u << 20; len > 1u << 18; len /= 2) { // never shorter
			struct disk_op op = {DISK_ALLOCATE, file, .len = len};
			assert_int_equal(rig_do(r, op), 0);
			assert_int_equal(fstat(file, &st), 0);
			assert_int_equal(st.st_size, 1 << 20);
		}
		struct disk_op op = {DISK_WRITE, file, 0, 0, BUFFER_LEN, BUFFER_LEN};
		blocks_fill(disk_buffer(r->disk, 0), BUFFER_LEN, 0, 4);
		assert_int_equal(rig_do(r, op), BUFFER_LEN);
		op = (struct disk_op){DISK_READ, file, 1, 0, BUFFER_LEN, BUFFER_LEN};
		assert_int_equal(rig_do(r, op), BUFFER_LEN);
		assert_true(blocks_are(disk_buffer(r->disk, 1), BUFFER_LEN, 0, 4));
		disk_file_close(r->disk, file);
		rig_close(r);
	}
	assert_int_equal(umount(r->path), 0);
}

// ---- Rights taken away

// From now on a system call gets one answer, and all others another.
static void child_restrict(int number, uint32_t its, uint32_t others)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, its),
		BPF_STMT(BPF_RET | BPF_K, others),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(99);
}

static void child_forbid(int number)
{
	child_restrict(number, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW);
}

// In a child a failed assertion must not go on with the other tests.
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void child_run(void (*run)(struct rig *), struct rig *r)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		run(r);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

// Writes a block and reads it back.
static void child_round_trip(struct rig *r)
{
	int file = disk_file_open(r->disk, "trip", DISK_CREATE);
	CHECK(file >= 0);
	blocks_fill(disk_buffer(r->disk, 0), DISK_BLOCK, 0, 1);
	struct disk_op op = {DISK_WRITE, file, .len = DISK_BLOCK};
	for (int i = 0; i < 2; i++) {
		CHECK(!disk_submit(r->disk, &op));
		disk_wait(r->disk);
		CHECK(disk_reap(r->disk) == &op && op.result == DISK_BLOCK);
		op.kind = DISK_READ;
		op.buffer = 1;
	}
	CHECK(blocks_are(disk_buffer(r->disk, 1), DISK_BLOCK, 0, 1));
	disk_file_close(r->disk, file);
	disk_close(r->disk);
	disk_folder_unlink(&r->folder, "trip");
}

static void child_without_uring(struct rig *r)
{
	child_forbid(__NR_io_uring_setup);
	CHECK(rig_open(r, DISK_URING, BUFFER_LEN) == -EPERM);
	CHECK(!strcmp(r->text, "io_uring: EPERM"));
	disk_folder_close(&r->folder);
	CHECK(!rig_open(r, DISK_AUTO, BUFFER_LEN));
	CHECK(!strncmp(r->text, "thread (io_uring: EPERM), ", 26));
	child_round_trip(r);
}

static void where_io_uring_is_forbidden_a_thread_does_it(void **state)
{
	child_run(child_without_uring, *state);
}

// The rules may change while we run: what is not taken comes back, and closing ends.
static void child_refused_later(struct rig *r)
{
	struct disk_op ops[4];
	if (rig_open(r, DISK_URING, BUFFER_LEN))
		return;
	int file = disk_file_open(r->disk, "refused", DISK_CREATE);
	CHECK(file >= 0);
	child_forbid(__NR_io_uring_enter);
	for (unsigned i = 0; i < 4 * RIG_BUFFERS; i++) {
		ops[0] = (struct disk_op){DISK_WRITE, file, .len = DISK_BLOCK};
		CHECK(!disk_submit(r->disk, &ops[0]));
		uint64_t count;
		CHECK(read(r->wake_fd, &count, sizeof(count)) == sizeof(count));
		disk_wait(r->disk);
		CHECK(disk_reap(r->disk) == &ops[0]);
		CHECK(ops[0].result == (i < RIG_BUFFERS ? -EPERM : -EIO));
	}
	for (unsigned i = 0; i < 4; i++) {
		ops[i] = (struct disk_op){DISK_SYNC, file};
		CHECK(!disk_submit(r->disk, &ops[i]));
	}
	disk_close(r->disk);
}

static void what_the_kernel_refuses_comes_back(void **state)
{
	child_run(child_refused_later, *state);
}

static void child_without_memory(struct rig *r)
{
	struct rlimit none = {0, 0};
	CHECK(!chmod(r->path, 0777));
	CHECK(!setrlimit(RLIMIT_MEMLOCK, &none));
	CHECK(geteuid() || !setuid(65534));
	if (rig_open(r, DISK_URING, BUFFER_LEN))
		return;
	CHECK(!strncmp(r->text, "io_uring (buffers not registered: over RLIMIT_MEMLOCK), ", 56));
	child_round_trip(r);
}

static void buffers_that_may_not_be_locked_are_used_all_the_same(void **state)
{
	child_run(child_without_memory, *state);
}

// A look finds nothing without asking the kernel: who asks is killed.
static void child_looks(struct rig *r)
{
	child_restrict(__NR_exit_group, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
	bool none = true;
	for (unsigned i = 0; i < 1000; i++)
		none = none && !disk_reap(r->disk);
	syscall(__NR_exit_group, none ? 0 : 1); // not _exit(): a sanitizer would look around first
}

static void a_look_makes_no_system_call(void **state)
{
	struct rig *r = *state;
	for (unsigned i = 0; i < 2; i++) {
		if (!rig_has(r, choices[i]))
			continue;
		child_run(child_looks, r);
		assert_int_equal(mkfifoat(r->folder.fd, "pipe", 0600), 0);
		int slow = disk_file_open(r->disk, "pipe", 0);
		struct disk_op op = {DISK_READ, slow, 0, 0, DISK_BLOCK};
		assert_int_equal(disk_submit(r->disk, &op), 0);
		if (choices[i] == DISK_URING) // a thread has nothing that would last
			child_run(child_looks, r);
		assert_int_equal(write(slow, r->text, 1), 1);
		rig_reap(r);
		disk_file_close(r->disk, slow);
		disk_folder_unlink(&r->folder, "pipe");
		rig_close(r);
	}
}

static void a_config_without_sense_is_refused(void **state)
{
	struct rig *r = *state;
	struct disk *d;
	const struct disk_config good = {
		.folder_fd = AT_FDCWD,
		.n_buffers = 1,
		.buffer_len = DISK_BLOCK,
		.depth = 1,
		.wake_fd = -1,
	};
	for (int i = 0; i < 6; i++) {
		struct disk_config bad = good;
		bad.n_buffers = i == 0 ? 0 : i == 1 ? DISK_BUFFERS_MAX + 1 : good.n_buffers;
		bad.buffer_len = i == 2 ? 0 : i == 3 ? 512 : good.buffer_len;
		bad.depth = i == 4 ? 0 : i == 5 ? DISK_DEPTH_MAX + 1 : good.depth;
		assert_int_equal(disk_open(DISK_AUTO, &bad, &d, r->text, sizeof(r->text)), -EINVAL);
	}
}

static int each_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	*state = r;
	rig_folder(r);
	return 0;
}

static int each_teardown(void **state)
{
	struct rig *r = *state;
	umount(r->path); // after a test that failed
	char name[96];
	for (const char *const *n = (const char *const[]){DISK_IDENTITY, "refused", NULL}; *n;
	     n++) {
		snprintf(name, sizeof(name), "%s/%s", r->path, *n);
		unlink(name);
	}
	int rc = rmdir(r->path);
	free(r);
	return rc;
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_transfers_go_on_at_a_block),
		EACH(enospc_is_told_and_loses_nothing),
		EACH(without_o_direct_and_fallocate),
		EACH(where_io_uring_is_forbidden_a_thread_does_it),
		EACH(what_the_kernel_refuses_comes_back),
		EACH(buffers_that_may_not_be_locked_are_used_all_the_same),
		EACH(a_look_makes_no_system_call),
		EACH(a_config_without_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
