// SPDX-License-Identifier: BSD-3-Clause
// BBR over a bottleneck in virtual time: the walk of its states, what it finds, what it leaves.
#include "tests/unit/bottleneck.h"
#include "tests/unit/test.h"
#include "dataplane/tcp/bbr.h"

#define MSS  1448
#define MS   1000000ull
#define S    1000000000ull
#define MBIT 125000ull // bytes/s

// A path of 50 Mbit/s and 40 ms: 172 segments.
#define RATE  (50 * MBIT)
#define DELAY (40 * MS)
#define BDP   (RATE * DELAY / S)

#define VISITS_MAX 512

// What one visit to a state was like.
struct visit {
	enum bbr_state state;
	uint64_t since_ns, in_flight_min;
};

struct walk {
	unsigned n;
	struct visit visits[VISITS_MAX];
};

static void watch(struct bottleneck *p)
{
	struct walk *w = p->watcher;
	const struct bbr *b = bbr_of(&p->c);
	struct visit *v;

	if (w->n == 0 || w->visits[w->n - 1].state != b->state) {
		assert_true(w->n < VISITS_MAX);
		w->visits[w->n++] = (struct visit){b->state, p->now_ns, p->in_flight};
	}
	v = &w->visits[w->n - 1];
	if (p->in_flight < v->in_flight_min)
		v->in_flight_min = p->in_flight;
}

static struct bottleneck path_of(struct walk *w, uint64_t buffer, double loss)
{
	struct bottleneck p;

	bottleneck_init(&p, &congestion_bbr, RATE, DELAY, buffer, loss, 1);
	*w = (struct walk){0};
	p.watch = watch;
	p.watcher = w;
	return p;
}

// Part of the bottleneck that the flow makes use of over so much time.
static double goodput(struct bottleneck *p, uint64_t ns)
{
	uint64_t before = p->delivered;

	bottleneck_run(p, ns);
	return (double)(p->delivered - before) * S / ns / p->rate;
}

static void assert_between(double x, double low, double high)
{
	if (x < low || x > high)
		fail_msg("%g is not between %g and %g", x, low, high);
}

// 5.1.1
static bool may_follow(enum bbr_state from, enum bbr_state to)
{
	switch (to) {
	case BBR_DRAIN:
		return from == BBR_STARTUP;
	case BBR_DOWN:
		return from == BBR_DRAIN || from == BBR_UP;
	case BBR_CRUISE: // DRAIN: DOWN is left with the acknowledgement that it began with
		return from == BBR_DOWN || from == BBR_PROBE_RTT || from == BBR_DRAIN;
	case BBR_REFILL:
		return from == BBR_CRUISE || from == BBR_DOWN;
	case BBR_UP:
		return from == BBR_REFILL;
	case BBR_PROBE_RTT:
		return true;
	default:
		return false;
	}
}

static void states_follow_the_diagram_and_the_path_is_found(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, BDP, 0);
	const struct bbr *b = bbr_of(&p.c);
	unsigned seen = 0;

	bottleneck_run(&p, 60 * S);
	assert_int_equal(w.visits[0].state, BBR_STARTUP);
	for (unsigned i = 0; i < w.n; i++)
		seen |= 1u << w.visits[i].state;
	for (unsigned i = 1; i < w.n; i++)
		assert_true(may_follow(w.visits[i - 1].state, w.visits[i].state));
	assert_int_equal(seen, (1u << (BBR_PROBE_RTT + 1)) - 1);
	assert_between((double)b->max_bw / RATE, 0.99, 1.01);
	assert_between((double)b->min_rtt_ns / DELAY, 1, 1.01);
	bottleneck_fini(&p);
}

// log2(172 / 10) rounds to the bandwidth, three to see that there is no more.
static void startup_fills_the_pipe_in_a_logarithm_of_rounds(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 4 * BDP, 0);

	bottleneck_run(&p, 2 * S);
	assert_int_equal(w.visits[1].state, BBR_DRAIN);
	assert_between((double)(w.visits[1].since_ns - 1000 * S) / DELAY, 8, 15);
	assert_int_equal(p.n_overflowed, 0);
	assert_true(p.queue_max <= 2 * BDP); // window gain 2, and what acknowledgements aggregate
	bottleneck_fini(&p);
}

static void bandwidth_is_used_and_the_queue_stays_small(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);

	bottleneck_run(&p, 5 * S);
	p.queue_sum = p.n_queued = 0;
	assert_between(goodput(&p, 60 * S), 0.95, 1);
	assert_between(p.queue_sum / p.n_queued / BDP, 0, 0.1);
	assert_int_equal(p.n_lost, 0);
	bottleneck_fini(&p);
}

