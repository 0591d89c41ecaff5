// SPDX-License-Identifier: BSD-3-Clause
// Ends of a connection: ours, the peer's, and the bad ones.
#include <errno.h>

#include "dataplane/tcp/tcp_priv.h"

void state_enter(struct tcp *t, enum tcp_state state, uint64_t now_ns)
{
	trace_put(t->trace, now_ns, TRACE_STATE, 0, 0, t->state, (uint32_t)state);
	t->state = (uint8_t)state;
	if (state == TCP_CLOSED || state == TCP_TIME_WAIT)
		t->events |= TCP_GONE;
}

void rst_owe(struct tcp *t, struct seq seq, uint8_t flags)
{
	t->rst.is_due = true;
	t->rst.seq = seq;
	t->rst.flags = flags;
}

void tcp_fail(struct tcp *t, int error, uint64_t now_ns)
{
	t->error = error;
	trace_failed(t->trace, now_ns, error, t->snd.nxt - t->snd.una);
	t->events |= TCP_FAILED | TCP_READABLE | TCP_WRITABLE;
	state_enter(t, TCP_CLOSED, now_ns);
}

void time_wait_enter(struct tcp *t, uint64_t now_ns)
{
	t->timer.end_ns = now_ns + t->host->set.time_wait_ns;
	state_enter(t, TCP_TIME_WAIT, now_ns);
}

// FIN-WAIT-2 is left by the peer alone. Nobody waits here for one that never does, once the
// application has gone.
static void fin_wait_2_enter(struct tcp *t, uint64_t now_ns)
{
	if (t->is_released)
		t->timer.end_ns = now_ns + t->host->set.time_wait_ns;
	state_enter(t, TCP_FIN_WAIT_2, now_ns);
}

void fin_acked(struct tcp *t, uint64_t now_ns)
{
	if (t->state == TCP_FIN_WAIT_1)
		fin_wait_2_enter(t, now_ns);
	else if (t->state == TCP_CLOSING)
		time_wait_enter(t, now_ns);
	else if (t->state == TCP_LAST_ACK)
		state_enter(t, TCP_CLOSED, now_ns);
}

void fin_received(struct tcp *t, uint64_t now_ns)
{
	t->ack.now = true;
	t->events |= TCP_READABLE;
	if (t->state == TCP_ESTABLISHED)
		state_enter(t, TCP_CLOSE_WAIT, now_ns);
	else if (t->state == TCP_FIN_WAIT_1)
		state_enter(t, TCP_CLOSING, now_ns);
	else if (t->state == TCP_FIN_WAIT_2)
		time_wait_enter(t, now_ns);
}

static void close_trace(const struct tcp *t, enum trace_end how, uint64_t now_ns)
{
	trace_put(t->trace, now_ns, TRACE_CLOSE, trace_clip32(t->snd.end - t->snd.una),
		  trace_clip32(t->snd.nxt - t->snd.una), how, 0);
}

void tcp_shutdown(struct tcp *t, uint64_t now_ns)
{
	if (t->is_shut || t->state == TCP_CLOSED)
		return;
	t->is_shut = true;
	close_trace(t, TRACE_END_SHUTDOWN, now_ns);
	if (t->state == TCP_ESTABLISHED)
		state_enter(t, TCP_FIN_WAIT_1, now_ns);
	else if (t->state == TCP_CLOSE_WAIT)
		state_enter(t, TCP_LAST_ACK, now_ns);
	// While it opens, FIN waits for the handshake: open_finish().
}

void tcp_close(struct tcp *t, uint64_t now_ns)
{
	if (t->state == TCP_SYN_SENT) {
		state_enter(t, TCP_CLOSED, now_ns);
		return;
	}
	if (receive_readable(
		    &t->receive)) { // the peer is not to believe that it was read (RFC 2525)
		tcp_abort(t, now_ns);
		return;
	}
	t->is_released = true;
	close_trace(t, TRACE_END_CLOSE, now_ns);
	tcp_shutdown(t, now_ns);
	if (t->state == TCP_FIN_WAIT_2)
		fin_wait_2_enter(t, now_ns);
}

// RFC 9293, 3.10.5. With an ACK, so that a peer in SYN-SENT or SYN-RECEIVED takes it as well.
void tcp_abort(struct tcp *t, uint64_t now_ns)
{
	if (t->state != TCP_CLOSED && t->state != TCP_TIME_WAIT && t->state != TCP_SYN_SENT)
		rst_owe(t, snd_seq(t, t->snd.nxt), TCP_RST | TCP_ACK);
	close_trace(t, TRACE_END_ABORT, now_ns);
	if (t->error == 0)
		t->error = ECONNABORTED;
	state_enter(t, TCP_CLOSED, now_ns);
}

bool tcp_refusal(const struct tcp_segment *in, struct tcp_segment *out)
{
	if (in->flags & TCP_RST)
		return false;
	*out = (struct tcp_segment){
		.source_port = in->target_port,
		.target_port = in->source_port,
		.n_merged = 1,
	};
	if (in->flags & TCP_ACK) {
		out->flags = TCP_RST;
		out->seq = in->ack;
	} else {
		out->flags = TCP_RST | TCP_ACK;
		out->ack = seq_add(in->seq, tcp_segment_span(in));
	}
	return true;
}

bool tcp_is_reusable(const struct tcp *t, const struct tcp_segment *syn)
{
	if (t->state == TCP_CLOSED)
		return true;
	return t->state == TCP_TIME_WAIT &&
	       syn_is_newer(syn, t->has_time, t->rcv.ts_recent, rcv_seq(t, t->receive.next));
}

void tcp_icmp(struct tcp *t, struct seq seq, int error, uint32_t mtu, uint64_t now_ns)
{
	uint64_t at = snd_position(t, seq);

	if (t->state == TCP_CLOSED || at < t->snd.una || at >= t->snd.nxt)
		return;
	trace_put(t->trace, now_ns, TRACE_ICMP, (uint32_t)at, 0, (uint32_t)error,
		  trace_clip16(mtu));
	if (error == EMSGSIZE) {
		mss_told(t, mtu, now_ns);
		return;
	}
	// RFC 5461, 4.1: who waits for a connection wants to know. Nobody waits for one that comes
	// in, and its peer may have it open already: its SYN-ACK goes on until it is too old.
	t->error_soft = error;
	if (tcp_is_opening(t) && !t->is_passive)
		tcp_fail(t, error, now_ns);
}
