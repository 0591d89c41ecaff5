// SPDX-License-Identifier: BSD-3-Clause
// The AOF reader: the same events however the bytes arrive, the last good point at any cut, and
// damage told with its place.
#include "tests/unit/aof_bytes.h"
#include "tests/unit/aof_feed.h"

#include <errno.h>

static void commands_annotations_and_transactions_are_read(void **state)
{
	struct random random = random_seeded("events");
	struct aof_feed f = aof_feed_all_ways(
		span_of("#TS:1700000000\r\n" SELECT_3 SET_K_V MULTI INCR_N "#TS:1700000001\n"
			"*2\r\n$4\r\nincr\r\n$1\r\nm\r\n" EXEC "#a-word.\r\n#\n#TS:-1\r\n" INCR_N),
		0, &random);
	assert_string_equal(f.trace,
			    "0 timestamp @1700000000 ..16\n"
			    "16 command @1700000000 SELECT 3 ..39\n"
			    "39 command db3 @1700000000 SET k v ..66\n"
			    "66 command db3 @1700000000 MULTI ..81\n"
			    "81 command db3 @1700000000 multi INCR n ..102\n"
			    "102 timestamp db3 @1700000001 multi ..117\n"
			    "117 command db3 @1700000001 multi incr m ..138\n"
			    "138 command db3 @1700000001 EXEC ..152\n"
			    "152 annotation db3 @1700000001 a-word. ..162\n"
			    "162 annotation db3 @1700000001  ..164\n"
			    "164 annotation db3 @1700000001 TS:-1 ..172\n"
			    "172 command db3 @1700000001 INCR n ..193\n");
	assert_int_equal(f.ending, AOF_WHOLE);
	assert_int_equal(f.n_commands, 7);
	assert_int_equal(f.good, 193);
	free(f.trace);
}

static void preamble_is_told_and_passed_over(void **state)
{
	struct random random = random_seeded("preamble");
	struct aof_feed f = aof_feed_all_ways(span_of("REDIS0011*?#anything" SET_K_V), 20, &random);
	assert_string_equal(f.trace, "0 rdb\n20 command SET k v ..47\n");
	assert_int_equal(f.good, 47);
	free(f.trace);
	f = aof_feed_all_ways(span_of("VALKEY080!"), 10, &random);
	assert_string_equal(f.trace, "0 rdb\n");
	assert_int_equal(f.ending, AOF_WHOLE);
	free(f.trace);
	f = aof_feed_all_ways(span_of("VALK"), 0, &random);
	assert_string_equal(f.trace, "");
	assert_int_equal(f.ending, AOF_CUT);
	free(f.trace);
	f = aof_feed_all_ways(span_of(SET_K_V "REDIS0011"), 0, &random);
	assert_int_equal(f.result, AOF_BAD); // a preamble stands at the beginning only
	says(f.error, "at byte 27 of the AOF, where \"REDIS0011\" is");
	free(f.trace);
}

// ---- Long commands

// SET k VALUE of `len` bytes in all.
static struct span set_of(size_t len, char *out)
{
	char head[64];
	size_t value = len - 29, n; // with four digits for its length
	n = (size_t)snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", value);
	assert_int_equal(n + value + 2, len);
	memset(out, 'x', len);
	memcpy(out, head, n);
	memcpy(out + len - 2, "\r\n", 2);
	return (struct span){out, len};
}

static void long_commands_come_word_by_word(void **state)
{
	static char file[40000];
	struct random random = random_seeded("long");
	struct span s = set_of(10000, file);
	memcpy(file + s.len, INCR_N, strlen(INCR_N));
	struct aof_feed f = aof_feed_all_ways((struct span){file, s.len + strlen(INCR_N)}, 0,
					      &random);
	says(f.trace, "0 big n=3\n0 word 0 3+0 SET\n0 word 1 1+0 k\n0 word 2 9971+0 [4096:");
	says(f.trace, "\n0 word 2 9971+4096 [4096:");
	says(f.trace, "\n0 word 2 9971+8192 [1779:");
	says(f.trace, "\n0 bigend n=3 ..10000\n10000 command INCR n ..10021\n");
	free(f.trace);
}

