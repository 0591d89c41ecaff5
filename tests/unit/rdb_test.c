// SPDX-License-Identifier: BSD-3-Clause
// What the RDB reader makes of sound files; the files are made by parsers/rdb_write.h.
#include <errno.h>

#include "parsers/rdb_write.h"
#include "tests/unit/rdb_feed.h"

static uint8_t file_buf[1 << 20];
static char lzf_buf[1 << 18];

static struct rdb_writer begin(int version)
{
	struct rdb_writer w;

	rdb_write_init(&w, file_buf, sizeof(file_buf), NULL, NULL);
	rdb_write_header(&w, version);
	return w;
}

static struct span end(struct rdb_writer *w)
{
	assert_int_equal(rdb_write_eof(w), 0);
	return (struct span){(const char *)w->buf, w->len};
}

static void assert_line(const char *trace, const char *kind, int n, const char *expected)
{
	const char *line = feed_line(trace, kind, n);

	assert_non_null(line);
	assert_string_equal(line, expected);
}

static void strings_of_every_encoding(void **state)
{
	struct rdb_writer w = begin(10);
	static const char *const texts[] = {"", "abc", "0", "-128", "127", "128", "-32768", "32768",
					    "-2147483648", "2147483647", "2147483648", "-0", "007"};
	struct feeder f = {.set = FEED_SETTINGS};
	char expected[200];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		rdb_write_key(&w, 0, span_of(texts[i]), &RDB_WRITE_NO_ATTRS);
		rdb_write_str(&w, span_of(texts[i]));
	}
	char *trace = feed_all_ways(&f, end(&w));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(expected, sizeof(expected), "STRING key=%s value=%s type=0 kind=string "
			 "footer=6 expire=-1 idle=-1 freq=-1", texts[i], texts[i]);
		assert_line(trace, "STRING", (int)i, expected);
	}
	assert_line(trace, "EOF", 0, "EOF crc=ok");
	free(trace);
}

static void attributes_go_with_their_key_only(void **state)
{
	struct rdb_writer w = begin(10);
	struct feeder f = {.set = FEED_SETTINGS};

	rdb_write_key(&w, 0, SPAN_LIT("a"), &(struct rdb_write_attrs){1234567890123, -1, 200});
	rdb_write_str(&w, SPAN_LIT("1"));
	rdb_write_key(&w, 0, SPAN_LIT("b"), &(struct rdb_write_attrs){-1, 70000, -1});
	rdb_write_str(&w, SPAN_LIT("2"));
	rdb_write_bytes(&w, SPAN_LIT("\xfd\x10\x00\x00\x00")); // expiry in seconds
	rdb_write_key(&w, 0, SPAN_LIT("c"), &RDB_WRITE_NO_ATTRS);
	rdb_write_str(&w, SPAN_LIT("3"));
	rdb_write_key(&w, 0, SPAN_LIT("d"), &RDB_WRITE_NO_ATTRS);
	rdb_write_str(&w, SPAN_LIT("4"));
	char *trace = feed_all_ways(&f, end(&w));

	assert_line(trace, "STRING", 0, "STRING key=a value=1 type=0 kind=string footer=6 "
		    "expire=1234567890123 idle=-1 freq=200");
	assert_line(trace, "STRING", 1, "STRING key=b value=2 type=0 kind=string footer=6 "
		    "expire=-1 idle=70000 freq=-1");
	assert_line(trace, "STRING", 2, "STRING key=c value=3 type=0 kind=string footer=6 "
		    "expire=16000 idle=-1 freq=-1");
	assert_line(trace, "STRING", 3, "STRING key=d value=4 type=0 kind=string footer=6 "
		    "expire=-1 idle=-1 freq=-1");
	free(trace);
}

static void what_stands_before_the_keys(void **state)
{
	struct rdb_writer w = begin(10);
	struct feeder f = {.set = FEED_SETTINGS};

	rdb_write_aux(&w, SPAN_LIT("repl-offset"), SPAN_LIT("99"));
	rdb_write_function(&w, SPAN_LIT("lib-source"));
	rdb_write_selectdb(&w, 300);
	rdb_write_resizedb(&w, 5, 20000);
	rdb_write_bytes(&w, SPAN_LIT("\xf4\x01\x02\x03"));                     // SLOT_INFO
	rdb_write_bytes(&w, SPAN_LIT("\xf7\x05\x02\x01\x05\x03xyz\x03qqqq")); // MODULE_AUX
	rdb_write_bytes(&w, SPAN_LIT("\x04pppppppp\x01\x07\x00"));
	char *trace = feed_all_ways(&f, end(&w));

	assert_string_equal(trace, "AUX key=repl-offset value=99\n"
				   "FUNCTION value=lib-source\n"
				   "SELECTDB db=300\n"
				   "RESIZEDB keys=5 expires=20000\n"
				   "SKIPPED name=SLOT_INFO key=\n"
				   "SKIPPED name=MODULE_AUX key=\n"
				   "EOF crc=ok\n");
	assert_int_equal(f.n_skipped, 2);
	assert_int_equal(f.version, 10);
	free(trace);
}

