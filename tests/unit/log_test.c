// SPDX-License-Identifier: BSD-3-Clause
// The window of a stream, and the ring of memory under it.
#include <errno.h>
#include <unistd.h>

#include "dataplane/log/log.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

static struct log *log_made(size_t len, uint64_t offset)
{
	struct log *l = calloc(1, sizeof(*l));
	char text[LOG_TEXT_LEN];
	assert_int_equal(log_init(l, &(struct log_config){.window_len = len}, text), 0);
	log_reset(l, "", offset);
	return l;
}

static void log_unmake(struct log *l)
{
	log_fini(l);
	free(l);
}

static void ring_is_one_memory_seen_twice(void **state)
{
	struct memory_ring r;
	assert_int_equal(memory_ring_init(&r, 1), 0);
	assert_int_equal(r.size, sysconf(_SC_PAGESIZE));
	for (size_t i = 0; i < r.size; i++)
		r.base[i] = (char)(i * 7);
	assert_memory_equal(r.base, r.base + r.size, r.size);
	r.base[r.size + 5] = 'x';
	assert_int_equal(r.base[5], 'x');
	memory_ring_clear(&r);
	assert_int_equal(r.base[5], 0);
	memory_ring_fini(&r);
	memory_ring_fini(&r);
}

static void file_memory_is_zero_and_writable(void **state)
{
	char *p = memory_file_map("/tmp", 100000);
	assert_non_null(p);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(p[i], 0);
	p[99999] = 1;
	memory_file_unmap(p, 100000);
	memory_file_unmap(NULL, 0);
}

static char byte_at(uint64_t offset)
{
	return (char)(offset * 31 + offset / 251);
}

static void receive(struct log *l, size_t len)
{
	size_t space;
	char *to = log_space(l, &space);
	assert_true(len <= space);
	for (size_t i = 0; i < len; i++)
		to[i] = byte_at(l->tail + i);
	log_received(l, len, l->tail, l->tail / 1000);
}

static void view_check(const struct log *l, uint64_t from)
{
	size_t len;
	const char *p = log_view(l, from, &len);
	assert_int_equal(len, l->tail - from);
	for (size_t i = 0; i < len; i++)
		if (p[i] != byte_at(from + i))
			fail_msg("offset %llu", (unsigned long long)(from + i));
}

static void bytes_stay_whole_around_the_end(void **state)
{
	struct random r = random_seeded(__func__);
	struct log *l = log_made(8192, 123456789);
	unsigned slow = log_cursor_add(l), fast = log_cursor_add(l);
	for (int i = 0; i < 5000; i++) {
		size_t space;
		log_space(l, &space);
		assert_int_equal(space, log_capacity(l) - (l->tail - l->head));
		receive(l, random_below(&r, space + 1));
		uint64_t to = l->cursors[slow] + random_below(&r, l->tail - l->cursors[slow] + 1);
		view_check(l, l->head);
		log_cursor_set(l, fast, l->tail);
		assert_int_equal(l->head, l->cursors[slow]);
		log_cursor_set(l, slow, to);
		assert_int_equal(l->head, to);
		view_check(l, to);
	}
	log_unmake(l);
}

static void full_window_has_no_room_until_the_slowest_moves(void **state)
{
	struct log *l = log_made(4096, 0);
	unsigned a = log_cursor_add(l), b = log_cursor_add(l);
	size_t space;
	receive(l, log_capacity(l));
	log_space(l, &space);
	assert_int_equal(space, 0);
	log_cursor_set(l, a, 100);
	log_space(l, &space);
	assert_int_equal(space, 0);
	log_cursor_set(l, b, 60);
	log_space(l, &space);
	assert_int_equal(space, 60);
	log_unmake(l);
}

static void stamps_tell_when_a_byte_came(void **state)
{
	struct log *l = log_made(1 << 16, 1000);
	log_cursor_add(l);
	for (int i = 0; i < 10; i++)
		receive(l, 100); // the stamp of each is its offset
	for (uint64_t o = 1000; o < 2000; o++)
		assert_int_equal(log_stamp_at(l, o).mono_ns, o / 100 * 100);
	log_cursor_set(l, 0, 1550);
	assert_int_equal(log_stamp_at(l, 1550).mono_ns, 1500);
	assert_int_equal(log_stamp_at(l, 1999).mono_ns, 1900);
	log_reset(l, "", 7);
	assert_int_equal(log_stamp_at(l, 7).mono_ns, 0);
	assert_int_equal(log_stamp_at(l, 7).offset, 7);
	log_unmake(l);
}

