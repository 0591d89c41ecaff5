// SPDX-License-Identifier: BSD-3-Clause
// The two witnesses: the checkpoint as text, the chain of ids, and what is made of markers and
// checkpoint together.
#include <errno.h>

#include "dataplane/resume.h"
#include "tests/unit/test.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

// ---- Chain

static void old_ids_are_proven_up_to_their_end(void **state)
{
	struct chain c = {0};
	uint64_t end;
	assert_string_equal(chain_newest(&c), "");
	assert_int_equal(chain_look(&c, A, 1, NULL), CHAIN_UNKNOWN);
	chain_begin(&c, A, 100);
	chain_rename(&c, B, 150);
	chain_rename(&c, B, 160); // the same: nothing changes
	chain_rename(&c, C, 170);
	assert_int_equal(c.n, 3);
	assert_string_equal(chain_newest(&c), C);
	assert_int_equal(chain_look(&c, A, 150, &end), CHAIN_PROVEN);
	assert_int_equal(end, 150);
	assert_int_equal(chain_look(&c, A, 151, NULL), CHAIN_BEHIND);
	assert_int_equal(chain_look(&c, B, 170, NULL), CHAIN_PROVEN);
	assert_int_equal(chain_look(&c, B, 171, NULL), CHAIN_BEHIND);
	assert_int_equal(chain_look(&c, C, UINT64_MAX, NULL), CHAIN_PROVEN);
	chain_begin(&c, B, 7);
	assert_int_equal(chain_look(&c, A, 1, NULL), CHAIN_UNKNOWN);
}

// Who goes on from a lower offset vouches for nothing behind it, under any id.
static void a_rename_further_back_ends_what_it_left(void **state)
{
	struct chain c = {0};
	chain_begin(&c, A, 100);
	chain_rename(&c, B, 150);
	chain_rename(&c, C, 120);
	assert_int_equal(chain_look(&c, A, 120, NULL), CHAIN_PROVEN);
	assert_int_equal(chain_look(&c, A, 121, NULL), CHAIN_BEHIND);
	assert_int_equal(chain_look(&c, B, 121, NULL), CHAIN_BEHIND);
}

static void a_long_chain_forgets_its_oldest_ids(void **state)
{
	struct chain c = {0};
	char id[CHAIN_ID_LEN];
	chain_begin(&c, A, 0);
	for (unsigned i = 0; i < 3 * CHAIN_MAX; i++) {
		snprintf(id, sizeof(id), "%040u", i);
		chain_rename(&c, id, i);
	}
	assert_int_equal(c.n, CHAIN_MAX);
	assert_int_equal(chain_look(&c, A, 0, NULL), CHAIN_UNKNOWN);
	assert_int_equal(chain_look(&c, id, 1, NULL), CHAIN_PROVEN);
}

// ---- Checkpoint

static struct checkpoint checkpoint_made(void)
{
	struct checkpoint c = {
		.link = "orders",
		.target = "10.0.0.1:6379/3",
		.epoch = 7,
		.run = 70,
		.phase = MARKER_STREAM,
		.marked = true,
		.ours = true,
		.exactly_once = true,
		.db = 3,
		.frontier = 1000,
		.kept_replid = A,
		.kept_offset = 500,
		.kept_len = 4321,
		.emptied = true,
		.full_sync_ms = 12345,
		.full_sync = "the target is\nempty: x",
	};
	chain_begin(&c.chain, A, 500);
	chain_rename(&c.chain, B, 900);
	return c;
}

static void checkpoint_comes_back_as_it_was(void **state)
{
	struct checkpoint c = checkpoint_made(), back;
	char text[CHECKPOINT_LEN_MAX], again[CHECKPOINT_LEN_MAX], why[TEXT_LEN];
	size_t len = checkpoint_text(&c, text);
	assert_int_equal(checkpoint_parse(&back, (struct span){text, len}, why), 0);
	assert_string_equal(back.full_sync, "the target is empty: x");
	assert_string_equal(back.target, c.target);
	assert_int_equal(back.frontier, 1000);
	assert_int_equal(back.kept_len, 4321);
	assert_int_equal(back.chain.n, 2);
	assert_true(back.marked && back.ours && back.exactly_once && !back.spoilt);
	assert_true(back.emptied);
	assert_int_equal(checkpoint_text(&back, again), len);
	assert_memory_equal(text, again, len);
}

