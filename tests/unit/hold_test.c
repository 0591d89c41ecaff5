// SPDX-License-Identifier: BSD-3-Clause
// Held expiries as a file: what a next life knows of them.
#include <errno.h>

#include "dataplane/route/hold.h"
#include "tests/unit/test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_come_back_as_they_were),
		cmocka_unit_test(the_fullest_file_fits),
		cmocka_unit_test(damage_is_always_noticed),
		cmocka_unit_test(a_renamed_key_is_saved_under_its_new_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
