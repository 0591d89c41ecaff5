// SPDX-License-Identifier: BSD-3-Clause
// Streams in elements: bodies put together byte by byte, for each of the three levels.
#include "parsers/rdb_write.h"
#include "tests/unit/rdb_feed.h"

static uint8_t file_buf[4096];

// Master id 5-1, names n1, n2. Entries: 5-1 with these names, 5-2 deleted, 7-1 with its own name.
#define NODE "\x41\x00\x00\x00\x15\x00"                                             \
	     "\x02\x01\x01\x01\x02\x01\x82n1\x03\x82n2\x03\x00\x01"                  \
	     "\x02\x01\x00\x01\x00\x01\x82v1\x03\x07\x01\x05\x01"                    \
	     "\x03\x01\x00\x01\x01\x01\x00\x01\x00\x01\x05\x01"                      \
	     "\x00\x01\x02\x01\x00\x01\x01\x01\x81x\x02\x81y\x02\x06\x01\xff"

static void id_write(struct rdb_writer *w, uint64_t ms, uint64_t seq)
{
	uint64_t be[2] = {__builtin_bswap64(ms), __builtin_bswap64(seq)};

	rdb_write_bytes(w, (struct span){(const char *)be, 16});
}

static void entries_write(struct rdb_writer *w)
{
	rdb_write_len(w, 1);
	rdb_write_len(w, 16);
	id_write(w, 5, 1);
	rdb_write_plain(w, SPAN_LIT(NODE));
}

// Group g: pending 5-1 of alice, 7-1 of bob.
static void groups_write(struct rdb_writer *w, int level)
{
	static const char *const names[] = {"alice", "bob"};

	rdb_write_len(w, 1);
	rdb_write_str(w, SPAN_LIT("g"));
	rdb_write_len(w, 7);
	rdb_write_len(w, 1);
	if (level > 1)
		rdb_write_len(w, UINT64_MAX); // entries read: unknown
	rdb_write_len(w, 2);
	for (uint64_t i = 0; i < 2; i++) {
		id_write(w, 5 + 2 * i, 1);
		rdb_write_le64(w, 1700 + i);
		rdb_write_len(w, 3 + i);
	}
	rdb_write_len(w, 2);
	for (uint64_t i = 0; i < 2; i++) {
		rdb_write_str(w, span_of(names[i]));
		rdb_write_le64(w, 1800 + i);
		if (level > 2)
			rdb_write_le64(w, 1900 + i);
		rdb_write_len(w, 1);
		id_write(w, 5 + 2 * i, 1);
	}
}

static struct span stream_file(uint8_t type, int level)
{
	struct rdb_writer w;

	rdb_write_init(&w, file_buf, sizeof(file_buf), NULL, NULL);
	rdb_write_header(&w, 11);
	rdb_write_key(&w, type, SPAN_LIT("s"), &RDB_WRITE_NO_ATTRS);
	entries_write(&w);
	rdb_write_len(&w, 2); // length, last id
	rdb_write_len(&w, 9);
	rdb_write_len(&w, 4);
	for (uint64_t i = 1; level > 1 && i <= 5; i++) // first, max deleted, added
		rdb_write_len(&w, i);
	groups_write(&w, level);
	assert_int_equal(rdb_write_eof(&w), 0);
	return (struct span){(const char *)w.buf, w.len};
}

static void stream_check(uint8_t type, int level, const char *meta, const char *alice,
			 const char *bob)
{
	struct feeder f = {.set = FEED_SETTINGS};
	struct span file = stream_file(type, level);
	char expected[2000];

	f.set.elements = true;
	char *trace = feed_all_ways(&f, file);

	snprintf(expected, sizeof(expected),
		 "STREAM_ENTRY id=5-1 name=n1 value=v1 name=n2 value=7\n"
		 "STREAM_ENTRY id=7-1 name=x value=y\n"
		 "STREAM_META length=2 last=9-4%s\n"
		 "STREAM_GROUP group=g id=7-1 read=-1\n"
		 "STREAM_CONSUMER group=g consumer=alice seen=1800 active=%s\n"
		 "STREAM_PENDING group=g consumer=alice id=5-1 at=1700 n=3\n"
		 "STREAM_CONSUMER group=g consumer=bob seen=1801 active=%s\n"
		 "STREAM_PENDING group=g consumer=bob id=7-1 at=1701 n=4\n"
		 "BIG_END\n"
		 "EOF crc=ok\n", meta, alice, bob);
	assert_int_equal(f.result, RDB_DONE);
	assert_string_equal(strchr(trace, '\n') + 1, expected);
	free(trace);

	// The same body, skimmed: its end must be found at the same place.
	f.set.elements = false;
	trace = feed_all_ways(&f, file);
	assert_non_null(feed_line(trace, "RAW", 0));
	assert_non_null(feed_line(trace, "EOF", 0));
	free(trace);
}

static void stream_of_redis_5(void **state)
{
	stream_check(15, 1, "", "-1", "-1");
}

static void stream_of_redis_7_0(void **state)
{
	stream_check(19, 2, " first=1-2 deleted=3-4 added=5", "-1", "-1");
}

static void stream_of_redis_7_2(void **state)
{
	stream_check(21, 3, " first=1-2 deleted=3-4 added=5", "1900", "1901");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_of_redis_5),
		cmocka_unit_test(stream_of_redis_7_0),
		cmocka_unit_test(stream_of_redis_7_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