static void the_longest_checkpoint_fits(void **state)
{
	struct checkpoint c = checkpoint_made(), back;
	char text[CHECKPOINT_LEN_MAX], id[CHAIN_ID_LEN], why[TEXT_LEN];
	memset(c.target, 't', sizeof(c.target) - 1);
	memset(c.link, 'l', sizeof(c.link) - 1);
	memset(c.full_sync, 'f', sizeof(c.full_sync) - 1);
	c.epoch = c.run = c.frontier = c.released = c.full_sync_ms = UINT64_MAX;
	c.kept_offset = c.kept_len = UINT64_MAX;
	c.db = INT32_MAX;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		snprintf(id, sizeof(id), "%040u", i);
		chain_rename(&c.chain, id, UINT64_MAX);
	}
	size_t len = checkpoint_text(&c, text);
	assert_in_range(len, 1, CHECKPOINT_LEN_MAX - 1);
	assert_int_equal(checkpoint_parse(&back, (struct span){text, len}, why), 0);
	assert_int_equal(back.frontier, UINT64_MAX);
}

// A torn or changed file is never taken for a checkpoint.
static void damage_is_always_noticed(void **state)
{
	struct checkpoint c = checkpoint_made(), back;
	char text[CHECKPOINT_LEN_MAX], bad[CHECKPOINT_LEN_MAX], why[TEXT_LEN];
	size_t len = checkpoint_text(&c, text);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(checkpoint_parse(&back, (struct span){text, cut}, why), -EBADMSG);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, text, len);
		bad[i] ^= 1 << (i % 8);
		assert_int_equal(checkpoint_parse(&back, (struct span){bad, len}, why), -EBADMSG);
	}
}

// ---- Both witnesses

struct trial {
	struct lane_found found[8];
	unsigned n_found;
	struct checkpoint saved;
	bool has_saved;
	uint64_t n_keys;
	const char *target;
	const uint16_t *owner;
	uint64_t held[SLOT_COUNT];
	struct resume_point at;
};

static void marker_add(struct trial *t, unsigned lane, unsigned n_lanes, const char *replid,
		       uint64_t offset)
{
	struct lane_found *f = &t->found[t->n_found++];
	*f = (struct lane_found){.first_slot = slots_first(lane, n_lanes),
				 .last_slot = slots_first(lane + 1, n_lanes) - 1};
	f->marker = (struct marker){.epoch = 7,
				    .phase = MARKER_STREAM,
				    .offset = offset,
				    .run = 70,
				    .db = (int32_t)(offset % 16)};
	snprintf(f->marker.replid, sizeof(f->marker.replid), "%s", replid);
}

static struct trial trial_made(void)
{
	return (struct trial){.saved = checkpoint_made(),
			      .has_saved = true,
			      .n_keys = 10,
			      .target = "10.0.0.1:6379/3"};
}

static enum resume_case decide(struct trial *t)
{
	static const struct chain no_chain;
	struct resume_facts facts = {.found = t->found,
				     .n_found = t->n_found,
				     .n_keys = t->n_keys,
				     .owner = t->owner,
				     .saved = t->has_saved ? &t->saved : NULL,
				     .chain = t->has_saved ? &t->saved.chain : &no_chain,
				     .target = t->target};
	resume_find(&facts, t->held, &t->at);
	return t->at.kind;
}

#define assert_says(t, words) assert_non_null(strstr((t).at.text, words))

static void both_agree(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 0, 2, B, 1003);
	marker_add(&t, 1, 2, B, 1010);
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, B);
	assert_int_equal(t.at.offset, 1003);
	assert_int_equal(t.at.db, 1003 % 16);
	assert_int_equal(t.at.held_end, 1010);
	assert_int_equal(t.held[SLOT_COUNT - 1], 1010);
	assert_false(t.at.older);
	assert_says(t, "agree");
}

static void an_old_id_counts_as_far_as_the_chain_proves_it(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 0, 2, B, 1003);
	marker_add(&t, 1, 2, A, 900);
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, B);
	assert_int_equal(t.at.offset, 900);
	t.found[0] = t.found[1];
	t.found[0].first_slot = 0;
	t.n_found = 1;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, B);
	t.found[0].marker.offset = 901;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "left at 900");
}

static void without_a_checkpoint_the_markers_alone_count(void **state)
{
	struct trial t = trial_made();
	t.has_saved = false;
	marker_add(&t, 0, 1, A, 1234);
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, A);
	assert_says(t, "no checkpoint");
	marker_add(&t, 0, 1, A, 1000); // of another number of lanes, long ago
	t.found[1].last_slot = 99;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.at.offset, 1234);
	t.n_found = 0;
	assert_int_equal(decide(&t), RESUME_NEW);
}

static void an_older_target_is_fed_again(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 0, 1, B, 950);
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.at.offset, 950);
	assert_true(t.at.older);
	assert_says(t, "older");
}

