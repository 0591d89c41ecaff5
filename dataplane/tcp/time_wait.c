// SPDX-License-Identifier: BSD-3-Clause
// time_wait_input() -> time_fits() -> fits() or misfit() -> ACK, challenge, silence
#include "dataplane/tcp/time_wait.h"

#include "dataplane/tcp/tcp_priv.h"

bool time_wait_take(struct tcp *t, struct time_wait *out)
{
	if (t->state != TCP_TIME_WAIT || !t->is_released || t->ack.now || t->rst.is_due ||
	    t->last.is_due)
		return false;
	*out = (struct time_wait){
		.end_ns = t->timer.end_ns,
		.answer_ns = t->ack.answer_ns,
		.snd_next = snd_seq(t, t->snd.nxt),
		.rcv_next = rcv_seq(t, t->receive.next),
		.window_max = (uint32_t)min_u64(t->snd.wnd_max, UINT32_MAX / 2),
		.window_units = window_offer(t, false),
		.has_time = t->has_time,
		.has_sack = t->has_sack,
		.ts_recent = t->rcv.ts_recent,
		.ts_offset = t->ts_offset,
	};
	out->window = (uint32_t)(max_u64(t->rcv.edge, t->receive.next) - t->receive.next);
	return true;
}

bool time_wait_is_reusable(const struct time_wait *w, const struct tcp_segment *syn)
{
	return syn_is_newer(syn, w->has_time, w->ts_recent, w->rcv_next);
}

// A segment with its place before RCV.NXT, at it (0) or behind.
struct late {
	const struct tcp_segment *s;
	int32_t at;
	uint32_t octets;
	bool is_reported; // as come twice
};

static bool is_repeat(const struct late *l)
{
	return l->s->len && l->at < 0;
}

static bool may_answer(struct time_wait *w, uint64_t now_ns)
{
	if (now_ns < w->answer_ns)
		return false;
	w->answer_ns = now_ns + ANSWER_GAP_NS;
	return true;
}

static bool may_challenge(struct time_wait *w, struct tcp_host *h, uint64_t now_ns)
{
	return may_answer(w, now_ns) && host_may_challenge(h, now_ns);
}

// What comes again is answered each time: the peer missed an acknowledgement.
static bool misfit(struct time_wait *w, const struct late *l, uint64_t now_ns)
{
	return is_repeat(l) || l->s->flags & TCP_FIN || may_answer(w, now_ns);
}

static bool is_acceptable(const struct time_wait *w, const struct late *l)
{
	if (l->octets == 0)
		return l->at == 0 || (l->at > 0 && (uint32_t)l->at < w->window);
	return l->at < (int64_t)w->window && l->at + (int64_t)l->octets > 0;
}

// Second to fifth: RST, SYN, ACK. Text and FIN behind the peer's own FIN mean nothing.
static bool fits(struct time_wait *w, struct tcp_host *h, const struct late *l, uint64_t now_ns)
{
	const struct tcp_segment *s = l->s;
	int32_t ack = seq_diff(s->ack, w->snd_next);

	if (s->flags & TCP_RST) // RFC 1337: one that fits does not end it
		return l->at != 0 && may_challenge(w, h, now_ns);
	if (s->flags & TCP_SYN)
		return may_challenge(w, h, now_ns);
	if (!(s->flags & TCP_ACK))
		return false;
	if (ack > 0 || (int64_t)ack + w->window_max < 0) // RFC 5961, 5.2
		return may_challenge(w, h, now_ns);
	return false;
}

// @return whether an acknowledgement is due
static bool late_take(struct time_wait *w, struct tcp_host *h, struct late *l, uint64_t now_ns)
{
	const struct tcp_segment *s = l->s;
	bool is_rst = s->flags & TCP_RST, has_time = w->has_time && !is_rst;
	bool is_probe = l->octets && l->at == 0 && w->window == 0;

	if (has_time && !(s->options.has & TCP_HAS_TIME)) // RFC 7323, 3.2
		return false;
	if (has_time && (int32_t)(s->options.ts_val - w->ts_recent) < 0) // 5.3
		return misfit(w, l, now_ns);
	if (!is_probe && !is_acceptable(w, l)) {
		if (is_rst)
			return false;
		if (s->flags & TCP_FIN) // it missed our acknowledgement
			w->end_ns = now_ns + h->set.time_wait_ns;
		l->is_reported = w->has_sack && is_repeat(l);
		return misfit(w, l, now_ns);
	}
	if (has_time && l->at <= 0)
		w->ts_recent = s->options.ts_val;
	return fits(w, h, l, now_ns) || is_probe;
}

static void answer_make(const struct time_wait *w, const struct late *l, uint64_t now_ns,
			struct tcp_segment *out)
{
	const struct tcp_segment *s = l->s;

	*out = (struct tcp_segment){
		.source_port = s->target_port,
		.target_port = s->source_port,
		.seq = w->snd_next,
		.ack = w->rcv_next,
		.flags = TCP_ACK,
		.window = w->window_units,
		.n_merged = 1,
	};
	if (w->has_time) {
		out->options.has = TCP_HAS_TIME;
		out->options.ts_val = (uint32_t)(now_ns / NS_PER_MS) + w->ts_offset;
		out->options.ts_ecr = w->ts_recent;
	}
	if (l->is_reported) { // RFC 2883
		out->options.n_sack = 1;
		out->options.sack[0] = (struct tcp_range){s->seq, seq_add(s->seq, s->len)};
	}
}

bool time_wait_input(struct time_wait *w, struct tcp_host *h, const struct tcp_segment *s,
		     uint64_t now_ns, struct tcp_segment *out)
{
	struct late l = {s, seq_diff(s->seq, w->rcv_next), tcp_segment_span(s), false};

	if (!late_take(w, h, &l, now_ns))
		return false;
	answer_make(w, &l, now_ns, out);
	return true;
}
