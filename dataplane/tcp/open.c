// SPDX-License-Identifier: BSD-3-Clause
// Handshakes (RFC 9293, 3.5 and 3.10.7.3).
#include <errno.h>

#include "dataplane/tcp/tcp_priv.h"

// What the peer says of itself in its SYN. A scale counts only if both have one (RFC 7323, 2.2).
static void syn_take(struct tcp *t, const struct tcp_segment *s, uint64_t now_ns)
{
	const struct tcp_options *o = &s->options;

	t->rcv.irs = s->seq;
	t->has_time = o->has & TCP_HAS_TIME;
	t->has_sack = o->has & TCP_HAS_SACK_OK;
	t->has_scale = o->has & TCP_HAS_SCALE;
	if (t->has_time) {
		t->rcv.ts_recent = o->ts_val;
		t->rcv.ts_recent_ns = now_ns;
	}
	if (t->has_scale) {
		t->snd.scale = (uint8_t)min_u64(o->scale, SCALE_MAX);
		t->rcv.scale = t->host->scale;
	}
	if (o->has & TCP_HAS_MSS)
		t->snd.mss_peer = (uint32_t)max_u64(o->mss, MSS_FLOOR);
	mss_settle(t, now_ns);
}

int tcp_connect(struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns,
		struct tcp **out)
{
	*out = tcp_new(h, tuple, now_ns);
	if (*out == NULL)
		return -ENOMEM;
	(*out)->state = TCP_SYN_SENT;
	return 0;
}

int tcp_accept(struct tcp_host *h, const struct tcp_tuple *tuple, const struct tcp_segment *syn,
	       uint64_t now_ns, struct tcp **out)
{
	struct tcp *t;

	*out = NULL;
	if ((syn->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return -EINVAL;
	t = tcp_new(h, tuple, now_ns);
	if (t == NULL)
		return -ENOMEM;
	t->is_passive = true;
	t->state = TCP_SYN_RECEIVED;
	t->n.segments_in = 1;
	syn_take(t, syn, now_ns);
	*out = t;
	return 0;
}

// Our SYN is acknowledged. If it was lost once, the path is not to be flooded (RFC 5681, 3.1), and
// which of them is answered nobody knows (Karn).
void open_finish(struct tcp *t, const struct arrived *a)
{
	bool was_resent = t->n.segments_resent > 0;
	uint64_t rtt_ns = was_resent ? 0 : max_u64(a->now_ns - t->snd.sent_ns, 1);

	ack_take(t, a);
	congestion_init(&t->congestion, t->congestion.ops, t->snd.mss, was_resent ? 1 : CWND_FIRST,
			host_random(t->host), a->now_ns);
	t->congestion.slow_start_after_idle = t->host->set.slow_start_after_idle;
	recovery_open(&t->recovery, t->has_sack, t->has_time, t->snd.mss, rtt_ns, a->now_ns);
	t->events |= TCP_OPENED | TCP_WRITABLE;
	state_enter(t, TCP_ESTABLISHED, a->now_ns);
	if (t->is_shut)
		state_enter(t, TCP_FIN_WAIT_1, a->now_ns);
}

// Our SYN is acknowledged by one of the peer's: text and FIN may come with it.
static void syn_ack_take(struct tcp *t, struct arrived *a)
{
	a->seq = POSITION_DATA;
	a->flags &= (uint8_t)~TCP_SYN;
	t->ack.now = true;
	open_finish(t, a);
	if (a->seq + a->len < t->rcv.edge)
		text_and_fin_steps(t, a);
}

void syn_sent_input(struct tcp *t, struct arrived *a)
{
	bool has_ack = a->flags & TCP_ACK;

	// First: ACK.
	if (has_ack && (a->ack <= t->snd.una || a->ack > t->snd.nxt)) {
		arrived_drop(t, a, TRACE_DROP_BAD_ACK);
		if (!(a->flags & TCP_RST))
			rst_owe(t, a->s->ack, TCP_RST);
		return;
	}
	// Second: RST.
	if (a->flags & TCP_RST) {
		arrived_drop(t, a, TRACE_DROP_BAD_RST);
		if (has_ack)
			tcp_fail(t, ECONNREFUSED, a->now_ns);
		return;
	}
	// Fourth: SYN.
	if (!(a->flags & TCP_SYN)) {
		arrived_drop(t, a, TRACE_DROP_BAD_STATE);
		return;
	}
	t->timer.heard_ns = a->now_ns;
	syn_take(t, a->s, a->now_ns);
	if (has_ack) {
		syn_ack_take(t, a);
		return;
	}
	t->snd.edge = max_u64(t->snd.edge, POSITION_DATA + a->s->window);
	t->snd.syn_again = true;
	state_enter(t, TCP_SYN_RECEIVED, a->now_ns);
}
