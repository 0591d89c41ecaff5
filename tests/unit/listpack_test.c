// SPDX-License-Identifier: BSD-3-Clause
// One entry of each encoding of the packed nodes. The bytes are those that Redis's own encoders
// make (listpack.c, ziplist.c, zipmap.c, intset.c).
#include "parsers/intset.h"
#include "parsers/listpack.h"
#include "parsers/ziplist.h"
#include "parsers/zipmap.h"
#include "tests/unit/test.h"

typedef ssize_t entry_reader(const uint8_t *p, const uint8_t *end, struct pack_entry *e);

struct sample {
	struct span bytes;
	bool is_num;
	int64_t num;
	struct span text;
};

#define NUM(b, n)  {SPAN_LIT(b), true, n, {NULL, 0}}
#define TEXT(b, t) {SPAN_LIT(b), false, 0, SPAN_LIT(t)}

// Every sample reads as it says; every prefix of it is "more", never an entry, and is not read past
// its end: the sanitizers watch the copy.
static void samples_read(const struct sample *s, size_t n, entry_reader *read)
{
	for (size_t i = 0; i < n; i++) {
		struct pack_entry e;

		for (size_t len = 0; len <= s[i].bytes.len; len++) {
			uint8_t *copy = malloc(len ? len : 1);

			memcpy(copy, s[i].bytes.p, len);
			ssize_t got = read(copy, copy + len, &e);

			if (len < s[i].bytes.len) {
				assert_int_equal(got, 0);
			} else {
				assert_int_equal(got, len);
				assert_int_equal(e.is_num, s[i].is_num);
				if (e.is_num)
					assert_int_equal(e.num, s[i].num);
				else
					assert_true(span_eq(e.text, s[i].text));
			}
			free(copy);
		}
	}
}

static void listpack_reads_every_encoding(void **state)
{
	static const struct sample samples[] = {
		NUM("\x00\x01", 0),
		NUM("\x7f\x01", 127),
		TEXT("\x80\x01", ""),
		TEXT("\x83" "abc\x04", "abc"),
		NUM("\xc0\x80\x02", 128),
		NUM("\xcf\xff\x02", 4095),
		NUM("\xd0\x00\x02", -4096),
		NUM("\xdf\xff\x02", -1),
		TEXT("\xe0\x02hi\x04", "hi"),
		TEXT("\xf0\x02\x00\x00\x00hi\x07", "hi"),
		NUM("\xf1\x00\x80\x03", -32768),
		NUM("\xf2\xff\xff\x7f\x04", 8388607),
		NUM("\xf2\x00\x00\x80\x04", -8388608),
		NUM("\xf3\x00\x00\x00\x80\x05", INT32_MIN),
		NUM("\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09", INT64_MAX),
	};

	samples_read(samples, sizeof(samples) / sizeof(samples[0]), listpack_entry);
}

// The length behind an entry takes 1 to 5 bytes, at Redis's own odd limits.
static void listpack_passes_over_the_length_behind(void **state)
{
	static const struct {
		size_t len; // encoding and data
		size_t backlen;
	} cases[] = {{127, 1}, {128, 2}, {16382, 2}, {16383, 3}, {2097150, 3}, {2097151, 4}};
	uint8_t *buf = calloc(1, 2200000);
	struct pack_entry e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t len = htole32((uint32_t)cases[i].len - 5);

		buf[0] = 0xf0;
		memcpy(buf + 1, &len, 4);
		assert_int_equal(listpack_entry(buf, buf + 2200000, &e),
				 cases[i].len + cases[i].backlen);
		assert_int_equal(e.text.len, cases[i].len - 5);
	}
	free(buf);
}

static void listpack_refuses_what_is_no_entry(void **state)
{
	struct pack_entry e;

	for (unsigned b = 0xf5; b <= 0xff; b++) {
		uint8_t bytes[16] = {(uint8_t)b};

		assert_int_equal(listpack_entry(bytes, bytes + 16, &e), -1);
		assert_int_equal(listpack_entry(bytes, bytes + 1, &e), -1);
	}
}

