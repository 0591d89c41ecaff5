// SPDX-License-Identifier: BSD-3-Clause
// Held expiries as a file: what a next life knows of them.
#include <errno.h>

#include "dataplane/route/hold.h"
#include "tests/unit/test.h"
#include "tests/unit/words.h"

#define NOW 1000000000ull

static struct span key_of(unsigned i, char *out)
{
	return (struct span){out, (size_t)snprintf(out, 32, "key:%u", i)};
}

static struct holds holds_made(unsigned n)
{
	struct holds h = {0};
	char key[32];
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
			hold_add(&h, (int32_t)(i % 3), key_of(i, key), (int64_t)(NOW + i), NOW),
			NOW + HOLD_EXTEND_MS);
	return h;
}

static void holds_come_back_as_they_were(void **state)
{
	struct holds h = holds_made(1000), back = {0};
	char *bytes, key[32];
	struct span name;
	assert_int_equal(hold_add(&h, 0, (struct span){"", 0}, NOW, NOW), NOW + HOLD_EXTEND_MS);
	// Ended by the stream: nothing to tell.
	struct span words[2] = {SPAN_LIT("PERSIST"), key_of(0, key)};
	holds_follow(&h, 0, command_find(words[0], words[1]), words, 2);
	size_t len = holds_pack(&h, &bytes);
	assert_in_range(len, 1, HOLDS_FILE_LEN_MAX);
	assert_int_equal(holds_unpack(&back, (struct span){bytes, len}), 0);
	assert_int_equal(back.n, 1000);
	for (unsigned i = 1; i < 1000; i++) {
		const struct hold *hold = hold_next(&back, &name);
		struct span want = key_of(i, key);
		assert_true(span_eq(name, want));
		assert_int_equal(hold->db, i % 3);
		assert_int_equal(hold->expire_at_ms, NOW + i);
		assert_int_equal(hold->set_at_ms, NOW + HOLD_EXTEND_MS);
	}
	assert_non_null(hold_next(&back, &name));
	assert_int_equal(name.len, 0);
	assert_null(hold_next(&back, &name));
	holds_fini(&h);
	holds_fini(&back);
	free(bytes);
}

static void the_fullest_file_fits(void **state)
{
	struct holds h = {0}, back = {0};
	char name[HOLDS_LEN / HOLDS_MAX + 1], *bytes;
	size_t name_len = sizeof(name) - 1;
	for (unsigned i = 0; i < HOLDS_MAX + 5; i++) {
		memset(name, 'k', sizeof(name));
		snprintf(name, sizeof(name), "%0*u", (int)name_len, i);
		hold_add(&h, 0, (struct span){name, name_len}, NOW, NOW);
	}
	assert_int_equal(h.n, HOLDS_MAX);
	size_t len = holds_pack(&h, &bytes);
	assert_in_range(len, HOLDS_LEN, HOLDS_FILE_LEN_MAX);
	assert_int_equal(holds_unpack(&back, (struct span){bytes, len}), 0);
	assert_int_equal(back.n, HOLDS_MAX);
	holds_fini(&h);
	holds_fini(&back);
	free(bytes);
}

static void damage_is_always_noticed(void **state)
{
	struct holds h = holds_made(5), back = {0};
	char *bytes;
	size_t len = holds_pack(&h, &bytes);
	for (size_t cut = 0; cut < len; cut++) {
		char *copy = malloc(cut + 1); // so that a sanitizer sees a read beyond it
		memcpy(copy, bytes, cut);
		assert_int_equal(holds_unpack(&back, (struct span){copy, cut}), -EBADMSG);
		free(copy);
	}
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 16;
		assert_int_equal(holds_unpack(&back, (struct span){bytes, len}), -EBADMSG);
		assert_int_equal(back.n, 0);
		bytes[i] ^= 16;
	}
	holds_fini(&h);
	free(bytes);
}

// An own key that is given another name takes both expiries along.
static void a_renamed_key_is_saved_under_its_new_name(void **state)
{
	struct holds h = holds_made(2), back = {0};
	char *bytes;
	struct span name, words[3] = {SPAN_LIT("RENAME"), SPAN_LIT("key:0"), SPAN_LIT("new")};
	holds_follow(&h, 0, command_find(words[0], words[1]), words, 3);
	size_t len = holds_pack(&h, &bytes);
	assert_int_equal(holds_unpack(&back, (struct span){bytes, len}), 0);
	assert_int_equal(back.n, 2);
	hold_next(&back, &name);
	const struct hold *hold = hold_next(&back, &name);
	assert_true(span_eq(name, SPAN_LIT("new")));
	assert_int_equal(hold->expire_at_ms, NOW);
	assert_int_equal(hold->set_at_ms, NOW + HOLD_EXTEND_MS);
	holds_fini(&h);
	holds_fini(&back);
	free(bytes);
}

