// SPDX-License-Identifier: BSD-3-Clause
// CUBIC (RFC 9438). Section numbers are that RFC's where no other is named.
//
//   acked() -> slow_start() -> hystart_acked()
//           -> avoid(): the cubic curve, or Reno's line where that is higher
//   enter_recovery(), rto() -> remember() -> decrease()
//
// Counts bytes (RFC 3465) in integers, so that every machine computes the same windows. What a
// small acknowledgement adds to a large window is less than a byte: fractions are carried.
#include "dataplane/tcp/congestion.h"
#include "dataplane/tcp/hystart.h"

#define NS_PER_US 1000ull
#define NS_PER_S  1000000000ull

typedef __int128 wide;
typedef unsigned __int128 uwide;

#define US3_PER_S3    ((wide)1000000000000000000) // cubed microseconds
#define SPAN_MAX_US   10000000000ll               // |t - K|, so that its cube fits
#define FRACTION_BITS 20
#define WINDOW_MIN    2 // segments, after a loss (4.6)

// beta 0.7, C 0.4, and alpha 3 (1 - beta) / (1 + beta) = 9/17 (4.1, 4.3)
#define BETA(w)             ((w)*7 / 10)
#define FAST_CONVERGENCE(w) ((w)*17 / 20) // (1 + beta) / 2 (4.7)

// The window as a function of time since the last loss (4.2), and Reno's (4.3).
struct curve {
	bool is_on;          // false: the next acknowledgement in congestion avoidance begins it
	uint64_t w_max;      // bytes, as the last loss came; 0: undefined
	uint64_t plateau;    // bytes, W_max of the formula
	uint64_t cwnd_prior; // bytes, before ssthresh was last set
	uint64_t k_us;
	uint64_t age_ns;   // t: time in which the window was used up
	uint64_t w_est;    // in 2^-20 bytes
	uint64_t fraction; // of cwnd, in 2^-20 bytes
};

struct cubic {
	struct curve curve;
	struct hystart hystart;
	struct { // 4.9: as it was before the last reduction
		bool is_there;
		uint64_t cwnd, ssthresh;
		struct curve curve;
		struct hystart hystart;
	} saved;
	uint64_t counted_ns; // the curve's age is counted up to here
	uint64_t full_ns;    // when the window was last used up
	uint64_t srtt_ns;
	bool is_recovering;
	bool is_backed_off; // after an RTO, until something is acknowledged
};

_Static_assert(sizeof(struct cubic) <= CONGESTION_PRIVATE, "does not fit into struct congestion");

