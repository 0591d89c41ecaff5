// SPDX-License-Identifier: BSD-3-Clause
// CUBIC and HyStart++ against numbers computed from the formulae of RFC 9438 and RFC 9406.
#include <math.h>

#include "tests/unit/test.h"
#include "dataplane/tcp/hystart.h"

#define MSS        1448
#define MS         1000000ull
#define S          1000000000ull
#define ROUND_ACKS 20 // acknowledgements of a round trip

// A flow whose acknowledgements come evenly, each round trip one window.
struct flow {
	struct congestion c;
	uint64_t now, rtt, srtt, acked;
	unsigned turn;
};

static struct flow flow_of(uint64_t rtt_ns)
{
	struct flow f = {.rtt = rtt_ns, .now = 1000 * S};

	congestion_init(&f.c, &congestion_cubic, MSS, 10, 1, f.now);
	return f;
}

static struct ack_sample sample_of(const struct flow *f, uint64_t acked, uint64_t in_flight)
{
	return (struct ack_sample){
		.now_ns = f->now,
		.acked = acked,
		.advanced = acked,
		.in_flight = in_flight,
		.in_flight_after = in_flight - acked,
		.rtt_ns = f->rtt,
		.min_rtt_ns = f->rtt,
		.srtt_ns = f->srtt ? f->srtt : f->rtt,
	};
}

static void ack(struct flow *f, uint64_t acked, uint64_t in_flight)
{
	struct ack_sample s = sample_of(f, acked, in_flight);

	s.is_round = f->turn++ % ROUND_ACKS == 0;
	f->acked += acked;
	congestion_cubic.acked(&f->c, &s);
}

// One acknowledgement of a full window's twentieth, a twentieth of a round trip later.
static void step(struct flow *f)
{
	f->now += f->rtt / ROUND_ACKS;
	ack(f, f->c.cwnd / ROUND_ACKS, f->c.cwnd);
}

static void fly(struct flow *f, uint64_t ns)
{
	for (uint64_t end = f->now + ns; f->now < end;)
		step(f);
}

static void lose(struct flow *f)
{
	congestion_cubic.enter_recovery(&f->c, f->c.cwnd, f->now);
	congestion_cubic.leave_recovery(&f->c, f->now);
}

static double segments(uint64_t bytes)
{
	return (double)bytes / MSS;
}

// In congestion avoidance at `window` segments before a loss.
static struct flow flow_after_loss(uint64_t rtt_ns, uint64_t window)
{
	struct flow f = flow_of(rtt_ns);

	f.c.cwnd = window * MSS;
	lose(&f);
	return f;
}

static void assert_near(double is, double should, double part)
{
	if (fabs(is - should) > fabs(should) * part)
		fail_msg("is %g, should be %g within %g %%", is, should, part * 100);
}

static void first_window_is_ten_segments_or_14600_bytes(void **state)
{
	const struct {
		uint32_t mss, segments;
		uint64_t window;
	} rows[] = {
		{1448, 10, 14480}, {536, 10, 5360}, {2000, 10, 14600},
		{8948, 10, 17896}, {1448, 1, 1448},
	};
	struct congestion c;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		congestion_init(&c, &congestion_cubic, rows[i].mss, rows[i].segments, 1, 0);
		assert_int_equal(c.cwnd, rows[i].window);
	}
}

static void slow_start_doubles_and_counts_bytes_not_acknowledgements(void **state)
{
	struct flow f = flow_of(50 * MS);

	// One acknowledgement of the whole window, or one for each two segments: the same.
	ack(&f, 10 * MSS, 10 * MSS);
	assert_int_equal(f.c.cwnd, 20 * MSS);
	for (int i = 0; i < 10; i++)
		ack(&f, 2 * MSS, 20 * MSS);
	assert_int_equal(f.c.cwnd, 40 * MSS);
}

static void window_that_is_not_used_does_not_grow(void **state)
{
	struct flow f = flow_of(50 * MS);

	for (int i = 0; i < 100; i++)
		ack(&f, 2 * MSS, 4 * MSS);
	assert_int_equal(f.c.cwnd, 10 * MSS);

	f = flow_after_loss(50 * MS, 100);
	for (int i = 0; i < 1000; i++) {
		f.now += 50 * MS;
		ack(&f, 2 * MSS, 60 * MSS);
	}
	assert_int_equal(f.c.cwnd, 70 * MSS);
}

static void hystart_round(struct flow *f, uint64_t rtt)
{
	f->rtt = rtt;
	for (int i = 0; i < ROUND_ACKS; i++)
		step(f);
}

