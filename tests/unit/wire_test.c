// SPDX-License-Identifier: BSD-3-Clause
// The model of a link: each stage alone, exactly; then all at once, by what must hold of any link.
#include "drivers/wire.h"

#include <errno.h>

#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define MS  1000000ull
#define S   1000000000ull
#define LEN 1000 // bytes of a frame here: 1024 on the wire

static struct wire *wire_of(const struct wire_settings *set)
{
	struct wire *w = NULL;

	assert_int_equal(wire_new(set, 1, &w), 0);
	return w;
}

// A frame that carries its number.
static void put(struct wire *w, uint32_t number, uint32_t len, uint64_t now_ns)
{
	uint8_t frame[9000] = {0};

	memcpy(frame + 14, &number, sizeof(number));
	wire_put(w, frame, len, now_ns);
}

// @return its number, 0: none
static uint32_t take(struct wire *w, uint64_t now_ns)
{
	struct wire_frame *f = wire_take(w, now_ns);
	uint32_t number = 0;

	if (f)
		memcpy(&number, f->bytes + 14, sizeof(number));
	wire_frame_free(f);
	return number;
}

static uint64_t fate(const struct wire *w, enum wire_fate f)
{
	return wire_counters(w)->fates[f];
}

static void a_bare_wire_gives_back_at_once(void **state)
{
	struct wire *w = wire_of(&(struct wire_settings){0});

	assert_int_equal(wire_deadline(w), WIRE_NO_DEADLINE);
	assert_null(wire_take(w, S));
	put(w, 1, LEN, 5);
	put(w, 2, 60, 5);
	assert_int_equal(wire_deadline(w), 5);
	assert_int_equal(take(w, 5), 1);
	assert_int_equal(take(w, 5), 2);
	assert_int_equal(take(w, 5), 0);
	assert_int_equal(wire_drops(w), 0);
	assert_int_equal(wire_counters(w)->put_bytes, LEN + 60);
	assert_int_equal(wire_counters(w)->taken_bytes, LEN + 60);
	wire_free(w);
}

static void pieces_become_one_frame(void **state)
{
	struct wire *w = wire_of(&(struct wire_settings){0});
	const struct iovec pieces[] = {{"head", 4}, {NULL, 0}, {"body", 4}};

	wire_putv(w, pieces, 3, 0);
	struct wire_frame *f = wire_take(w, 0);
	assert_int_equal(f->len, 8);
	assert_memory_equal(f->bytes, "headbody", 8);
	wire_frame_free(f);
	wire_free(w);
}

static void rate_spaces_frames_and_delay_adds(void **state)
{
	// 1024 bytes at 1 Gbit/s are 8192 ns.
	struct wire *w = wire_of(&(struct wire_settings){.path = {S, 10 * MS, 0}});

	put(w, 1, LEN, 100);
	put(w, 2, LEN, 100);
	put(w, 3, 20, 100); // 84 bytes on the wire, whatever the frame holds
	assert_int_equal(wire_backlog(w, 100), 1024 + 1024 + 84);
	assert_int_equal(wire_deadline(w), 100 + 8192 + 10 * MS);
	assert_int_equal(take(w, 100 + 8191 + 10 * MS), 0);
	assert_int_equal(take(w, 100 + 8192 + 10 * MS), 1);
	assert_int_equal(wire_deadline(w), 100 + 2 * 8192 + 10 * MS);
	assert_int_equal(take(w, S), 2);
	assert_int_equal(wire_deadline(w), 100 + 2 * 8192 + 672 + 10 * MS);
	assert_int_equal(wire_backlog(w, 100 + 8192 + 4096), 512 + 84);
	assert_int_equal(take(w, S), 3);
	wire_free(w);
}

static void steps_change_rate_in_mid_frame(void **state)
{
	struct wire_settings set = {
		.path = {S, 0, 0}, .n_steps = 2, .steps = {{4096, {S / 2, 0, 0}}, {S, {0, 0, 0}}}};
	struct wire *w = wire_of(&set);

	put(w, 1, LEN, 0); // half of it at the old rate, half at half of it
	assert_int_equal(wire_backlog(w, 0), 1024);
	assert_int_equal(wire_deadline(w), 4096 + 8192);
	wire_free(w);
}