static void limit_between_the_shapes_is_exact(void **state)
{
	static char file[FEED_BIG_LEN + 100];
	struct random random = random_seeded("limit");
	struct aof_feed f = aof_feed_all_ways(set_of(FEED_BIG_LEN, file), 0, &random);
	says(f.trace, "0 command SET k [");
	free(f.trace);
	f = aof_feed_all_ways(set_of(FEED_BIG_LEN + 1, file), 0, &random);
	says(f.trace, "0 big n=3");
	free(f.trace);
}

static void many_short_words_make_a_long_command(void **state)
{
	static char file[30000];
	struct random random = random_seeded("words");
	size_t n = (size_t)sprintf(file, MULTI "*1001\r\n$3\r\nDEL\r\n");
	for (int i = 0; i < 1000; i++)
		n += (size_t)sprintf(file + n, "$%d\r\n%0*d\r\n", i % 9 + 1, i % 9 + 1, i % 10);
	n += (size_t)sprintf(file + n, EXEC);
	struct aof_feed f = aof_feed_all_ways((struct span){file, n}, 0, &random);
	says(f.trace, "15 big multi n=1001\n");
	says(f.trace, "15 word multi 1000 1+0 9\n15 bigend multi n=1001 ..");
	assert_int_equal(f.n_commands, 3);
	assert_int_equal(f.good, n);
	free(f.trace);
}

// MULTI and EXEC frame a transaction by their name alone, however many words are behind it.
static void long_frame_commands_frame(void **state)
{
	static char file[12000];
	struct random random = random_seeded("frames");
	size_t multi = (size_t)sprintf(file, "*2\r\n$5\r\nmulti\r\n$5000\r\n%05000d\r\n", 1);
	size_t n = multi + (size_t)sprintf(file + multi, INCR_N);
	struct aof_feed f = aof_feed_all_ways((struct span){file, n}, 0, &random);
	assert_int_equal(f.ending, AOF_OPEN_MULTI);
	assert_int_equal(f.good, 0);
	free(f.trace);
	n += (size_t)sprintf(file + n, "*2\r\n$4\r\nexec\r\n$5000\r\n%05000d\r\n", 1);
	f = aof_feed_all_ways((struct span){file, n}, 0, &random);
	assert_int_equal(f.ending, AOF_WHOLE);
	assert_int_equal(f.good, n);
	free(f.trace);
}

// 300 MB go through a window of 5 KB; the reader keeps none of it.
static void huge_word_passes_through_a_small_window(void **state)
{
	static char zeros[2 * FEED_BIG_LEN];
	struct aof_reader r;
	struct aof_event ev;
	uint64_t word = 300ull << 20, given = 0;
	size_t used;
	assert_int_equal(aof_reader_init(&r, FEED_BIG_LEN), 0);
	size_t head =
		(size_t)sprintf(zeros, "*2\r\n$1\r\nX\r\n$%llu\r\n", (unsigned long long)word);
	struct span in = {zeros, sizeof(zeros)};
	assert_int_equal(aof_next(&r, in, &ev, &used), AOF_EVENT);
	assert_int_equal(ev.kind, AOF_BIG_BEGIN);
	in.p += used;
	assert_int_equal(aof_next(&r, in, &ev, &used), AOF_EVENT);
	in.p += used;
	in.len = FEED_BIG_LEN + 20;
	while (given < word) {
		assert_int_equal(aof_next(&r, in, &ev, &used), AOF_EVENT);
		assert_int_equal(ev.word_at, given);
		assert_int_equal(ev.word_len, word);
		given += ev.word.len;
		if (given == ev.word.len) // behind the header
			memset(zeros, 0, head);
		in.p = zeros;
		if (word - given <= FEED_BIG_LEN)
			memcpy(zeros + (word - given), "\r\n", 2);
	}
	assert_int_equal(aof_next(&r, in, &ev, &used), AOF_EVENT);
	assert_int_equal(ev.kind, AOF_BIG_END);
	assert_int_equal(r.good, head + word + 2);
	aof_reader_fini(&r);
}

