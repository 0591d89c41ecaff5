// SPDX-License-Identifier: BSD-3-Clause
// What flows get of a bottleneck, held against bounds and against RFC 9438's own formulae.
//
// FLYOVER_TEST_LONG: at 1 Gbit/s, and with as many losses as a mean needs.
#include <math.h>
#include <stdbool.h>

#include "tests/sim/goodput_run.h"
#include "tests/unit/test.h"

#define MS   1000000ull
#define S    1000000000ull
#define MBIT 1000000ull

#define N(a) (sizeof(a) / sizeof(*(a)))

static bool is_long(void)
{
	const char *asked = getenv("FLYOVER_TEST_LONG");

	return asked && *asked;
}

static struct goodput run(const struct goodput_case *c)
{
	struct goodput g;
	const char *why = goodput_run(c, &g);

	if (why)
		fail_msg("%s", why);
	return g;
}

static void assert_between(double x, double low, double high)
{
	if (x < low || x > high)
		fail_msg("%g is not between %g and %g", x, low, high);
}

// A path of 172 segments, or of 1 Gbit/s.
static uint64_t rate_of(uint64_t rtt_ns)
{
	return is_long() ? 1000 * MBIT : 2 * MBIT * S / rtt_ns;
}

static void path_without_loss_is_used_up(void **state)
{
	const uint64_t rtts[] = {20 * MS, 100 * MS, 200 * MS};

	for (unsigned i = 0; i < N(rtts); i++)
		for (enum tcp_congestion what = TCP_CUBIC; what <= TCP_BBR; what++) {
			struct goodput g = run(&(struct goodput_case){
				.rate = rate_of(rtts[i]),
				.rtt_ns = rtts[i],
				.queue = 1,
				.warm_ns = (is_long() ? 40 : 8) * S,
				.for_ns = (is_long() ? 120 : 10) * S,
				.seed = 1,
				.congestion = {what},
			});

			assert_between(g.used, 0.95, 1.001);
			assert_int_equal(g.n_rto, 0);
		}
}

static void bbr_is_not_moved_by_one_loss_in_ten_thousand(void **state)
{
	struct goodput g = run(&(struct goodput_case){
		.rate = is_long() ? 1000 * MBIT : 50 * MBIT,
		.rtt_ns = 100 * MS,
		.queue = 1,
		.loss = 1e-4,
		.warm_ns = 5 * S,
		.for_ns = (is_long() ? 120 : 20) * S,
		.seed = 1,
		.congestion = {TCP_BBR},
	});

	assert_between(g.used, 0.9, 1.001);
	assert_int_equal(g.n_rto, 0);
}

// RFC 9438, formula 6, in segments.
static double response(double rtt_s, double p)
{
	return pow(0.4 * 3.7 / 1.2, 0.25) * pow(rtt_s / p, 0.75);
}

static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

// The mean window by the equations of RFC 9438 alone (4.2-4.7), when each segment is lost with a
// probability of its own: so many segments between losses as that law draws.
static double expected_window(double rtt_s, double p, unsigned losses)
{
	double w = response(rtt_s, p), w_max = w, dt = rtt_s / 4, sum = 0, time = 0;
	uint64_t state = 1;

	for (unsigned n = 0; n < losses; n++) {
		double left = -log(1 - (double)(draw(&state) >> 11) / 9007199254740992.0) / p;
		double prior = w, west, k, plateau;

		w_max = w < w_max ? 0.85 * w : w;
		west = w = fmax(0.7 * w, 2);
		plateau = fmax(w_max, w);
		k = cbrt((plateau - w) / 0.4);
		for (double t = dt; left > 0; t += dt, left -= w * dt / rtt_s) {
			west += (west < prior ? 9.0 / 17 : 1) * dt / rtt_s;
			w = fmax(w, fmin(1.5 * w, 0.4 * pow(t - k, 3) + plateau));
			w = fmax(w, west);
			sum += w * dt;
			time += dt;
		}
	}
	return sum / time;
}