static void a_shorter_way_lets_nobody_overtake(void **state)
{
	struct wire_settings set = {
		.path = {0, 50 * MS, 0}, .n_steps = 1, .steps = {{10 * MS, {0, 5 * MS, 0}}}};
	struct wire *w = wire_of(&set);

	put(w, 1, LEN, 9 * MS);
	put(w, 2, LEN, 10 * MS);
	put(w, 3, LEN, 100 * MS);
	assert_int_equal(take(w, 59 * MS), 1);
	assert_int_equal(take(w, 59 * MS), 2);
	assert_int_equal(wire_deadline(w), 105 * MS);
	wire_free(w);
}

struct told {
	unsigned n;
	uint16_t mtu;
};

static void tell(void *owner, const uint8_t *frame, uint32_t len, uint16_t mtu)
{
	struct told *t = owner;

	t->n++;
	t->mtu = mtu;
}

static void mtu_cuts_and_tells(void **state)
{
	struct told told = {0};
	struct wire *w = wire_of(
		&(struct wire_settings){.path = {.mtu = 1280}, .too_big = tell, .owner = &told});
	uint8_t tagged[1299] = {[12] = 0x81};

	put(w, 1, 1294, 0);
	put(w, 2, 1295, 0);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.mtu, 1280);
	wire_put(w, tagged, 1298, 0); // a tag is none of the packet's bytes
	wire_put(w, tagged, 1299, 0);
	assert_int_equal(fate(w, WIRE_TOO_BIG), 2);
	assert_int_equal(told.n, 2);
	wire_free(w);

	w = wire_of(&(struct wire_settings){.path = {.mtu = 1280}});
	put(w, 1, 1295, 0);
	assert_int_equal(fate(w, WIRE_TOO_BIG), 1);
	wire_free(w);
}

static void loss_is_as_often_as_asked(void **state)
{
	struct wire *w = wire_of(&(struct wire_settings){.loss = 0.01});

	for (uint32_t i = 1; i <= 100000; i++) {
		put(w, i, 60, i);
		take(w, i);
	}
	assert_in_range(fate(w, WIRE_LOSS), 900, 1100); // 3 sigma are 95
	assert_int_equal(wire_drops(w), fate(w, WIRE_LOSS));
	wire_free(w);
}

static void burst_loss_comes_in_bursts(void **state)
{
	// 1 % of the time in the bad state, 10 frames a visit, all lost.
	struct wire *w = wire_of(&(struct wire_settings){
		.burst_enter = 0.001, .burst_leave = 0.1, .burst_loss_bad = 1});
	unsigned n_runs = 0;
	bool was_lost = false;

	for (uint32_t i = 1; i <= 200000; i++) {
		put(w, i, 60, i);
		bool is_lost = !take(w, i);
		n_runs += is_lost && !was_lost;
		was_lost = is_lost;
	}
	assert_in_range(fate(w, WIRE_BURST), 1500, 2500);
	assert_in_range(fate(w, WIRE_BURST) / n_runs, 8, 12);
	wire_free(w);
}

static enum wire_verdict drop_third(void *owner, const uint8_t *frame, uint32_t len, uint64_t now)
{
	return frame[14] == 3 ? WIRE_DROP : WIRE_PASS;
}

