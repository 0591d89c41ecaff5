// SPDX-License-Identifier: BSD-3-Clause
// A stream that is said in pieces of any size, from any position, is one stream of whole commands.
#include "tests/unit/test.h"
#include "tools/pktgen/block.h"
#include "tools/pktgen/request.h"

#define N_BLOCK 100
#define N_TOTAL 250

static const struct block_settings mixed = {
	.n_commands = N_BLOCK,
	.n_keys = 50,
	.value_min = 0,
	.value_max = 90,
	.parts = {4, 2, 1, 1, 1, 1},
	.seed = 7,
	.n_total = N_TOTAL,
};

// The bytes from a position on, in pieces of what block_at() gives, cut at `most`.
static struct bytes stream_read(const struct block *b, uint64_t from, uint64_t to, size_t most)
{
	struct bytes out = {0};
	while (from < to) {
		struct span s = block_at(b, from);
		assert_true(s.len > 0);
		size_t n = s.len < most ? s.len : most;
		n = n < to - from ? n : (size_t)(to - from);
		bytes_add(&out, s.p, n);
		from += n;
	}
	return out;
}

static void streams_are_whole_commands(void **state)
{
	struct block b;
	block_make(&b, &mixed);
	struct bytes all = stream_read(&b, 0, b.end, SIZE_MAX);
	struct request r;
	uint64_t digest = 0, n = 0, n_select = 0;
	for (size_t at = 0; at < all.len; at += r.whole.len) {
		assert_int_equal(request_scan((struct span){all.p + at, all.len - at}, &r),
				 REQUEST_OK);
		if (span_eq(r.argv[0], SPAN_LIT("SELECT"))) {
			n_select++;
			continue;
		}
		assert_int_equal(block_commands(&b, at + r.whole.len - 1), n);
		n++;
		assert_int_equal(block_commands(&b, at + r.whole.len), n);
		digest += block_digest(r.whole);
	}
	assert_int_equal(n, N_TOTAL);
	assert_int_equal(n_select, 3);
	assert_int_equal(digest, b.digest);
	bytes_free(&all);
	block_free(&b);
}

static void a_stream_goes_on_anywhere(void **state)
{
	struct block b;
	block_make(&b, &mixed);
	uint64_t behind = b.end + 3 * BLOCK_PING_LEN;
	struct bytes all = stream_read(&b, 0, behind, SIZE_MAX);
	for (uint64_t from = 0; from < behind; from += 37) {
		struct bytes rest = stream_read(&b, from, behind, 1 + from % 50);
		assert_int_equal(rest.len, behind - from);
		assert_memory_equal(rest.p, all.p + from, rest.len);
		bytes_free(&rest);
	}
	struct span tail = {all.p + b.end, 2 * BLOCK_PING_LEN};
	assert_true(span_eq(tail, SPAN_LIT("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n")));
	assert_int_equal(block_commands(&b, behind), N_TOTAL);
	bytes_free(&all);
	block_free(&b);
}

static void a_stream_without_end_repeats_its_block(void **state)
{
	struct block_settings set = mixed;
	struct block b;
	set.n_total = 0;
	block_make(&b, &set);
	uint64_t far = 1000000 * b.text.len;
	assert_int_equal(block_commands(&b, far), 1000000 * N_BLOCK);
	assert_int_equal(block_at(&b, far).len, b.text.len);
	assert_ptr_equal(block_at(&b, far + 5).p, b.text.p + 5);
	block_free(&b);
}

// What --check goes by: a command that is lost, comes twice or is another one shows.
static void digests_tell_streams_apart(void **state)
{
	struct block_settings set = mixed;
	struct block a, b;
	block_make(&a, &set);
	set.seed++;
	block_make(&b, &set);
	assert_true(a.digest != b.digest);
	block_free(&b);
	set.seed--;
	set.n_total++;
	block_make(&b, &set);
	assert_true(a.digest != b.digest);
	block_free(&b);
	set.n_total--;
	block_make(&b, &set);
	assert_true(a.digest == b.digest);
	block_free(&b);
	block_free(&a);
}

static void values_have_the_length_asked_for(void **state)
{
	struct block_settings set = mixed;
	struct block b;
	set = (struct block_settings){.n_commands = 1000,
				      .n_keys = 3,
				      .value_min = 8,
				      .value_max = 11,
				      .parts = {1},
				      .seed = 1};
	block_make(&b, &set);
	unsigned seen[4] = {0};
	struct request r;
	for (uint32_t i = 0; i < b.n_commands; i++) {
		uint32_t at =
			i ? b.ends[i - 1] : (uint32_t)strlen("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n");
		struct span command = {b.text.p + at, b.ends[i] - at};
		assert_int_equal(request_scan(command, &r), REQUEST_OK);
		assert_int_equal(r.whole.len, command.len);
		assert_true(span_eq(r.argv[0], SPAN_LIT("SET")));
		assert_in_range(r.argv[2].len, 8, 11);
		seen[r.argv[2].len - 8]++;
		assert_true(span_eq((struct span){r.argv[1].p, 15}, SPAN_LIT("key:00000000000")));
		assert_in_range(r.argv[1].p[15], '0', '2');
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(seen[i], 150, 350);
	block_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_whole_commands),
		cmocka_unit_test(a_stream_goes_on_anywhere),
		cmocka_unit_test(a_stream_without_end_repeats_its_block),
		cmocka_unit_test(digests_tell_streams_apart),
		cmocka_unit_test(values_have_the_length_asked_for),
	};
	return cmocka_run_group_tests_name("pktgen_block", tests, NULL, NULL);
}
