// SPDX-License-Identifier: BSD-3-Clause
// What every driver of the disk queue must do: operations on real files, many at a time.
#include <pthread.h>
#include <time.h>

#include "drivers/stream.h"
#include "tests/unit/disk_rig.h"
#include "tests/unit/random.h"

#define BUFFER_LEN  (128u * 1024)
#define FILE_BLOCKS 1024u
#define N_TRANSFERS 3000

// ---- Many at a time

// A file of blocks, each of which knows how often it was written; operations on their way never
// overlap.
struct mixed {
	struct rig *rig;
	struct random random;
	int file;
	struct disk_op ops[RIG_BUFFERS];
	bool busy[RIG_BUFFERS];
	uint32_t generation[FILE_BLOCKS];
};

static bool mixed_overlaps(const struct mixed *m, uint64_t at, uint32_t len)
{
	for (unsigned i = 0; i < RIG_BUFFERS; i++)
		if (m->busy[i] && at < m->ops[i].at + m->ops[i].len && m->ops[i].at < at + len)
			return true;
	return false;
}

// @return false: what it drew is taken
static bool mixed_submit(struct mixed *m, unsigned i)
{
	struct random *r = &m->random;
	uint32_t most = BUFFER_LEN / DISK_BLOCK, first = (uint32_t)random_below(r, most);
	uint32_t n = 1 + (uint32_t)random_below(r, most - first);
	uint32_t block = (uint32_t)random_below(r, FILE_BLOCKS - n);
	struct disk_op op = {
		.kind = random_below(r, 2) ? DISK_WRITE : DISK_READ,
		.file = m->file,
		.buffer = i,
		.buffer_at = first * DISK_BLOCK,
		.len = n * DISK_BLOCK,
		.at = (uint64_t)block * DISK_BLOCK,
		.user = m,
	};
	if (mixed_overlaps(m, op.at, op.len))
		return false;
	char *p = disk_buffer(m->rig->disk, i) + op.buffer_at;
	memset(p, 0xee, op.len);
	for (uint32_t k = 0; k < n && op.kind == DISK_WRITE; k++)
		blocks_fill(p + k * DISK_BLOCK, DISK_BLOCK, op.at + k * DISK_BLOCK,
			    ++m->generation[block + k]);
	m->ops[i] = op;
	m->busy[i] = true;
	assert_int_equal(disk_submit(m->rig->disk, &m->ops[i]), 0);
	return true;
}

static void mixed_reap(struct mixed *m)
{
	struct disk_op *op = rig_reap(m->rig);
	unsigned i = (unsigned)(op - m->ops);
	assert_true(i < RIG_BUFFERS && m->busy[i]);
	assert_ptr_equal(op->user, m);
	assert_int_equal(op->result, op->len);
	m->busy[i] = false;
	const char *p = disk_buffer(m->rig->disk, i) + op->buffer_at;
	uint32_t block = (uint32_t)(op->at / DISK_BLOCK);
	for (uint32_t k = 0; k < op->len / DISK_BLOCK; k++)
		assert_true(blocks_are(p + k * DISK_BLOCK, DISK_BLOCK, op->at + k * DISK_BLOCK,
				       m->generation[block + k]));
}

static void many_at_a_time_move_the_right_bytes(void **state)
{
	struct mixed m = {.rig = *state, .random = random_seeded("many_at_a_time")};
	m.file = rig_file(m.rig, "mixed");
	for (uint64_t at = 0; at < FILE_BLOCKS * DISK_BLOCK; at += BUFFER_LEN) {
		blocks_fill(disk_buffer(m.rig->disk, 0), BUFFER_LEN, at, 0);
		struct disk_op op = {DISK_WRITE, m.file, .len = BUFFER_LEN, .at = at};
		assert_int_equal(rig_do(m.rig, op), BUFFER_LEN);
	}
	for (int n = 0; n < N_TRANSFERS;) {
		unsigned i = (unsigned)random_below(&m.random, RIG_BUFFERS);
		if (m.busy[i])
			mixed_reap(&m);
		else
			n += mixed_submit(&m, i);
	}
	while (disk_pending(m.rig->disk))
		mixed_reap(&m);
	disk_file_close(m.rig->disk, m.file);
}

