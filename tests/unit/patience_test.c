// SPDX-License-Identifier: BSD-3-Clause
// How long a target may hold a snapshot back.
#include "dataplane/source/patience.h"
#include "tests/unit/test.h"

#define LIMIT_NS 1000

static void patience_sums_up_what_is_held_back(void **state)
{
	struct patience p = {0};
	assert_false(patience_tried(&p, 5000, LIMIT_NS));
	assert_int_equal(patience_end_ns(&p, LIMIT_NS), 6000);
	assert_false(patience_tried(&p, 5400, LIMIT_NS));
	assert_int_equal(patience_end_ns(&p, LIMIT_NS), 6000);
	patience_eased(&p, 5600);
	assert_int_equal(patience_end_ns(&p, LIMIT_NS), UINT64_MAX);
	patience_eased(&p, 90000); // nothing was held back meanwhile
	assert_false(patience_tried(&p, 100000, LIMIT_NS));
	assert_int_equal(patience_end_ns(&p, LIMIT_NS), 100400);
	assert_false(patience_tried(&p, 100399, LIMIT_NS));
	assert_true(patience_tried(&p, 100400, LIMIT_NS));
	// No turn is asked for again and again.
	assert_int_equal(patience_end_ns(&p, LIMIT_NS), UINT64_MAX);
}

static void no_patience_ends_at_once(void **state)
{
	struct patience p = {0};
	assert_true(patience_tried(&p, 5000, 0));
	assert_int_equal(patience_end_ns(&p, 0), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patience_sums_up_what_is_held_back),
		cmocka_unit_test(no_patience_ends_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
