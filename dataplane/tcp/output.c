// SPDX-License-Identifier: BSD-3-Clause
// What goes out next. Each function either fills a segment or has nothing:
//
//   tcp_output() -> rst_output() -> again_output()
//     -> sack_output()     acknowledgements with blocks, which have no room beside full payloads
//     -> resend_output()   SYN, lost segments, the probes of a tail and of a shut window
//     -> new_output()      SYN, bytes, FIN, as window, congestion control and pacer allow
//     -> alive_output()    the probe of a silent peer
//     -> ack_output()
#include <assert.h>

#include "dataplane/tcp/tcp_priv.h"

#define PACER_CREDIT_NS NS_PER_MS // what a late turn may catch up with

static void trace_out(const struct tcp *t, enum trace_kind kind, uint64_t now_ns,
		      const struct tcp_segment *out)
{
	trace_segment(t->trace, now_ns, kind, out->flags, (uint32_t)t->last.from, out->len,
		      (uint32_t)t->receive.next, out->window);
}

static bool rst_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	if (!t->rst.is_due)
		return false;
	t->rst.is_due = false;
	segment_make_rst(t, now_ns, out);
	return true;
}

// Where a segment from `from` ends that the device takes: a path that has become narrow in between
// does not take what went out as one before.
static uint64_t end_within(const struct tcp *t, uint64_t from, uint64_t to)
{
	return min_u64(to, from + max_u64(t->host->set.segment_max, t->snd.mss));
}

// What the device refused, unless it was acknowledged meanwhile.
static bool again_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	struct sent_last last = t->last;

	if (!last.is_due)
		return false;
	t->last.is_due = false;
	if (last.from < last.to && last.to <= t->snd.una)
		return false;
	if (last.from < last.to)
		last.from = max_u64(last.from, t->snd.una);
	last.to = end_within(t, last.from, last.to);
	segment_make(t, last.from, last.to, now_ns, out);
	trace_out(t, TRACE_OUT, now_ns, out);
	return true;
}

static bool ack_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	if (!t->ack.now && t->ack.at_ns > now_ns)
		return false;
	segment_make(t, t->snd.nxt, t->snd.nxt, now_ns, out);
	trace_out(t, TRACE_OUT, now_ns, out);
	return true;
}

static bool sack_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	bool has_blocks = t->receive.n || t->receive.repeat.from < t->receive.repeat.to;

	if (t->snd.nxt == POSITION_SYN) // nothing goes before the SYN-ACK
		return false;
	return t->ack.now && t->has_sack && has_blocks && ack_output(t, now_ns, out);
}

static bool is_paced(const struct tcp *t)
{
	return t->host->set.pacing || t->congestion.ops->must_pace;
}

// @return whether the next payload has to wait
static bool pacer_holds(struct tcp *t, uint64_t now_ns)
{
	uint64_t at_ns = is_paced(t) ? pacer_ask(&t->pacer, now_ns) : 0;

	if (at_ns == 0)
		return false;
	t->timer.pace_ns = at_ns;
	return true;
}

static void pacer_take(struct tcp *t, uint32_t len, uint64_t now_ns)
{
	if (is_paced(t))
		pacer_sent(&t->pacer, t->congestion.pacing_rate, len, PACER_CREDIT_NS, now_ns);
}

// Octets that may once go out for the first time: bytes and FIN.
static uint64_t unsent(const struct tcp *t)
{
	uint64_t end = t->snd.end + t->is_shut;

	if (tcp_is_opening(t))
		return t->snd.nxt == POSITION_SYN;
	return end - t->snd.nxt;
}

static uint64_t window_left(const struct tcp *t)
{
	return t->snd.edge > t->snd.nxt ? t->snd.edge - t->snd.nxt : 0;
}

// Tell recovery what goes out, a segment at a time; the FIN has a record of its own.
//
// @return octets that it could take
static uint64_t records_put(struct tcp *t, uint64_t len, bool is_app_limited, uint64_t now_ns)
{
	uint64_t data = t->snd.end > t->snd.nxt ? t->snd.end - t->snd.nxt : 0, done = 0;

	if (t->snd.nxt == POSITION_SYN)
		data = 1;
	while (done < len) {
		uint64_t n = done < data ? min_u64(min_u64(len, data) - done, t->snd.mss) : 1;

		bool is_last = is_app_limited && done + n == len;

		if (recovery_sent(&t->recovery, (uint32_t)n, is_last, now_ns))
			break;
		done += n;
	}
	return done;
}

