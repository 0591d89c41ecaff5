// SPDX-License-Identifier: BSD-3-Clause
// Anything in any order: segments go out, peers acknowledge and sack what they please, time passes,
// timers run out. After each step the real thing has to be where the slow model is.
#include "tests/unit/recovery_model.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define ROUNDS 2000
#define STEPS  200
#define MS     1000000ull

static void take_ack(struct congestion *c, const struct ack_sample *s)
{
	assert_true(s->in_flight < 1u << 31 && s->in_flight_after < 1u << 31);
	assert_true(s->sent_delivered <= s->delivered && s->sent_lost <= s->lost_total);
	assert_true(s->rate_delivered <= s->delivered);
}

static void take_time(struct congestion *c, uint64_t now_ns)
{
}

static void take_flight(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	assert_true(in_flight < 1u << 31);
}

static const struct congestion_ops idle_ops = {
	.name = "idle",
	.acked = take_ack,
	.enter_recovery = take_flight,
	.leave_recovery = take_time,
	.rto = take_flight,
	.undo = take_time,
	.owns_recovery = true,
};

struct scene {
	struct random random;
	struct recovery_settings set;
	struct congestion c;
	struct recovery r;
	struct model m;
	struct seq iss;
	uint64_t now_ns;
};

static uint32_t below(struct scene *s, uint32_t n)
{
	return (uint32_t)random_below(&s->random, n);
}

static void send_some(struct scene *s)
{
	for (unsigned n = 1 + below(s, 8); n && s->m.n < 100; n--) {
		uint32_t len = below(s, 4) ? s->r.mss : 1 + below(s, s->r.mss);

		assert_int_equal(recovery_sent(&s->r, len, !below(s, 9), s->now_ns), 0);
		model_sent(&s->m, len, s->now_ns);
		s->now_ns++;
	}
}

static void resend_some(struct scene *s)
{
	struct tcp_range range;
	unsigned n = 1 + below(s, 8);

	s->r.has_new = below(s, 2);
	for (; n && recovery_next(&s->r, s->now_ns, &range); n--) {
		assert_true(model_is_due(&s->m, range.from.v - s->iss.v));
		assert_true(range.to.v - range.from.v <= s->r.mss);
		recovery_resent(&s->r, &range, s->now_ns);
		model_resent(&s->m, range.from.v - s->iss.v, range.to.v - s->iss.v, s->now_ns);
		s->now_ns++;
	}
	if (n && !s->r.has_new)
		assert_false(model_has_due(&s->m));
}

// A border between segments, or anything near.
static uint32_t border(struct scene *s)
{
	if (s->m.n && below(s, 20))
		return s->m.segments[below(s, s->m.n)].from;
	return s->m.una + below(s, s->m.nxt - s->m.una + 2) - !below(s, 8);
}

// Borders may lie before the first byte.
static bool is_within(const struct model_block *b, const struct model_block *of)
{
	return (int32_t)(b->from - of->from) >= 0 && (int32_t)(b->to - of->to) <= 0;
}

static void fill_blocks(struct scene *s, struct recovery_ack *in, struct model_ack *a)
{
	in->n_sack = below(s, TCP_SACK_MAX + 1);
	for (unsigned i = 0; i < in->n_sack; i++) {
		uint32_t from = border(s), to = below(s, 3) ? border(s) : from + s->r.mss;

		in->sack[i] = (struct tcp_range){seq_add(s->iss, from), seq_add(s->iss, to)};
		// Below the acknowledgement the first one is a DSACK: here, all of its kind.
		if (i == 0 && (int32_t)(to - from) > 0 && to <= a->ack) {
			a->has_dsack = true;
		} else {
			a->blocks[a->n].from = from;
			a->blocks[a->n].to = to;
			a->n++;
		}
	}
	// Within the second block it is one as well; and what it says of new data is not heard.
	if (!a->has_dsack && in->n_sack > 1 &&
	    (int32_t)(a->blocks[0].to - a->blocks[0].from) > 0 &&
	    is_within(&a->blocks[0], &a->blocks[1]) && a->blocks[0].to <= s->m.nxt) {
		a->has_dsack = true;
		a->blocks[0].to = a->blocks[0].from;
	}
}