// RFC 9406, 4.2: an eighth more than in the last round, here 12.5 ms; then a quarter of the growth
// for five rounds, that in which it began counted.
static void hystart_leaves_slow_start_as_the_round_trip_rises(void **state)
{
	struct flow f = flow_of(100 * MS);
	uint64_t cwnd;

	hystart_round(&f, 100 * MS);
	hystart_round(&f, 112 * MS);
	hystart_round(&f, 112 * MS);
	assert_true(f.c.cwnd > 70 * MSS); // (1 + 1/20)^20 = 2.65 a round
	assert_int_equal(f.c.ssthresh, UINT64_MAX);

	hystart_round(&f, 127 * MS);
	for (int i = 0; i < 4; i++) {
		cwnd = f.c.cwnd;
		hystart_round(&f, 127 * MS);
		assert_near((double)f.c.cwnd / cwnd, pow(1 + 1.0 / ROUND_ACKS / 4, ROUND_ACKS),
			    0.001);
		assert_int_equal(f.c.ssthresh, UINT64_MAX);
	}
	cwnd = f.c.cwnd;
	step(&f);
	assert_int_equal(f.c.ssthresh, cwnd);
}

static void hystart_resumes_slow_start_after_jitter(void **state)
{
	struct flow f = flow_of(100 * MS);
	uint64_t cwnd;

	hystart_round(&f, 100 * MS);
	hystart_round(&f, 100 * MS);
	hystart_round(&f, 120 * MS); // CSS
	hystart_round(&f, 119 * MS); // below the baseline after eight samples
	cwnd = f.c.cwnd;
	hystart_round(&f, 119 * MS);
	assert_near((double)f.c.cwnd / cwnd, pow(1 + 1.0 / ROUND_ACKS, ROUND_ACKS), 0.001);
	for (int i = 0; i < 10; i++)
		hystart_round(&f, 119 * MS);
	assert_int_equal(f.c.ssthresh, UINT64_MAX);
}

// Seven samples of a round are not believed, be they ever so high.
static void hystart_wants_eight_samples(void **state)
{
	struct flow f = flow_of(100 * MS);

	hystart_round(&f, 100 * MS);
	f.rtt = 200 * MS;
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 7; j++)
			step(&f);
		f.turn = 0; // the next acknowledgement begins a round
	}
	assert_int_equal(f.c.ssthresh, UINT64_MAX);
	f.rtt = 300 * MS;
	for (int i = 0; i < 6; i++) {
		for (int j = 0; j < 8; j++)
			step(&f);
		f.turn = 0;
	}
	assert_int_not_equal(f.c.ssthresh, UINT64_MAX);
}

// The threshold lies between 4 ms and 16 ms.
static void hystart_thresholds_are_bounded(void **state)
{
	const struct {
		uint64_t rtt, rise;
		bool leaves;
	} rows[] = {
		{8 * MS, 3900000, false},
		{8 * MS, 4 * MS, true},
		{400 * MS, 15900000, false},
		{400 * MS, 16 * MS, true},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct flow f = flow_of(rows[i].rtt);

		hystart_round(&f, rows[i].rtt);
		hystart_round(&f, rows[i].rtt);
		hystart_round(&f, rows[i].rtt + rows[i].rise);
		for (int j = 0; j < HYSTART_CSS_ROUNDS; j++)
			hystart_round(&f, rows[i].rtt + rows[i].rise);
		assert_int_equal(f.c.ssthresh != UINT64_MAX, rows[i].leaves);
	}
}

static void loss_takes_three_tenths(void **state)
{
	struct flow f = flow_of(100 * MS);

	f.c.cwnd = 1000 * MSS;
	congestion_cubic.enter_recovery(&f.c, 990 * MSS, f.now);
	assert_int_equal(f.c.ssthresh, 700 * MSS);
	fly(&f, 300 * MS); // PRR's time
	assert_int_equal(f.c.ssthresh, 700 * MSS);
	congestion_cubic.leave_recovery(&f.c, f.now);
	assert_int_equal(f.c.cwnd, 700 * MSS);

	f.c.cwnd = 2 * MSS;
	lose(&f);
	assert_int_equal(f.c.cwnd, 2 * MSS);
}