// [nxt, nxt + len) goes out for the first time.
static bool first_output(struct tcp *t, uint64_t len, bool is_app_limited, uint64_t now_ns,
			 struct tcp_segment *out)
{
	uint64_t from = t->snd.nxt;

	if (from == t->snd.una)
		t->snd.waits_ns = now_ns;
	len = records_put(t, len, is_app_limited, now_ns);
	if (len == 0)
		return false;
	t->snd.nxt += len;
	t->snd.sent_ns = now_ns;
	segment_make(t, from, from + len, now_ns, out);
	pacer_take(t, out->len, now_ns);
	t->n.bytes_out += out->len;
	trace_out(t, TRACE_OUT, now_ns, out);
	return true;
}

static void range_output(struct tcp *t, const struct tcp_range *range, uint64_t now_ns,
			 struct tcp_segment *out)
{
	uint64_t from = snd_position(t, range->from);
	uint64_t to = end_within(t, from, snd_position(t, range->to));
	struct tcp_range part = {range->from, snd_seq(t, to)};

	recovery_resent(&t->recovery, &part, now_ns);
	if (t->path.probe_end && to > t->path.probe_end - t->path.probe_mss &&
	    from < t->path.probe_end)
		mss_probe_lost(t, now_ns);
	segment_make(t, from, to, now_ns, out);
	pacer_take(t, out->len, now_ns);
	t->n.bytes_resent += out->len;
	t->n.segments_resent++;
	trace_out(t, TRACE_AGAIN, now_ns, out);
}

// The probe of a lost tail (RFC 8985, 7.3): new data if there is room, else the last segment.
static bool tail_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	uint64_t len = min_u64(min_u64(unsent(t), window_left(t)), t->snd.mss);
	struct tcp_range range;

	t->snd.probe_tail = false;
	if (len && first_output(t, len, false, now_ns, out)) {
		recovery_probed(&t->recovery, true, now_ns);
		return true;
	}
	if (!recovery_probe(&t->recovery, &range))
		return false;
	range_output(t, &range, now_ns, out);
	recovery_probed(&t->recovery, false, now_ns);
	trace_put(t->trace, now_ns, TRACE_TLP, (uint32_t)t->last.from, 0, out->len, 0);
	return true;
}

// Simultaneous open: the SYN that is out already goes again, now with an ACK.
static bool syn_again_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	struct tcp_range range = {t->snd.iss, seq_add(t->snd.iss, 1)};

	if (!t->snd.syn_again)
		return false;
	t->snd.syn_again = false;
	if (t->snd.una != POSITION_SYN || t->snd.nxt == POSITION_SYN)
		return false;
	range_output(t, &range, now_ns, out);
	return true;
}

// An octet of what the window does not take, or what it takes though that is little (RFC 9293,
// 3.8.6.1). What is out already goes again; nothing else is out then.
static bool persist_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	uint64_t len = min_u64(min_u64(window_left(t), unsent(t)), t->snd.mss);
	struct tcp_range range = {t->recovery.una, t->recovery.nxt};

	t->timer.persist_due = false;
	if (t->snd.una == t->snd.nxt && (unsent(t) == 0 || !is_persisting(t)))
		return false;
	t->n.n_persist++;
	if (t->snd.una == t->snd.nxt)
		return first_output(t, max_u64(len, 1), false, now_ns, out);
	range_output(t, &range, now_ns, out);
	return true;
}

static bool resend_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	struct tcp_range range;

	if (t->timer.persist_due && persist_output(t, now_ns, out))
		return true;
	if (t->snd.una == t->snd.nxt)
		return false;
	if (t->snd.probe_tail)
		return tail_output(t, now_ns, out);
	if (syn_again_output(t, now_ns, out))
		return true;
	if (is_persisting(t))
		return false;
	t->recovery.has_new = unsent(t) && window_left(t);
	if (!recovery_next(&t->recovery, now_ns, &range) || pacer_holds(t, now_ns))
		return false;
	range_output(t, &range, now_ns, out);
	return true;
}

// Most octets of one segment: what the device cuts, but no longer a burst than the pacer likes.
static uint64_t burst_max(const struct tcp *t)
{
	uint64_t rate = is_paced(t) ? t->congestion.pacing_rate : 0;
	uint32_t mss = t->snd.mss, max = t->host->set.segment_max;

	if (max <= mss)
		return mss;
	max = (uint32_t)min_u64(max, BLOCK_LEN);
	return rate ? pacer_burst(rate, mss, max) : max - max % mss;
}

