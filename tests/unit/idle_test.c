// SPDX-License-Identifier: BSD-3-Clause
// The sleep ramp: no wait here takes time, a fake kernel sleeps in a clock of its own; two tests
// ask the real one about what is ready already.
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "drivers/idle.h"
#include "tests/unit/test.h"

#define US 1000ull

// A device that can be told to have frames, or to be unable to tell of them.
struct fake_nic {
	struct nic nic;
	int answer; // of arm(true)
	bool is_armed;
	unsigned n_armed;
};

static int fake_arm(struct nic *n, bool on)
{
	struct fake_nic *f = (struct fake_nic *)n;
	assert_true(on != f->is_armed);
	if (!on) {
		f->is_armed = false;
		return 0;
	}
	f->n_armed++;
	f->is_armed = f->answer >= 0;
	return f->answer;
}

static const struct nic_ops can_tell = {.name = "fake", .arm = fake_arm};
static const struct nic_ops cannot_tell = {.name = "fake"};

// What the fake kernel was asked for last, and what it makes ready.
static struct {
	uint64_t max_ns, sleep_ns;
	unsigned n_calls, n_fds;
	int fd, ready_fd;
	const struct fake_nic *armed; // must be so while we sleep
} kernel;

static uint64_t fake_sleep(struct idle *i, struct pollfd *p, unsigned n, uint64_t max_ns)
{
	kernel.n_calls++;
	kernel.n_fds = n;
	kernel.max_ns = max_ns;
	kernel.fd = n ? p[n - 1].fd : -1;
	if (kernel.armed)
		assert_true(kernel.armed->is_armed);
	for (unsigned k = 0; k < n; k++)
		p[k].revents = p[k].fd == kernel.ready_fd ? POLLIN : 0;
	return kernel.sleep_ns < max_ns ? kernel.sleep_ns : max_ns;
}

static struct idle idle_for_test(enum idle_mode mode)
{
	struct idle i;
	idle_init(&i, mode);
	i.sleep = fake_sleep;
	memset(&kernel, 0, sizeof(kernel));
	kernel.ready_fd = -2;
	kernel.sleep_ns = IDLE_NEVER;
	return i;
}

static void spins_empty_turns(struct idle *i)
{
	for (unsigned k = 0; k < i->ramp.spins; k++)
		assert_int_equal(idle_wait(i, 0, IDLE_NEVER), 0);
	assert_int_equal(kernel.n_calls, 0);
}

static void naps_get_longer_up_to_the_most(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic f = {.nic.ops = &cannot_tell};
	assert_int_equal(idle_add_nic(&i, &f.nic), 0);
	spins_empty_turns(&i);
	for (uint64_t us = 1; us <= 100; us++)
		assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), us * US);
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 100 * US);
	assert_int_equal(i.n_naps, 101);
	assert_int_equal(i.slept_ns, (5050 + 100) * US);

	idle_busy(&i);
	kernel.n_calls = 0;
	spins_empty_turns(&i);
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), US);
}

static void no_wait_goes_beyond_the_deadline(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic f = {.nic.ops = &can_tell, .answer = 7};
	idle_add_nic(&i, &f.nic);
	spins_empty_turns(&i);
	for (unsigned k = 0; k < 200; k++)
		assert_in_range(idle_wait(&i, 5000, 5000 + 700), 1, 700);
	assert_true(i.n_sleeps > 100 && i.n_naps > 10);
	unsigned n_calls = kernel.n_calls;
	assert_int_equal(idle_wait(&i, 5000, 5000), 0);
	assert_int_equal(idle_wait(&i, 5000, 4000), 0);
	assert_int_equal(kernel.n_calls, n_calls);
}

static void sleeps_until_a_frame_where_devices_can_tell(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic a = {.nic.ops = &can_tell, .answer = 7};
	struct fake_nic b = {.nic.ops = &can_tell, .answer = 8};
	idle_add_nic(&i, &a.nic);
	idle_add_nic(&i, &b.nic);
	assert_int_equal(idle_add_fd(&i, 6), 0);
	spins_empty_turns(&i);
	for (uint64_t us = 1; us < 16; us++)
		assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), us * US);
	assert_int_equal(kernel.n_fds, 1);
	assert_int_equal(a.n_armed, 0);

	kernel.armed = &a;
	kernel.sleep_ns = 12345678;
	kernel.ready_fd = 8;
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 12345678);
	assert_int_equal(kernel.max_ns, IDLE_NEVER);
	assert_int_equal(kernel.n_fds, 3);
	assert_int_equal(kernel.fd, 8);
	assert_false(a.is_armed || b.is_armed);
	assert_int_equal(i.ready, 0);
	assert_int_equal(i.n_sleeps, 1);
}