// 4.2: W(t) = 0.4 (t - K)^3 + W_max with K = cbrt(W_max 0.3 / 0.4), at 1 Gbit/s and 100 ms.
static void window_follows_the_curve(void **state)
{
	const double w_max = 8633, k = cbrt(w_max * 0.3 / 0.4);
	struct flow f = flow_after_loss(100 * MS, (uint64_t)w_max);
	uint64_t start = f.now + f.rtt / ROUND_ACKS; // the first acknowledgement begins it

	assert_near(k, 18.64, 0.001);
	while (f.now < start + 30 * S) {
		double t, low, high;

		step(&f);
		// It moves towards where the curve is a round trip later.
		t = (double)(f.now - start) / S;
		low = 0.4 * pow(t - 0.1 - k, 3) + w_max;
		high = 0.4 * pow(t + 0.1 - k, 3) + w_max;
		if (t > 0.2)
			assert_true(segments(f.c.cwnd) >= low - 1);
		assert_true(segments(f.c.cwnd) <= high + 1);
	}
	assert_near(segments(f.c.cwnd), 0.4 * pow(30 - k, 3) + w_max, 0.01);
}

// 4.3: 9/17 of a segment each round trip up to the window of before the loss, then one.
static void small_windows_grow_as_renos(void **state)
{
	struct flow f = flow_after_loss(10 * MS, 100);
	uint64_t start = f.now;
	double before;

	fly(&f, 200 * MS); // 20 round trips
	assert_near(segments(f.c.cwnd) - 70, 20 * 9.0 / 17, 0.02);
	while (segments(f.c.cwnd) < 100.5)
		step(&f);
	assert_near((double)(f.now - start), 30.0 * 17 / 9 * 10 * MS, 0.03);
	before = segments(f.c.cwnd);
	fly(&f, 100 * MS);
	assert_near(segments(f.c.cwnd) - before, 10, 0.02);
}

// 4.7: a flow that is pushed back below its W_max gives way: its plateau is 0.85 of the window.
static void second_loss_below_w_max_converges_faster(void **state)
{
	struct flow f = flow_after_loss(100 * MS, 8000);
	double w, k;

	fly(&f, 5 * S);
	w = segments(f.c.cwnd);
	assert_true(w < 8000);
	lose(&f);
	k = cbrt(w * (0.85 - 0.7) / 0.4);
	fly(&f, (uint64_t)(k * S));
	assert_near(segments(f.c.cwnd), w * 0.85, 0.001);
	fly(&f, 2 * S);
	assert_near(segments(f.c.cwnd), w * 0.85 + 0.4 * 8, 0.001);
}

// 5.8: t does not run while the window is not used, whether little goes out or nothing does.
static void time_without_use_of_the_window_does_not_count(void **state)
{
	struct flow f = flow_after_loss(100 * MS, 8000), g = f, h;
	uint64_t cwnd;

	fly(&f, 10 * S);
	fly(&g, 10 * S);
	h = f;
	cwnd = f.c.cwnd;
	for (int i = 0; i < 3000; i++) { // five minutes at a tenth of the window
		f.now += f.rtt;
		ack(&f, f.c.cwnd / 10, f.c.cwnd / 10);
	}
	// The window was full as that began: a round trip of growth, no more.
	assert_near((double)f.c.cwnd, (double)cwnd, 0.005);
	congestion_cubic.restart(&h.c, 300 * S, S, h.now += 300 * S);
	fly(&f, 3 * S);
	fly(&g, 3 * S);
	fly(&h, 3 * S);
	assert_near((double)f.c.cwnd, (double)g.c.cwnd, 0.01);
	assert_near((double)h.c.cwnd, (double)g.c.cwnd, 0.01);
}

// What one acknowledgement of two segments adds to a window of 2000 is less than a byte. Half a
// second of round trips of 1 ms is to add 9/17 of a segment each all the same.
static void small_acknowledgements_lose_no_fraction(void **state)
{
	struct flow f = flow_after_loss(MS, 2000);
	uint64_t end = f.now + 500 * MS, before = f.c.cwnd;

	while (f.now < end) {
		f.now += f.rtt * 2 * MSS / f.c.cwnd;
		ack(&f, 2 * MSS, f.c.cwnd);
	}
	assert_near(segments(f.c.cwnd - before), 500 * 9.0 / 17, 0.01);
}

// 4.2: the target is at most one and a half windows, however far the curve is a round trip later.
static void window_grows_by_half_a_round_at_most(void **state)
{
	struct flow f = flow_after_loss(20 * S, 20);
	uint64_t cwnd;

	step(&f);
	for (int i = 0; i < 5; i++) {
		cwnd = f.c.cwnd;
		fly(&f, 20 * S);
		assert_near((double)f.c.cwnd / cwnd, pow(1 + 0.5 / ROUND_ACKS, ROUND_ACKS), 0.01);
	}
}