// ---- Ends

static const struct {
	size_t end;
	bool multi;
} bounds[] = {{16, 0}, {39, 0}, {66, 0}, {81, 1}, {102, 1}, {116, 0}, {137, 0}};

static void every_cut_has_its_last_good_point(void **state)
{
	static const char file[] = "#TS:1700000000\r\n" SELECT_3 SET_K_V MULTI INCR_N EXEC INCR_N;
	assert_int_equal(strlen(file), bounds[6].end);
	for (size_t len = 0; len <= bounds[6].end; len++) {
		struct aof_feed f = {.slice = 1};
		size_t good = 0, last = 0;
		bool open = false;
		for (size_t i = 0; i < 7 && bounds[i].end <= len; i++) {
			last = bounds[i].end;
			open = bounds[i].multi;
			good = open ? good : last;
		}
		aof_feed_run(&f, (struct span){file, len}, 0);
		assert_int_equal(f.result, AOF_MORE);
		assert_int_equal(f.good, good);
		assert_int_equal(f.ending, len == 0    ? AOF_EMPTY
					   : open      ? AOF_OPEN_MULTI
					   : len > last ? AOF_CUT
							: AOF_WHOLE);
		assert_int_equal(f.error[0] == 0, f.ending == AOF_WHOLE);
		free(f.trace);
	}
}

static void long_command_that_is_cut_is_no_good_point(void **state)
{
	static char file[20000];
	struct random random = random_seeded("cut");
	struct span s = set_of(9000, file);
	for (size_t len = s.len - 3; len <= s.len; len++) {
		struct aof_feed f = aof_feed_all_ways((struct span){file, len}, 0, &random);
		assert_int_equal(f.ending, len < s.len ? AOF_CUT : AOF_WHOLE);
		assert_int_equal(f.good, len < s.len ? 0 : len);
		free(f.trace);
	}
}

// ---- Damage

static void damage_is_told_with_its_place(void **state)
{
	static const struct {
		const char *file, *says;
	} cases[] = {
		{"hello", "neither a command nor an annotation begins (at byte 0"},
		{SET_K_V "\r\n" INCR_N, "at byte 27 of the AOF, where \"\\r\\n*2\\r\\n$4"},
		{SET_K_V "\n", "at byte 27"},
		{SET_K_V "\x01\x02\"", "where \"\\x01\\x02\\x22\" is"},
		{SET_K_V "+OK\r\n", "at byte 27 of the AOF, where \"+OK\\r\\n\""},
		{EXEC, "an EXEC has no MULTI (at byte 0"},
		{MULTI INCR_N MULTI, "a MULTI stands within a transaction (at byte 36"},
		{SET_K_V "*0\r\n", "impossible number of arguments (at byte 27"},
		{SET_K_V "*-1\r\n", "array of bulk strings (at byte 27"},
		{SET_K_V "*1\r\n:5\r\n", "array of bulk strings (at byte 31"},
		{SET_K_V "*1\r\n$-1\r\n", "array of bulk strings (at byte 31"},
		{SET_K_V "*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", "array of bulk strings (at byte 38"},
		{SET_K_V "*1\r\n$2\r\nabc\r\n", "where it was announced to (at byte 37 of the AOF, "
						"where \"c\\r\\n\""},
		{SET_K_V "*2\r\n$2\r\nabc\r\n$1\r\nk\r\n", "announced to (at byte 37"},
		{SET_K_V "*2\r\n$3\r\nGET\r\n$1 \r\nk\r\n", "bulk strings (at byte 40"},
		{SET_K_V "*1\r\n$02\r\nab\r\n", "array of bulk strings (at byte 27"},
		{"*2\r\n$6\r\nSELECT\r\n$2\r\n1x\r\n", "a SELECT names no database (at byte 0"},
		{"*1\r\n$99999999999999\r\n", "an argument of more than 4 GB (at byte 4"},
		{"*99999999999999999999999\r\n", "(at byte 0"},
	};
	struct random random = random_seeded("damage");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aof_feed f = aof_feed_all_ways(span_of(cases[i].file), 0, &random);
		assert_int_equal(f.result, AOF_BAD);
		says(f.error, cases[i].says);
		free(f.trace);
	}
}

