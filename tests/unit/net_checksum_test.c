// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/checksum.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

// RFC 1071, 1, word for word: sum of 16-bit words, the carry brought round, an odd byte at the
// left.
static uint16_t checksum_naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static uint16_t in_memory_order(uint16_t v)
{
	uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	memcpy(&v, p, 2);
	return v;
}

// The example of RFC 1071, 3.
static void sum_matches_the_rfc(void **state)
{
	static const uint8_t p[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	assert_int_equal(sum_fold(sum_bytes(0, p, sizeof(p))), in_memory_order(0xddf2));
}

static void sum_equals_the_naive_one_at_any_place_and_length(void **state)
{
	struct random r = random_seeded("net_checksum");
	static uint8_t bytes[70000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_next(&r);
	memset(bytes + 1000, 0xff, 3000);
	for (unsigned i = 0; i < 3000; i++) {
		size_t at = random_below(&r, 4000);
		size_t len = random_below(&r, i % 50 ? 3000 : sizeof(bytes) - at);
		uint16_t want = in_memory_order(checksum_naive(bytes + at, len));
		assert_int_equal(sum_field(sum_bytes(0, bytes + at, len)), want);

		size_t cut = random_below(&r, len + 1);
		sum_t sum = sum_bytes(0, bytes + at, cut);
		sum = sum_bytes_at(sum, cut, bytes + at + cut, len - cut);
		assert_int_equal(sum_field(sum), want);
	}
}

// The processor at hand would take one of them.
static void sum_is_the_same_in_each_way(void **state)
{
	struct random r = random_seeded("net_checksum ways");
	static uint8_t bytes[4096];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_next(&r);
	memset(bytes + 1000, 0xff, 2000);
	for (unsigned i = 0; i < 3000; i++) {
		const uint8_t *p = bytes + random_below(&r, 1000);
		size_t len = random_below(&r, 3000), even = len & ~(size_t)31;
		uint16_t want = in_memory_order(checksum_naive(p, len));
		assert_int_equal(sum_field(sum_plain(p, len)), want);
#ifdef __x86_64__
		if (__builtin_cpu_supports("avx512bw"))
			assert_int_equal(sum_field(sum_avx512(p, len)), want);
		if (__builtin_cpu_supports("avx2"))
			assert_int_equal(
				sum_field(sum_avx2(p, len) + sum_plain(p + even, len - even)),
				want);
#else
		(void)even;
#endif
	}
}

static void copy_check(const char *way, sum_t sum, const uint8_t *copy, const uint8_t *p,
		       size_t len, uint16_t want)
{
	if (sum_field(sum) != want || memcmp(copy, p, len) != 0 || copy[len] != 0xa5)
		fail_msg("%s, %zu bytes", way, len);
}

// Nothing is written behind them either.
static void sum_copies_what_it_sums_in_each_way(void **state)
{
	struct random r = random_seeded("net_checksum copies");
	static uint8_t bytes[4096], room[4096];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_next(&r);
	for (unsigned i = 0; i < 3000; i++) {
		const uint8_t *p = bytes + random_below(&r, 1000);
		uint8_t *to = room + random_below(&r, 1000);
		size_t len = random_below(&r, 3000), even = len & ~(size_t)31;
		uint16_t want = in_memory_order(checksum_naive(p, len));
		memset(room, 0xa5, sizeof(room));
		copy_check("as it chooses", sum_copy(0, to, p, len), to, p, len, want);
#ifdef __x86_64__
		memset(room, 0xa5, sizeof(room));
		if (__builtin_cpu_supports("avx512bw"))
			copy_check("avx512", sum_copy_avx512(to, p, len), to, p, len, want);
		memset(room, 0xa5, sizeof(room));
		want = in_memory_order(checksum_naive(p, even));
		if (__builtin_cpu_supports("avx2"))
			copy_check("avx2", sum_copy_avx2(to, p, even), to, p, even, want);
#else
		(void)even;
#endif
	}
}

static void sum_of_what_carries_its_field_is_good_until_a_bit_turns(void **state)
{
	struct random r = random_seeded("net_checksum field");
	uint8_t p[100];
	for (unsigned i = 0; i < 2000; i++) {
		for (size_t k = 0; k < sizeof(p); k++)
			p[k] = (uint8_t)random_next(&r);
		memset(p + 16, 0, 2);
		uint16_t field = sum_field(sum_bytes(0, p, sizeof(p)));
		memcpy(p + 16, &field, 2);
		assert_true(sum_is_good(sum_bytes(0, p, sizeof(p))));
		p[random_below(&r, sizeof(p))] ^= (uint8_t)(1 << random_below(&r, 8));
		assert_false(sum_is_good(sum_bytes(0, p, sizeof(p))));
	}
}

// A pseudo-header is what it is in the RFCs: addresses, zeros, protocol, length.
static void pseudo_header_equals_its_bytes(void **state)
{
	static const uint8_t ip4[] = {10, 1, 2, 3, 192, 168, 255, 4, 0, 6, 0x05, 0xb4};
	uint8_t ip6[40] = {0x20,        0x01,     0x0d,     0xb8,        [15] = 1,    [16] = 0xfe,
			   [17] = 0x80, [31] = 9, [33] = 1, [34] = 0x11, [35] = 0x70, [39] = 6};
	assert_int_equal(sum_fold(sum_pseudo(4, ip4, ip4 + 4, 6, 0x5b4)),
			 sum_fold(sum_bytes(0, ip4, sizeof(ip4))));
	assert_int_equal(sum_fold(sum_pseudo(6, ip6, ip6 + 16, 6, 0x11170)),
			 sum_fold(sum_bytes(0, ip6, sizeof(ip6))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_matches_the_rfc),
		cmocka_unit_test(sum_equals_the_naive_one_at_any_place_and_length),
		cmocka_unit_test(sum_is_the_same_in_each_way),
		cmocka_unit_test(sum_copies_what_it_sums_in_each_way),
		cmocka_unit_test(sum_of_what_carries_its_field_is_good_until_a_bit_turns),
		cmocka_unit_test(pseudo_header_equals_its_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