static void undo_puts_back_window_and_curve(void **state)
{
	struct flow f = flow_after_loss(100 * MS, 8000), g;

	fly(&f, 5 * S);
	g = f;
	congestion_cubic.enter_recovery(&f.c, f.c.cwnd, f.now);
	congestion_cubic.undo(&f.c, f.now);
	assert_int_equal(f.c.cwnd, g.c.cwnd);
	assert_int_equal(f.c.ssthresh, g.c.ssthresh);
	fly(&f, 20 * S);
	fly(&g, 20 * S);
	assert_int_equal(f.c.cwnd, g.c.cwnd);
}

static void undo_of_a_timeout_in_the_first_slow_start_goes_on_doubling(void **state)
{
	struct flow f = flow_of(100 * MS);

	hystart_round(&f, 100 * MS);
	uint64_t cwnd = f.c.cwnd;
	congestion_cubic.rto(&f.c, f.c.cwnd, f.now);
	assert_int_equal(f.c.cwnd, MSS);
	congestion_cubic.undo(&f.c, f.now);
	assert_int_equal(f.c.cwnd, cwnd);
	assert_int_equal(f.c.ssthresh, UINT64_MAX);
	hystart_round(&f, 100 * MS);
	assert_near((double)f.c.cwnd / cwnd, pow(1 + 1.0 / ROUND_ACKS, ROUND_ACKS), 0.001);
	// And the rise of the round trip still ends it.
	for (int i = 0; i < 6; i++)
		hystart_round(&f, 120 * MS);
	assert_int_not_equal(f.c.ssthresh, UINT64_MAX);
}

// 4.9.2: a window that has grown beyond what it was stays.
static void undo_that_comes_too_late_changes_nothing(void **state)
{
	struct flow f = flow_after_loss(100 * MS, 100);
	uint64_t cwnd, ssthresh = f.c.ssthresh;

	fly(&f, 60 * S);
	cwnd = f.c.cwnd;
	assert_true(cwnd > 100 * MSS);
	congestion_cubic.undo(&f.c, f.now);
	assert_int_equal(f.c.cwnd, cwnd);
	assert_int_equal(f.c.ssthresh, ssthresh);
}

// 4.8 and RFC 5681, 3.1: one segment, and ssthresh is not halved again by the next timeout.
static void timeout_leaves_one_segment(void **state)
{
	struct flow f = flow_of(100 * MS);

	f.c.cwnd = 1000 * MSS;
	congestion_cubic.rto(&f.c, 1000 * MSS, f.now);
	assert_int_equal(f.c.cwnd, MSS);
	assert_int_equal(f.c.ssthresh, 700 * MSS);
	congestion_cubic.rto(&f.c, MSS, f.now += S);
	assert_int_equal(f.c.ssthresh, 700 * MSS);
	// Slow start up to there, then the convex side of a curve with K = 0.
	while (f.c.cwnd < 700 * MSS) {
		f.now += 5 * MS;
		ack(&f, MSS, f.c.cwnd);
	}
	assert_int_equal(f.c.cwnd, 700 * MSS);
	uint64_t start = f.now;
	fly(&f, 10 * S);
	double t = (double)(f.now - start) / S;
	assert_near(segments(f.c.cwnd), 700 + 0.4 * t * t * t, 0.02);
}

static void timeout_within_recovery_reduces_once(void **state)
{
	struct flow f = flow_of(100 * MS);

	f.c.cwnd = 1000 * MSS;
	congestion_cubic.enter_recovery(&f.c, 990 * MSS, f.now);
	congestion_cubic.rto(&f.c, 900 * MSS, f.now += S);
	assert_int_equal(f.c.cwnd, MSS);
	assert_int_equal(f.c.ssthresh, 700 * MSS);
	// The end of the RTO's recovery is no end of fast recovery.
	ack(&f, MSS, MSS);
	congestion_cubic.leave_recovery(&f.c, f.now);
	assert_int_equal(f.c.cwnd, 2 * MSS);
}

