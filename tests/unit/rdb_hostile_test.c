// SPDX-License-Identifier: BSD-3-Clause
// What the RDB reader makes of damaged and hostile files: one sentence, and no memory on credit.
#include <errno.h>

#include "parsers/rdb_write.h"
#include "tests/unit/rdb_feed.h"

// The reader refuses header + bytes with this sentence, however it is fed, without having taken
// much memory.
static void refused(const char *header, struct span bytes, const char *error)
{
	char file[4096];
	size_t len = strlen(header);

	assert_true(len + bytes.len <= sizeof(file));
	memcpy(file, header, len);
	memcpy(file + len, bytes.p, bytes.len);
	struct feeder f = {.set = FEED_SETTINGS};

	f.set.elements = true;
	char *trace = feed_all_ways(&f, (struct span){file, len + bytes.len});

	if (f.result != RDB_BAD || strstr(f.error, error) == NULL)
		fail_msg("result %d: \"%s\" instead of \"%s\"", f.result, f.error, error);
	assert_non_null(strstr(f.error, "at byte "));
	assert_true(f.scratch_cap <= 16384);
	free(trace);
}

#define REFUSED(bytes, error) refused("REDIS0012", SPAN_LIT(bytes), error)

static void header_is_checked(void **state)
{
	refused("REDIX0009", SPAN_LIT(""), "not an RDB");
	refused("REDIS00x9", SPAN_LIT(""), "impossible version");
	refused("REDIS0000", SPAN_LIT(""), "impossible version");
	refused("REDIS0016", SPAN_LIT(""), "newer than what we know");
	refused("VALKEY079", SPAN_LIT(""), "impossible version");
	refused("VALKEY082", SPAN_LIT(""), "newer than what we know");
}

static void opcodes_and_types_are_told_by_the_magic(void **state)
{
	REFUSED("\xf3\x01\x01\x02\x03\x04\x06", "skipped value: impossible encoding");
	REFUSED("\xf6", "opcode 246");
	REFUSED("\xc8", "unknown opcode 200");
	REFUSED("\x06\x01k", "value type 6");
	REFUSED("\x1d\x01k", "key \"k\": value type 29 (hash_template_listpack) is not supported");
	REFUSED("\x08\x01k", "unknown value type 8");
	refused("VALKEY080", SPAN_LIT("\x18\x01k"), "unknown value type 24");
	refused("VALKEY081", SPAN_LIT("\x17\x01k"), "value type 23 (path_hash)");
	refused("VALKEY081", SPAN_LIT("\xf2"), "opcode 242");
	refused("VALKEY080", SPAN_LIT("\x6b\x01"), "unknown opcode 107");
}

static void encodings_are_checked(void **state)
{
	REFUSED("\x00\xc4", "key: impossible encoding");
	REFUSED("\x00\x01k\x82", "string: impossible encoding");
	REFUSED("\xfe\xc0", "SELECTDB: impossible encoding");
	REFUSED("\x00\x01k\xc3\x03\x05\x40\x00\x00", "LZF data does not decompress");
	REFUSED("\x07\x01k\x01\x09", "module_2: impossible encoding");
}

static void lengths_are_not_believed(void **state)
{
	// A key of 2^63 bytes and one larger than the window.
	REFUSED("\x00\x81\x80\x00\x00\x00\x00\x00\x00\x00", "key: impossible length");
	REFUSED("\x00\x80\x7f\xff\xff\xff", "the window has only 1048576");
	REFUSED("\xfa\x80\x7f\xff\xff\xff", "AUX field needs");
	// LZF that promises more than LZF can make, as string, element and node.
	REFUSED("\x00\x01k\xc3\x02\x80\x7f\xff\xff\xff\x00\x00", "impossible encoding");
	REFUSED("\x01\x01k\x01\xc3\x02\x80\x7f\xff\xff\xff\x00\x00", "impossible encoding");
	REFUSED("\x10\x01k\xc3\x02\x80\x7f\xff\xff\xff\x00\x00", "impossible encoding");
	// An element of 2^31 bytes.
	REFUSED("\x01\x01k\x01\x80\x7f\xff\xff\xff", "the window has only 1048576");
}