static void overlong_annotation_is_damage(void **state)
{
	static char file[AOF_LINE_MAX + 1];
	struct random random = random_seeded("annotation");
	memset(file, '#', sizeof(file));
	file[AOF_LINE_MAX - 1] = '\n';
	struct aof_feed f = aof_feed_all_ways((struct span){file, AOF_LINE_MAX}, 0, &random);
	assert_int_equal(f.ending, AOF_WHOLE);
	free(f.trace);
	file[AOF_LINE_MAX - 1] = '#';
	file[AOF_LINE_MAX] = '\n';
	f = aof_feed_all_ways((struct span){file, AOF_LINE_MAX + 1}, 0, &random);
	assert_int_equal(f.result, AOF_BAD);
	says(f.error, "longer than servers take (at byte 0");
	free(f.trace);
}

static void reader_wants_room_for_its_slices(void **state)
{
	struct aof_reader r;
	assert_int_equal(aof_reader_init(&r, AOF_BIG_LEN_MIN - 1), -EINVAL);
}

// ---- At random

static void command_at_random(struct random *random, FILE *out)
{
	unsigned argc = 1 + (unsigned)random_below(random, 5);
	fprintf(out, "*%u\r\n", argc);
	for (unsigned i = 0; i < argc; i++) {
		size_t len = random_below(random, random_below(random, 20) ? 12 : 9000);
		fprintf(out, "$%zu\r\n", len);
		for (size_t k = 0; k < len; k++)
			fputc((int)random_below(random, 256), out);
		fputs("\r\n", out);
	}
}

// With one byte changed or the tail cut in most rounds: what comes of it must not depend on slices.
static void slices_never_matter(void **state)
{
	struct random random = random_seeded("slices");
	for (int round = 0; round < 150; round++) {
		unsigned n_commands = 1 + (unsigned)random_below(&random, 12);
		char *file;
		size_t n;
		FILE *out = open_memstream(&file, &n);
		for (unsigned i = 0; i < n_commands; i++) {
			if (!random_below(&random, 4))
				fprintf(out, "#TS:%d\r\n", round);
			command_at_random(&random, out);
		}
		fclose(out);
		bool sound = round % 3 == 0;
		if (round % 3 == 1)
			file[random_below(&random, n)] ^= (char)(1 + random_below(&random, 255));
		if (round % 3 == 2)
			n = random_below(&random, n);
		struct aof_feed f = aof_feed_all_ways((struct span){file, n}, 0, &random);
		if (sound) {
			assert_int_equal(f.result, AOF_MORE);
			assert_int_equal(f.ending, AOF_WHOLE);
			assert_int_equal(f.n_commands, n_commands);
		}
		free(f.trace);
		free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_annotations_and_transactions_are_read),
		cmocka_unit_test(preamble_is_told_and_passed_over),
		cmocka_unit_test(long_commands_come_word_by_word),
		cmocka_unit_test(limit_between_the_shapes_is_exact),
		cmocka_unit_test(many_short_words_make_a_long_command),
		cmocka_unit_test(long_frame_commands_frame),
		cmocka_unit_test(huge_word_passes_through_a_small_window),
		cmocka_unit_test(every_cut_has_its_last_good_point),
		cmocka_unit_test(long_command_that_is_cut_is_no_good_point),
		cmocka_unit_test(damage_is_told_with_its_place),
		cmocka_unit_test(overlong_annotation_is_damage),
		cmocka_unit_test(reader_wants_room_for_its_slices),
		cmocka_unit_test(slices_never_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