static void chosen_frames_are_lost_and_logged(void **state)
{
	struct wire_settings set = {
		.lose_every = 10, .n_lose = 2, .lose = {7, 15}, .match = drop_third, .log_max = 4};
	struct wire *w = wire_of(&set);
	struct wire_entry log[8];

	for (uint32_t i = 1; i <= 20; i++)
		put(w, i, LEN, i);
	for (uint32_t i = 1; i <= 20; i++)
		if (i != 3 && i != 7 && i != 10 && i != 15 && i != 20)
			assert_int_equal(take(w, 20), i);
	assert_null(wire_take(w, S));
	assert_int_equal(wire_log(w, log, 8), 4); // the newest of five
	const uint64_t numbers[] = {7, 10, 15, 20};
	const enum wire_fate fates[] = {WIRE_LISTED, WIRE_PERIOD, WIRE_LISTED, WIRE_PERIOD};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(log[i].number, numbers[i]);
		assert_int_equal(log[i].fate, fates[i]);
		assert_int_equal(log[i].at_ns, numbers[i]);
		assert_int_equal(log[i].len, LEN);
	}
	assert_int_equal(fate(w, WIRE_MATCHED), 1);
	assert_string_equal(wire_fate_name(WIRE_MATCHED), "matched");
	assert_int_equal(wire_log(w, log, 1), 1);
	assert_int_equal(log[0].number, 20);
	wire_free(w);
}

static void a_full_queue_drops_its_tail(void **state)
{
	struct wire *w =
		wire_of(&(struct wire_settings){.path = {S, 0, 0}, .queue_max = 10 * 1024});

	for (uint32_t i = 1; i <= 12; i++)
		put(w, i, LEN, 0);
	assert_int_equal(fate(w, WIRE_TAIL), 2);
	put(w, 13, LEN, 8191); // one bit too early
	assert_int_equal(fate(w, WIRE_TAIL), 3);
	put(w, 14, LEN, 8192);
	assert_int_equal(fate(w, WIRE_TAIL), 3);
	assert_int_equal(wire_counters(w)->queue_peak, 10 * 1024);
	wire_free(w);
}

// 20 % too much for a second: 1024 bytes each 6827 ns. @return the longest time in the queue after
// the first half
static uint64_t overload(struct wire *w)
{
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < 146000; i++) {
		uint64_t now_ns = i * 6827ull, backlog_ns = wire_backlog(w, now_ns) * 8;
		if (now_ns > S / 2 && backlog_ns > longest_ns)
			longest_ns = backlog_ns;
		put(w, i + 1, LEN, now_ns);
		while (take(w, now_ns))
			;
	}
	return longest_ns;
}

static void red_drops_before_the_queue_is_full(void **state)
{
	struct wire_settings set = {.path = {S, 0, 0}, .queue_max = 1250000, .queue = WIRE_RED};
	struct wire *w = wire_of(&set);

	overload(w);
	assert_true(fate(w, WIRE_EARLY) > 10000); // the 20 % that are too much, but the first ones
	assert_int_equal(fate(w, WIRE_TAIL), 0);
	wire_free(w);
}

static void codel_bounds_the_time_in_the_queue(void **state)
{
	struct wire_settings set = {.path = {S, 0, 0}, .queue_max = 125000000};
	struct wire *w = wire_of(&set);
	uint64_t tail_ns = overload(w);
	wire_free(w);

	set.queue = WIRE_CODEL;
	w = wire_of(&set);
	// CoDel's answer to who does not yield grows with the root of time: slower, but it is
	// there.
	assert_true(overload(w) < tail_ns);
	assert_true(fate(w, WIRE_EARLY) > 0);
	wire_free(w);

	// A burst that is gone within the interval loses nothing.
	w = wire_of(&set);
	for (uint32_t i = 1; i <= 10000; i++) // 82 ms of queue
		put(w, i, LEN, 0);
	assert_int_equal(fate(w, WIRE_EARLY), 0);
	wire_free(w);
}

static void a_policer_lets_its_rate_through(void **state)
{
	struct wire *w = wire_of(
		&(struct wire_settings){.police_rate = 100000000, .police_burst = 20 * 1024});
	uint32_t n = 0;

	for (uint32_t i = 0; i < 30; i++)
		put(w, i + 1, LEN, 0);
	assert_int_equal(fate(w, WIRE_POLICED), 10);            // the bucket holds 20
	for (uint64_t now_ns = 0; now_ns < S; now_ns += 8192) { // ten times its rate
		put(w, 1, LEN, now_ns);
		while (take(w, now_ns))
			n++;
	}
	assert_in_range(n, 20 + 12200, 20 + 12210); // 1e8 / 8192
	wire_free(w);
}