static void close_waits_for_what_is_in_flight(void **state)
{
	struct rig *r = *state;
	struct disk_op ops[RIG_BUFFERS];
	int file = rig_file(r, "left"), fd = dup(file);
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		uint64_t at = (uint64_t)i * BUFFER_LEN;
		blocks_fill(disk_buffer(r->disk, i), BUFFER_LEN, at, 7);
		ops[i] = (struct disk_op){DISK_WRITE, file, i, 0, BUFFER_LEN, at};
		assert_int_equal(disk_submit(r->disk, &ops[i]), 0);
	}
	disk_close(r->disk);
	r->disk = NULL;
	char *p = aligned_alloc(DISK_BLOCK, BUFFER_LEN);
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		assert_int_equal(ops[i].result, BUFFER_LEN);
		assert_int_equal(pread(fd, p, BUFFER_LEN, (off_t)ops[i].at), BUFFER_LEN);
		assert_true(blocks_are(p, BUFFER_LEN, ops[i].at, 7));
	}
	free(p);
	close(fd);
	close(file);
}

// ---- One at a time

static void reads_end_where_the_file_ends(void **state)
{
	struct rig *r = *state;
	char bytes[3 * DISK_BLOCK + 100];
	blocks_fill(bytes, sizeof(bytes) - 4, 0, 1);
	memset(bytes + sizeof(bytes) - 4, 'x', 4);
	int fd = openat(r->folder.fd, "short", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	int file = disk_file_open(r->disk, "short", 0);
	struct disk_op op = {DISK_READ, file, 2, DISK_BLOCK, 8 * DISK_BLOCK};
	assert_int_equal(rig_do(r, op), sizeof(bytes));
	assert_memory_equal(disk_buffer(r->disk, 2) + DISK_BLOCK, bytes, sizeof(bytes));
	op.at = 3 * DISK_BLOCK;
	assert_int_equal(rig_do(r, op), 100);
	op.at = 64 * DISK_BLOCK;
	assert_int_equal(rig_do(r, op), 0);
	assert_int_equal(ftruncate(fd, 2 * DISK_BLOCK), 0);
	op.at = 0;
	assert_int_equal(rig_do(r, op), 2 * DISK_BLOCK);
	close(fd);
	disk_file_close(r->disk, file);
}

static void allocate_gives_length_and_space(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "segment");
	struct disk_op write = {DISK_WRITE, file, .len = DISK_BLOCK};
	blocks_fill(disk_buffer(r->disk, 0), DISK_BLOCK, 0, 3);
	assert_int_equal(rig_do(r, write), DISK_BLOCK);
	struct disk_op op = {DISK_ALLOCATE, file, .len = 4u << 20};
	assert_int_equal(rig_do(r, op), 0);
	struct stat st;
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 4 << 20);
	assert_true(st.st_blocks * 512ll >= 4 << 20);
	op.len = DISK_BLOCK; // what is there already is left alone
	assert_int_equal(rig_do(r, op), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 4 << 20);
	struct disk_op read = {DISK_READ, file, 1, 0, 2 * DISK_BLOCK};
	assert_int_equal(rig_do(r, read), 2 * DISK_BLOCK);
	assert_true(blocks_are(disk_buffer(r->disk, 1), DISK_BLOCK, 0, 3));
	for (unsigned i = 0; i < DISK_BLOCK; i++)
		assert_int_equal(disk_buffer(r->disk, 1)[DISK_BLOCK + i], 0);
	disk_file_close(r->disk, file);
}

static void errors_come_with_the_operation(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "closed");
	assert_int_equal(rig_do(r, (struct disk_op){DISK_SYNC, file}), 0);
	disk_file_close(r->disk, file);
	for (enum disk_op_kind kind = DISK_WRITE; kind <= DISK_ALLOCATE; kind++) {
		struct disk_op op = {kind, file, .len = DISK_BLOCK};
		assert_int_equal(rig_do(r, op), -EBADF);
	}
	file = rig_file(r, "large");
	struct disk_op far = {DISK_WRITE, file, .len = DISK_BLOCK,
			      .at = INT64_MAX - 2 * DISK_BLOCK + 1};
	assert_int_equal(rig_do(r, far), -EFBIG);
	disk_file_close(r->disk, file);
}