// 5.3.3.8.3: between probes the rate follows the losses, and so at 1e-2 a part of it is given up;
// what the path can do stays known, and each probe returns to it. CUBIC is left with next to
// nothing here.
static void random_loss_costs_little(void **state)
{
	const struct {
		double loss, low;
	} rows[] = {{1e-4, 0.93}, {1e-3, 0.87}, {1e-2, 0.78}};
	struct bottleneck cubic;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct walk w;
		struct bottleneck p = path_of(&w, BDP, rows[i].loss);
		const struct bbr *b = bbr_of(&p.c);

		bottleneck_run(&p, 5 * S);
		assert_between(goodput(&p, 60 * S), rows[i].low, 1);
		assert_between((double)b->max_bw / RATE, 0.95, 1.01);
		bottleneck_fini(&p);
	}
	bottleneck_init(&cubic, &congestion_cubic, RATE, DELAY, BDP, 1e-2, 1);
	bottleneck_run(&cubic, 5 * S);
	assert_between(goodput(&cubic, 60 * S), 0, 0.1);
	bottleneck_fini(&cubic);
}

// 5.5.10.2: a tenth of a BDP of buffer. The bound is found where the path ends, and kept to.
static void shallow_buffer_bounds_what_is_in_flight(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, BDP / 10, 0);
	const struct bbr *b = bbr_of(&p.c);

	bottleneck_run(&p, 5 * S);
	assert_between((double)b->inflight_longterm / BDP, 1.0, 1.2);
	p.n_lost = 0;
	assert_between(goodput(&p, 60 * S), 0.9, 1);
	assert_between((double)b->inflight_longterm / BDP, 1.0, 1.2);
	assert_true((double)p.n_lost * MSS / (60 * RATE) < 0.01);
	bottleneck_fini(&p);
}

// 5.3.4: every 5 s, for 200 ms and a round, at half the BDP; in all no more than the 2 %
// of 5.3.4.2.
static void round_trip_is_probed_on_schedule(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	uint64_t last_end = 1000 * S + DELAY;
	unsigned n = 0;

	bottleneck_run(&p, 62 * S);
	for (unsigned i = 0; i + 1 < w.n; i++) {
		const struct visit *v = &w.visits[i];
		uint64_t end = w.visits[i + 1].since_ns;

		if (v->state != BBR_PROBE_RTT)
			continue;
		n++;
		assert_between((double)(v->since_ns - last_end) / S, 4.8, 5.3);
		assert_between((double)(end - v->since_ns) / MS, 200, 200 + 5 * 40);
		assert_between((double)v->in_flight_min / BDP, 0.4, 0.55);
		last_end = end;
	}
	assert_between(n, 10, 12);
	bottleneck_fini(&p);
}

static void round_trip_that_rose_is_believed_after_ten_seconds(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);

	bottleneck_run(&p, 8 * S);
	p.delay_ns = 2 * DELAY; // another path
	bottleneck_run(&p, 21 * S);
	assert_between((double)bbr_of(&p.c)->min_rtt_ns / (2 * DELAY), 1, 1.02);
	assert_between(goodput(&p, 20 * S), 0.95, 1);
	bottleneck_fini(&p);
}

static void bandwidth_that_changes_is_followed(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);

	bottleneck_run(&p, 10 * S);
	p.rate = 4 * RATE;
	bottleneck_run(&p, 25 * S);
	assert_between(goodput(&p, 10 * S), 0.9, 1);
	p.rate = RATE / 2;
	bottleneck_run(&p, 15 * S);
	assert_between((double)bbr_of(&p.c)->max_bw / p.rate, 0.95, 1.05);
	assert_between(goodput(&p, 10 * S), 0.9, 1);
	bottleneck_fini(&p);
}

// 5.3.3.6: behind a shallow buffer probes are short at first, until one has gone well.
static void bound_follows_a_path_that_widens(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, BDP / 10, 0);
	const struct bbr *b = bbr_of(&p.c);

	bottleneck_run(&p, 10 * S);
	assert_between((double)b->inflight_longterm / BDP, 1.0, 1.2);
	p.rate = 2 * RATE;
	p.buffer = BDP / 5;
	bottleneck_run(&p, 20 * S);
	assert_between((double)b->inflight_longterm / BDP, 1.9, 2.4);
	assert_between(goodput(&p, 20 * S), 0.85, 1);
	bottleneck_fini(&p);
}