static void follow(struct holds *h, int32_t db, const char *line)
{
	struct words w;
	words_split(line, &w);
	holds_follow(h, db, command_find(w.argv[0], w.argc > 1 ? w.argv[1] : (struct span){0}),
		     w.argv, w.argc);
}

// The own expiry of a key that is held, 0: it is not.
static int64_t held(struct holds *h, int32_t db, const char *key)
{
	struct span name;
	int64_t found = 0;
	for (struct hold *hold; (hold = hold_next(h, &name));)
		if (hold->db == db && span_eq(name, span_of(key)))
			found = found ? -1 : hold->expire_at_ms; // never twice
	return found;
}

static void whatever_ends_a_key_or_its_expiry_ends_the_hold(void **state)
{
	static const char *const ends[] = {"DEL key:0",	      "UNLINK other key:0",
					   "PERSIST key:0",   "PEXPIREAT key:0 5",
					   "SET key:0 v",     "SET key:0 v PXAT 5",
					   "RENAME key:0 to", "MOVE key:0 1",
					   "RENAME to key:0"};
	static const char *const stays[] = {"SET key:0 v KEEPTTL", "APPEND key:0 v", "DEL key:1",
					    "COPY key:0 to", "GET key:0"};
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct holds h = holds_made(1);
		follow(&h, 0, ends[i]);
		assert_int_equal(held(&h, 0, "key:0"), 0);
		holds_fini(&h);
	}
	for (unsigned i = 0; i < sizeof(stays) / sizeof(stays[0]); i++) {
		struct holds h = holds_made(1);
		follow(&h, 0, stays[i]);
		assert_int_equal(held(&h, 0, "key:0"), NOW);
		holds_fini(&h);
	}
}

static void a_transaction_is_taken_back(void **state)
{
	struct holds h = holds_made(3); // key:i in database i
	for (int again = 0; again < 2; again++) {
		holds_begin(&h);
		follow(&h, 0, "RENAME key:0 new");
		follow(&h, 0, "SWAPDB 1 2");
		follow(&h, 2, "PERSIST key:1");
		hold_keep(&h, 2, span_of("key:1"), 77, 99);
		hold_keep(&h, 0, span_of("more"), 78, 99);
		assert_int_equal(held(&h, 0, "new"), NOW);
		assert_int_equal(held(&h, 2, "key:1"), 77);
		assert_int_equal(h.n_live, 4);
		if (again)
			break;
		holds_back(&h);
		assert_int_equal(h.n_live, 3);
		assert_int_equal(held(&h, 0, "key:0"), NOW);
		assert_int_equal(held(&h, 1, "key:1"), NOW + 1);
		assert_int_equal(held(&h, 2, "key:2"), NOW + 2);
	}
	holds_commit(&h);
	holds_back(&h); // there is nothing more to take back
	assert_int_equal(held(&h, 0, "key:0"), 0);
	assert_int_equal(held(&h, 0, "more"), 78);
	assert_int_equal(held(&h, 1, "key:2"), NOW + 2);
	holds_fini(&h);
}

// A long lag sees more keys than there is room for, but few at a time.
static void those_that_ended_make_room(void **state)
{
	struct holds h = {0};
	char key[32];
	for (unsigned i = 0; i < 3 * HOLDS_MAX; i++) {
		struct span name = key_of(i, key), gone[2] = {SPAN_LIT("DEL"), name};
		assert_true(holds_have_room(&h, 1, name.len));
		hold_keep(&h, 0, name, 1 + i, 9);
		if (i % 1000)
			holds_follow(&h, 0, command_find(gone[0], gone[1]), gone, 2);
	}
	assert_int_equal(h.n_live, (3 * HOLDS_MAX + 999) / 1000);
	assert_int_equal(held(&h, 0, "key:5000"), 5001);
	assert_int_equal(held(&h, 0, "key:5001"), 0);
	holds_fini(&h);
}

static void what_finds_no_room_is_not_held(void **state)
{
	struct holds h = holds_made(HOLDS_MAX);
	char key[32];
	assert_false(holds_have_room(&h, 1, 1));
	assert_int_equal(hold_add(&h, 0, SPAN_LIT("more"), NOW, NOW), NOW);
	assert_int_equal(held(&h, 0, "more"), 0);
	assert_int_equal(hold_add(&h, 0, key_of(3, key), NOW + 9, NOW), NOW + HOLD_EXTEND_MS);
	assert_int_equal(held(&h, 0, "key:3"), NOW + 9);
	holds_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_come_back_as_they_were),
		cmocka_unit_test(the_fullest_file_fits),
		cmocka_unit_test(damage_is_always_noticed),
		cmocka_unit_test(a_renamed_key_is_saved_under_its_new_name),
		cmocka_unit_test(whatever_ends_a_key_or_its_expiry_ends_the_hold),
		cmocka_unit_test(a_transaction_is_taken_back),
		cmocka_unit_test(those_that_ended_make_room),
		cmocka_unit_test(what_finds_no_room_is_not_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
