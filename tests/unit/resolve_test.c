// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"

#include <semaphore.h>
#include <time.h>

#include "drivers/resolve.h"

static void addresses_need_no_question(void **state)
{
	static const char *const rows[] = {"127.0.0.1", "::1", "fd00::7", "10.1.2.3"};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct resolved r;
		assert_true(resolve_address(rows[i], &r));
		assert_int_equal(r.n, 1);
		assert_string_equal(r.addresses[0], rows[i]);
	}
	struct resolved r;
	assert_false(resolve_address("localhost", &r));
	assert_int_equal(r.n, 0);
}

static void ring(void *arg)
{
	sem_post(arg);
}

static struct resolved resolved_of(const char *host)
{
	struct resolve *r;
	struct resolved answer;
	struct timespec deadline;
	sem_t bell;
	sem_init(&bell, 0, 0);
	assert_int_equal(resolve_begin(&r, host, ring, &bell), 0);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 60;
	assert_int_equal(sem_timedwait(&bell, &deadline), 0);
	assert_true(resolve_take(r, &answer));
	resolve_end(r);
	sem_destroy(&bell);
	return answer;
}

static void a_name_is_answered_by_a_thread(void **state)
{
	struct resolved r = resolved_of("localhost");
	bool found = false;
	assert_int_equal(r.error, 0);
	assert_true(r.n >= 1);
	for (unsigned i = 0; i < r.n; i++)
		found |= !strcmp(r.addresses[i], "127.0.0.1") || !strcmp(r.addresses[i], "::1");
	assert_true(found);
}

static void what_is_no_name_has_its_reason(void **state)
{
	struct resolved r = resolved_of("no host has blanks");
	assert_int_not_equal(r.error, 0);
	assert_int_equal(r.n, 0);
	assert_true(strlen(resolve_text(r.error)) > 0);
}

// The bell is gone by the time of the answer: nobody may ring it.
static void whoever_lets_go_is_not_woken(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		struct resolve *r;
		sem_t *bell = malloc(sizeof(*bell));
		sem_init(bell, 0, 0);
		assert_int_equal(resolve_begin(&r, "localhost", ring, bell), 0);
		resolve_end(r);
		memset(bell, 0xff, sizeof(*bell));
		free(bell);
	}
	resolve_end(NULL);
}

static void a_name_without_end_is_refused(void **state)
{
	char name[400];
	struct resolve *r;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_true(resolve_begin(&r, name, NULL, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_need_no_question),
		cmocka_unit_test(a_name_is_answered_by_a_thread),
		cmocka_unit_test(what_is_no_name_has_its_reason),
		cmocka_unit_test(whoever_lets_go_is_not_woken),
		cmocka_unit_test(a_name_without_end_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