static void ziplist_reads_every_encoding(void **state)
{
	static const struct sample samples[] = {
		TEXT("\x00\x00", ""),
		TEXT("\x05\x03" "abc", "abc"),
		TEXT("\xfe\x00\x01\x00\x00\x03" "abc", "abc"), // five-byte length before
		TEXT("\x00\x40\x02hi", "hi"),
		TEXT("\x00\x80\x00\x00\x00\x02hi", "hi"),
		NUM("\x00\xc0\x00\x80", -32768),
		NUM("\x00\xd0\xff\xff\xff\x7f", INT32_MAX),
		NUM("\x00\xe0\x00\x00\x00\x00\x00\x00\x00\x80", INT64_MIN),
		NUM("\x00\xf0\xff\xff\x7f", 8388607),
		NUM("\x00\xf0\xff\xff\xff", -1),
		NUM("\x00\xfe\x80", -128),
		NUM("\x00\xf1", 0),
		NUM("\x00\xfd", 12),
	};
	struct pack_entry e;
	const uint8_t *bad = (const uint8_t *)"\x00\xff\x00\xc1\xff";

	samples_read(samples, sizeof(samples) / sizeof(samples[0]), ziplist_entry);
	assert_int_equal(ziplist_entry(bad, bad + 2, &e), -1);
	assert_int_equal(ziplist_entry(bad + 2, bad + 4, &e), -1);
	assert_int_equal(ziplist_entry(bad + 4, bad + 5, &e), -1);
}

static void zipmap_reads_pairs(void **state)
{
	// "ab" -> "xyz" and two free bytes, then one with four-byte lengths.
	static const char small[] = "\x02" "ab\x03\x02xyz..";
	static const char wide[] = "\xfe\x01\x00\x00\x00" "k\xfe\x02\x00\x00\x00\x00vv";
	struct span field, value;
	const uint8_t *p = (const uint8_t *)small;

	for (size_t len = 0; len < sizeof(small) - 1; len++)
		assert_int_equal(zipmap_pair(p, p + len, &field, &value), 0);
	assert_int_equal(zipmap_pair(p, p + sizeof(small) - 1, &field, &value), sizeof(small) - 1);
	assert_true(span_eq(field, SPAN_LIT("ab")));
	assert_true(span_eq(value, SPAN_LIT("xyz")));
	p = (const uint8_t *)wide;
	for (size_t len = 0; len < sizeof(wide) - 1; len++)
		assert_int_equal(zipmap_pair(p, p + len, &field, &value), 0);
	assert_int_equal(zipmap_pair(p, p + sizeof(wide) - 1, &field, &value), sizeof(wide) - 1);
	assert_true(span_eq(field, SPAN_LIT("k")));
	assert_true(span_eq(value, SPAN_LIT("vv")));
	p = (const uint8_t *)"\x01k\xff";
	assert_int_equal(zipmap_pair(p, p + 3, &field, &value), -1);
}

static void intset_header_is_checked(void **state)
{
	const uint8_t *p = (const uint8_t *)"\x02\x00\x00\x00\x03\x00\x00\x00"
					    "\xfe\xff\x00\x00\x01\x00\x00\x00";
	uint32_t width, n;

	assert_true(intset_header(p, 14, &width, &n));
	assert_int_equal(width, 2);
	assert_int_equal(n, 3);
	assert_int_equal(intset_element(p + 8, width), -2);
	assert_false(intset_header(p, 13, &width, &n));
	assert_false(intset_header(p, 15, &width, &n));
	p = (const uint8_t *)"\x03\x00\x00\x00\x02\x00\x00\x00";
	assert_false(intset_header(p, 14, &width, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listpack_reads_every_encoding),
		cmocka_unit_test(listpack_passes_over_the_length_behind),
		cmocka_unit_test(listpack_refuses_what_is_no_entry),
		cmocka_unit_test(ziplist_reads_every_encoding),
		cmocka_unit_test(zipmap_reads_pairs),
		cmocka_unit_test(intset_header_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
