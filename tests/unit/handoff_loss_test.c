// SPDX-License-Identifier: BSD-3-Clause
// A slot goes to another member and comes back, and a key of it that the other one made vanishes
// there without a word (LPOP of a last element), so that neither stream says what became of it. The
// home was seen without the slot: of what it said before, nothing is left.
#include "dataplane/group/handoff.h"
#include "tests/unit/test.h"

static const struct span key = SPAN_LIT("k");

static uint64_t key_clear(void *owner, unsigned member, int32_t db, struct span name)
{
	unsigned *n_cleared = owner;
	++*n_cleared;
	return 1;
}

static bool is_idle(void *owner, unsigned member)
{
	return true;
}

struct scene {
	struct handoff *h;
	unsigned n_cleared;
	uint64_t offset; // of both streams
};

// Ask both who owns the slot; then all that they have written is answered.
//
// @param node  who speaks for the home, see struct handoff_view
static void views_tell(struct scene *s, unsigned owner, uint64_t node)
{
	unsigned slot = key_slot(key);
	for (unsigned i = 0; i < 2; i++) {
		struct handoff_view view = {.asked_ns = ++s->h->now_ns, .node = i ? 2 : node};
		view.owns[slot / 64] = i == owner ? 1ull << slot % 64 : 0;
		s->h->now_ns++;
		handoff_view(s->h, i, &view);
	}
	s->h->now_ns += 10;
	for (unsigned i = 0; i < 2; i++) {
		handoff_certify(s->h, i, s->h->now_ns, s->offset);
		handoff_frontier(s->h, i, s->offset);
	}
	s->h->now_ns += 10;
}

static enum handoff_verdict say(struct scene *s, unsigned member, struct span verb)
{
	const struct span argv[] = {verb, key, SPAN_LIT("1")};
	struct handoff_at at = {.member = member, .begin = s->offset, .end = s->offset + 10};
	const struct command *c = command_find(verb, (struct span){"", 0});
	assert_non_null(c);
	enum handoff_verdict verdict = handoff_command(s->h, &at, c, argv, 3);
	s->h->saved = s->h->version;
	if (verdict == HANDOFF_WAIT)
		verdict = handoff_command(s->h, &at, c, argv, 3);
	s->offset += 10;
	s->h->now_ns++;
	return verdict;
}

static void scene_start(struct scene *s)
{
	*s = (struct scene){.h = handoff_new(), .offset = 100};
	assert_non_null(s->h);
	s->h->clear = key_clear;
	s->h->is_idle = is_idle;
	s->h->owner = &s->n_cleared;
	s->h->wait_ns_max = 1000;
	s->h->now_ns = 10;
	assert_int_equal(handoff_join(s->h, "home"), 0);
	assert_int_equal(handoff_join(s->h, "other"), 1);
	handoff_home(s->h, key_slot(key), 0);
	views_tell(s, 0, 1);
	assert_int_equal(say(s, 0, SPAN_LIT("RPUSH")), HANDOFF_SEND);
}

// The views that end it, and whether that costs a full sync of the home.
static bool costs_a_full_sync(struct scene *s)
{
	views_tell(s, 0, 1);
	handoff_settle(s->h);
	bool costs = s->h->members[0].resync;
	if (!costs) {
		handoff_settle(s->h);
		assert_int_equal(s->h->n_flux + s->h->n_dirty, 0);
		assert_int_equal(s->n_cleared, 1);
	}
	handoff_free(s->h);
	return costs;
}

static void what_a_member_had_before_it_lost_the_slot_is_gone(void **state)
{
	struct scene s;
	scene_start(&s);
	views_tell(&s, 0, 1); // says how far the stream was ..
	views_tell(&s, 0, 1); // .. before this
	views_tell(&s, 1, 1);
	assert_int_equal(s.h->n_flux, 1);
	assert_int_equal(say(&s, 1, SPAN_LIT("RPUSH")), HANDOFF_CLEAR);
	assert_int_equal(say(&s, 1, SPAN_LIT("LPOP")), HANDOFF_SEND);
	assert_false(costs_a_full_sync(&s));
}

// It may have been written to as the slot was on its way back already.
static void what_it_wrote_after_that_may_be_there(void **state)
{
	struct scene s;
	scene_start(&s);
	views_tell(&s, 1, 1);
	assert_int_equal(say(&s, 1, SPAN_LIT("RPUSH")), HANDOFF_CLEAR);
	assert_true(costs_a_full_sync(&s));
}

// One that never owned it has deleted nothing, nor has one that was not asked.
static void another_server_of_the_shard_proves_nothing(void **state)
{
	for (uint64_t node = 0; node < 4; node += 3) {
		struct scene s;
		scene_start(&s);
		views_tell(&s, 0, 1);
		views_tell(&s, 0, 1);
		views_tell(&s, 1, node);
		assert_int_equal(say(&s, 1, SPAN_LIT("RPUSH")), HANDOFF_CLEAR);
		assert_true(costs_a_full_sync(&s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_member_had_before_it_lost_the_slot_is_gone),
		cmocka_unit_test(what_it_wrote_after_that_may_be_there),
		cmocka_unit_test(another_server_of_the_shard_proves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