static struct cubic *cubic_of(struct congestion *c)
{
	return (struct cubic *)c->private;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

// The largest r with r^3 <= x, for x below 2^126.
static uint64_t cube_root(uwide x)
{
	uint64_t r = 0;

	for (uint64_t bit = 1ull << 41; bit; bit >>= 1) {
		uwide next = r | bit;

		if (next * next * next <= x)
			r |= bit;
	}
	return r;
}

// K = cbrt((W_max - cwnd) / C), windows in segments.
static uint64_t curve_k_us(uint64_t w_max, uint64_t cwnd, uint32_t mss)
{
	return cube_root((uwide)(w_max - cwnd) * US3_PER_S3 * 10 / (4ull * mss));
}

// W_cubic(t) = C (t - K)^3 + W_max, in bytes.
static uint64_t curve_at(const struct curve *v, uint32_t mss, uint64_t t_ns)
{
	wide d = (wide)(t_ns / NS_PER_US) - v->k_us;
	wide w;

	if (d > SPAN_MAX_US)
		d = SPAN_MAX_US;
	if (d < -SPAN_MAX_US)
		d = -SPAN_MAX_US;
	w = (wide)v->plateau + d * d * d * mss * 4 / (10 * US3_PER_S3);
	return w > 0 ? (uint64_t)w : 0;
}

static void curve_begin(struct curve *v, const struct congestion *c)
{
	// After an RTO (4.8) and at the end of HyStart++ (4.10) W_max is the window of now.
	if (v->w_max == 0)
		v->w_max = c->cwnd;
	if (v->cwnd_prior == 0)
		v->cwnd_prior = c->cwnd;
	v->plateau = max64(v->w_max, c->cwnd);
	v->k_us = curve_k_us(v->plateau, c->cwnd, c->mss);
	v->age_ns = 0;
	v->w_est = c->cwnd << FRACTION_BITS;
	v->fraction = 0;
	v->is_on = true;
}

// 4.3: additive increase, with Reno's slope once it is back at the window of before the loss.
static void reno_grow(struct curve *v, const struct congestion *c, uint64_t acked)
{
	bool is_back = v->w_est >> FRACTION_BITS >= v->cwnd_prior;
	uwide step = ((uwide)acked * c->mss << FRACTION_BITS) / c->cwnd;

	v->w_est += (uint64_t)(is_back ? step : step * 9 / 17);
}

// 4.4, 4.5: towards where the curve will be a round trip later.
static void cubic_grow(struct curve *v, struct congestion *c, uint64_t acked, uint64_t srtt_ns)
{
	uint64_t target = curve_at(v, c->mss, v->age_ns + srtt_ns);
	uint64_t most = c->cwnd + c->cwnd / 2;

	if (target <= c->cwnd)
		return;
	if (target > most)
		target = most;
	v->fraction += (uint64_t)(((uwide)(target - c->cwnd) * acked << FRACTION_BITS) / c->cwnd);
	c->cwnd += v->fraction >> FRACTION_BITS;
	v->fraction &= (1ull << FRACTION_BITS) - 1;
}

static void avoid(struct congestion *c, struct cubic *b, uint64_t acked, uint64_t now_ns)
{
	struct curve *v = &b->curve;

	if (!v->is_on)
		curve_begin(v, c);
	else
		v->age_ns += now_ns - b->counted_ns;
	reno_grow(v, c, acked);
	if (curve_at(v, c->mss, v->age_ns) < v->w_est >> FRACTION_BITS)
		c->cwnd = max64(c->cwnd, v->w_est >> FRACTION_BITS);
	else
		cubic_grow(v, c, acked, b->srtt_ns);
}

// @return bytes of the acknowledgement that slow start has left to congestion avoidance
static uint64_t slow_start(struct congestion *c, struct cubic *b, const struct ack_sample *s)
{
	uint64_t grow = s->advanced, room;
	bool is_over = false;

	if (b->hystart.is_on)
		grow = hystart_acked(&b->hystart, s, &is_over);
	if (is_over) {
		b->hystart.is_on = false;
		c->ssthresh = c->cwnd;
		return s->advanced;
	}
	room = c->ssthresh - c->cwnd;
	c->cwnd += grow < room ? grow : room;
	return grow < room ? 0 : grow - room;
}

// Rates of 200 % of the window per round trip where that doubles, 120 % where it creeps: pacing is
// to smooth, the window is to limit.
static void set_pacing(struct congestion *c, const struct cubic *b)
{
	unsigned percent = c->cwnd < c->ssthresh ? 200 : 120;

	if (b->srtt_ns)
		c->pacing_rate = (uint64_t)((uwide)c->cwnd * percent * NS_PER_S / 100 / b->srtt_ns);
}

// 5.8: a window that is not used up does not grow. In slow start, where it doubles, half of it is
// enough (RFC 7661, 4.1); else it has to have been full within a round trip.
static bool is_used_up(const struct congestion *c, struct cubic *b, const struct ack_sample *s)
{
	if (s->is_cwnd_limited || s->in_flight + c->mss > c->cwnd)
		b->full_ns = s->now_ns;
	if (c->cwnd < c->ssthresh)
		return s->in_flight >= c->cwnd / 2;
	return b->full_ns && s->now_ns - b->full_ns <= b->srtt_ns;
}

// Duplicates leave the window alone, whatever SACK tells (RFC 5681, 3.2; RFC 3042): it grows by
// what SND.UNA moves.
static void cubic_acked(struct congestion *c, const struct ack_sample *s)
{
	struct cubic *b = cubic_of(c);
	bool used = is_used_up(c, b, s);
	uint64_t left = s->advanced;

	if (s->srtt_ns)
		b->srtt_ns = s->srtt_ns;
	if (s->acked)
		b->is_backed_off = false;
	if (!b->is_recovering && used && left) {
		if (c->cwnd < c->ssthresh)
			left = slow_start(c, b, s);
		if (left)
			avoid(c, b, left, s->now_ns);
	}
	b->counted_ns = s->now_ns;
	set_pacing(c, b);
}

static void cubic_sent(struct congestion *c, uint64_t in_flight, uint32_t len, uint64_t now_ns)
{
	if (in_flight + c->mss > c->cwnd)
		cubic_of(c)->full_ns = now_ns;
}

static void remember(const struct congestion *c, struct cubic *b)
{
	b->saved.is_there = true;
	b->saved.cwnd = c->cwnd;
	b->saved.ssthresh = c->ssthresh;
	b->saved.curve = b->curve;
	b->saved.hystart = b->hystart;
}

// 4.6, 4.7. The window stands for the flight size, since it grows only when it is used up.
static void decrease(struct congestion *c, struct cubic *b)
{
	struct curve *v = &b->curve;

	v->w_max = c->cwnd < v->w_max ? FAST_CONVERGENCE(c->cwnd) : c->cwnd;
	v->cwnd_prior = c->cwnd;
	v->is_on = false;
	b->hystart.is_on = false;
	c->ssthresh = max64(BETA(c->cwnd), (uint64_t)WINDOW_MIN * c->mss);
}

static void cubic_enter_recovery(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);