// What it holds may be what the full sync was for.
static void a_node_older_than_the_full_sync_is_not_fed_again(void **state)
{
	struct trial t = trial_made();
	uint16_t owner[SLOT_COUNT] = {0};
	for (unsigned slot = slots_first(1, 2); slot < SLOT_COUNT; slot++)
		owner[slot] = 1;
	t.owner = owner;
	chain_begin(&t.saved.chain, B, 900);
	marker_add(&t, 0, 1, B, 900);
	marker_add(&t, 0, 1, B, 1000);
	t.found[1].node = 1;
	assert_int_equal(decide(&t), RESUME_AT); // as the full sync left it
	assert_int_equal(t.at.offset, 900);
	assert_int_equal(t.held[0], 900);
	assert_int_equal(t.held[SLOT_COUNT - 1], 1000);
	t.found[0].marker.offset = 899;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "older than the last full sync");
}

// A slot that came to a node since it was told holds what it had where it was: perhaps at a replica
// that took over with less.
static void a_node_that_owns_other_slots_now_is_believed_less(void **state)
{
	struct trial t = trial_made();
	uint16_t owner[SLOT_COUNT] = {0};
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		owner[slot] = slot % 2;
	t.owner = owner;
	marker_add(&t, 0, 1, B, 960);
	marker_add(&t, 0, 1, B, 1000);
	t.found[1].node = 1;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.held[0], 960);
	assert_int_equal(t.held[1], 1000);
	t.found[1].astray = true;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.at.offset, 960);
	assert_int_equal(t.held[0], 960);
	assert_int_equal(t.held[1], 960);
	assert_int_equal(t.at.held_end, 960);
	marker_add(&t, 0, 1, B, 990); // of the slot itself: it came with the keys
	t.found[2].first_slot = t.found[2].last_slot = 1;
	t.found[2].of_slot = true;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.at.offset, 960);
	assert_int_equal(t.held[1], 990);
	t.found[2].of_slot = false; // what a node was told of a part of them
	t.found[2].node = 0;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_int_equal(t.held[1], 960);
}

static void missing_markers_are_explained(void **state)
{
	struct trial t = trial_made();
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "FLUSHALL");
	t.n_keys = 0;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "empty");
	t.target = "10.0.0.2:6379";
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "10.0.0.1:6379/3");
	t.saved.marked = false;
	assert_int_equal(decide(&t), RESUME_NEW);
	marker_add(&t, 0, 1, B, 10);
	t.found[0].marker.phase = MARKER_SNAPSHOT;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "did not reach its end");
}

static void markers_of_half_the_slots_are_not_enough(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 1, 2, B, 1000);
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "every slot");
	marker_add(&t, 0, 2, C, 1000);
	assert_int_equal(decide(&t), RESUME_FULL);
}

static void epoch_decides_between_appliances(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 0, 1, C, 5000);
	t.found[0].marker.epoch = 9;
	t.found[0].marker.run = 71;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, C);
	assert_says(t, "epoch 9");
	// It went on with the old id behind the place where our stream left it: the source decides.
	marker_add(&t, 0, 1, A, 5000);
	t.found[0] = t.found[1];
	t.n_found = 1;
	t.found[0].marker.epoch = 9;
	t.found[0].marker.run = 71;
	assert_int_equal(decide(&t), RESUME_AT);
	assert_string_equal(t.at.replid, A);
	t.found[0].marker.epoch = 7;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "contradict");
}

static void a_life_without_markers_spoils_older_ones(void **state)
{
	struct trial t = trial_made();
	marker_add(&t, 0, 1, B, 1000);
	t.saved.exactly_once = false;
	t.saved.epoch = 8;
	assert_int_equal(decide(&t), RESUME_FULL);
	assert_says(t, "at-least-once");
	t.found[0].marker.epoch = 9;
	t.found[0].marker.run = 71;
	assert_int_equal(decide(&t), RESUME_AT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_ids_are_proven_up_to_their_end),
		cmocka_unit_test(a_rename_further_back_ends_what_it_left),
		cmocka_unit_test(a_long_chain_forgets_its_oldest_ids),
		cmocka_unit_test(checkpoint_comes_back_as_it_was),
		cmocka_unit_test(the_longest_checkpoint_fits),
		cmocka_unit_test(damage_is_always_noticed),
		cmocka_unit_test(both_agree),
		cmocka_unit_test(an_old_id_counts_as_far_as_the_chain_proves_it),
		cmocka_unit_test(without_a_checkpoint_the_markers_alone_count),
		cmocka_unit_test(an_older_target_is_fed_again),
		cmocka_unit_test(a_node_older_than_the_full_sync_is_not_fed_again),
		cmocka_unit_test(a_node_that_owns_other_slots_now_is_believed_less),
		cmocka_unit_test(missing_markers_are_explained),
		cmocka_unit_test(markers_of_half_the_slots_are_not_enough),
		cmocka_unit_test(epoch_decides_between_appliances),
		cmocka_unit_test(a_life_without_markers_spoils_older_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
