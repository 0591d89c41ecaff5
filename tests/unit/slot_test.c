// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"
#include "parsers/slot.h"

static void crc16_has_the_published_check_value(void **state)
{
	assert_int_equal(crc16("123456789", 9), 0x31C3);
}

static void slot_uses_the_first_nonempty_hash_tag(void **state)
{
	assert_int_equal(key_slot(span_of("foo")), 12182);
	assert_int_equal(key_slot(span_of("{user1000}.following")), key_slot(span_of("user1000")));
	assert_int_equal(key_slot(span_of("foo{}{bar}")), crc16("foo{}{bar}", 10) % SLOT_COUNT);
	assert_int_equal(key_slot(span_of("foo{{bar}}zap")), key_slot(span_of("{bar")));
	assert_int_equal(key_slot(span_of("foo{bar")), crc16("foo{bar", 7) % SLOT_COUNT);
	assert_int_equal(key_slot(span_of("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc16_has_the_published_check_value),
		cmocka_unit_test(slot_uses_the_first_nonempty_hash_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