	remember(c, b);
	decrease(c, b);
	b->is_recovering = true;
}

static void cubic_leave_recovery(struct congestion *c, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);

	if (b->is_recovering)
		c->cwnd = c->ssthresh;
	b->is_recovering = false;
	set_pacing(c, b);
}

// 4.8 and RFC 5681, 3.1. ssthresh is set once for one window of data: not again when the timer runs
// out within recovery, nor when it does for the same segment.
static void cubic_rto(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);

	if (b->is_recovering)
		c->cwnd = c->ssthresh;
	if (!b->is_backed_off) {
		remember(c, b);
		if (!b->is_recovering)
			decrease(c, b);
	}
	b->curve.w_max = 0;
	b->curve.is_on = false;
	b->is_recovering = false;
	b->is_backed_off = true;
	c->cwnd = c->mss;
	set_pacing(c, b);
}

// 4.9.2, and RFC 4015 for a timeout: unless the window has already grown beyond what it was.
static void cubic_undo(struct congestion *c, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);

	if (b->saved.is_there && (b->is_recovering || c->cwnd < b->saved.cwnd)) {
		c->cwnd = b->saved.cwnd;
		c->ssthresh = b->saved.ssthresh;
		b->curve = b->saved.curve;
		b->hystart = b->saved.hystart;
	}
	b->saved.is_there = false;
	b->is_recovering = false;
	b->is_backed_off = false;
	b->counted_ns = now_ns;
	set_pacing(c, b);
}

// After more than an RTO of silence the window is not known to fit any more: slow start from the
// first window (RFC 5681, 4.1) up to three quarters of what it was (RFC 7661, 4.4.3), or the old
// window, spread over a round trip.
static void cubic_restart(struct congestion *c, uint64_t idle_ns, uint64_t rto_ns, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);
	uint64_t first = congestion_first_window(c);

	b->counted_ns = now_ns;
	if (idle_ns <= rto_ns || b->is_recovering)
		return;
	if (c->slow_start_after_idle && c->cwnd > first) {
		if (c->ssthresh != UINT64_MAX)
			c->ssthresh = max64(c->ssthresh, c->cwnd / 4 * 3);
		c->cwnd = first;
		b->curve.is_on = false;
		set_pacing(c, b);
	} else if (b->srtt_ns) {
		c->pacing_rate = (uint64_t)((uwide)c->cwnd * NS_PER_S / b->srtt_ns);
	}
}

static void cubic_init(struct congestion *c, uint64_t now_ns)
{
	struct cubic *b = cubic_of(c);

	*b = (struct cubic){.counted_ns = now_ns};
	hystart_init(&b->hystart);
}

const struct congestion_ops congestion_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.sent = cubic_sent,
	.acked = cubic_acked,
	.enter_recovery = cubic_enter_recovery,
	.leave_recovery = cubic_leave_recovery,
	.rto = cubic_rto,
	.undo = cubic_undo,
	.restart = cubic_restart,
};
