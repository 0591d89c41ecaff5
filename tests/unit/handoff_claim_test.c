// SPDX-License-Identifier: BSD-3-Clause
// Full syncs among slots that move: what they pass over, what they may undo, what a crash leaves of
// them.
#include <stdlib.h>
#include <string.h>

#include "dataplane/group/handoff.h"
#include "tests/unit/test.h"

#define SLOT 5061 // of the key "bar"
#define KEY  SPAN_LIT("bar")

static uint8_t member_of(void *owner, struct span node)
{
	return node.len == 5 ? (uint8_t)(node.p[4] - '0') : HANDOFF_NOBODY;
}

static uint64_t key_clear(void *owner, unsigned member, int32_t db, struct span key)
{
	return 1;
}

static bool is_idle(void *owner, unsigned member)
{
	return true;
}

static struct handoff *handoff_begin(void)
{
	struct handoff *h = handoff_new();
	assert_non_null(h);
	h->member_of = member_of;
	h->clear = key_clear;
	h->is_idle = is_idle;
	h->wait_ns_max = h->third_ns_max = 1000000;
	h->now_ns = 10;
	return h;
}

static struct handoff *handoff_of(unsigned home)
{
	struct handoff *h = handoff_begin();
	assert_int_equal(handoff_join(h, "shard-0"), 0);
	assert_int_equal(handoff_join(h, "shard-1"), 1);
	handoff_home(h, SLOT, home);
	h->saved = h->version;
	return h;
}

// Its master says now whether it owns the slot, and no other.
static void view(struct handoff *h, unsigned member, bool owns)
{
	struct handoff_view v = {.asked_ns = h->now_ns};
	v.owns[SLOT / 64] |= (uint64_t)owns << SLOT % 64;
	handoff_view(h, member, &v);
}

static void claim(struct handoff *h, unsigned member, bool owns)
{
	h->now_ns += 10;
	view(h, member, owns);
	h->now_ns += 10;
	handoff_claim(h, member);
}

static void load_over(struct handoff *h, unsigned member)
{
	h->saved = h->version;
	assert_true(handoff_may_load(h, member));
	handoff_loaded(h, member);
	h->saved = h->version;
}

static enum handoff_verdict task_says(struct handoff *h, unsigned member, uint64_t offset,
				      const char *state)
{
	char text[80];
	snprintf(text, sizeof(text), "t1:node%u:node%u:import:%s:%u-%u", !member, member, state,
		 SLOT, SLOT);
	const struct handoff_at at = {.member = member, .begin = offset, .end = offset + 10};
	const struct span argv[] = {SPAN_LIT("CLUSTER"), SPAN_LIT("SYNCSLOTS"), SPAN_LIT("CONF"),
				    SPAN_LIT("ASM-TASK"), span_of(text)};
	enum handoff_verdict verdict = handoff_control(h, &at, argv, 5);
	h->saved = h->version;
	return verdict == HANDOFF_WAIT ? handoff_control(h, &at, argv, 5) : verdict;
}

static enum handoff_verdict slot_trimmed(struct handoff *h, unsigned member, uint64_t offset)
{
	const struct handoff_at at = {.member = member, .begin = offset, .end = offset + 10};
	const struct span argv[] = {SPAN_LIT("TRIMSLOTS"), SPAN_LIT("RANGES"), SPAN_LIT("1"),
				    SPAN_LIT("5061"), SPAN_LIT("5061")};
	return handoff_control(h, &at, argv, 5);
}

// What a life after a crash now would find.
static struct handoff *after_crash(const struct handoff *h)
{
	struct handoff *next = handoff_begin();
	char *text;
	size_t len = handoff_text(h, &text);
	assert_true(len > 0);
	assert_int_equal(handoff_parse(next, (struct span){text, len}), 0);
	free(text);
	return next;
}

static void nothing_is_loaded_before_the_disk_knows(void **state)
{
	struct handoff *h = handoff_of(1);
	claim(h, 0, true);
	assert_int_equal(h->home[SLOT], 0);
	assert_false(handoff_may_load(h, 0));
	h->saved = h->version;
	assert_true(handoff_may_load(h, 0));
	handoff_free(h);
}

static void after_a_crash_it_begins_anew_until_it_is_over(void **state)
{
	struct handoff *h = handoff_of(1), *next = after_crash(h);
	assert_false(next->members[0].resync);
	handoff_free(next);
	claim(h, 0, true);
	next = after_crash(h);
	assert_true(next->members[0].resync);
	assert_false(next->members[1].resync);
	handoff_free(next);
	load_over(h, 0);
	next = after_crash(h);
	assert_false(next->members[0].resync);
	view(next, 0, true);
	assert_false(next->dirty[SLOT]);
	handoff_free(next);
	handoff_free(h);
}