static void packed_nodes_are_checked(void **state)
{
	REFUSED("\x10\x01k\x08\x09\x00\x00\x00\x00\x00\xff\x00", "contradicts its length");
	REFUSED("\x10\x01k\x05\x05\x00\x00\x00\x00", "ends in the middle");
	REFUSED("\x10\x01k\x09\x09\x00\x00\x00\x01\x00\x01\x01\xff", "impossible entry");
	REFUSED("\x14\x01k\x08\x08\x00\x00\x00\x01\x00\x01\x01", "ends in the middle");
	REFUSED("\x14\x01k\x08\x08\x00\x00\x00\x01\x00\xff\x01", "1 bytes follow the end");
	REFUSED("\x14\x01k\xc0\x08", "an integer stands in its place");
	REFUSED("\x0b\x01k\x0a\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00", "contradicts its length");
	REFUSED("\x0a\x01k\x0b\x0c\x00\x00\x00\x0a\x00\x00\x00\x00\x00\xff",
		"contradicts its length");
	REFUSED("\x09\x01k\x05\x01\x01" "a\x05\x00", "ends in the middle");
	REFUSED("\x12\x01k\x01\x03\x00", "unknown container 3");
	REFUSED("\x11\x01k\x0c\x0c\x00\x00\x00\x02\x00\x81" "a\x02\x81x\x02", "not a number");
}

static void scores_are_checked(void **state)
{
	REFUSED("\x03\x01k\x01\x01m\xfd", "not a number");
	REFUSED("\x03\x01k\x01\x01m\x03" "1.x", "not a number");
	REFUSED("\x03\x01k\x01\x01m\x03 1\x01", "not a number");
	REFUSED("\x03\x01k\x01\x01m\x00", "0 characters");
	REFUSED("\x05\x01k\x01\x01m\x00\x00\x00\x00\x00\x00\xf8\x7f", "not a number");
}

static void streams_are_checked(void **state)
{
#define ID "\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"
#define PENDING "\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01" \
		"\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	REFUSED("\x0f\x01k\x01\x03" "abc\x01x", "id of a node is not 16 bytes");
	REFUSED("\x0f\x01k\x01" ID "\x07\x07\x00\x00\x00\x00\x00\xff", "malformed");
	// A master entry that promises 100 names.
	REFUSED("\x0f\x01k\x01" ID "\x0d\x0d\x00\x00\x00\x03\x00\x01\x01\x00\x01\x64\x01\xff",
		"malformed");
	// A group whose list repeats an id; a consumer that owns one which the list has not.
	REFUSED("\x0f\x01k\x00\x00\x00\x00\x01\x01g\x00\x00\x02" PENDING PENDING, "out of order");
	REFUSED("\x0f\x01k\x00\x00\x00\x00\x01\x01g\x00\x00\x01" PENDING
		"\x01\x01" "c\x00\x00\x00\x00\x00\x00\x00\x00\x01"
		"\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02",
		"its group does not list");
}