static void acknowledge(struct scene *s)
{
	struct recovery_news news;
	struct recovery_ack in = {.now_ns = s->now_ns, .snd_max_window = 1 << 30};
	struct model_ack a = {.now_ns = s->now_ns};
	uint64_t n_undone = s->r.n_undone;
	const struct recovery_state *st = s->r.state;

	a.ack = below(s, 2) ? s->m.una : border(s);
	if (a.ack > s->m.nxt || a.ack + 1000 < s->m.una)
		a.ack = s->m.una;
	in.ack = seq_add(s->iss, a.ack);
	in.has_data = !below(s, 5);
	in.has_ts = s->r.has_time;
	if (in.has_ts)
		in.ts_rtt_ns = a.ts_rtt_ns = below(s, 50) * MS;
	in.ts_is_of_first = in.has_ts && !below(s, 6);
	fill_blocks(s, &in, &a);
	if (a.has_dsack && st->tlp.is_on && st->tlp.is_again && seq_eq(in.sack[0].to, st->tlp.to))
		a.has_dsack = false;
	a.min_rtt_before_ns = s->r.min_rtt_ns;
	recovery_ack(&s->r, &in, &news);
	a.min_rtt_ns = s->r.min_rtt_ns;
	a.srtt_ns = s->r.srtt_ns;
	a.is_undone = s->r.n_undone != n_undone;
	model_take(&s->m, &a);
	assert_true(s->r.n_undone - n_undone <= 1);
}

static void probe(struct scene *s)
{
	struct tcp_range range;

	if (below(s, 2)) {
		if (s->m.n == MODEL_SEGMENTS_MAX)
			return;
		assert_int_equal(recovery_sent(&s->r, s->r.mss, false, s->now_ns), 0);
		model_sent(&s->m, s->r.mss, s->now_ns);
		recovery_probed(&s->r, true, s->now_ns);
	} else if (recovery_probe(&s->r, &range)) {
		recovery_resent(&s->r, &range, s->now_ns);
		model_resent(&s->m, range.from.v - s->iss.v, range.to.v - s->iss.v, s->now_ns);
		recovery_probed(&s->r, false, s->now_ns);
	}
	s->now_ns++;
}

static void expire(struct scene *s)
{
	uint64_t at_ns = recovery_deadline(&s->r);
	struct tcp_range range;

	if (s->m.n == 0) {
		assert_true(at_ns == TCP_NO_DEADLINE);
		return;
	}
	assert_true(at_ns != TCP_NO_DEADLINE);
	if (at_ns > s->now_ns)
		s->now_ns = at_ns;
	switch (recovery_expire(&s->r, s->now_ns)) {
	case RECOVERY_NONE:
		fail_msg("nothing had run out at the deadline");
		break;
	case RECOVERY_REORDER:
		assert_true(s->m.reorder_ns && s->m.reorder_ns <= s->now_ns);
		model_reorder(&s->m, s->r.min_rtt_ns, s->r.srtt_ns, s->now_ns);
		break;
	case RECOVERY_PROBE:
		assert_true(s->m.phase == RECOVERY_OPEN);
		probe(s);
		break;
	case RECOVERY_TIMEOUT:
		model_timeout(&s->m, s->r.min_rtt_ns, s->r.srtt_ns, s->now_ns);
		assert_true(recovery_next(&s->r, s->now_ns, &range));
		assert_true(seq_eq(range.from, s->r.una)); // RFC 6298, 5.4: the earliest first
		break;
	}
}

static void step(struct scene *s)
{
	switch (below(s, 10)) {
	case 0:
	case 1:
	case 2:
		send_some(s);
		break;
	case 3:
	case 4:
		resend_some(s);
		break;
	case 5:
		expire(s);
		break;
	case 6:
		if (!below(s, 10))
			recovery_mss(&s->r, 40 + below(s, 100));
		break;
	default:
		acknowledge(s);
	}
	s->now_ns += below(s, 3) ? below(s, 1000) : below(s, 30) * MS;
}

static void run(uint64_t seed)
{
	struct scene s = {
		.random = {seed},
		.set = {.rto_min_ns = 200 * MS,
			.rto_max_ns = 60000 * MS,
			.rto_first_ns = 1000 * MS,
			.ack_delay_ns = 200 * MS,
			.records_max = MODEL_SEGMENTS_MAX},
		.c = {.ops = &idle_ops, .cwnd = 1 << 30, .mss = 100},
		.now_ns = 1,
	};
	const char *wrong = NULL;

	s.iss = seq_of(below(&s, 2) ? UINT32_MAX - below(&s, 10000)
				    : (uint32_t)random_next(&s.random));
	model_init(&s.m);
	assert_int_equal(recovery_init(&s.r, &s.set, &s.c, s.iss), 0);
	recovery_open(&s.r, true, below(&s, 2), 100, below(&s, 2) ? 10 * MS : 0, s.now_ns);
	for (unsigned i = 0; i < STEPS && !wrong; i++) {
		step(&s);
		wrong = recovery_check(&s.r);
		if (!wrong)
			wrong = model_compare(&s.m, &s.r, s.iss);
		if (wrong)
			print_error("seed %" PRIu64 ", step %u: %s\n", seed, i, wrong);
	}
	recovery_fini(&s.r);
	assert_null(wrong);
}

static void anything_in_any_order(void **state)
{
	struct random r = random_seeded("recovery_any");

	for (unsigned i = 0; i < ROUNDS; i++)
		run(random_next(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
