// SPDX-License-Identifier: BSD-3-Clause
// Members whose shard is no more: what became of their slots has to be proved, or is synced anew.
#include <errno.h>
#include "dataplane/group/handoff.h"
#include "tests/unit/test.h"

#define SLOT 7

static uint64_t key_clear(void *owner, unsigned member, int32_t db, struct span key)
{
	return 1;
}

static bool is_idle(void *owner, unsigned member)
{
	return true;
}

static struct handoff *handoff_of(unsigned n_members)
{
	struct handoff *h = handoff_new();
	char name[16];
	assert_non_null(h);
	h->clear = key_clear;
	h->is_idle = is_idle;
	h->now_ns = 10;
	for (unsigned i = 0; i < n_members; i++) {
		snprintf(name, sizeof(name), "shard-%u", i);
		assert_int_equal(handoff_join(h, name), i);
	}
	return h;
}

// A member says that it owns the slot, and its stream is past that.
static void member_claims(struct handoff *h, unsigned member)
{
	struct handoff_view view = {.asked_ns = ++h->now_ns};
	view.owns[SLOT / 64] |= 1ull << SLOT % 64;
	handoff_view(h, member, &view);
	h->now_ns += 10;
	handoff_certify(h, member, h->now_ns, 100);
	handoff_frontier(h, member, 100);
	handoff_settle(h);
}

static void what_it_had_is_synced_anew_by_who_owns_it(void **state)
{
	struct handoff *h = handoff_of(2);
	handoff_home(h, SLOT, 0);
	assert_true(handoff_holds(h, 0));
	handoff_forget(h, 0);
	assert_false(h->members[1].resync);
	member_claims(h, 1);
	assert_true(h->members[1].resync);
	handoff_claim(h, 1);
	assert_int_equal(h->home[SLOT], 1);
	assert_false(handoff_holds(h, 0));
	assert_int_equal(h->n_flux + h->n_dirty, 0);
	handoff_free(h);
}

static void what_it_had_handed_over_before_needs_nothing(void **state)
{
	struct handoff *h = handoff_of(2);
	handoff_home(h, SLOT, 1);
	handoff_forget(h, 0);
	member_claims(h, 1);
	assert_false(h->members[1].resync);
	assert_int_equal(h->n_flux + h->n_dirty, 0);
	handoff_free(h);
}

static void its_number_serves_another_one_only_when_nothing_is_left_of_it(void **state)
{
	struct handoff *h = handoff_of(MEMBERS_MAX);
	assert_int_equal(handoff_join(h, "new"), -ENOSPC);
	handoff_home(h, SLOT, 5);
	handoff_forget(h, 5);
	assert_int_equal(handoff_join(h, "new"), -ENOSPC);
	member_claims(h, 6);
	handoff_claim(h, 6);
	h->members[5].frontier = 1234;
	h->members[5].touched[SLOT].sent = 1234;
	assert_int_equal(handoff_join(h, "new"), 5);
	assert_string_equal(h->members[5].name, "new");
	assert_int_equal(h->members[5].frontier, 0);
	assert_int_equal(h->members[5].touched[SLOT].sent, 0);
	assert_int_equal(handoff_join(h, "new"), 5);
	assert_int_equal(h->n_members, MEMBERS_MAX);
	handoff_free(h);
}

// It has nothing: that its server is emptied is nobody's loss.
static void flushall_of_a_shard_without_slots_is_skipped(void **state)
{
	static const struct span argv[] = {SPAN_LIT("FLUSHALL")};
	const struct command *c = command_find(argv[0], (struct span){"", 0});
	struct handoff *h = handoff_of(2);
	struct handoff_at at = {.member = 0, .begin = 0, .end = 20};
	handoff_home(h, SLOT, 1);
	assert_int_equal(handoff_command(h, &at, c, argv, 1), HANDOFF_SKIP);
	at.member = 1;
	assert_int_equal(handoff_command(h, &at, c, argv, 1), HANDOFF_RESYNC);
	handoff_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_had_is_synced_anew_by_who_owns_it),
		cmocka_unit_test(what_it_had_handed_over_before_needs_nothing),
		cmocka_unit_test(its_number_serves_another_one_only_when_nothing_is_left_of_it),
		cmocka_unit_test(flushall_of_a_shard_without_slots_is_skipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
