// SPDX-License-Identifier: BSD-3-Clause
// The parts of scan and check that need no server: changed keys, rates, amounts, stream ids, the
// state on disk.
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ctrl/check/stream_id.h"
#include "ctrl/cli/amount.h"
#include "ctrl/pace.h"
#include "ctrl/scan/dirty.h"
#include "ctrl/scan/state.h"

static void assert_taken(struct dirty *d, int db, const char *key)
{
	struct dirty_key *k = dirty_take(d);

	assert_non_null(k);
	assert_int_equal(k->db, db);
	assert_true(span_eq((struct span){k->key, k->len}, span_of(key)));
	free(k);
}

static void a_key_that_changes_again_waits_once(void **state)
{
	struct dirty d = {0};

	assert_int_equal(dirty_add(&d, 0, span_of("a")), 1);
	assert_int_equal(dirty_add(&d, 0, span_of("b")), 1);
	assert_int_equal(dirty_add(&d, 0, span_of("a")), 0);
	assert_int_equal(dirty_add(&d, 3, span_of("a")), 1);
	assert_int_equal(dirty_add(&d, 0, span_of("")), 1);
	assert_taken(&d, 0, "a");
	assert_int_equal(dirty_add(&d, 0, span_of("a")), 1); // changed after it was taken
	assert_taken(&d, 0, "b");
	assert_taken(&d, 3, "a");
	assert_taken(&d, 0, "");
	assert_taken(&d, 0, "a");
	assert_null(dirty_take(&d));
	assert_int_equal(d.n, 0);
	assert_int_equal(d.bytes, 0);
	dirty_clear(&d);
}

static void many_changed_keys_come_in_order(void **state)
{
	struct dirty d = {0};
	char key[32];

	for (unsigned i = 0; i < 50000; i++) {
		snprintf(key, sizeof(key), "key:%u", i);
		assert_int_equal(dirty_add(&d, (int)(i % 3), span_of(key)), 1);
	}
	for (unsigned i = 0; i < 50000; i++) {
		snprintf(key, sizeof(key), "key:%u", i);
		assert_taken(&d, (int)(i % 3), key);
	}
	assert_null(dirty_take(&d));
	dirty_clear(&d);
}

static void changed_keys_are_bounded_in_bytes(void **state)
{
	struct dirty d = {0};
	size_t len = 1 << 20;
	char *key = calloc(1, len);
	int rc = 1;
	unsigned n = 0;

	assert_non_null(key);
	while (rc == 1) {
		memcpy(key, &n, sizeof(n));
		rc = dirty_add(&d, 0, (struct span){key, len});
		n++;
	}
	assert_int_equal(rc, -ENOMEM);
	assert_in_range(n, 63, 65);
	assert_true(d.bytes <= DIRTY_BYTES_MAX);
	free(key);
	dirty_clear(&d);
}

static void a_rate_is_kept_over_any_amounts(void **state)
{
	static const unsigned amounts[] = {1, 10, 250, 3000};
	for (unsigned i = 0; i < 4; i++) {
		struct pace p;
		uint64_t now = 1000, done = 0;
		pace_init(&p, 1000, now);
		while (done < 30000) {
			unsigned wait = pace_wait_ms(&p, now);
			now += wait;
			if (wait)
				continue;
			pace_pay(&p, amounts[i]);
			done += amounts[i];
		}
		// The last amount may still be owed, and a little may have been saved up.
		uint64_t took = now - 1000;
		assert_in_range(took + amounts[i] + 60, done, done + done / 5 + 3000);
	}
}

static void without_a_limit_nothing_waits(void **state)
{
	struct pace p;

	pace_init(&p, 0, 5);
	pace_pay(&p, UINT64_MAX / 2);
	assert_int_equal(pace_wait_ms(&p, 5), 0);
}