static void idle_flow_restarts_slowly_or_paced(void **state)
{
	struct flow f = flow_after_loss(100 * MS, 1000);

	fly(&f, S);
	f.c.slow_start_after_idle = true;
	uint64_t cwnd = f.c.cwnd;
	congestion_cubic.restart(&f.c, 300 * MS, 300 * MS, f.now += 300 * MS);
	assert_int_equal(f.c.cwnd, cwnd);
	congestion_cubic.restart(&f.c, 301 * MS, 300 * MS, f.now += 301 * MS);
	assert_int_equal(f.c.cwnd, 10 * MSS);
	assert_int_equal(f.c.ssthresh, cwnd / 4 * 3 > 700 * MSS ? cwnd / 4 * 3 : 700 * MSS);

	f = flow_after_loss(100 * MS, 1000);
	fly(&f, S);
	cwnd = f.c.cwnd;
	congestion_cubic.restart(&f.c, 301 * MS, 300 * MS, f.now += 301 * MS);
	assert_int_equal(f.c.cwnd, cwnd);
	assert_int_equal(f.c.pacing_rate, cwnd * 10);
}

static void pacing_is_twice_the_window_in_slow_start_and_a_fifth_more_after(void **state)
{
	struct flow f = flow_of(100 * MS);

	assert_int_equal(f.c.pacing_rate, 0);
	step(&f);
	assert_int_equal(f.c.pacing_rate, f.c.cwnd * 20);
	f.srtt = 200 * MS;
	step(&f);
	assert_int_equal(f.c.pacing_rate, f.c.cwnd * 10);
	lose(&f);
	f.srtt = 0;
	step(&f);
	assert_int_equal(f.c.pacing_rate, f.c.cwnd * 12);
}

// The mean window of a flow that loses one of each `n` segments, over `losses` of them.
static double mean_window(struct flow *f, double n, unsigned losses)
{
	double sum = 0;
	unsigned steps = 0;

	for (unsigned i = 1; i <= losses; i++) {
		for (; segments(f->acked) < i * n; steps++) {
			step(f);
			sum += segments(f->c.cwnd);
		}
		if (i < losses)
			lose(f);
	}
	return sum / steps;
}

// 5, formula 6 and table 1: 187, 1054 and 5926 segments at losses of 1e-4, 1e-5 and 1e-6.
//
// The formula is that of one cycle which ends at the W_max that it began with. Fast convergence is
// not in it: a flow alone that ends a hair below its W_max gives way to nobody, and so a row of
// cycles makes a few per cent less.
static void mean_window_is_that_of_the_response_function(void **state)
{
	const struct {
		double p, window;
	} rows[] = {{1e-4, 187}, {1e-5, 1054}, {1e-6, 5926}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double formula = pow(0.4 * 3.7 / 1.2, 0.25) * pow(0.1 / rows[i].p, 0.75);
		double w_max = formula / 0.925, many; // the mean of the curve is 1 - 0.3 / 4 of it
		struct flow f = flow_after_loss(100 * MS, (uint64_t)(w_max + 0.5)), g = f;

		assert_near(formula, rows[i].window, 0.005);
		assert_near(mean_window(&f, 1 / rows[i].p, 1), formula, 0.01);
		assert_near(segments(f.c.cwnd), w_max, 0.01);
		many = mean_window(&g, 1 / rows[i].p, 50);
		assert_true(many < formula);
		assert_near(many, formula, 0.1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_window_is_ten_segments_or_14600_bytes),
		cmocka_unit_test(slow_start_doubles_and_counts_bytes_not_acknowledgements),
		cmocka_unit_test(window_that_is_not_used_does_not_grow),
		cmocka_unit_test(hystart_leaves_slow_start_as_the_round_trip_rises),
		cmocka_unit_test(hystart_resumes_slow_start_after_jitter),
		cmocka_unit_test(hystart_wants_eight_samples),
		cmocka_unit_test(hystart_thresholds_are_bounded),
		cmocka_unit_test(loss_takes_three_tenths),
		cmocka_unit_test(window_follows_the_curve),
		cmocka_unit_test(small_windows_grow_as_renos),
		cmocka_unit_test(second_loss_below_w_max_converges_faster),
		cmocka_unit_test(time_without_use_of_the_window_does_not_count),
		cmocka_unit_test(small_acknowledgements_lose_no_fraction),
		cmocka_unit_test(window_grows_by_half_a_round_at_most),
		cmocka_unit_test(undo_puts_back_window_and_curve),
		cmocka_unit_test(undo_of_a_timeout_in_the_first_slow_start_goes_on_doubling),
		cmocka_unit_test(undo_that_comes_too_late_changes_nothing),
		cmocka_unit_test(timeout_leaves_one_segment),
		cmocka_unit_test(timeout_within_recovery_reduces_once),
		cmocka_unit_test(idle_flow_restarts_slowly_or_paced),
		cmocka_unit_test(pacing_is_twice_the_window_in_slow_start_and_a_fifth_more_after),
		cmocka_unit_test(mean_window_is_that_of_the_response_function),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
