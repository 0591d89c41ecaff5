// SPDX-License-Identifier: BSD-3-Clause
// A received segment, in the order of RFC 9293, 3.10.7.4. Each step says whether the next one is
// to be taken:
//
//   tcp_input() -> time_step() -> sequence_step() -> rst_step() -> syn_step() -> ack_step()
//               -> text_step() -> fin_step()
//
//              connect()                               accept()
//   CLOSED ------------> SYN-SENT ------------+   +------------ CLOSED
//                           |         SYN     v   v
//                           |            SYN-RECEIVED
//                   SYN,ACK |                 | ACK of SYN
//                           +--> ESTABLISHED <+
//              shutdown() |                  | FIN
//                         v                  v
//                    FIN-WAIT-1          CLOSE-WAIT
//           ACK of FIN |      | FIN          | shutdown()
//                      v      v              v
//             FIN-WAIT-2     CLOSING     LAST-ACK
//                  FIN |      | ACK of FIN   | ACK of FIN
//                      v      v              v
//                     TIME-WAIT -- 2 MSL --> CLOSED
//
//   Any state -> CLOSED: RST, abort(), the peer is silent for too long.
#include <errno.h>

#include "dataplane/tcp/tcp_priv.h"

#define TS_RECENT_OLD_NS (24ull * 24 * 3600 * NS_PER_S) // RFC 7323, 5.5

static uint64_t octets(const struct arrived *a)
{
	return a->len + !!(a->flags & TCP_SYN) + !!(a->flags & TCP_FIN);
}

// PAWS (RFC 7323, 5.3). With the sequence numbers of a fast connection come round within the time
// that a packet may be on its way.
static bool time_step(struct tcp *t, struct arrived *a)
{
	const struct tcp_options *o = &a->s->options;

	if (!t->has_time || a->flags & TCP_RST)
		return true;
	if (!(o->has & TCP_HAS_TIME)) { // 3.2
		arrived_drop(t, a, TRACE_DROP_NO_TIMESTAMP);
		return false;
	}
	if ((int32_t)(o->ts_val - t->rcv.ts_recent) >= 0 ||
	    a->now_ns - t->rcv.ts_recent_ns > TS_RECENT_OLD_NS)
		return true;
	arrived_drop(t, a, TRACE_DROP_PAWS);
	ack_answer(t, a);
	return false;
}

// RFC 7323, 4.3: of the segment that the next acknowledgement is for, if several are waiting for
// one.
static void time_take(struct tcp *t, const struct arrived *a)
{
	if (!t->has_time || a->flags & TCP_RST || a->seq > t->rcv.acked)
		return;
	t->rcv.ts_recent = a->s->options.ts_val;
	t->rcv.ts_recent_ns = a->now_ns;
}

static bool is_acceptable(const struct tcp *t, const struct arrived *a)
{
	uint64_t next = t->receive.next, edge = max_u64(t->rcv.edge, next), n = octets(a);

	if (n == 0)
		return a->seq == next || (a->seq > next && a->seq < edge);
	return a->seq < edge && a->seq + n > next;
}

// Cut what lies behind the window.
static void tail_trim(const struct tcp *t, struct arrived *a)
{
	uint64_t first = a->seq + !!(a->flags & TCP_SYN);
	uint64_t room = t->rcv.edge > first ? t->rcv.edge - first : 0;

	if (a->len + !!(a->flags & TCP_FIN) <= room)
		return;
	a->flags &= (uint8_t)~TCP_FIN;
	a->len = (uint32_t)min_u64(a->len, room);
}

static void unacceptable(struct tcp *t, struct arrived *a)
{
	bool is_repeat = a->len && a->seq < t->receive.next;

	arrived_drop(t, a, is_repeat ? TRACE_DROP_DUPLICATE : TRACE_DROP_OUTSIDE);
	if (a->flags & TCP_RST)
		return;
	if (t->state == TCP_TIME_WAIT && a->flags & TCP_FIN) // it missed our acknowledgement
		time_wait_enter(t, a->now_ns);
	if (t->state == TCP_SYN_RECEIVED && a->flags & TCP_SYN && a->seq == POSITION_SYN)
		t->snd.syn_again = true;
	if (is_repeat)
		receive_repeat(&t->receive, a->seq, a->seq + a->len);
	ack_answer(t, a);
}

// First: the sequence number.
static bool sequence_step(struct tcp *t, struct arrived *a)
{
	bool is_crossing = t->state == TCP_SYN_RECEIVED && a->seq == POSITION_SYN &&
			   (a->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);

	if (is_crossing) { // simultaneous open: the SYN is known, its ACK is what counts
		a->flags &= (uint8_t)~TCP_SYN;
		a->seq++;
	}
	if (octets(a) && a->seq == t->receive.next && t->rcv.edge <= t->receive.next) {
		// The window is shut: ACK and RST count all the same, and who probes is answered.
		t->ack.now = true;
	} else if (!is_acceptable(t, a)) {
		unacceptable(t, a);
		return false;
	}
	tail_trim(t, a);
	time_take(t, a);
	return true;
}

