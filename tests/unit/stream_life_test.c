// SPDX-License-Identifier: BSD-3-Clause
// What every driver of the stream seam must do: wait, wake, close and leave nothing behind.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/stream_rig.h"

// ---- Waiting and waking

static void wait_ends_in_time(void **state)
{
	struct stream_loop *loop = loop_new();
	uint64_t before = mono_ns();
	assert_int_equal(stream_loop_wait(loop, 0), 0);
	before = mono_ns();
	for (int i = 0; i < 10 && stream_loop_wait(loop, 20 * MS_NS); i++)
		before = mono_ns(); // news of the driver's own
	assert_true(mono_ns() - before >= 20 * MS_NS);
	assert_true(mono_ns() - before < PATIENCE_S * 1000 * (uint64_t)MS_NS);
	loop_free(loop);
}

static void wake_before_wait_is_not_lost(void **state)
{
	struct stream_loop *loop = loop_new();
	stream_loop_wake(loop);
	uint64_t before = mono_ns();
	assert_true(stream_loop_wait(loop, PATIENCE_S * 1000 * MS_NS) >= 0);
	assert_true(mono_ns() - before < PATIENCE_S * 500 * (uint64_t)MS_NS);
	loop_free(loop);
}

struct waker {
	struct stream_loop *loop;
	_Atomic uint32_t asked, answered;
	unsigned rounds;
};

static void *waker_run(void *arg)
{
	struct waker *w = arg;
	for (uint32_t i = 1; i <= w->rounds; i++) {
		atomic_store(&w->asked, i);
		stream_loop_wake(w->loop);
		while (atomic_load(&w->answered) < i)
			sched_yield();
	}
	return NULL;
}

// Each wake must end a wait without limit, also one that begins at the same moment.
static void wake_from_another_thread_ends_wait(void **state)
{
	struct waker w = {.loop = loop_new(), .rounds = 5000};
	pthread_t thread;
	pthread_create(&thread, NULL, waker_run, &w);
	while (atomic_load(&w.answered) < w.rounds) {
		assert_true(stream_loop_wait(w.loop, -1) >= 0);
		atomic_store(&w.answered, atomic_load(&w.asked));
	}
	peer_join(thread);
	loop_free(w.loop);
}

struct elsewhere {
	struct stream_loop *loop;
	struct stream *stream;
	uint16_t port;
};

static void *elsewhere_run(void *arg)
{
	struct elsewhere *e = arg;
	struct stream_peer at = peer_at(e->port);
	assert_int_equal(stream_connect(e->loop, &at, &e->stream), 0);
	await(e->stream, STREAM_OPEN);
	assert_reads(e->stream, "over there");
	return NULL;
}

// As cores do it: opened here, run there, closed here when the thread is gone.
static void loop_may_run_on_another_thread_than_made_it(void **state)
{
	struct elsewhere e = {.loop = loop_new()};
	struct peer_listener l = peer_listen(true);
	e.port = l.port;
	pthread_t thread;
	pthread_create(&thread, NULL, elsewhere_run, &e);
	pumped = NULL; // the loop is the thread's
	int fd = peer_accept(&l);
	peer_write(fd, "over there", 10);
	peer_join(thread);
	pumped = e.loop;
	stream_close(e.stream);
	assert_true(peer_readable(fd, PATIENCE_S * 1000));
	loop_free(e.loop);
	close(fd);
	close(l.fd);
}

// ---- Closing

static void close_with_data_in_flight_reaches_the_peer_at_once(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct pair p = pair_new();
		char buf[4096];
		struct blast out = {.fd = p.fd, .len = BIG};
		pthread_t sender;
		pthread_create(&sender, NULL, blast_send, &out);
		await(p.stream, STREAM_READABLE);
		if (i % 2)
			assert_true(stream_read(p.stream, buf, sizeof(buf)) > 0);
		stream_close(p.stream);
		peer_join(sender); // its write has failed, without a wait() of ours
		if (i % 4 < 2)
			assert_true(stream_loop_wait(p.loop, 0) >= 0);
		loop_free(p.loop);
		close(p.fd);
	}
}