// 5.3.3.8.2: as often as Reno would be back, here every 34 round trips, instead of every 2-3 s.
static void short_paths_are_probed_by_round_trips(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, BDP, 0);
	unsigned n = 0;

	p.rate = 100 * MBIT;
	p.delay_ns = 4 * MS;
	bottleneck_run(&p, 10 * S);
	for (unsigned i = 0; i < w.n; i++)
		n += w.visits[i].state == BBR_UP;
	assert_between(n, 10 * S / (45 * 4 * MS), 10 * S / (30 * 4 * MS));
	bottleneck_fini(&p);
}

// What the application holds back is no sign of the path, and time of silence is no time to shrink.
static void slow_application_changes_nothing(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	const struct bbr *b = bbr_of(&p.c);

	bottleneck_run(&p, 4 * S);
	p.supply = RATE / 20;
	p.supplied_ns = p.now_ns;
	w.n = 1;
	bottleneck_run(&p, 60 * S);
	assert_between((double)b->max_bw / RATE, 0.99, 1.01);
	p.supply = 0;
	assert_between(goodput(&p, 4 * S), 0.9, 1);
	bottleneck_fini(&p);
}

static void idle_flow_restarts_at_the_rate_of_the_path(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	uint64_t cwnd;

	bottleneck_run(&p, 4 * S);
	p.supply = 1; // a segment in 24 minutes
	p.supplied_ns = p.now_ns;
	bottleneck_run(&p, 20 * S);
	assert_int_equal(p.in_flight, 0);
	cwnd = p.c.cwnd;
	p.c.ops->restart(&p.c, 20 * S, S, p.now_ns);
	assert_int_equal(p.c.cwnd, cwnd);
	assert_between((double)p.c.pacing_rate / RATE, 0.98, 1);
	// The silence was probe enough.
	p.supply = 0;
	w.n = 1;
	assert_between(goodput(&p, 2 * S), 0.9, 1);
	for (unsigned i = 1; i < w.n; i++)
		assert_int_not_equal(w.visits[i].state, BBR_PROBE_RTT);
	bottleneck_fini(&p);
}

// 5.6.4.4
static void timeout_leaves_one_segment_until_recovery_ends(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	struct ack_sample s = {.acked = MSS, .srtt_ns = DELAY, .rtt_ns = DELAY};
	uint64_t cwnd;

	bottleneck_run(&p, 4 * S);
	cwnd = p.c.cwnd;
	p.c.ops->rto(&p.c, p.in_flight, p.now_ns);
	assert_int_equal(p.c.cwnd, MSS);
	s.now_ns = p.now_ns;
	s.delivered = p.delivered + MSS;
	s.sent_delivered = p.delivered;
	p.c.ops->acked(&p.c, &s);
	assert_int_equal(p.c.cwnd, 4 * MSS);
	p.c.ops->leave_recovery(&p.c, p.now_ns);
	assert_int_equal(p.c.cwnd, cwnd);
	bottleneck_fini(&p);
}

// Every segment in flight is found lost.
static void lose_all(struct bottleneck *p)
{
	uint64_t lost = p->lost;

	for (uint64_t i = 0; i < p->in_flight / MSS; i++) {
		struct loss_sample s = {
			.now_ns = p->now_ns,
			.len = MSS,
			.delivered = p->delivered,
			.lost_total = lost += MSS,
			.sent_in_flight = p->in_flight,
			.sent_lost = p->lost,
		};
		p->c.ops->lost(&p->c, &s);
	}
	p->c.ops->enter_recovery(&p->c, p->in_flight, p->now_ns);
}

static void run_into(struct bottleneck *p, enum bbr_state state)
{
	for (int i = 0; i < 10000 && bbr_of(&p->c)->state != state; i++)
		bottleneck_run(p, MS);
	assert_int_equal(bbr_of(&p->c)->state, state);
}

// 5.5.11: what spurious losses have lowered is put back, and a probe that they ended begins again.
static void undo_returns_to_the_probe(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	const struct bbr *b = bbr_of(&p.c);
	uint64_t cwnd;

	bottleneck_run(&p, 2 * S);
	run_into(&p, BBR_UP);
	bottleneck_run(&p, DELAY);
	cwnd = p.c.cwnd;
	lose_all(&p);
	assert_int_equal(b->state, BBR_DOWN);
	assert_true(b->inflight_longterm < BBR_INFINITE);
	assert_true(b->was_too_high);
	p.c.ops->undo(&p.c, p.now_ns);
	assert_int_equal(b->state, BBR_REFILL);
	assert_int_equal(b->inflight_longterm, BBR_INFINITE);
	assert_int_equal(p.c.cwnd, cwnd);
	bottleneck_fini(&p);
}