// More pieces than stamps: times get coarser, but never later than the byte, and never decreasing.
static void stamps_that_are_thinned_stay_in_order(void **state)
{
	struct log *l = log_made(1 << 16, 0);
	log_cursor_add(l);
	for (int i = 0; i < 3 * LOG_STAMPS; i++)
		receive(l, 3);
	uint64_t last = 0, worst = 0;
	for (uint64_t o = 0; o < l->tail; o++) {
		uint64_t at = log_stamp_at(l, o).mono_ns;
		assert_true(at <= o && at >= last);
		worst = o - at > worst ? o - at : worst;
		last = at;
	}
	assert_in_range(l->n_stamps, LOG_STAMPS / 2, LOG_STAMPS);
	assert_in_range(worst, 3, 3 * 64);
	// The newest are exact.
	assert_int_equal(log_stamp_at(l, l->tail - 1).mono_ns, l->tail - 3);
	log_unmake(l);
}

static void file_gives_back_what_was_appended(void **state)
{
	struct memory_file f;
	char piece[10000];
	assert_int_equal(memory_file_init(&f, "/nowhere"), -ENOENT);
	assert_int_equal(memory_file_init(&f, "/tmp"), 0);
	for (int i = 0; i < 100; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		assert_int_equal(memory_file_append(&f, piece, sizeof(piece)), sizeof(piece));
	}
	assert_int_equal(memory_file_seal(&f), 0);
	assert_int_equal(f.len, 1000000);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < f.len; i++)
			assert_true(f.base[i] == (char)('a' + i / sizeof(piece) % 26));
		memory_file_forget(&f, 0, 5000); // also less than a page, and to the end
		memory_file_forget(&f, 5000, f.len);
	}
	assert_true(memory_file_has(&f, f.base + f.len - 1));
	assert_false(memory_file_has(&f, f.base + f.len));
	memory_file_fini(&f);
}

// What somebody keeps elsewhere need not wait for the slowest cursor.
static void released_memory_is_free_before_its_cursor(void **state)
{
	struct log *l = log_made(65536, 1000);
	unsigned cursor = log_cursor_add(l);
	size_t len;
	receive(l, 65536);
	log_space(l, &len);
	assert_int_equal(len, 0);
	log_release(l, 1000 + 30000);
	log_space(l, &len);
	assert_int_equal(len, 30000);
	receive(l, 30000);
	assert_int_equal(log_end(l), 1000 + 65536 + 30000);
	log_cursor_set(l, cursor, 1000 + 20); // stays behind
	log_space(l, &len);
	assert_int_equal(len, 0);
	assert_int_equal(log_stamp_at(l, 1020).offset, 1000); // its time is still known
	log_release(l, 1000);
	log_view(l, 31000, &len);
	assert_int_equal(len, 65536);
	log_cursor_set(l, cursor, 40000);
	log_space(l, &len);
	assert_int_equal(len, 9000);
	log_unmake(l);
}

// All that the front has is viewable.
static void front_check(const struct log *l, uint64_t from)
{
	for (size_t len; from < l->end; from += len) {
		const char *p = log_view(l, from, &len);
		assert_true(len > 0);
		for (size_t i = 0; i < len; i++)
			if (p[i] != byte_at(from + i))
				fail_msg("offset %llu", (unsigned long long)(from + i));
	}
}

// A window full of history in the large ring, and the small one is in use: who goes back to the
// oldest byte finds it there however much comes then.
static void history_stays_while_the_small_ring_overflows(void **state)
{
	struct log_config config = {.window_len = 65536, .small_len = 8192};
	struct log *l = calloc(1, sizeof(*l));
	char text[LOG_TEXT_LEN];
	size_t space;
	assert_int_equal(log_init(l, &config, text), 0);
	log_reset(l, "", 0);
	unsigned cursor = log_cursor_add(l);
	for (unsigned i = 0; i < 40; i++) {
		log_space(l, &space); // the large one, for who lags 8 KB behind
		receive(l, 4096);
		if (i >= 3)
			log_cursor_set(l, cursor, l->tail - 8192);
	}
	log_cursor_set(l, cursor, l->tail);
	log_settle(l, l->tail);
	assert_int_equal(l->active, LOG_RING_SMALL);
	receive(l, 1000);
	uint64_t oldest = log_oldest(l);
	assert_int_equal(oldest, l->tail - 1000 - 65536);
	assert_int_equal(log_seek(l, oldest + 1500), 0);
	for (unsigned i = 0; i < 1000 && (log_space(l, &space), space); i++)
		receive(l, space < 1000 ? space : 1000);
	assert_int_equal(l->tail, oldest + 1500 + 65536);
	front_check(l, oldest + 1500);
	log_unmake(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_is_one_memory_seen_twice),
		cmocka_unit_test(file_memory_is_zero_and_writable),
		cmocka_unit_test(file_gives_back_what_was_appended),
		cmocka_unit_test(released_memory_is_free_before_its_cursor),
		cmocka_unit_test(bytes_stay_whole_around_the_end),
		cmocka_unit_test(full_window_has_no_room_until_the_slowest_moves),
		cmocka_unit_test(stamps_tell_when_a_byte_came),
		cmocka_unit_test(stamps_that_are_thinned_stay_in_order),
		cmocka_unit_test(history_stays_while_the_small_ring_overflows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
