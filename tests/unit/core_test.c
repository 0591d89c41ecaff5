// SPDX-License-Identifier: BSD-3-Clause
// Cores as threads: rings between them, tasks that come and go, wakes that must not be lost. Worth
// most in a build with -Db_sanitize=thread (tools/check runs it there).
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "dataplane/core/core.h"
#include "dataplane/core/ring.h"
#include "tests/unit/test.h"

#define HANDLES 200000
#define ROUNDS  3000

struct pipe {
	struct ring ring;
	uint64_t bytes[HANDLES]; // what a handle stands for
};

static void *handles_push(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < HANDLES; i++) {
		p->bytes[i] = i * 3ull;
		while (!ring_push(&p->ring, i))
			sched_yield();
	}
	return NULL;
}

static void ring_passes_handles_in_order(void **state)
{
	static struct pipe p;
	pthread_t thread;
	uint32_t handle;
	assert_int_equal(ring_init(&p.ring, 64), 0);
	pthread_create(&thread, NULL, handles_push, &p);
	for (uint32_t i = 0; i < HANDLES; i++) {
		while (!ring_pop(&p.ring, &handle))
			sched_yield();
		assert_int_equal(handle, i);
		assert_int_equal(p.bytes[i], i * 3ull);
	}
	pthread_join(thread, NULL);
	assert_true(ring_empty(&p.ring));
	ring_fini(&p.ring);
}

static void ring_that_is_full_says_so(void **state)
{
	struct ring r;
	uint32_t handle;
	unsigned n = 0;
	assert_int_equal(ring_init(&r, 64), 0);
	while (n < 1000 && ring_push(&r, n))
		n++;
	assert_in_range(n, 64, 127);
	for (unsigned i = 0; i < n; i++)
		assert_true(ring_pop(&r, &handle) && handle == i);
	assert_false(ring_pop(&r, &handle));
	ring_fini(&r);
}

// ---- Cores

struct pair {
	struct contract *contract;
	struct core *cores;
	pthread_t threads[2];
	pthread_mutex_t lock;
};

static void *core_thread(void *core)
{
	core_run(core);
	return NULL;
}

static void pair_start(struct pair *p, unsigned io)
{
	char text[TEXT_LEN];
	p->contract = aligned_alloc(64, sizeof(*p->contract));
	memset(p->contract, 0, sizeof(*p->contract));
	p->cores = aligned_alloc(64, 2 * sizeof(*p->cores));
	pthread_mutex_init(&p->lock, NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct stream_loop *loop;
		assert_int_equal(core_loop_open(io, &loop, text), 0);
		core_init(&p->cores[i], i, -1, p->contract, loop);
		p->cores[i].log_lock = &p->lock;
		pthread_create(&p->threads[i], NULL, core_thread, &p->cores[i]);
	}
}

static void pair_stop(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&p->cores[i].stop, 1);
		core_wake(&p->cores[i]);
		pthread_join(p->threads[i], NULL);
	}
	for (unsigned i = 0; i < 2; i++)
		core_fini(&p->cores[i]);
	free(p->cores);
	free(p->contract);
}

// Sends a handle back and forth with the other player.
struct player {
	struct core *other;
	struct ring *in, *out;
	bool serves;
	uint32_t n_seen;
	_Atomic uint32_t n_shown;
};

static bool player_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct player *p = task;
	uint32_t handle;
	if (p->serves) {
		p->serves = false;
		ring_push(p->out, 0);
		core_wake(p->other);
	}
	if (!ring_pop(p->in, &handle))
		return false;
	assert_int_equal(handle, p->n_seen);
	p->n_seen++;
	atomic_store(&p->n_shown, p->n_seen);
	// The one who serves counts on.
	ring_push(p->out, p->other->index == 1 ? handle + 1 : handle);
	core_wake(p->other);
	return false;
}

static void settle(struct core *c)
{
	while (!core_is_settled(c))
		sched_yield();
}

static void wakes_between_cores(unsigned io)
{
	struct pair p;
	struct ring rings[2];
	pair_start(&p, io);
	ring_init(&rings[0], 64);
	ring_init(&rings[1], 64);
	struct player a = {.other = &p.cores[1], .in = &rings[1], .out = &rings[0], .serves = true};
	struct player b = {.other = &p.cores[0], .in = &rings[0], .out = &rings[1]};
	struct clock_reading before = clock_kernel.read();
	assert_int_equal(core_add(&p.cores[1], player_turn, &b), 0);
	assert_int_equal(core_add(&p.cores[0], player_turn, &a), 0);
	while (atomic_load(&a.n_shown) < ROUNDS)
		sched_yield();
	// A lost wake costs a tick of 100 ms: were they lost, this would take minutes.
	uint64_t took_ns = clock_kernel.read().mono_ns - before.mono_ns;
	assert_true(took_ns < ROUNDS * 20000000ull);
	core_remove(&p.cores[0], &a);
	core_remove(&p.cores[1], &b);
	settle(&p.cores[0]);
	settle(&p.cores[1]);
	a.n_seen = b.n_seen = 0; // nobody runs them any more: a sanitizer sees who does
	pair_stop(&p);
	ring_fini(&rings[0]);
	ring_fini(&rings[1]);
}

static void wakes_between_cores_are_not_lost(void **state)
{
	wakes_between_cores(1);
	wakes_between_cores(0);
}

static bool counting_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	atomic_fetch_add((_Atomic uint32_t *)task, 1);
	return false;
}

static void tasks_come_and_go_while_the_core_runs(void **state)
{
	struct pair p;
	_Atomic uint32_t turns[40] = {0};
	pair_start(&p, 0);
	for (unsigned i = 0; i < 40; i++) {
		while (core_add(&p.cores[1], counting_turn, &turns[i]))
			sched_yield();
		if (i % 2)
			assert_int_equal(core_remove(&p.cores[1], &turns[i - 1]), 0);
		settle(&p.cores[1]);
	}
	for (unsigned i = 1; i < 40; i += 2) {
		uint32_t was = atomic_load(&turns[i]);
		while (atomic_load(&turns[i]) == was)
			core_wake(&p.cores[1]);
	}
	uint32_t gone = atomic_load(&turns[0]), stays = atomic_load(&turns[39]);
	while (atomic_load(&turns[39]) < stays + 3)
		core_wake(&p.cores[1]);
	assert_int_equal(atomic_load(&turns[0]), gone);
	assert_true(counter_get(&p.contract->cores[1].turns) > 0);
	pair_stop(&p);
}

static void mail_that_is_full_says_so(void **state)
{
	struct core *c = aligned_alloc(64, sizeof(*c));
	char text[TEXT_LEN];
	struct stream_loop *loop;
	assert_int_equal(core_loop_open(STREAM_EPOLL, &loop, text), 0);
	assert_string_equal(text, "epoll");
	core_init(c, 0, -1, NULL, loop); // does not run
	for (int i = 0; i < CORE_MAIL_SIZE; i++)
		assert_int_equal(core_add(c, counting_turn, c), 0);
	assert_int_equal(core_add(c, counting_turn, c), -ENOBUFS);
	assert_false(core_is_settled(c));
	core_fini(c);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_passes_handles_in_order),
		cmocka_unit_test(ring_that_is_full_says_so),
		cmocka_unit_test(wakes_between_cores_are_not_lost),
		cmocka_unit_test(tasks_come_and_go_while_the_core_runs),
		cmocka_unit_test(mail_that_is_full_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
