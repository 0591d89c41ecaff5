// SPDX-License-Identifier: BSD-3-Clause
// The figures of status: how counters become progress, lag, fates and percentiles; and how numbers
// and keys are printed.
#include "tests/unit/test.h"

#include "ctrl/check/tree.h"
#include "ctrl/cli/escape.h"
#include "ctrl/cli/figures.h"
#include "ctrl/daemon/link_numbers.h"

static struct link_slot *slot_new(unsigned lanes)
{
	struct link_slot *s = aligned_alloc(64, sizeof(*s));
	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	atomic_store(&s->state.lanes, lanes);
	return s;
}

static void fates_add_up_even_when_counters_come_in_another_order(void **state)
{
	struct link_slot *s = slot_new(3);
	struct link_numbers n;
	for (unsigned i = 0; i < 4; i++) {
		counter_set(&s->lanes[i].applied_commands, 10);
		counter_set(&s->lanes[i].parked_commands, 1);
	}
	counter_set(&s->state.counters.filtered_commands, 5);
	counter_set(&s->state.counters.received_commands, 40);
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.applied, 30); // the fourth lane is not in use
	assert_int_equal(n.parked, 3);
	assert_int_equal(n.received, 40);
	assert_int_equal(n.in_flight, 2);
	counter_set(&s->state.counters.received_commands, 20); // seen late
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.in_flight, 0);
	assert_int_equal(n.received, n.applied + n.filtered + n.parked);
	atomic_store(&s->state.lanes, 99); // nonsense from the other process
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.applied, 40);
	free(s);
}

static void lag_counts_from_the_newest_that_is_known(void **state)
{
	struct link_slot *s = slot_new(1);
	struct source_counters *c = &s->state.counters;
	struct link_numbers n;
	counter_set(&c->frontier_offset, 100);
	counter_set(&c->received_offset, 150);
	counter_set(&c->oldest_unapplied_ms, 5000);
	link_numbers_read(s, PHASE_STREAM, 5030, &n);
	assert_int_equal(n.lag_bytes, 50);
	assert_int_equal(n.lag_ms, 30);
	counter_set(&c->source_offset, 400);
	link_numbers_read(s, PHASE_DRAINING, 4000, &n); // a clock that was set back
	assert_int_equal(n.lag_bytes, 300);
	assert_int_equal(n.lag_ms, 0);
	link_numbers_read(s, PHASE_SNAPSHOT, 5030, &n);
	assert_int_equal(n.lag_bytes, 0);
	free(s);
}

static void percent_is_of_bytes_or_of_keys_and_whole_only_at_the_end(void **state)
{
	struct link_slot *s = slot_new(1);
	struct source_counters *c = &s->state.counters;
	struct link_numbers n;
	link_numbers_read(s, PHASE_SNAPSHOT, 0, &n);
	assert_int_equal(n.percent, 0);
	counter_set(&c->snapshot_total_keys, 200);
	counter_set(&c->snapshot_keys, 50);
	link_numbers_read(s, PHASE_SNAPSHOT, 0, &n);
	assert_int_equal(n.percent, 25);
	counter_set(&c->snapshot_total_bytes, 1000);
	counter_set(&c->snapshot_bytes, 1000);
	link_numbers_read(s, PHASE_SNAPSHOT, 0, &n);
	assert_int_equal(n.percent, 99);
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.percent, 100);
	link_numbers_read(s, PHASE_FAILED, 0, &n);
	assert_int_equal(n.percent, 99);
	counter_set(&c->frontier_offset, 1);
	link_numbers_read(s, PHASE_CONNECTING, 0, &n); // again, with the snapshot loaded
	assert_int_equal(n.percent, 100);
	free(s);
}

static void percentiles_come_from_all_lanes(void **state)
{
	struct link_slot *s = slot_new(2);
	struct link_numbers n;
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.p999_us, 0);
	counter_set(&s->lanes[0].latency_us[latency_bucket(10)], 500);
	counter_set(&s->lanes[1].latency_us[latency_bucket(12)], 485);
	counter_set(&s->lanes[1].latency_us[latency_bucket(1000)], 14);
	counter_set(&s->lanes[0].latency_us[latency_bucket(1 << 20)], 1);
	link_numbers_read(s, PHASE_STREAM, 0, &n);
	assert_int_equal(n.p50_us, 12);
	assert_in_range(n.p99_us, 875, 1000);
	assert_in_range(n.p999_us, 1 << 19, 1 << 20);
	free(s);
}

static void numbers_are_printed_for_people(void **state)
{
	char text[24];
	assert_string_equal(figure_count(0, text), "0");
	assert_string_equal(figure_count(999, text), "999");
	assert_string_equal(figure_count(1234567, text), "1,234,567");
	assert_string_equal(figure_count(UINT64_MAX, text), "18446744073709551615");
	assert_string_equal(figure_short(999, text), "999");
	assert_string_equal(figure_short(12345, text), "12.3k");
	assert_string_equal(figure_short(4.1e6, text), "4.1M");
	assert_string_equal(figure_bytes(512, text), "512 B");
	assert_string_equal(figure_bytes(1536, text), "1.5 KB");
	assert_string_equal(figure_bytes(200.0 * (1 << 20), text), "200 MB");
}

static void keys_are_escaped(void **state)
{
	char *text = escape_text("a b\"\\\n\r\t\0\x7f\xff", 11);
	assert_string_equal(text, "a b\\\"\\\\\\n\\r\\t\\x00\\x7f\\xff");
	free(text);
}

// [[name, g1, pending, [1, 2]], [name, g2]]
static void maps_are_found_in_a_reply(void **state)
{
	const struct resp_value v[] = {
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_ARRAY, .elements = 4},
		{.type = RESP_STRING, .text = SPAN_LIT("pending")},
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_INTEGER, .integer = 2},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_STRING, .text = SPAN_LIT("g1")},
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_STRING, .text = SPAN_LIT("g2")},
	};
	assert_int_equal(tree_skip(v, 11, 1), 8);
	assert_int_equal(tree_skip(v, 11, 8), 11);
	assert_int_equal(tree_skip(v, 11, 0), 11);
	assert_int_equal(tree_skip(v, 5, 1), 5); // cut short
	assert_int_equal(tree_field(v, 11, 1, "name"), 7);
	assert_int_equal(tree_field(v, 11, 1, "pending"), 3);
	assert_int_equal(tree_field(v, 11, 8, "name"), 10);
	assert_int_equal(tree_field(v, 11, 8, "pending"), 0);
	assert_int_equal(tree_field(v, 11, 5, "name"), 0);
	assert_int_equal(tree_field(v, 11, 11, "name"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fates_add_up_even_when_counters_come_in_another_order),
		cmocka_unit_test(lag_counts_from_the_newest_that_is_known),
		cmocka_unit_test(percent_is_of_bytes_or_of_keys_and_whole_only_at_the_end),
		cmocka_unit_test(percentiles_come_from_all_lanes),
		cmocka_unit_test(numbers_are_printed_for_people),
		cmocka_unit_test(keys_are_escaped),
		cmocka_unit_test(maps_are_found_in_a_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