static void amounts_are_read_with_their_units(void **state)
{
	static const struct {
		const char *text;
		enum amount_unit unit;
		uint64_t value;
	} good[] = {
		{"0", AMOUNT_COUNT, 0},        {"20k", AMOUNT_COUNT, 20000},
		{"2M", AMOUNT_COUNT, 2000000}, {"64KB", AMOUNT_BYTES, 65536},
		{"8mb", AMOUNT_BYTES, 8 << 20}, {"1g", AMOUNT_BYTES, 1 << 30},
		{"250", AMOUNT_TIME, 250},     {"10s", AMOUNT_TIME, 10000},
		{"2m", AMOUNT_TIME, 120000},
	};
	static const char *const bad[] = {"", "x", "-1", "1x", "1 s", "k", "99999999999999999999"};
	struct failure f = {0};
	uint64_t v = 7;

	assert_int_equal(amount_read(NULL, "x", AMOUNT_COUNT, 9, &v, &f), 0);
	assert_int_equal(v, 7);
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(
			amount_read(good[i].text, "x", good[i].unit, 1ull << 40, &v, &f), 0);
		assert_int_equal(v, good[i].value);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (int unit = AMOUNT_COUNT; unit <= AMOUNT_TIME; unit++)
			assert_int_equal(amount_read(bad[i], "x", (enum amount_unit)unit,
						     1ull << 40, &v, &f),
					 -1);
	assert_int_equal(amount_read("11", "x", AMOUNT_COUNT, 10, &v, &f), -1);
	assert_int_equal(f.id, ERROR_USAGE);
}

static void assert_next(const char *id, const char *next)
{
	char out[STREAM_ID_LEN];

	stream_id_next(span_of(id), out);
	assert_string_equal(out, next);
}

static void the_id_after_one_is_the_least_above_it(void **state)
{
	assert_next("1-1", "1-2");
	assert_next("0-0", "0-1");
	assert_next("1526919030474-18446744073709551615", "1526919030475-0");
	assert_next("18446744073709551614-7", "18446744073709551614-8");
}

static void the_state_is_read_as_it_was_written(void **state)
{
	char path[] = "/tmp/flyover-state-XXXXXX";
	struct state_dir d;
	struct failure f = {0};
	struct scan_state in, out = {.source = "redis://a:1", .target = "redis://b:2/3",
				     .run_id = "0123", .db = 9, .cursor = "18446744073709551615",
				     .keys = 5000000000, .gone = 3, .target_was_empty = true};

	assert_non_null(mkdtemp(path));
	assert_int_equal(state_dir_open(&d, path, 0, &f), 0);
	assert_int_equal(scan_state_read(&d, &in, &f), 0);
	assert_int_equal(in.db, -1);
	assert_int_equal(scan_state_write(&d, &out, &f), 0);
	assert_int_equal(scan_state_read(&d, &in, &f), 1);
	assert_string_equal(in.source, out.source);
	assert_string_equal(in.target, out.target);
	assert_string_equal(in.run_id, out.run_id);
	assert_string_equal(in.cursor, out.cursor);
	assert_int_equal(in.db, 9);
	assert_int_equal(in.keys, 5000000000);
	assert_int_equal(in.gone, 3);
	assert_true(in.target_was_empty);
	assert_false(in.complete);
	int fd = openat(d.fd, "scan.json", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "{\"version\": 1, \"db\"", 19), 19);
	close(fd);
	assert_int_equal(scan_state_read(&d, &in, &f), 0); // torn: begin anew
	unlinkat(d.fd, "scan.json", 0);
	unlinkat(d.fd, "lock", 0);
	unlinkat(d.fd, "flyover-state", 0);
	state_dir_close(&d);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_changes_again_waits_once),
		cmocka_unit_test(many_changed_keys_come_in_order),
		cmocka_unit_test(changed_keys_are_bounded_in_bytes),
		cmocka_unit_test(a_rate_is_kept_over_any_amounts),
		cmocka_unit_test(without_a_limit_nothing_waits),
		cmocka_unit_test(amounts_are_read_with_their_units),
		cmocka_unit_test(the_id_after_one_is_the_least_above_it),
		cmocka_unit_test(the_state_is_read_as_it_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