// RFC 9293, 3.8.6.2.1: full segments, or the last of what there is; and, with nothing in flight
// that would bring an answer, half of what the peer ever offered. Nagle's rule is not kept: who
// writes has gathered.
//
// @param n  bytes that congestion control and the window allow, `data` at most
static uint64_t without_crumbs(const struct tcp *t, uint64_t n, uint64_t data, uint64_t window)
{
	if (n == data)
		return n;
	if (n >= t->snd.mss)
		return n - n % t->snd.mss;
	if (t->snd.una != t->snd.nxt)
		return 0;
	if (n == window && n < t->snd.wnd_max / 2)
		return 0; // the persist timer overrides
	return n;
}

// @return octets to send now, FIN included; 0: none
static uint64_t new_len(const struct tcp *t, uint64_t now_ns, bool *is_app_limited)
{
	uint64_t data = t->snd.end > t->snd.nxt ? t->snd.end - t->snd.nxt : 0;
	uint64_t window = window_left(t), allow = recovery_allow(&t->recovery, now_ns);
	uint64_t n = min_u64(min_u64(data, allow), window), burst = burst_max(t);

	n = n < burst ? without_crumbs(t, n, data, window) : burst;
	*is_app_limited = data - n < t->snd.mss && allow > n;
	if (n == data && t->is_shut && window > n && allow > n)
		n++;
	return n;
}

// After a silence the window may not fit the path any more (RFC 5681, 4.1; RFC 7661).
static void restart(struct tcp *t, uint64_t now_ns)
{
	if (t->snd.una == t->snd.nxt && t->congestion.ops->restart)
		t->congestion.ops->restart(&t->congestion, now_ns - t->snd.sent_ns,
					   t->recovery.rto_ns, now_ns);
}

// One segment larger than the others, to see whether the path carries it.
static bool mss_probe_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	uint32_t len = mss_probe_len(t, now_ns);
	uint64_t from = t->snd.nxt;

	if (len == 0 || recovery_allow(&t->recovery, now_ns) < len ||
	    recovery_sent(&t->recovery, len, false, now_ns))
		return false;
	if (from == t->snd.una)
		t->snd.waits_ns = now_ns;
	t->snd.nxt += len;
	t->snd.sent_ns = now_ns;
	mss_probe_sent(t, t->snd.nxt);
	segment_make(t, from, from + len, now_ns, out);
	out->mss = 0;
	pacer_take(t, len, now_ns);
	t->n.bytes_out += len;
	trace_out(t, TRACE_OUT, now_ns, out);
	return true;
}

static bool new_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	bool is_app_limited = false;

	if (unsent(t) == 0 || is_persisting(t))
		return false;
	if (t->snd.nxt == POSITION_SYN)
		return first_output(t, 1, true, now_ns, out);
	restart(t, now_ns);
	uint64_t len = new_len(t, now_ns, &is_app_limited);
	if (len == 0 || pacer_holds(t, now_ns))
		return false;
	if (t->path.raise_ns <= now_ns && mss_probe_output(t, now_ns, out))
		return true;
	return first_output(t, len, is_app_limited, now_ns, out);
}

static bool alive_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	if (!t->timer.alive_due)
		return false;
	t->timer.alive_due = false;
	t->n.n_probes++;
	segment_make(t, t->snd.nxt - 1, t->snd.nxt - 1, now_ns, out); // RFC 1122, 4.2.3.6
	trace_put(t->trace, now_ns, TRACE_KEEPALIVE, 0, 0, t->timer.n_alive, 0);
	return true;
}

// With nothing in flight no acknowledgement will come to open the window.
static void persist_look(struct tcp *t, uint64_t now_ns)
{
	if (t->snd.una == t->snd.nxt && unsent(t) && !is_persisting(t) &&
	    t->timer.pace_ns == TCP_NO_DEADLINE && !tcp_is_opening(t))
		persist_start(t, now_ns);
}

bool tcp_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	t->timer.pace_ns = TCP_NO_DEADLINE;
	if (rst_output(t, now_ns, out))
		return true;
	if (t->state == TCP_CLOSED)
		return false;
	if (again_output(t, now_ns, out) || sack_output(t, now_ns, out) ||
	    resend_output(t, now_ns, out) || new_output(t, now_ns, out) ||
	    alive_output(t, now_ns, out) || ack_output(t, now_ns, out))
		return true;
	persist_look(t, now_ns);
	return false;
}

void tcp_output_refused(struct tcp *t, uint64_t now_ns)
{
	if (t->last.is_rst)
		t->rst.is_due = true;
	else
		t->last.is_due = true;
	t->path.probe_end = 0; // it will go out in pieces
}