// Second: RST (RFC 5961, 3.2).
static bool rst_step(struct tcp *t, struct arrived *a)
{
	if (!(a->flags & TCP_RST))
		return true;
	if (a->seq != t->receive.next) {
		arrived_drop(t, a, TRACE_DROP_BAD_RST);
		ack_challenge(t, a);
	} else if (t->state == TCP_TIME_WAIT) { // RFC 1337
		arrived_drop(t, a, TRACE_DROP_BAD_STATE);
	} else if (t->state == TCP_SYN_RECEIVED) {
		tcp_fail(t, ECONNREFUSED, a->now_ns);
	} else if (t->state == TCP_CLOSING || t->state == TCP_LAST_ACK) {
		state_enter(t, TCP_CLOSED, a->now_ns);
	} else {
		tcp_fail(t, ECONNRESET, a->now_ns);
	}
	return false;
}

// Fourth: SYN (RFC 5961, 4.2). Third was security.
static bool syn_step(struct tcp *t, struct arrived *a)
{
	if (!(a->flags & TCP_SYN))
		return true;
	arrived_drop(t, a, TRACE_DROP_SYN);
	ack_challenge(t, a);
	return false;
}

// Fifth: ack_step(), in ack.c. Sixth: URG, whose bytes are taken as any others.

static bool is_receiving(const struct tcp *t)
{
	return t->state == TCP_ESTABLISHED || t->state == TCP_FIN_WAIT_1 ||
	       t->state == TCP_FIN_WAIT_2;
}

// Seventh: text.
static bool text_step(struct tcp *t, struct arrived *a)
{
	uint64_t before = t->receive.next;

	if (!is_receiving(t))
		return false;
	if (a->len == 0)
		return true;
	if (t->is_released && a->seq + a->len > before) { // RFC 9293, 3.6.1
		arrived_drop(t, a, TRACE_DROP_CLOSED);
		rst_owe(t, snd_seq(t, t->snd.nxt), TCP_RST | TCP_ACK);
		tcp_fail(t, ECONNRESET, a->now_ns);
		return false;
	}
	enum arrival how = receive_put(&t->receive, a->seq, a->p, a->len);
	if (how == ARRIVED_BEHIND)
		t->n.n_out_of_order++;
	if (how == ARRIVED_FORGOTTEN || how == ARRIVED_TWICE)
		arrived_drop(t, a,
			     how == ARRIVED_TWICE ? TRACE_DROP_DUPLICATE : TRACE_DROP_NO_ROOM);
	if (t->receive.next != before) {
		t->n.bytes_in += t->receive.next - before;
		t->events |= TCP_READABLE;
		window_rtt(t, a);
	}
	ack_owe(t, a, how);
	return true;
}

// Eighth: FIN, when all before it has arrived.
static void fin_step(struct tcp *t, struct arrived *a)
{
	if (a->flags & TCP_FIN) {
		receive_fin(&t->receive, a->seq + a->len);
		t->ack.now = true;
	}
	if (receive_ended(&t->receive))
		fin_received(t, a->now_ns);
}

void text_and_fin_steps(struct tcp *t, struct arrived *a)
{
	if (text_step(t, a))
		fin_step(t, a);
}

// No run may lie behind it: a byte of one must not change, should the segment be a lie.
void *tcp_place(const struct tcp *t, const struct tcp_segment *s)
{
	uint64_t next = t->receive.next;

	if (t->state != TCP_ESTABLISHED || s->seq.v != rcv_seq(t, next).v || s->len == 0 ||
	    t->receive.n || t->receive.fin != POSITION_NONE || next + s->len > t->rcv.edge)
		return NULL;
	return buffer_place(&t->receive.buffer, next, s->len);
}

void tcp_input(struct tcp *t, const struct tcp_segment *s, uint64_t now_ns)
{
	struct arrived a = {
		.s = s,
		.seq = rcv_position(t, s->seq),
		.ack = snd_position(t, s->ack),
		.p = s->body[0].iov_base,
		.len = s->len,
		.flags = s->flags,
		.now_ns = now_ns,
	};

	t->n.segments_in += s->n_merged;
	trace_segment(t->trace, now_ns, TRACE_IN, s->flags, (uint32_t)a.seq, s->len,
		      (uint32_t)a.ack, s->window);
	if (t->state == TCP_CLOSED)
		return;
	if (t->state == TCP_SYN_SENT) {
		syn_sent_input(t, &a);
		return;
	}
	if (!time_step(t, &a) || !sequence_step(t, &a))
		return;
	t->timer.heard_ns = now_ns;
	t->timer.n_alive = 0;
	if (rst_step(t, &a) && syn_step(t, &a) && ack_step(t, &a))
		text_and_fin_steps(t, &a);
}