static void jitter_keeps_order_unless_asked(void **state)
{
	struct wire_settings set = {.path = {0, 10 * MS, 0}, .jitter_ns = 5 * MS};

	for (int reorders = 0; reorders < 2; reorders++) {
		set.jitter_reorders = reorders;
		struct wire *w = wire_of(&set);
		unsigned n_late = 0;
		uint32_t newest = 0;
		for (uint32_t i = 1; i <= 1000; i++)
			put(w, i, 60, i * MS / 10);
		for (uint32_t i = 1; i <= 1000; i++) {
			uint64_t at_ns = wire_deadline(w);
			uint32_t number = take(w, at_ns);
			n_late += number < newest;
			newest = number > newest ? number : newest;
			assert_in_range(at_ns, number * MS / 10 + 10 * MS,
					number * MS / 10 + 15 * MS + (reorders ? 0 : 5 * MS));
		}
		assert_int_equal(n_late > 0, reorders);
		wire_free(w);
	}
}

static enum wire_verdict spare_all(void *owner, const uint8_t *frame, uint32_t len, uint64_t now)
{
	return WIRE_SPARE;
}

static void reordered_by_time_and_by_position(void **state)
{
	struct wire_settings set = {.path = {0, MS, 0}, .reorder = 1, .reorder_ns = 3 * MS};
	struct wire *w = wire_of(&set);

	put(w, 1, LEN, 0);
	assert_int_equal(wire_deadline(w), 4 * MS);
	assert_int_equal(fate(w, WIRE_REORDERED), 1);
	wire_free(w);

	// Numbers that come out of turn come out exactly two late.
	set = (struct wire_settings){.reorder = 0.1, .reorder_by = 2, .log_max = 100};
	w = wire_of(&set);
	for (uint32_t i = 1; i <= 100; i++)
		put(w, i, LEN, i);
	struct wire_entry log[100];
	unsigned n = wire_log(w, log, 100);
	assert_in_range(n, 3, 30);
	uint32_t out[101] = {0};
	for (uint32_t i = 1, number; (number = take(w, 100)); i++)
		out[number] = i;
	for (unsigned i = 0; i < n; i++) {
		uint32_t late = (uint32_t)log[i].number, passed = 0;
		assert_int_equal(log[i].fate, WIRE_REORDERED);
		for (uint32_t j = late + 1; j <= 100; j++)
			passed += out[j] && out[j] < out[late];
		if (late < 90)
			assert_in_range(passed, 2, 4); // 2 in turn, and late ones let go with it
	}
	wire_free(w);
}

static void a_held_frame_comes_when_nobody_passes(void **state)
{
	struct wire *w = wire_of(&(struct wire_settings){
		.path = {0, MS, 0}, .reorder = 1, .reorder_by = 3, .reorder_hold_ns = 20 * MS});

	for (uint32_t i = 1; i <= WIRE_HELD_MAX + 2; i++) // more than are held: those pass
		put(w, i, LEN, 0);
	assert_int_equal(fate(w, WIRE_REORDERED), WIRE_HELD_MAX);
	assert_int_equal(take(w, MS), WIRE_HELD_MAX + 1);
	put(w, 100, LEN, 2 * MS);
	wire_free(w);

	w = wire_of(&(struct wire_settings){
		.path = {0, MS, 0}, .reorder = 1, .reorder_by = 3, .reorder_hold_ns = 20 * MS});
	put(w, 1, LEN, 0);
	assert_int_equal(wire_deadline(w), 21 * MS);
	assert_int_equal(take(w, 21 * MS), 1);
	wire_free(w);
}