static void limit_names_itself(void **state)
{
	static char file[300000], lzf[10000], text[200000];
	struct rdb_writer w;
	struct feeder f = {.set = {.window_len = 4096, .big_len = 1000, .scratch_len = 100000}};

	rdb_write_init(&w, file, sizeof(file), NULL, NULL);
	w.lzf_buf = lzf;
	w.lzf_cap = sizeof(text);
	rdb_write_header(&w, 9);
	rdb_write_key(&w, 1, SPAN_LIT("l"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, 1);
	size_t head = w.len;

	// An element that takes 200000 bytes of scratch.
	rdb_write_str(&w, (struct span){text, sizeof(text)});
	assert_int_equal(rdb_write_eof(&w), 0);
	assert_true(w.len < 4000);
	feed_run(&f, (struct span){file, w.len});
	assert_int_equal(f.result, RDB_BAD);
	assert_non_null(strstr(f.error, "limit of 100000"));
	assert_int_equal(f.scratch_cap, 0);
	// One that takes 5000 bytes of window.
	w.len = head;
	rdb_write_plain(&w, (struct span){text, 5000});
	assert_int_equal(rdb_write_eof(&w), 0);
	feed_run(&f, (struct span){file, w.len});
	assert_int_equal(f.result, RDB_BAD);
	assert_non_null(strstr(f.error, "the window has only 4096"));
}

static void module_larger_than_the_window_is_skipped(void **state)
{
	static char file[20000], text[10000];
	struct rdb_writer w;
	struct feeder f = {.set = {.window_len = 4096, .big_len = 1000, .scratch_len = 100000}};

	rdb_write_init(&w, file, sizeof(file), NULL, NULL);
	rdb_write_header(&w, 9);
	for (size_t len = 3000; len <= 9000; len += 3000) {
		rdb_write_key(&w, 7, SPAN_LIT("m"), &(struct rdb_write_attrs){5, -1, -1});
		rdb_write_bytes(&w, SPAN_LIT("\x81modul-id\x05"));
		rdb_write_plain(&w, (struct span){text, len});
		rdb_write_bytes(&w, SPAN_LIT("\x03" "ffff\x00"));
	}
	rdb_write_key(&w, 0, SPAN_LIT("s"), &RDB_WRITE_NO_ATTRS);
	rdb_write_str(&w, SPAN_LIT("after"));
	assert_int_equal(rdb_write_eof(&w), 0);
	char *trace = feed_all_ways(&f, (struct span){file, w.len});

	assert_int_equal(f.result, RDB_DONE);
	assert_int_equal(f.n_skipped, 2);
	assert_non_null(feed_line(trace, "RAW", 0));
	assert_null(feed_line(trace, "RAW", 1));
	assert_string_equal(feed_line(trace, "SKIPPED", 1),
			    "SKIPPED name=module value larger than the window key=m");
	assert_non_null(strstr(feed_line(trace, "STRING", 0), "key=s value=after"));
	assert_string_equal(feed_line(trace, "EOF", 0), "EOF crc=ok");
	free(trace);
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
	static const struct {
		struct rdb_settings set;
		int rc;
	} cases[] = {
		{{.window_len = 100, .big_len = 0, .scratch_len = 100000}, -EINVAL},
		{{.window_len = 100, .big_len = 101, .scratch_len = 100000}, -EINVAL},
		{{.window_len = 100, .big_len = 100, .scratch_len = 8291}, -EINVAL},
		{{.window_len = 100, .big_len = 100, .scratch_len = 8292}, 0},
	};
	struct rdb_reader r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(rdb_reader_init(&r, &cases[i].set), cases[i].rc);
		rdb_reader_fini(&r);
	}
}

// The rule of the RESTORE footer: the lowest version that owns the type.
static void footer_versions_are_the_lowest(void **state)
{
	static const uint8_t redis[] = {6, 6, 6, 6, 6, 8,  8,  8,  0,  6,  6,  6,  6,
					6, 7, 9, 10, 10, 10, 10, 11, 11, 12, 12, 12, 12};

	for (size_t i = 0; i < sizeof(redis); i++)
		assert_int_equal(rdb_type_version(RDB_MAGIC_REDIS, (uint8_t)i), redis[i]);
	for (size_t i = 0; i <= 21; i++)
		assert_int_equal(rdb_type_version(RDB_MAGIC_VALKEY, (uint8_t)i), redis[i]);
	assert_int_equal(rdb_type_version(RDB_MAGIC_VALKEY, 22), 80);
	assert_int_equal(rdb_type_version(RDB_MAGIC_VALKEY, 24), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_is_checked),
		cmocka_unit_test(opcodes_and_types_are_told_by_the_magic),
		cmocka_unit_test(encodings_are_checked),
		cmocka_unit_test(lengths_are_not_believed),
		cmocka_unit_test(packed_nodes_are_checked),
		cmocka_unit_test(scores_are_checked),
		cmocka_unit_test(streams_are_checked),
		cmocka_unit_test(limit_names_itself),
		cmocka_unit_test(module_larger_than_the_window_is_skipped),
		cmocka_unit_test(settings_that_contradict_each_other_are_refused),
		cmocka_unit_test(footer_versions_are_the_lowest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