// It may have lost a slot before the full sync began, and after it was asked.
static void what_no_view_has_borne_out_is_doubted_after_a_crash_too(void **state)
{
	struct handoff *h = handoff_of(1), *next;
	claim(h, 0, true);
	load_over(h, 0);
	next = after_crash(h);
	view(next, 0, false);
	assert_true(next->dirty[SLOT]);
	handoff_free(next);
	h->now_ns++;
	view(h, 0, true);
	assert_true(h->version > h->saved);
	next = after_crash(h);
	view(next, 0, false);
	assert_false(next->dirty[SLOT]);
	handoff_free(next);
	handoff_free(h);
}

static void of_two_that_claim_a_slot_the_later_one_has_it(void **state)
{
	struct handoff *h = handoff_of(0);
	claim(h, 0, true);
	claim(h, 1, true);
	h->saved = h->version;
	assert_false(handoff_loads(h, 0, 0, KEY, 100));
	assert_false(handoff_sweeps(h, 0, 0, KEY));
	assert_true(handoff_may_load(h, 0));
	assert_false(handoff_may_load(h, 1)); // what the first has on its way comes to the target
	handoff_loaded(h, 0);
	h->saved = h->version;
	assert_true(handoff_may_load(h, 1));
	assert_true(handoff_loads(h, 1, 0, KEY, 100));
	assert_true(handoff_sweeps(h, 1, 0, KEY));
	handoff_free(h);
}

// The snapshot is of the offer: it may show a task that is over when its master says what it owns.
static void what_a_task_brought_after_the_snapshot_is_not_taken_for_loaded(void **state)
{
	static const char *const ends[] = {"completed", "failed"};
	for (unsigned i = 0; i < 2; i++) {
		struct handoff *h = handoff_of(1);
		claim(h, 0, true);
		handoff_snapshot_task(h, 0, SPAN_LIT("t1:node1:node0:import:streaming:5061-5061"),
				      100);
		load_over(h, 0);
		h->now_ns++;
		handoff_certify(h, 0, h->now_ns, 500);
		assert_int_equal(task_says(h, 0, 200, ends[i]), HANDOFF_SKIP);
		assert_true(h->dirty[SLOT]);
		handoff_free(h);
	}
}

// As above, but the task began after the offer as well.
static void nor_what_one_that_began_after_it_brought(void **state)
{
	struct handoff *h = handoff_of(1);
	claim(h, 0, true);
	handoff_certify(h, 0, h->now_ns, 500); // all of it was written before the claim
	load_over(h, 0);
	assert_int_equal(task_says(h, 0, 200, "connecting"), HANDOFF_SKIP);
	assert_int_equal(task_says(h, 0, 300, "completed"), HANDOFF_SKIP);
	assert_true(h->dirty[SLOT]);
	handoff_free(h);
}

// The home has lost the slot twice. What gave it away first was passed over, and what it says of
// itself is of the time between.
static void a_slot_that_was_lost_twice_is_not_given_away_by_the_first_loss(void **state)
{
	struct handoff *h = handoff_of(1);
	h->now_ns = 20;
	handoff_certify(h, 1, 20, 100);
	claim(h, 0, false);
	load_over(h, 0);
	h->now_ns = 60;
	view(h, 1, true);
	assert_int_equal(slot_trimmed(h, 1, 150), HANDOFF_SKIP);
	handoff_frontier(h, 1, 160);
	h->now_ns = 70;
	assert_int_equal(task_says(h, 0, 1000, "connecting"), HANDOFF_SKIP);
	assert_int_equal(task_says(h, 0, 1010, "completed"), HANDOFF_WAIT);
	assert_int_equal(h->home[SLOT], 1);
	h->now_ns = 80; // all that it had written by now has been answered
	handoff_certify(h, 1, 80, 300);
	handoff_frontier(h, 1, 300);
	assert_int_equal(task_says(h, 0, 1010, "completed"), HANDOFF_SKIP);
	assert_int_equal(h->home[SLOT], 0);
	handoff_free(h);
}

static void but_by_a_loss_that_no_full_sync_has_passed_over(void **state)
{
	struct handoff *h = handoff_of(1);
	claim(h, 0, false);
	load_over(h, 0);
	h->now_ns = 60;
	view(h, 1, true);
	handoff_certify(h, 1, 60, 100);
	assert_int_equal(slot_trimmed(h, 1, 150), HANDOFF_SKIP);
	h->now_ns = 70;
	assert_int_equal(task_says(h, 0, 1000, "connecting"), HANDOFF_SKIP);
	assert_int_equal(task_says(h, 0, 1010, "completed"), HANDOFF_SKIP);
	assert_int_equal(h->home[SLOT], 0);
	assert_false(h->dirty[SLOT]);
	handoff_free(h);
}