static void twins_and_turned_bits(void **state)
{
	struct wire_settings set = {.duplicate = 1, .corrupt = 1};
	struct wire *w = wire_of(&set);
	uint8_t frame[100] = {0};

	for (unsigned round = 0; round < 100; round++) {
		wire_put(w, frame, sizeof(frame), round);
		unsigned n_bits = 0, n_frames = 0;
		for (struct wire_frame *f; (f = wire_take(w, round)); n_frames++) {
			for (unsigned i = 0; i < f->len; i++)
				n_bits += (unsigned)__builtin_popcount(f->bytes[i]);
			assert_memory_equal(f->bytes, frame, 14);
			wire_frame_free(f);
		}
		assert_int_equal(n_frames, 2);
		assert_int_equal(n_bits, 1);
	}
	wire_free(w);

	set.match = spare_all;
	w = wire_of(&set);
	wire_put(w, frame, sizeof(frame), 0);
	assert_int_equal(fate(w, WIRE_DUPLICATED), 1);
	assert_int_equal(fate(w, WIRE_CORRUPTED), 0);
	wire_free(w);
}

static void bunches_come_at_once(void **state)
{
	struct wire *w =
		wire_of(&(struct wire_settings){.path = {0, MS / 2, 0}, .bunch_ns = 10 * MS});

	for (uint32_t i = 1; i <= 20; i++)
		put(w, i, 60, i * MS);
	for (uint32_t i = 1; i <= 9; i++) {
		assert_int_equal(wire_deadline(w), 10 * MS);
		assert_int_equal(take(w, 10 * MS), i);
	}
	assert_int_equal(wire_deadline(w), 20 * MS);
	wire_free(w);
}

static void a_link_that_is_down_takes_nothing(void **state)
{
	struct wire *w = wire_of(
		&(struct wire_settings){.path = {0, 10, 0}, .n_downs = 1, .downs = {{100, 200}}});

	put(w, 1, LEN, 99);
	put(w, 2, LEN, 100);
	put(w, 3, LEN, 199);
	put(w, 4, LEN, 200);
	assert_int_equal(take(w, S), 1); // it was on its way
	assert_int_equal(take(w, S), 4);
	assert_int_equal(fate(w, WIRE_DOWN), 2);
	wire_free(w);
}

static void memory_is_bounded(void **state)
{
	struct wire *w = wire_of(
		&(struct wire_settings){.path = {0, S, 0}, .duplicate = 1, .memory_max = 100000});

	for (uint32_t i = 1; i <= 1000; i++)
		put(w, i, LEN, 0);
	assert_in_range(fate(w, WIRE_MEMORY), 900, 999);
	unsigned n = 0;
	while (take(w, S))
		n++;
	assert_true(n * LEN <= 100000);
	put(w, 1, LEN, S);
	assert_int_equal(wire_deadline(w), 2 * S); // there is room again
	wire_free(w);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
	struct wire *w;

	assert_int_equal(wire_new(&(struct wire_settings){.loss = 1.5}, 1, &w), -EINVAL);
	assert_int_equal(wire_new(&(struct wire_settings){.corrupt = -1}, 1, &w), -EINVAL);
	struct wire_settings set = {.n_steps = 2, .steps = {{.at_ns = 2}, {.at_ns = 1}}};
	assert_int_equal(wire_new(&set, 1, &w), -EINVAL);
	assert_int_equal(wire_new(&(struct wire_settings){.n_lose = 33}, 1, &w), -EINVAL);
}

static double chance(struct random *r)
{
	return random_below(r, 3) ? 0 : (double)random_below(r, 1000) / 4000;
}

static struct wire_settings settings_any(struct random *r)
{
	struct wire_settings set = {
		.path = {random_below(r, 3) ? 1000000 + random_below(r, 10 * S) : 0,
			 random_below(r, 200 * MS), random_below(r, 3) ? 0 : 1280},
		.loss = chance(r),
		.burst_enter = chance(r),
		.burst_leave = 0.2,
		.burst_loss_bad = 1,
		.lose_every = random_below(r, 50),
		.queue_max = random_below(r, 2) ? 0 : random_below(r, 1000000),
		.queue = (enum wire_queue)random_below(r, 3),
		.police_rate = random_below(r, 2) ? 0 : 1 + random_below(r, S),
		.police_burst = 9000 + random_below(r, 100000),
		.jitter_ns = random_below(r, 2) ? 0 : random_below(r, 20 * MS),
		.jitter_reorders = random_below(r, 4) == 0,
		.reorder = chance(r),
		.reorder_ns = random_below(r, 20 * MS),
		.reorder_by = (unsigned)random_below(r, 5),
		.duplicate = chance(r),
		.corrupt = chance(r),
		.bunch_ns = random_below(r, 2) ? 0 : random_below(r, 5 * MS),
		.n_downs = (unsigned)random_below(r, 2),
		.downs = {{100 * MS, 200 * MS}},
		.n_steps = (unsigned)random_below(r, 3),
		.steps = {{50 * MS, {1000000 + random_below(r, S), random_below(r, 90 * MS), 0}},
			  {150 * MS, {random_below(r, 2) * S, random_below(r, 90 * MS), 0}}},
	};

