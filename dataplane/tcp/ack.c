// SPDX-License-Identifier: BSD-3-Clause
// What the peer says of our bytes.
//
//   ack_step() -> ack_take() -> window_take() -> recovery_ack() -> una_advance()
#include "dataplane/tcp/tcp_priv.h"

// RFC 9293, 3.10.7.4, with one thing more: an acknowledgement of something new is newer than what
// set the window, whatever its sequence number.
//
// @return whether the window has changed
static bool window_take(struct tcp *t, const struct arrived *a)
{
	uint64_t seq = max_u64(a->seq, t->receive.next), before = t->snd.edge;
	unsigned scale = a->s->flags & TCP_SYN ? 0 : t->snd.scale;
	uint64_t window = (uint64_t)a->s->window << scale;
	bool is_newer = t->snd.wl1 < seq || (t->snd.wl1 == seq && t->snd.wl2 <= a->ack);

	if (a->ack < t->snd.una || !(is_newer || a->ack > t->snd.una))
		return false;
	t->snd.edge = a->ack + window;
	t->snd.wl1 = seq;
	t->snd.wl2 = a->ack;
	t->snd.wnd_max = max_u64(t->snd.wnd_max, window);
	if (window == 0 && before > a->ack)
		trace_put(t->trace, a->now_ns, TRACE_WINDOW_SHUT, (uint32_t)t->snd.edge, 0, 0, 0);
	return t->snd.edge != before;
}

// About twice what congestion control lets out, so that what goes next is at hand.
static void send_limit_grow(struct tcp *t)
{
	uint64_t want = min_u64(2 * t->congestion.cwnd, t->host->set.send_max);

	if (want > t->snd.limit)
		t->snd.limit = host_promise(t->host, t->snd.limit, want);
}

static void una_advance(struct tcp *t, const struct arrived *a)
{
	t->snd.una = a->ack;
	t->snd.waits_ns = a->now_ns;
	t->error_soft = 0;
	buffer_drop(&t->send, min_u64(a->ack, t->snd.end), a->ack >= t->snd.end);
	send_limit_grow(t);
	if (t->snd.is_full && t->snd.end - min_u64(a->ack, t->snd.end) <= t->snd.limit / 3 * 2) {
		t->snd.is_full = false;
		t->events |= TCP_WRITABLE;
	}
	if (t->is_shut && a->ack > t->snd.end)
		fin_acked(t, a->now_ns);
}

static void persist_take(struct tcp *t, uint64_t now_ns)
{
	uint64_t window = t->snd.edge - min_u64(t->snd.edge, t->snd.una);
	uint64_t left = t->snd.end + t->is_shut - min_u64(t->snd.una, t->snd.end + t->is_shut);

	if (window >= min_u64(left, min_u64(t->snd.mss, max_u64(t->snd.wnd_max / 2, 1))))
		persist_stop(t, now_ns);
}

static void recovery_take(struct tcp *t, const struct arrived *a, bool window_changed)
{
	const struct tcp_options *o = &a->s->options;
	struct recovery_news news;
	struct recovery_ack in;

	in.ack = a->s->ack;
	in.has_data = a->len > 0;
	in.window_changed = window_changed;
	in.has_ts = t->has_time && o->has & TCP_HAS_TIME;
	in.ts_rtt_ns = 0;
	in.ts_is_of_first = false;
	if (in.has_ts) {
		uint32_t age = ts_now(t, a->now_ns) - o->ts_ecr;
		uint64_t first_ns = recovery_first_resent_ns(&t->recovery);

		if (age <= INT32_MAX)
			in.ts_rtt_ns = max_u64(age, 1) * NS_PER_MS;
		in.ts_is_of_first = first_ns && (int32_t)(o->ts_ecr - ts_now(t, first_ns)) < 0;
	}
	in.n_sack = t->has_sack ? o->n_sack : 0;
	for (unsigned i = 0; i < in.n_sack; i++)
		in.sack[i] = o->sack[i];
	if (in.n_sack) // the first is the newest (RFC 2018, 4)
		trace_put(t->trace, a->now_ns, TRACE_SACK,
			  (uint32_t)snd_position(t, o->sack[0].from),
			  (uint32_t)snd_position(t, o->sack[0].to), 0, 0);
	in.snd_max_window = t->snd.wnd_max;
	in.now_ns = a->now_ns;
	recovery_ack(&t->recovery, &in, &news);
	t->n.n_dup_acks += news.is_dup;
}

void ack_take(struct tcp *t, const struct arrived *a)
{
	bool window_changed = window_take(t, a);

	if (t->snd.una != t->snd.nxt) {
		struct path_look before;

		if (t->trace)
			before = path_look(t);
		recovery_take(t, a, window_changed);
		if (a->ack > t->snd.una)
			una_advance(t, a);
		if (t->trace)
			path_tell(t, &before, a->now_ns);
		mss_watch(t, a->now_ns);
	}
	// While the window is shut, answers are life enough (RFC 9293, 3.8.6.1), unless nobody
	// waits for more.
	if (t->snd.edge <= t->snd.una && !t->is_released)
		t->snd.waits_ns = a->now_ns;
	if (is_persisting(t))
		persist_take(t, a->now_ns);
}

bool ack_step(struct tcp *t, struct arrived *a)
{
	if (!(a->flags & TCP_ACK)) {
		arrived_drop(t, a, TRACE_DROP_NO_ACK);
		return false;
	}
	if (t->state == TCP_SYN_RECEIVED && (a->ack <= t->snd.una || a->ack > t->snd.nxt)) {
		arrived_drop(t, a, TRACE_DROP_BAD_ACK);
		rst_owe(t, a->s->ack, TCP_RST);
		return false;
	}
	if (a->ack > t->snd.nxt || a->ack + t->snd.wnd_max < t->snd.una) { // RFC 5961, 5.2
		arrived_drop(t, a, TRACE_DROP_BAD_ACK);
		ack_challenge(t, a);
		return false;
	}
	if (t->state == TCP_SYN_RECEIVED)
		open_finish(t, a);
	else
		ack_take(t, a);
	return t->state != TCP_CLOSED;
}