static void remove_takes_the_name_and_the_last_user_the_file(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "goes");
	char name[] = "goes";
	struct disk_op op = {.kind = DISK_REMOVE, .name = name};
	blocks_fill(disk_buffer(r->disk, 0), DISK_BLOCK, 0, 4);
	assert_int_equal(rig_do(r, (struct disk_op){DISK_WRITE, file, .len = DISK_BLOCK}),
			 DISK_BLOCK);
	assert_int_equal(rig_do(r, op), 0);
	assert_int_equal(disk_file_open(r->disk, "goes", 0), -ENOENT);
	assert_int_equal(rig_do(r, (struct disk_op){DISK_READ, file, 1, .len = DISK_BLOCK}),
			 DISK_BLOCK);
	assert_true(blocks_are(disk_buffer(r->disk, 1), DISK_BLOCK, 0, 4));
	disk_file_close(r->disk, file);
	assert_int_equal(rig_do(r, op), -ENOENT);
}

static void submit_refuses_what_makes_no_sense(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "strict");
	const struct disk_op bad[] = {
		{DISK_WRITE, file, .len = 0},
		{DISK_WRITE, file, .len = DISK_BLOCK - 1},
		{DISK_WRITE, file, .len = DISK_BLOCK, .at = 512},
		{DISK_WRITE, file, .len = DISK_BLOCK, .buffer_at = 8},
		{DISK_WRITE, file, .len = DISK_BLOCK, .buffer = RIG_BUFFERS},
		{DISK_READ, file, .len = BUFFER_LEN + DISK_BLOCK},
		{DISK_READ, file, .len = BUFFER_LEN, .buffer_at = DISK_BLOCK},
		{DISK_READ, file, .len = DISK_BLOCK, .buffer_at = BUFFER_LEN},
		{DISK_READ, file, .len = 0u - DISK_BLOCK, .buffer_at = 2 * DISK_BLOCK},
		{DISK_ALLOCATE, file, .len = DISK_BLOCK, .at = INT64_MAX - DISK_BLOCK + 1ull},
		{DISK_ALLOCATE, file, .len = DISK_BLOCK, .at = UINT64_MAX - DISK_BLOCK + 1},
		{DISK_ALLOCATE, file, .len = 0},
		{(enum disk_op_kind)9, file, .len = DISK_BLOCK},
		{.kind = DISK_REMOVE},
		{.kind = DISK_REMOVE, .name = ""},
		{.kind = DISK_REMOVE, .name = "../elsewhere"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct disk_op op = bad[i];
		assert_int_equal(disk_submit(r->disk, &op), -EINVAL);
	}
	assert_int_equal(disk_pending(r->disk), 0);
	assert_null(disk_reap(r->disk));
	disk_file_close(r->disk, file);
}

static void a_full_queue_says_so(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "full");
	struct disk_op ops[RIG_BUFFERS], more = {DISK_SYNC, file};
	for (unsigned i = 0; i < RIG_BUFFERS; i++) {
		ops[i] = (struct disk_op){DISK_SYNC, file};
		assert_int_equal(disk_submit(r->disk, &ops[i]), 0);
	}
	assert_int_equal(disk_submit(r->disk, &more),
			 -EBUSY); // ended or not: nobody took them back
	assert_int_equal(rig_reap(r)->result, 0);
	assert_int_equal(disk_submit(r->disk, &more), 0);
	for (unsigned i = 0; i < RIG_BUFFERS; i++)
		assert_int_equal(rig_reap(r)->result, 0);
	assert_null(disk_reap(r->disk));
	disk_wait(r->disk); // for nothing: it returns
	disk_file_close(r->disk, file);
}

