// SPDX-License-Identifier: BSD-3-Clause
// What a connection tells of itself, and what must hold within it.
#include "dataplane/tcp/tcp_priv.h"

unsigned tcp_events(struct tcp *t)
{
	unsigned events = t->events;

	t->events = 0;
	return events;
}

int tcp_error(const struct tcp *t)
{
	return t->error;
}

enum tcp_state tcp_state(const struct tcp *t)
{
	return (enum tcp_state)t->state;
}

const struct tcp_tuple *tcp_tuple(const struct tcp *t)
{
	return &t->tuple;
}

void tcp_set_trace(struct tcp *t, struct trace_ring *ring)
{
	t->trace = ring;
}

struct path_look path_look(const struct tcp *t)
{
	const struct recovery *r = &t->recovery;

	return (struct path_look){r->n_recoveries, r->n_undone, recovery_is_on(r)};
}

void path_tell(struct tcp *t, const struct path_look *before, uint64_t now_ns)
{
	const struct recovery *r = &t->recovery;
	uint32_t cwnd = trace_clip32(t->congestion.cwnd);
	uint32_t ssthresh = trace_clip32(t->congestion.ssthresh);

	if (r->n_recoveries != before->n_recoveries)
		trace_put(t->trace, now_ns, TRACE_RECOVERY, cwnd, ssthresh, 0, 0);
	if (r->n_undone != before->n_undone)
		trace_put(t->trace, now_ns, TRACE_UNDO, cwnd, ssthresh, 0, 0);
	else if (before->is_on && !recovery_is_on(r))
		trace_put(t->trace, now_ns, TRACE_RECOVERED, cwnd, ssthresh, 0, 0);
	if (t->snd.una < t->snd.round)
		return;
	trace_put(t->trace, now_ns, TRACE_PATH, trace_clip32(r->srtt_ns / 1000), cwnd, 0, 0);
	t->snd.round = t->snd.nxt + 1;
}

static uint64_t beyond(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void tcp_info(const struct tcp *t, struct tcp_info *out)
{
	const struct recovery *r = &t->recovery;

	*out = (struct tcp_info){
		.state = (enum tcp_state)t->state,
		.mss = t->snd.mss,
		.cwnd = t->congestion.cwnd,
		.ssthresh = t->congestion.ssthresh,
		.pacing_rate = t->congestion.pacing_rate,
		.srtt_ns = r->srtt_ns,
		.rttvar_ns = r->rttvar_ns,
		.min_rtt_ns = r->min_rtt_ns,
		.rto_ns = r->rto_ns,
		.in_flight = recovery_in_flight(r),
		.send_window = beyond(t->snd.edge, t->snd.una),
		.receive_window = beyond(t->rcv.edge, t->receive.next),
		.receive_buffer = t->rcv.limit,
		.send_buffer = t->snd.limit,
		.unsent = beyond(t->snd.end, t->snd.nxt),
		.unacked = beyond(t->snd.nxt, t->snd.una),
		.delivery_rate = r->delivery_rate,
		.bytes_in = t->n.bytes_in,
		.bytes_out = t->n.bytes_out,
		.bytes_resent = t->n.bytes_resent,
		.segments_in = t->n.segments_in,
		.segments_out = t->n.segments_out,
		.segments_resent = t->n.segments_resent,
		.n_rto = r->n_rto,
		.n_tlp = r->n_tlp,
		.n_recoveries = r->n_recoveries,
		.n_undone = r->n_undone,
		.n_dsack = r->n_dsack,
		.n_dup_acks = t->n.n_dup_acks,
		.n_out_of_order = t->n.n_out_of_order,
		.n_challenge = t->n.n_challenge,
		.n_dropped = t->n.n_dropped + t->receive.n_forgotten,
		.n_probes = t->n.n_probes,
		.n_persist = t->n.n_persist,
	};
}

static const char *send_check(const struct tcp *t)
{
	uint64_t held = beyond(t->snd.end, max_u64(t->snd.una, POSITION_DATA));

	if (t->snd.una > t->snd.nxt)
		return "SND.UNA lies behind SND.NXT";
	if (t->snd.nxt > t->snd.end + t->is_shut)
		return "SND.NXT lies behind what was written";
	if (!seq_eq(snd_seq(t, t->snd.una), t->recovery.una) ||
	    !seq_eq(snd_seq(t, t->snd.nxt), t->recovery.nxt))
		return "recovery has other numbers";
	if (held > t->snd.limit)
		return "more is kept for sending than the limit";
	if (t->send.n_blocks > held / BLOCK_LEN + 2)
		return "blocks of the send buffer are held for nothing";
	if (t->snd.una != t->snd.nxt && recovery_deadline(&t->recovery) == TCP_NO_DEADLINE &&
	    !is_persisting(t) && t->state != TCP_CLOSED)
		return "bytes are in flight and no timer runs";
	return NULL;
}

static const char *window_check(const struct tcp *t)
{
	uint64_t unit = 1ull << t->rcv.scale;

	if (t->rcv.edge > t->receive.read + t->rcv.limit + unit)
		return "more was offered than there is room for";
	if (t->receive.next > t->rcv.edge + 1)
		return "more was taken than was offered";
	if (t->rcv.acked > t->receive.next)
		return "more was acknowledged than has arrived";
	return NULL;
}

static const char *state_check(const struct tcp *t)
{
	bool has_fin = receive_ended(&t->receive);
	bool is_fin_acked = t->is_shut && t->snd.una > t->snd.end;

	switch ((enum tcp_state)t->state) {
	case TCP_CLOSED:
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		return NULL;
	case TCP_ESTABLISHED:
		return has_fin || t->is_shut ? "ESTABLISHED with a FIN" : NULL;
	case TCP_FIN_WAIT_1:
		return has_fin || !t->is_shut || is_fin_acked ? "FIN-WAIT-1 that is not one" : NULL;
	case TCP_FIN_WAIT_2:
		return has_fin || !is_fin_acked ? "FIN-WAIT-2 that is not one" : NULL;
	case TCP_CLOSE_WAIT:
		return !has_fin || t->is_shut ? "CLOSE-WAIT that is not one" : NULL;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return !has_fin || !t->is_shut || is_fin_acked ? "an end that is not one" : NULL;
	case TCP_TIME_WAIT:
		return !has_fin || !is_fin_acked || t->timer.end_ns == TCP_NO_DEADLINE
			       ? "TIME-WAIT that is not one"
			       : NULL;
	}
	return "a state that there is not";
}

const char *tcp_check(const struct tcp *t)
{
	const char *wrong = receive_check(&t->receive);

	if (wrong == NULL)
		wrong = recovery_check(&t->recovery);
	if (wrong == NULL)
		wrong = send_check(t);
	if (wrong == NULL)
		wrong = window_check(t);
	return wrong ? wrong : state_check(t);
}