static void small_values_come_raw(void **state)
{
	struct rdb_writer w = begin(10);
	struct feeder f = {.set = FEED_SETTINGS};

	rdb_write_key(&w, 4, SPAN_LIT("h"), &(struct rdb_write_attrs){77, -1, -1});
	rdb_write_len(&w, 2);
	for (int i = 0; i < 4; i++)
		rdb_write_str(&w, SPAN_LIT("x"));
	rdb_write_key(&w, 7, SPAN_LIT("m"), &RDB_WRITE_NO_ATTRS);
	rdb_write_bytes(&w, SPAN_LIT("\x09\x02\x01\x00"));
	char *trace = feed_all_ways(&f, end(&w));

	assert_line(trace, "RAW", 0, "RAW key=h value=\\02\\01x\\01x\\01x\\01x type=4 kind=hash "
		    "footer=6 expire=77 idle=-1 freq=-1");
	assert_line(trace, "RAW", 1, "RAW key=m value=\\09\\02\\01\\00 type=7 kind=module footer=8 "
		    "expire=-1 idle=-1 freq=-1");
	free(trace);
}

// A list of one element of `len` bytes, so that its body is len + 3 bytes.
static struct span list_file(size_t len, int n)
{
	struct rdb_writer w = begin(10);
	static char text[5000];

