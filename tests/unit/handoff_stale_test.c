// SPDX-License-Identifier: BSD-3-Clause
// Copies that nobody sees: a server that starts with an old RDB has keys of slots that it has lost
// since, and calls those slots importing. The owner sends nobody there.
#include "dataplane/group/handoff.h"
#include "tests/unit/test.h"

static const struct span key = SPAN_LIT("k");

static uint64_t key_clear(void *owner, unsigned member, int32_t db, struct span name)
{
	return 1;
}

static bool is_idle(void *owner, unsigned member)
{
	return true;
}

// Both were asked, and their streams are past that.
static void views_tell_of(struct handoff *h, struct handoff_view views[2])
{
	h->now_ns++;
	for (unsigned i = 0; i < 2; i++) {
		views[i].asked_ns = h->now_ns;
		handoff_view(h, i, &views[i]);
	}
	h->now_ns += 10;
	for (unsigned i = 0; i < 2; i++) {
		handoff_certify(h, i, h->now_ns, 100);
		handoff_frontier(h, i, 100);
	}
}

static void slot_add(uint64_t *slots)
{
	slots[key_slot(key) / 64] |= 1ull << key_slot(key) % 64;
}

// The first member owns the slot of the key, the other one takes it in.
//
// @param gives  so says the first, too
static void views_tell(struct handoff *h, bool gives)
{
	struct handoff_view views[2] = {0};
	slot_add(views[0].owns);
	slot_add(views[1].takes);
	if (gives)
		slot_add(views[0].gives);
	views_tell_of(h, views);
}

static struct handoff *handoff_made(bool gives)
{
	struct handoff *h = handoff_new();
	assert_non_null(h);
	h->clear = key_clear;
	h->is_idle = is_idle;
	h->now_ns = 10;
	assert_int_equal(handoff_join(h, "owner"), 0);
	assert_int_equal(handoff_join(h, "other"), 1);
	handoff_home(h, key_slot(key), 0);
	views_tell(h, gives);
	return h;
}

// Whether the key of the other member's snapshot goes to the target.
static bool is_loaded(struct handoff *h)
{
	handoff_claim(h, 1);
	bool loads = handoff_loads(h, 1, 0, key, 200);
	handoff_loaded(h, 1);
	return loads;
}

static void they_are_not_loaded(void **state)
{
	struct handoff *h = handoff_made(false);
	assert_false(is_loaded(h));
	assert_int_equal(h->n_flux + h->n_dirty, 0);
	assert_false(handoff_sweeps(h, 1, 0, key));
	handoff_claim(h, 0);
	assert_true(handoff_loads(h, 0, 0, key, 200));
	handoff_free(h);
}

// No snapshot was taken since: should the slot come to it by and by, they are there.
static void they_make_a_slot_dirty_that_moves_there(void **state)
{
	for (int looks = 1; looks < 3; looks++) {
		struct handoff *h = handoff_made(false);
		struct handoff_view moved[2] = {0};
		if (looks > 1)
			views_tell(h, false);
		slot_add(moved[1].owns);
		for (unsigned i = 0; i < 2; i++) {
			views_tell_of(h, moved);
			handoff_settle(h);
		}
		assert_int_equal(h->home[key_slot(key)], 1);
		assert_int_equal(h->members[1].resync, looks > 1);
		handoff_free(h);
	}
}

static void keys_on_their_way_are(void **state)
{
	struct handoff *h = handoff_made(true);
	assert_true(is_loaded(h));
	assert_int_equal(h->n_flux, 1);
	handoff_free(h);
}

// .. though the other one calls it importing for ever.
static void a_move_that_its_owner_has_taken_back_is_over(void **state)
{
	struct handoff *h = handoff_made(true);
	assert_true(is_loaded(h));
	views_tell(h, true);
	handoff_settle(h);
	assert_int_equal(h->n_flux, 1);
	assert_false(h->members[0].resync);
	views_tell(h, false);
	handoff_settle(h);
	assert_true(
		h->members[0].resync); // which copy the target has depends on who was read first
	handoff_claim(h, 0);
	assert_true(handoff_loads(h, 0, 0, key, 300));
	handoff_loaded(h, 0);
	views_tell(h, false);
	handoff_settle(h);
	assert_int_equal(h->n_flux + h->n_dirty, 0);
	handoff_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_not_loaded),
		cmocka_unit_test(they_make_a_slot_dirty_that_moves_there),
		cmocka_unit_test(keys_on_their_way_are),
		cmocka_unit_test(a_move_that_its_owner_has_taken_back_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