// Losses that are told while the flow cruises lower the short-term bounds, by three tenths at most,
// and the next probe forgets them.
static void losses_while_cruising_bound_until_the_next_probe(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, 2 * BDP, 0);
	const struct bbr *b = bbr_of(&p.c);

	run_into(&p, BBR_CRUISE);
	bottleneck_run(&p, 4 * DELAY);
	lose_all(&p);
	bottleneck_run(&p, 2 * DELAY);
	assert_int_equal(b->state, BBR_CRUISE);
	assert_between((double)b->bw_shortterm / b->max_bw, 0.69, 0.995);
	assert_true(b->inflight_shortterm < BBR_INFINITE);
	assert_int_equal(b->bw, bbr_min(b->bw_shortterm, b->max_bw));
	run_into(&p, BBR_REFILL);
	assert_int_equal(b->bw_shortterm, BBR_INFINITE);
	assert_int_equal(b->inflight_shortterm, BBR_INFINITE);
	bottleneck_fini(&p);
}

// 5.3.1.3: every twentieth segment is lost.
static void startup_ends_by_loss(void **state)
{
	struct walk w;
	struct bottleneck p = path_of(&w, BDP / 50, 0.05);
	const struct bbr *b = bbr_of(&p.c);

	bottleneck_run(&p, 10 * DELAY);
	assert_true(b->is_full_reached);
	assert_true(b->inflight_longterm < BBR_INFINITE);
	bottleneck_fini(&p);
}

static void seed_replays_and_another_seed_differs(void **state)
{
	uint64_t waits[3], delivered[3];
	const uint64_t seeds[] = {7, 7, 8};

	for (int i = 0; i < 3; i++) {
		struct walk w;
		struct bottleneck p = path_of(&w, BDP, 1e-3);

		p.random = p.c.random = seeds[i];
		bottleneck_run(&p, 20 * S);
		waits[i] = bbr_of(&p.c)->probe_wait_ns;
		delivered[i] = p.delivered;
		assert_between((double)waits[i] / S, 2, 3);
		bottleneck_fini(&p);
	}
	assert_int_equal(waits[0], waits[1]);
	assert_int_equal(delivered[0], delivered[1]);
	assert_int_not_equal(waits[0], waits[2]);
}

// From half a segment in flight to 3450: nothing overflows or stalls.
static void paths_of_all_sizes_are_used(void **state)
{
	const struct {
		uint64_t rate, delay;
		double low;
	} rows[] = {
		{MBIT / 4, 20 * MS, 0.9},
		{MBIT, 200 * MS, 0.9},
		{300 * MBIT, 1 * MS, 0.94},
		{200 * MBIT, 200 * MS, 0.9},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bottleneck p;

		bottleneck_init(&p, &congestion_bbr, rows[i].rate, rows[i].delay,
				2 * rows[i].rate * rows[i].delay / S + 20 * MSS, 0, 1);
		bottleneck_run(&p, 6 * S);
		assert_between(goodput(&p, 6 * S), rows[i].low, 1);
		bottleneck_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_follow_the_diagram_and_the_path_is_found),
		cmocka_unit_test(startup_fills_the_pipe_in_a_logarithm_of_rounds),
		cmocka_unit_test(bandwidth_is_used_and_the_queue_stays_small),
		cmocka_unit_test(random_loss_costs_little),
		cmocka_unit_test(shallow_buffer_bounds_what_is_in_flight),
		cmocka_unit_test(round_trip_is_probed_on_schedule),
		cmocka_unit_test(round_trip_that_rose_is_believed_after_ten_seconds),
		cmocka_unit_test(bandwidth_that_changes_is_followed),
		cmocka_unit_test(bound_follows_a_path_that_widens),
		cmocka_unit_test(short_paths_are_probed_by_round_trips),
		cmocka_unit_test(slow_application_changes_nothing),
		cmocka_unit_test(idle_flow_restarts_at_the_rate_of_the_path),
		cmocka_unit_test(timeout_leaves_one_segment_until_recovery_ends),
		cmocka_unit_test(undo_returns_to_the_probe),
		cmocka_unit_test(losses_while_cruising_bound_until_the_next_probe),
		cmocka_unit_test(startup_ends_by_loss),
		cmocka_unit_test(seed_replays_and_another_seed_differs),
		cmocka_unit_test(paths_of_all_sizes_are_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