	if (random_below(r, 3) == 0)
		set.memory_max = 20000 + random_below(r, 1000000);
	return set;
}

// @return a hash of what came out and when
static uint64_t run_any(const struct wire_settings *set, struct random r)
{
	struct wire *w;
	uint64_t now_ns = 0, hash = 0, last_ns = 0;

	assert_int_equal(wire_new(set, random_next(&r), &w), 0);
	for (uint32_t i = 1; i <= 2000; i++) {
		now_ns += random_below(&r, 4) ? 0 : random_below(&r, MS);
		put(w, i, 60 + (uint32_t)random_below(&r, 1440), now_ns);
		while (i % 100 == 0 && wire_deadline(w) != WIRE_NO_DEADLINE) {
			uint64_t at_ns = wire_deadline(w);
			if (i < 2000 && at_ns > now_ns)
				break;
			assert_true(at_ns >= last_ns || last_ns <= now_ns);
			last_ns = at_ns;
			hash = hash * 31 + at_ns * 7 + take(w, at_ns > now_ns ? at_ns : now_ns);
		}
	}
	const struct wire_counters *c = wire_counters(w);
	assert_int_equal(wire_deadline(w), WIRE_NO_DEADLINE);
	assert_int_equal(c->put, 2000);
	assert_int_equal(c->put + c->fates[WIRE_DUPLICATED], c->taken + wire_drops(w));
	if (set->queue_max)
		assert_true(c->queue_peak <= set->queue_max);
	wire_free(w);
	return hash;
}

static void any_wire_accounts_for_all_and_replays(void **state)
{
	struct random r = random_seeded("any_wire_accounts_for_all_and_replays");

	for (unsigned round = 0; round < 100; round++) {
		struct wire_settings set = settings_any(&r);
		struct random of_run = {random_next(&r)};
		assert_int_equal(run_any(&set, of_run), run_any(&set, of_run));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_wire_gives_back_at_once),
		cmocka_unit_test(pieces_become_one_frame),
		cmocka_unit_test(rate_spaces_frames_and_delay_adds),
		cmocka_unit_test(steps_change_rate_in_mid_frame),
		cmocka_unit_test(a_shorter_way_lets_nobody_overtake),
		cmocka_unit_test(mtu_cuts_and_tells),
		cmocka_unit_test(loss_is_as_often_as_asked),
		cmocka_unit_test(burst_loss_comes_in_bursts),
		cmocka_unit_test(chosen_frames_are_lost_and_logged),
		cmocka_unit_test(a_full_queue_drops_its_tail),
		cmocka_unit_test(red_drops_before_the_queue_is_full),
		cmocka_unit_test(codel_bounds_the_time_in_the_queue),
		cmocka_unit_test(a_policer_lets_its_rate_through),
		cmocka_unit_test(jitter_keeps_order_unless_asked),
		cmocka_unit_test(reordered_by_time_and_by_position),
		cmocka_unit_test(a_held_frame_comes_when_nobody_passes),
		cmocka_unit_test(twins_and_turned_bits),
		cmocka_unit_test(bunches_come_at_once),
		cmocka_unit_test(a_link_that_is_down_takes_nothing),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(settings_that_make_no_sense_are_refused),
		cmocka_unit_test(any_wire_accounts_for_all_and_replays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