	memset(text, 'x', sizeof(text));
	rdb_write_key(&w, 1, SPAN_LIT("l"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, (uint64_t)n);
	while (n-- > 0)
		rdb_write_plain(&w, (struct span){text, len});
	return end(&w);
}

static void big_len_is_the_last_raw_length(void **state)
{
	struct feeder f = {.set = FEED_SETTINGS};

	f.set.big_len = 1003;
	char *trace = feed_all_ways(&f, list_file(1000, 1));

	assert_non_null(feed_line(trace, "RAW", 0));
	assert_null(feed_line(trace, "BIG_BEGIN", 0));
	free(trace);
	trace = feed_all_ways(&f, list_file(1001, 1));
	assert_null(feed_line(trace, "RAW", 0));
	assert_line(trace, "BIG_BEGIN", 0, "BIG_BEGIN key=l type=1 kind=list footer=6 expire=-1 "
		    "idle=-1 freq=-1");
	assert_non_null(feed_line(trace, "BIG_END", 0));
	free(trace);
}

static void value_that_fills_the_window_comes_in_elements(void **state)
{
	struct feeder f = {.set = FEED_SETTINGS};

	f.set.window_len = 1010;
	f.set.big_len = 1010;
	for (size_t len = 990; len < 1003; len++) { // type and key take 3 bytes, the count 1
		char *trace = feed_all_ways(&f, list_file(len, 2));

		assert_int_equal(f.result, RDB_DONE);
		assert_non_null(feed_line(trace, "LIST_ITEM", 1));
		free(trace);
	}
}

static void big_values_come_in_elements(void **state)
{
	struct rdb_writer w = begin(10);
	struct feeder f = {.set = FEED_SETTINGS};

	rdb_write_key(&w, 2, SPAN_LIT("set"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, 2);
	rdb_write_str(&w, SPAN_LIT("m1"));
	rdb_write_str(&w, SPAN_LIT("-5"));
	rdb_write_key(&w, 4, SPAN_LIT("hash"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, 1);
	rdb_write_str(&w, SPAN_LIT("12"));
	rdb_write_str(&w, SPAN_LIT("34"));
	rdb_write_key(&w, 3, SPAN_LIT("zset"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, 4);
	rdb_write_bytes(&w, SPAN_LIT("\x01" "a\x03" "2.5"));
	rdb_write_bytes(&w, SPAN_LIT("\x01" "b\xfe\x01" "c\xff\x01" "d\x02" "17"));
	rdb_write_key(&w, 5, SPAN_LIT("zset2"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&w, 3);
	rdb_write_str(&w, SPAN_LIT("a"));
	rdb_write_double(&w, 0.1);
	rdb_write_str(&w, SPAN_LIT("b"));
	rdb_write_double(&w, -3);
	rdb_write_str(&w, SPAN_LIT("c"));
	rdb_write_double(&w, 1e300);
	f.set.elements = true;
	char *trace = feed_all_ways(&f, end(&w));

	assert_line(trace, "SET_ITEM", 0, "SET_ITEM value=m1");
	assert_line(trace, "SET_ITEM", 1, "SET_ITEM value=-5");
	assert_line(trace, "HASH_ITEM", 0, "HASH_ITEM field=12 value=34 expire=-1");
	assert_line(trace, "ZSET_ITEM", 0, "ZSET_ITEM field=a value=2.5 score=2.5");
	assert_line(trace, "ZSET_ITEM", 1, "ZSET_ITEM field=b value=inf score=inf");
	assert_line(trace, "ZSET_ITEM", 2, "ZSET_ITEM field=c value=-inf score=-inf");
	assert_line(trace, "ZSET_ITEM", 3, "ZSET_ITEM field=d value=17 score=17");
	assert_line(trace, "ZSET_ITEM", 4,
		    "ZSET_ITEM field=a value=0.10000000000000001 score=0.10000000000000001");
	assert_line(trace, "ZSET_ITEM", 5, "ZSET_ITEM field=b value=-3 score=-3");
	assert_line(trace, "ZSET_ITEM", 6, "ZSET_ITEM field=c value=1.0000000000000001e\\2b300 "
		    "score=1.0000000000000001e+300");
	assert_null(feed_line(trace, "RAW", 0));
	assert_int_equal(f.result, RDB_DONE);
	free(trace);
}

static void hash_fields_keep_their_expiry(void **state)
{
	struct rdb_writer w = begin(12);
	struct feeder f = {.set = FEED_SETTINGS};

	rdb_write_key(&w, 24, SPAN_LIT("h"), &RDB_WRITE_NO_ATTRS);
	rdb_write_le64(&w, 1000000); // least expiry
	rdb_write_len(&w, 3);
	for (uint64_t i = 0; i < 3; i++) {
		rdb_write_len(&w, i * 500); // 0: none, else expiry - least + 1
		rdb_write_str(&w, SPAN_LIT("f"));
		rdb_write_str(&w, SPAN_LIT("v"));
	}
	f.set.elements = true;
	char *trace = feed_all_ways(&f, end(&w));

	assert_line(trace, "HASH_ITEM", 0, "HASH_ITEM field=f value=v expire=-1");
	assert_line(trace, "HASH_ITEM", 1, "HASH_ITEM field=f value=v expire=1000499");
	assert_line(trace, "HASH_ITEM", 2, "HASH_ITEM field=f value=v expire=1000999");
	free(trace);
}

#define LONG_KEY SPAN_LIT("a key that is compressed, too: aaaaaaaaaaa")

struct joined {
	char text[200000];
	size_t len;
	uint64_t total_len;
	int n_parts, n_ends;
	size_t part_len_max;
};

static void join(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct joined *j = arg;

	if (ev->kind == RDB_STRING_BEGIN) {
		assert_true(span_eq(ev->key, LONG_KEY));
		j->total_len = ev->total_len;
	}
	if (ev->kind == RDB_STRING_PART) {
		assert_true(j->len + ev->value.len <= sizeof(j->text));
		memcpy(j->text + j->len, ev->value.p, ev->value.len);
		j->len += ev->value.len;
		j->n_parts++;
		if (ev->value.len > j->part_len_max)
			j->part_len_max = ev->value.len;
	}
	j->n_ends += ev->kind == RDB_STRING_END;
}

static void long_string(bool compressed, size_t big_len)
{
	static struct joined j;
	static char text[150000];
	struct rdb_writer w = begin(10);
	struct feeder f = {.set = FEED_SETTINGS, .seen = join, .arg = &j, .seed = 7};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 1000 < 700 ? i % 7 : (i * i / 1000) % 251);
	if (compressed) {
		w.lzf_buf = lzf_buf;
		w.lzf_cap = sizeof(lzf_buf);
	}
	rdb_write_key(&w, 0, LONG_KEY, &RDB_WRITE_NO_ATTRS);
	rdb_write_str(&w, (struct span){text, sizeof(text)});
	struct span file = end(&w);

	assert_true(compressed ? file.len < sizeof(text) / 2 : file.len > sizeof(text));
	f.set.big_len = big_len;
	f.set.window_len = big_len + 100;
	f.set.scratch_len = big_len + 8192;
	for (int how = FEED_WHOLE; how <= FEED_RANDOM; how++) {
		j.len = 0;
		j.n_parts = j.n_ends = 0;
		j.part_len_max = 0;
		f.how = how;
		feed_run(&f, file);
		assert_int_equal(f.result, RDB_DONE);
		assert_int_equal(j.total_len, sizeof(text));
		assert_int_equal(j.len, sizeof(text));
		assert_memory_equal(j.text, text, sizeof(text));
		assert_int_equal(j.n_ends, 1);
		assert_int_equal(j.n_parts, (sizeof(text) + big_len - 1) / big_len);
		assert_true(j.part_len_max <= big_len);
		assert_true(f.scratch_cap <= f.set.scratch_len);
	}
}

static void long_string_comes_in_parts(void **state)
{
	long_string(false, 1000);
	long_string(false, 65536);
}

static void long_compressed_string_comes_in_parts(void **state)
{
	long_string(true, 100);
	long_string(true, 8191);
	long_string(true, 8193);
	long_string(true, 65536);
}

static void checksum_is_judged(void **state)
{
	struct feeder f = {.set = FEED_SETTINGS};
	struct span file = list_file(10, 10);
	char *trace;

	file_buf[file.len - 1] ^= 1;
	trace = feed_all_ways(&f, file);
	assert_line(trace, "EOF", 0, "EOF crc=wrong");
	assert_non_null(strstr(f.error, "checksum"));
	free(trace);
	memset(file_buf + file.len - 8, 0, 8);
	trace = feed_all_ways(&f, file);
	assert_line(trace, "EOF", 0, "EOF crc=none");
	free(trace);
	// Before version 5 the file ends with the opcode.
	memcpy(file_buf + 5, "0004", 4);
	file.len -= 8;
	trace = feed_all_ways(&f, file);
	assert_line(trace, "EOF", 0, "EOF crc=none");
	assert_int_equal(f.result, RDB_DONE);
	free(trace);
}

static void bytes_after_the_end_are_left_alone(void **state)
{
	struct feeder f = {.set = FEED_SETTINGS};
	struct span file = list_file(10, 10);

	memcpy(file_buf + file.len, "*1\r\n$4\r\nping\r\n", 14);
	char *trace = feed_all_ways(&f, (struct span){file.p, file.len + 14});

	assert_line(trace, "EOF", 0, "EOF crc=ok");
	assert_int_equal(f.pos, file.len);
	free(trace);
}

static void every_prefix_is_just_truncated(void **state)
{
	struct feeder f = {.set = FEED_SETTINGS};
	char expected[64];

	for (int elements = 0; elements < 2; elements++) {
		struct span file = list_file(30, 4);

		f.set.elements = elements;
		for (size_t len = 0; len < file.len; len++) {
			feed_run(&f, (struct span){file.p, len});
			assert_int_equal(f.result, RDB_MORE);
			snprintf(expected, sizeof(expected), "truncated at byte %zu:", len);
			assert_non_null(strstr(f.error, expected));
		}
	}
}

static int append(void *arg, struct span out)
{
	struct joined *j = arg;

	memcpy(j->text + j->len, out.p, out.len);
	j->len += out.len;
	return 0;
}

static void writer_makes_the_same_through_a_small_buffer(void **state)
{
	static struct joined j;
	uint8_t small[7];
	struct rdb_writer w[2];
	struct feeder f = {.set = FEED_SETTINGS};

	w[0] = begin(9);
	rdb_write_init(&w[1], small, sizeof(small), append, &j);
	rdb_write_header(&w[1], 9);
	for (int i = 0; i < 2; i++) {
		rdb_write_key(&w[i], 0, SPAN_LIT("some key"), &RDB_WRITE_NO_ATTRS);
		rdb_write_str(&w[i], SPAN_LIT("some value, longer than the buffer"));
	}
	struct span whole = end(&w[0]);

	assert_int_equal(rdb_write_eof(&w[1]), 0);
	assert_int_equal(j.len, whole.len);
	assert_memory_equal(j.text, whole.p, whole.len);
	char *trace = feed_all_ways(&f, whole);

	assert_line(trace, "EOF", 0, "EOF crc=ok");
	free(trace);
	rdb_write_init(&w[0], small, sizeof(small), NULL, NULL);
	rdb_write_header(&w[0], 9);
	assert_int_equal(rdb_write_eof(&w[0]), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_of_every_encoding),
		cmocka_unit_test(attributes_go_with_their_key_only),
		cmocka_unit_test(what_stands_before_the_keys),
		cmocka_unit_test(small_values_come_raw),
		cmocka_unit_test(big_len_is_the_last_raw_length),
		cmocka_unit_test(value_that_fills_the_window_comes_in_elements),
		cmocka_unit_test(big_values_come_in_elements),
		cmocka_unit_test(hash_fields_keep_their_expiry),
		cmocka_unit_test(long_string_comes_in_parts),
		cmocka_unit_test(long_compressed_string_comes_in_parts),
		cmocka_unit_test(checksum_is_judged),
		cmocka_unit_test(bytes_after_the_end_are_left_alone),
		cmocka_unit_test(every_prefix_is_just_truncated),
		cmocka_unit_test(writer_makes_the_same_through_a_small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