// One segment in ten thousand, as the formula has it: 187 segments. What fast convergence takes is
// not in it (see tests/unit/congestion_cubic_test.c), and so the mean lies below.
static void cubic_has_the_window_of_the_response_function(void **state)
{
	double formula = response(0.1, 1e-4);
	struct goodput g = run(&(struct goodput_case){
		.rate = 200 * MBIT,
		.rtt_ns = 100 * MS,
		.queue = 1,
		.lose_every = 10000,
		.warm_ns = 20 * S,
		.for_ns = (is_long() ? 1200 : 100) * S,
		.seed = 1,
	});

	assert_between(formula, 187, 188);
	assert_between(g.window, 0.9 * formula, formula);
	// And what it got is that window, each round trip.
	assert_between(g.bits[0] * 0.1 / 8 / 1448, 0.97 * g.window, 1.03 * g.window);
}

// Losses at random come in heaps and in long gaps, in which the window grows beyond all that the
// formula knows: its mean is a seventh higher. It is held against the equations themselves.
static void cubic_has_the_mean_window_of_random_losses(void **state)
{
	double rtt_s = is_long() ? 0.1 : 0.2, p = is_long() ? 1e-4 : 1e-3, sum = 0;
	double expected = expected_window(rtt_s, p, 20000);
	unsigned n = is_long() ? 8 : 2;

	assert_between(expected, 1.05 * response(rtt_s, p), 1.4 * response(rtt_s, p));
	for (unsigned seed = 1; seed <= n; seed++)
		sum += run(&(struct goodput_case){
				   .rate = 200 * MBIT,
				   .rtt_ns = (uint64_t)(rtt_s * S),
				   .queue = 1,
				   .loss = p,
				   .warm_ns = 40 * S,
				   .for_ns = (is_long() ? 1200 : 300) * S,
				   .seed = seed,
			   })
			       .window;
	assert_between(sum / n, 0.9 * expected, 1.1 * expected);
}

static struct goodput share(enum tcp_congestion first, enum tcp_congestion second)
{
	return run(&(struct goodput_case){
		.rate = 20 * MBIT,
		.rtt_ns = 40 * MS,
		.queue = 1,
		.warm_ns = 15 * S,
		.for_ns = 30 * S,
		.seed = 1,
		.n_flows = 2,
		.congestion = {first, second},
		.at_ns = {0, 5 * S},
	});
}

static void flows_of_a_kind_share_fairly(void **state)
{
	for (enum tcp_congestion what = TCP_CUBIC; what <= TCP_BBR; what++) {
		struct goodput g = share(what, what);

		assert_between(g.bits[1] / (g.bits[0] + g.bits[1]), 0.33, 0.67);
		assert_between(g.used, 0.95, 1.001);
	}
}

static void cubic_and_bbr_live_beside_each_other(void **state)
{
	struct goodput g = share(TCP_CUBIC, TCP_BBR), h = share(TCP_BBR, TCP_CUBIC);

	assert_between(g.bits[1] / (g.bits[0] + g.bits[1]), 0.2, 0.8);
	assert_between(h.bits[1] / (h.bits[0] + h.bits[1]), 0.2, 0.8);
}

static void same_seed_gives_the_same_run(void **state)
{
	struct goodput_case c = {
		.rate = 20 * MBIT,
		.rtt_ns = 50 * MS,
		.queue = 0.5,
		.loss = 1e-3,
		.warm_ns = 2 * S,
		.for_ns = 8 * S,
		.seed = 7,
		.congestion = {TCP_BBR},
	};
	struct goodput a = run(&c), b = run(&c);

	assert_true(a.bits[0] == b.bits[0] && a.n_resent == b.n_resent);
	c.seed = 8;
	b = run(&c);
	assert_true(a.bits[0] != b.bits[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_without_loss_is_used_up),
		cmocka_unit_test(bbr_is_not_moved_by_one_loss_in_ten_thousand),
		cmocka_unit_test(cubic_has_the_window_of_the_response_function),
		cmocka_unit_test(cubic_has_the_mean_window_of_random_losses),
		cmocka_unit_test(flows_of_a_kind_share_fairly),
		cmocka_unit_test(cubic_and_bbr_live_beside_each_other),
		cmocka_unit_test(same_seed_gives_the_same_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