// Copies that it had before a task came on top of them: the snapshot does not tell them apart.
static void litter_outlives_a_full_sync_that_was_cut_off(void **state)
{
	struct handoff *h = handoff_of(1);
	claim(h, 0, false);
	assert_false(handoff_loads(h, 0, 0, KEY, 100));
	assert_int_equal(h->litter[SLOT], 1);
	load_over(h, 0);
	assert_int_equal(task_says(h, 0, 1000, "connecting"), HANDOFF_SKIP);
	claim(h, 0, false);
	assert_int_equal(h->litter[SLOT], 0);
	struct handoff *next = after_crash(h);
	assert_int_equal(next->litter[SLOT], 1);
	handoff_free(next);
	claim(h, 0, false);
	handoff_snapshot_task(h, 0, SPAN_LIT("t1:node1:node0:import:streaming:5061-5061"), 2000);
	assert_int_equal(h->litter[SLOT], 1);
	handoff_free(h);
}

static const struct span restore[] = {SPAN_LIT("RESTORE-ASKING"), SPAN_LIT("bar"), SPAN_LIT("0"),
				      SPAN_LIT("x")};

static enum handoff_verdict key_arrives(struct handoff *h, unsigned member)
{
	const struct command *c = command_find(restore[0], (struct span){"", 0});
	const struct handoff_at at = {.member = member, .begin = 5000, .end = 5010};
	return handoff_command(h, &at, c, restore, 4);
}

// It got the key from the home before the task, or from it afterwards, for all that is known.
static void keys_of_a_giver_that_is_not_the_home_may_be_of_another_time(void **state)
{
	struct handoff *h = handoff_of(0);
	h->now_ns = 20;
	assert_int_equal(key_arrives(h, 1), HANDOFF_WAIT); // for the disk
	h->saved = h->version;
	assert_int_equal(key_arrives(h, 1), HANDOFF_CLEAR);
	assert_int_equal(task_says(h, 0, 1000, "connecting"), HANDOFF_SKIP);
	assert_int_equal(task_says(h, 0, 1010, "completed"), HANDOFF_WAIT);
	h->now_ns = 40;
	handoff_certify(h, 1, 40, 6000);
	handoff_frontier(h, 1, 6000);
	assert_int_equal(task_says(h, 0, 1010, "completed"), HANDOFF_SKIP);
	assert_int_equal(h->home[SLOT], 0);
	assert_true(h->dirty[SLOT]);
	handoff_free(h);
}

static void what_a_holder_has_lost_the_target_has_still(void **state)
{
	struct handoff *h = handoff_of(0);
	h->now_ns = 20;
	assert_int_equal(key_arrives(h, 1), HANDOFF_WAIT);
	h->saved = h->version;
	assert_int_equal(key_arrives(h, 1), HANDOFF_CLEAR);
	assert_false(h->keys[h->first_key[SLOT] - 1].spoilt);
	assert_int_equal(slot_trimmed(h, 1, 5010), HANDOFF_SKIP);
	assert_true(h->keys[h->first_key[SLOT] - 1].spoilt);
	handoff_free(h);
}

// What is judged as before can be read again for a target that comes back older.
static void only_slots_that_change_hands_have_moved(void **state)
{
	struct handoff *h = handoff_of(1);
	claim(h, 1, true);
	assert_false(handoff_moves(h));
	load_over(h, 1);
	view(h, 1, true);
	assert_int_equal(task_says(h, 0, 1000, "connecting"), HANDOFF_SKIP);
	assert_int_equal(task_says(h, 0, 1010, "failed"), HANDOFF_SKIP);
	assert_false(handoff_moves(h));
	h->now_ns += 10;
	handoff_certify(h, 0, h->now_ns, 4000);
	assert_int_equal(key_arrives(h, 0), HANDOFF_WAIT); // for the disk
	assert_int_equal(h->n_flux, 1);
	assert_false(handoff_moves(h));
	h->saved = h->version;
	assert_int_equal(key_arrives(h, 0), HANDOFF_CLEAR);
	assert_true(handoff_moves(h));
	assert_true(handoff_moves(h)); // as long as it is in flux
	handoff_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_loaded_before_the_disk_knows),
		cmocka_unit_test(after_a_crash_it_begins_anew_until_it_is_over),
		cmocka_unit_test(what_no_view_has_borne_out_is_doubted_after_a_crash_too),
		cmocka_unit_test(of_two_that_claim_a_slot_the_later_one_has_it),
		cmocka_unit_test(what_a_task_brought_after_the_snapshot_is_not_taken_for_loaded),
		cmocka_unit_test(nor_what_one_that_began_after_it_brought),
		cmocka_unit_test(a_slot_that_was_lost_twice_is_not_given_away_by_the_first_loss),
		cmocka_unit_test(but_by_a_loss_that_no_full_sync_has_passed_over),
		cmocka_unit_test(litter_outlives_a_full_sync_that_was_cut_off),
		cmocka_unit_test(keys_of_a_giver_that_is_not_the_home_may_be_of_another_time),
		cmocka_unit_test(what_a_holder_has_lost_the_target_has_still),
		cmocka_unit_test(only_slots_that_change_hands_have_moved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