static void close_at_every_stage_leaves_nothing(void **state)
{
	struct stream_loop *loop = loop_new();
	struct peer_listener open = peer_listen(true), shut = peer_listen(false);
	unsigned before = descriptors();
	for (int stage = 0; stage < 6; stage++) {
		struct stream_peer at = peer_at(stage == 5 ? shut.port : open.port);
		struct stream *s;
		assert_int_equal(stream_connect(loop, &at, &s), 0);
		int fd = stage == 5 ? -1 : peer_accept(&open);
		if (stage == 1)
			assert_true(stream_loop_wait(loop, 0) >= 0);
		if (stage > 1 && stage < 5)
			await(s, STREAM_OPEN);
		if (stage == 3)
			peer_write(fd, "never read", 10);
		if (stage == 4)
			shutdown(fd, SHUT_WR);
		if (stage == 3 || stage == 4)
			await(s, STREAM_READABLE);
		if (stage == 5)
			await(s, STREAM_FAILED);
		stream_close(s);
		assert_true(stream_loop_wait(loop, 0) >= 0);
		assert_true(stage == 5 || peer_readable(fd, PATIENCE_S * 1000));
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(descriptors(), before);
	close(open.fd);
	close(shut.fd);
	loop_free(loop);
}

// A descriptor that is free again gets the next connection: nothing of the old one may reach it.
static void next_stream_hears_nothing_of_the_last_one(void **state)
{
	struct stream_loop *loop = loop_new();
	struct peer_listener l = peer_listen(true);
	struct stream_peer at = peer_at(l.port);
	for (int i = 0; i < 50; i++) {
		struct stream *old, *new;
		assert_int_equal(stream_connect(loop, &at, &old), 0);
		int old_fd = peer_accept(&l);
		await(old, STREAM_OPEN);
		peer_write(old_fd, "old", 3);
		if (i % 2)
			await(old, STREAM_READABLE);
		stream_close(old);
		assert_int_equal(stream_connect(loop, &at, &new), 0);
		int new_fd = peer_accept(&l);
		await(new, STREAM_OPEN);
		send(old_fd, "gone", 4, MSG_NOSIGNAL); // fails once the reset is here
		assert_true(stream_loop_wait(loop, 0) >= 0);
		assert_false(new->flags &STREAM_READABLE);
		peer_write(new_fd, "new", 3);
		assert_reads(new, "new");
		stream_close(new);
		close(old_fd);
		close(new_fd);
	}
	close(l.fd);
	loop_free(loop);
}

static void thousands_of_connects_leak_nothing(void **state)
{
	struct stream_loop *loop = loop_new();
	struct peer_listener l = peer_listen(true);
	struct stream_peer at = peer_at(l.port);
	unsigned n_fds = descriptors();
	size_t in_use = 0;
	for (int i = 0; i < 4000; i++) {
		struct stream *s;
		assert_int_equal(stream_connect(loop, &at, &s), 0);
		int fd = peer_accept(&l);
		if (i % 4)
			await(s, STREAM_OPEN);
		stream_close(s);
		peer_reset(fd);
		while (i == 1000 && stream_loop_wait(loop, 5 * MS_NS) > 0)
			;
		if (i == 1000)
			in_use = mallinfo2().uordblks;
	}
	while (stream_loop_wait(loop, 5 * MS_NS) > 0)
		;
	assert_int_equal(descriptors(), n_fds);
	assert_in_range(mallinfo2().uordblks, 0, in_use + 16384);
	close(l.fd);
	loop_free(loop);
}

static void loops_come_and_go(void **state)
{
	unsigned n_fds = descriptors();
	for (int i = 0; i < 200; i++) {
		struct stream_loop *loop = loop_new();
		if (i % 2)
			assert_true(stream_loop_wait(loop, 0) >= 0);
		loop_free(loop);
	}
	assert_int_equal(descriptors(), n_fds);
}

// ---- A kernel that forbids it

static int forbid(unsigned call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, filter};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// In a child, since a filter stays.
static void uring_forbidden_by_the_system_says_so(void **state)
{
	pid_t child = fork();
	if (!child) {
		struct stream_loop *l;
		unsigned n_fds = descriptors();
		if (forbid(__NR_io_uring_setup))
			_exit(77);
		int rc = stream_uring.loop_new(&l);
		_exit(rc == -EPERM && descriptors() == n_fds ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void setting_chooses_the_driver(void **state)
{
	assert_ptr_equal(stream_preferred(1), &stream_epoll);
	assert_ptr_equal(stream_preferred(2), &stream_uring);
	assert_non_null(stream_preferred(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_ends_in_time),
		cmocka_unit_test(wake_before_wait_is_not_lost),
		cmocka_unit_test(wake_from_another_thread_ends_wait),
		cmocka_unit_test(loop_may_run_on_another_thread_than_made_it),
		cmocka_unit_test(close_with_data_in_flight_reaches_the_peer_at_once),
		cmocka_unit_test(close_at_every_stage_leaves_nothing),
		cmocka_unit_test(next_stream_hears_nothing_of_the_last_one),
		cmocka_unit_test(thousands_of_connects_leak_nothing),
		cmocka_unit_test(loops_come_and_go),
	};
	const struct CMUnitTest choice[] = {
		cmocka_unit_test(uring_forbidden_by_the_system_says_so),
		cmocka_unit_test(setting_chooses_the_driver),
	};
	return SEAM_RUN(tests) + cmocka_run_group_tests_name("choice", choice, NULL, NULL);
}
