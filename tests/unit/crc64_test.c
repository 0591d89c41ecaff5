// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/crc64.h"
#include "parsers/rdb_footer.h"
#include "tests/unit/test.h"

static void sum_matches_check_value(void **state)
{
	assert_int_equal(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
	assert_int_equal(crc64(0, "", 0), 0);
}

static void sum_in_pieces_equals_sum_of_whole_and_back(void **state)
{
	char buf[1000];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 13);
	uint64_t whole = crc64(0, buf, sizeof(buf));

	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		uint64_t crc = crc64(0, buf, cut);

		assert_int_equal(crc64(crc, buf + cut, sizeof(buf) - cut), whole);
		assert_int_equal(crc64_undo(whole, buf + cut, sizeof(buf) - cut), crc);
	}
}

// What redis-server 7.0.15 answers to DUMP after SET k abc.
static void footer_equals_that_of_a_server(void **state)
{
	static const uint8_t dump[] = {0x00, 0x03, 'a',  'b',  'c',  0x0a, 0x00, 0xd9,
				       0xac, 0x30, 0x3d, 0x41, 0x72, 0xa2, 0xe2};
	uint8_t footer[RDB_FOOTER_LEN];
	struct span body = {(const char *)dump + 1, 4};

	assert_int_equal(rdb_restore_footer(0, 10, body, footer), RDB_FOOTER_LEN);
	assert_memory_equal(footer, dump + 5, RDB_FOOTER_LEN);
}

static void footer_in_pieces_equals_footer_of_whole(void **state)
{
	struct span body = SPAN_LIT("\x02\x01x\x02yz");
	uint8_t whole[RDB_FOOTER_LEN], pieces[RDB_FOOTER_LEN];
	struct rdb_footer f;

	rdb_restore_footer(1, 6, body, whole);
	rdb_footer_begin(&f, 1, 6);
	for (size_t i = 0; i < body.len; i++)
		rdb_footer_feed(&f, (struct span){body.p + i, 1});
	rdb_footer_end(&f, pieces);
	assert_memory_equal(whole, pieces, RDB_FOOTER_LEN);
	assert_int_equal(whole[0], 6);
	assert_int_equal(whole[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_matches_check_value),
		cmocka_unit_test(sum_in_pieces_equals_sum_of_whole_and_back),
		cmocka_unit_test(footer_equals_that_of_a_server),
		cmocka_unit_test(footer_in_pieces_equals_footer_of_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