static void files_are_opened_by_name(void **state)
{
	struct rig *r = *state;
	assert_int_equal(disk_file_open(r->disk, "missing", 0), -ENOENT);
	disk_file_close(r->disk, rig_file(r, "there"));
	assert_int_equal(disk_file_open(r->disk, "there", DISK_CREATE), -EEXIST);
	assert_int_equal(disk_file_open(r->disk, "../etc", DISK_CREATE), -EINVAL);
	assert_int_equal(symlinkat("there", r->folder.fd, "link"), 0);
	assert_int_equal(disk_file_open(r->disk, "link", 0), -ELOOP);
	struct stat st;
	assert_int_equal(fstatat(r->folder.fd, "there", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(disk_folder_unlink(&r->folder, "link"), 0);
}

// ---- Waking

static void completions_write_the_eventfd(void **state)
{
	struct rig *r = *state;
	int file = rig_file(r, "woken");
	for (unsigned n = 0; n < 50; n++) {
		uint64_t count;
		struct disk_op op = {DISK_WRITE, file, .len = BUFFER_LEN};
		if (n % 2)
			op.kind = DISK_SYNC;
		ssize_t none = read(r->wake_fd, &count, sizeof(count));
		assert_true(none < 0 && errno == EAGAIN);
		assert_int_equal(disk_submit(r->disk, &op), 0);
		struct pollfd p = {r->wake_fd, POLLIN, 0};
		int rc;
		while ((rc = poll(&p, 1, RIG_PATIENCE_MS)) < 0)
			assert_int_equal(errno, EINTR);
		assert_int_equal(rc, 1);
		assert_ptr_equal(disk_reap(r->disk), &op);
		assert_int_equal(read(r->wake_fd, &count, sizeof(count)), sizeof(count));
	}
	disk_file_close(r->disk, file);
}

static void sleep_until_reaped(struct disk *d, struct stream_loop *loop, struct disk_op *op)
{
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	struct disk_op *back;
	while (!(back = disk_reap(d)))
		assert_true(stream_loop_wait(loop, RIG_PATIENCE_MS * 1000000ll) >= 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_ptr_equal(back, op);
	assert_true(b.tv_sec - a.tv_sec < RIG_PATIENCE_MS / 1000); // woken, not tired of waiting
}

static void a_sleeping_loop_is_woken(const struct stream_ops *ops, unsigned choice, struct rig *r)
{
	struct stream_loop *loop;
	if (ops->loop_new(&loop))
		return; // this kernel has no such loop
	struct disk_config c = r->disk->config;
	c.wake_fd = stream_loop_wake_fd(loop);
	assert_true(c.wake_fd >= 0);
	struct disk *d;
	assert_int_equal(disk_open(choice, &c, &d, r->text, sizeof(r->text)), 0);
	int file = disk_file_open(d, ops->name, DISK_CREATE);
	for (unsigned n = 0; n < 50; n++) {
		enum disk_op_kind kind = n % 2 ? DISK_WRITE : DISK_SYNC;
		struct disk_op op = {kind, file, .len = BUFFER_LEN};
		assert_int_equal(disk_submit(d, &op), 0);
		sleep_until_reaped(d, loop, &op);
		assert_true(op.result >= 0);
	}
	disk_file_close(d, file);
	disk_close(d);
	ops->loop_free(loop);
}

static void a_sleeping_core_is_woken(void **state)
{
	struct rig *r = *state;
	unsigned choice = r->disk->seam == &disk_thread ? DISK_THREAD : DISK_URING;
	a_sleeping_loop_is_woken(&stream_epoll, choice, r);
	a_sleeping_loop_is_woken(&stream_uring, choice, r);
}

// ---- Out of order

// A read of a pipe stands for a disk that is slow: it ends when we want it to.
static void a_slow_operation_does_not_hold_up_others(void **state)
{
	struct rig *r = *state;
	if (r->disk->seam == &disk_thread)
		skip(); // it does one after the other
	assert_int_equal(mkfifoat(r->folder.fd, "pipe", 0600), 0);
	int slow = disk_file_open(r->disk, "pipe", 0), file = rig_file(r, "quick");
	assert_true(slow >= 0);
	struct disk_op late = {DISK_READ, slow, 0, 0, DISK_BLOCK};
	assert_int_equal(disk_submit(r->disk, &late), 0);
	for (unsigned n = 0; n < 20; n++) {
		struct disk_op op = {n % 2 ? DISK_SYNC : DISK_WRITE, file, 1, 0, BUFFER_LEN};
		assert_int_equal(disk_submit(r->disk, &op), 0);
		assert_ptr_equal(rig_reap(r), &op);
	}
	assert_int_equal(disk_pending(r->disk), 1);
	assert_null(disk_reap(r->disk));
	char block[DISK_BLOCK];
	blocks_fill(block, sizeof(block), 0, 9);
	assert_int_equal(write(slow, block, sizeof(block)), sizeof(block));
	assert_ptr_equal(rig_reap(r), &late);
	assert_int_equal(late.result, DISK_BLOCK);
	assert_true(blocks_are(disk_buffer(r->disk, 0), DISK_BLOCK, 0, 9));
	disk_file_close(r->disk, slow);
	disk_file_close(r->disk, file);
	assert_int_equal(disk_folder_unlink(&r->folder, "pipe"), 0);
}

// The thread that opens a queue and reads what is there hands it to the core that goes on.
static void *hand_on_write(void *arg)
{
	struct rig *r = arg;
	static struct disk_op op;
	op = (struct disk_op){DISK_WRITE, rig_file(r, "handed"), .len = BUFFER_LEN};
	disk_submit(r->disk, &op);
	return &op;
}

static void a_queue_goes_from_thread_to_thread(void **state)
{
	struct rig *r = *state;
	pthread_t other;
	void *op;
	assert_int_equal(pthread_create(&other, NULL, hand_on_write, r), 0);
	assert_int_equal(pthread_join(other, &op), 0);
	assert_ptr_equal(rig_reap(r), op);
	assert_int_equal(((struct disk_op *)op)->result, BUFFER_LEN);
	int file = ((struct disk_op *)op)->file;
	assert_int_equal(rig_do(r, (struct disk_op){DISK_SYNC, file}), 0);
	disk_file_close(r->disk, file);
}

static int each_setup(void **state, unsigned choice)
{
	struct rig *r = calloc(1, sizeof(*r));
	*state = r;
	rig_folder(r);
	return rig_open(r, choice, BUFFER_LEN);
}

static int uring_setup(void **state)
{
	return each_setup(state, DISK_URING);
}

static int thread_setup(void **state)
{
	return each_setup(state, DISK_THREAD);
}

static int each_teardown(void **state)
{
	struct rig *r = *state;
	rig_fini(r);
	free(r);
	return 0;
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, SETUP, each_teardown)
#define TESTS                                                                                      \
	EACH(many_at_a_time_move_the_right_bytes),                                                \
	EACH(close_waits_for_what_is_in_flight),                                                  \
	EACH(reads_end_where_the_file_ends),                                                      \
	EACH(allocate_gives_length_and_space),                                                    \
	EACH(errors_come_with_the_operation),                                                     \
	EACH(remove_takes_the_name_and_the_last_user_the_file),                                   \
	EACH(submit_refuses_what_makes_no_sense),                                                 \
	EACH(a_full_queue_says_so),                                                               \
	EACH(files_are_opened_by_name),                                                           \
	EACH(completions_write_the_eventfd),                                                      \
	EACH(a_sleeping_core_is_woken),                                                           \
	EACH(a_slow_operation_does_not_hold_up_others),                                           \
	EACH(a_queue_goes_from_thread_to_thread)

static bool uring_is_here(void)
{
	struct rig r = {0};
	rig_folder(&r);
	int rc = rig_open(&r, DISK_URING, BUFFER_LEN);
	if (rc)
		print_message("io_uring is not tested: %s\n", r.text);
	rig_fini(&r);
	return !rc;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = 0;
#define SETUP thread_setup
	const struct CMUnitTest thread_tests[] = {TESTS};
	failed += cmocka_run_group_tests_name("thread", thread_tests, NULL, NULL);
#undef SETUP
#define SETUP uring_setup
	const struct CMUnitTest uring_tests[] = {TESTS};
	if (uring_is_here())
		failed += cmocka_run_group_tests_name("io_uring", uring_tests, NULL, NULL);
	return failed;
}
