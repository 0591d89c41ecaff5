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

// The first member owns the slot of the key, the other one takes it in.
//
// @param gives  so says the first, too
static void views_tell(struct handoff *h, bool gives)
{
	unsigned slot = key_slot(key);
	struct handoff_view owner = {.asked_ns = ++h->now_ns}, other = owner;
	owner.owns[slot / 64] = other.takes[slot / 64] = 1ull << slot % 64;
	owner.gives[slot / 64] = gives ? owner.owns[slot / 64] : 0;
	handoff_view(h, 0, &owner);
	handoff_view(h, 1, &other);
	h->now_ns += 10;
	for (unsigned i = 0; i < 2; i++) {
		handoff_certify(h, i, h->now_ns, 100);
		handoff_frontier(h, i, 100);
	}
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
		cmocka_unit_test(keys_on_their_way_are),
		cmocka_unit_test(a_move_that_its_owner_has_taken_back_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