static void frames_that_came_meanwhile_end_the_attempt(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic a = {.nic.ops = &can_tell, .answer = 7};
	struct fake_nic b = {.nic.ops = &can_tell, .answer = -EAGAIN};
	idle_add_nic(&i, &a.nic);
	idle_add_nic(&i, &b.nic);
	i.ramp.spins = 0;
	i.ramp.sleep_from_ns = US;
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 0);
	assert_int_equal(kernel.n_calls, 0);
	assert_false(a.is_armed);
	assert_int_equal(a.n_armed, 1);
	assert_true(i.can_sleep);
}

static void a_device_that_cannot_be_armed_is_looked_at_instead(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic a = {.nic.ops = &can_tell, .answer = -ENOTSUP};
	idle_add_nic(&i, &a.nic);
	i.ramp.spins = 0;
	i.ramp.sleep_from_ns = US;
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 0);
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 2 * US);
	assert_int_equal(a.n_armed, 1);
}

static void spinning_looks_at_the_descriptors_now_and_then(void **state)
{
	struct idle i = idle_for_test(IDLE_SPIN);
	idle_add_fd(&i, 6);
	kernel.ready_fd = 6;
	for (unsigned k = 1; k < i.ramp.spin_look; k++) {
		assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 0);
		assert_int_equal(i.ready, 0);
	}
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 0);
	assert_int_equal(i.ready, 1);
	assert_int_equal(kernel.max_ns, 0);
	assert_int_equal(kernel.n_calls, 1);
	assert_int_equal(idle_wait(&i, 0, IDLE_NEVER), 0);
	assert_int_equal(i.ready, 0);
}

static void the_kernel_tells_which_descriptor_is_ready(void **state)
{
	struct idle i;
	idle_init(&i, IDLE_ADAPTIVE);
	int a = eventfd(0, EFD_NONBLOCK), b = eventfd(1, EFD_NONBLOCK);
	assert_int_equal(idle_add_fd(&i, a), 0);
	assert_int_equal(idle_add_fd(&i, b), 1);
	assert_int_equal(idle_look(&i), 2);
	i.ramp.spins = 0;
	i.ramp.step_ns = i.ramp.nap_max_ns = 3600000000000; // it is not slept through
	assert_true(idle_wait(&i, 0, IDLE_NEVER) < 3600000000000);
	assert_int_equal(i.ready, 2);
	close(a);
	close(b);
}

static void the_kernel_ends_a_sleep_by_a_device(void **state)
{
	struct idle i;
	idle_init(&i, IDLE_ADAPTIVE);
	struct fake_nic f = {.nic.ops = &can_tell, .answer = eventfd(1, EFD_NONBLOCK)};
	idle_add_nic(&i, &f.nic);
	i.ramp.spins = 0;
	i.ramp.sleep_from_ns = US;
	idle_wait(&i, 0, IDLE_NEVER);
	assert_int_equal(i.n_sleeps, 1);
	assert_int_equal(i.ready, 0);
	close(f.answer);
}

static void no_more_is_added_than_fits(void **state)
{
	struct idle i = idle_for_test(IDLE_ADAPTIVE);
	struct fake_nic f = {.nic.ops = &can_tell};
	for (int k = 0; k < IDLE_NICS_MAX; k++)
		assert_int_equal(idle_add_nic(&i, &f.nic), 0);
	assert_int_equal(idle_add_nic(&i, &f.nic), -ENOSPC);
	for (int k = 0; k < IDLE_FDS_MAX; k++)
		assert_int_equal(idle_add_fd(&i, 3), k);
	assert_int_equal(idle_add_fd(&i, 3), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naps_get_longer_up_to_the_most),
		cmocka_unit_test(no_wait_goes_beyond_the_deadline),
		cmocka_unit_test(sleeps_until_a_frame_where_devices_can_tell),
		cmocka_unit_test(frames_that_came_meanwhile_end_the_attempt),
		cmocka_unit_test(a_device_that_cannot_be_armed_is_looked_at_instead),
		cmocka_unit_test(spinning_looks_at_the_descriptors_now_and_then),
		cmocka_unit_test(the_kernel_tells_which_descriptor_is_ready),
		cmocka_unit_test(the_kernel_ends_a_sleep_by_a_device),
		cmocka_unit_test(no_more_is_added_than_fits),
	};
	return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
