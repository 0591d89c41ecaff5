// SPDX-License-Identifier: BSD-3-Clause
// One deadline of all that a connection waits for, and what happens when it is over.
#include <errno.h>

#include "dataplane/tcp/tcp_priv.h"

// The peer owes an acknowledgement and does not give one (RFC 5482; RFC 9293, 3.8.3).
static uint64_t patience_at_ns(const struct tcp *t)
{
	const struct tcp_settings *set = &t->host->set;
	bool waits = t->snd.una != t->snd.nxt || is_persisting(t);

	if (tcp_is_opening(t))
		return set->connect_timeout_ns ? t->opened_ns + set->connect_timeout_ns
					       : TCP_NO_DEADLINE;
	return waits && set->user_timeout_ns ? t->snd.waits_ns + set->user_timeout_ns
					     : TCP_NO_DEADLINE;
}

// A peer that owes nothing is asked whether it is still there (RFC 9293, 3.8.4).
static uint64_t alive_at_ns(const struct tcp *t)
{
	uint64_t idle_ns = t->host->set.keepalive_idle_ns;
	bool is_open = t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT ||
		       t->state == TCP_FIN_WAIT_2;

	if (!is_open || idle_ns == 0 || t->snd.una != t->snd.nxt || is_persisting(t))
		return TCP_NO_DEADLINE;
	return t->timer.n_alive ? t->timer.alive_ns : t->timer.heard_ns + idle_ns;
}

uint64_t tcp_deadline(const struct tcp *t)
{
	uint64_t at_ns;

	if (t->state == TCP_CLOSED)
		return TCP_NO_DEADLINE;
	at_ns = min_u64(recovery_deadline(&t->recovery), t->ack.at_ns);
	at_ns = min_u64(at_ns, min_u64(t->timer.persist_ns, t->timer.pace_ns));
	at_ns = min_u64(at_ns, min_u64(t->timer.end_ns, patience_at_ns(t)));
	return min_u64(at_ns, alive_at_ns(t));
}

void persist_start(struct tcp *t, uint64_t now_ns)
{
	t->timer.persist_gap_ns = t->recovery.rto_ns;
	t->timer.persist_ns = now_ns + t->timer.persist_gap_ns;
	t->snd.waits_ns = now_ns;
	recovery_persist(&t->recovery, true, now_ns);
}

// An octet that was out as a probe has not been taken: it goes again at once.
void persist_stop(struct tcp *t, uint64_t now_ns)
{
	t->timer.persist_ns = TCP_NO_DEADLINE;
	t->timer.persist_due = t->snd.una != t->snd.nxt;
	recovery_persist(&t->recovery, false, now_ns);
	trace_put(t->trace, now_ns, TRACE_WINDOW_OPEN, (uint32_t)t->snd.edge, 0, 0, 0);
}

// So often that several probes have to get lost before the peer passes for dead.
static uint64_t persist_max_ns(const struct tcp *t)
{
	uint64_t patience_ns = t->host->set.user_timeout_ns;

	return patience_ns ? min_u64(PERSIST_MAX_NS, patience_ns / 4) : PERSIST_MAX_NS;
}

static void persist_expire(struct tcp *t, uint64_t now_ns)
{
	if (t->timer.persist_ns > now_ns)
		return;
	t->timer.persist_due = true;
	t->timer.persist_gap_ns = min_u64(2 * t->timer.persist_gap_ns, persist_max_ns(t));
	t->timer.persist_ns = now_ns + t->timer.persist_gap_ns;
	trace_put(t->trace, now_ns, TRACE_PERSIST, trace_clip32(t->timer.persist_gap_ns / 1000), 0,
		  trace_clip16(t->n.n_persist + 1), 0);
}

static void recovery_run_out(struct tcp *t, uint64_t now_ns)
{
	struct path_look before = path_look(t);
	uint64_t rto_ns = t->recovery.rto_ns;

	switch (recovery_expire(&t->recovery, now_ns)) {
	case RECOVERY_PROBE:
		t->snd.probe_tail = true;
		break;
	case RECOVERY_TIMEOUT:
		rto_ns <<= min_u64(t->recovery.backoff - 1, 16);
		trace_rto(t->trace, now_ns, t->recovery.backoff,
			  min_u64(rto_ns, t->host->recovery.rto_max_ns), (uint32_t)t->snd.una);
		mss_watch(t, now_ns);
		break;
	case RECOVERY_REORDER:
		trace_put(t->trace, now_ns, TRACE_REORDER, trace_clip32(t->recovery.lost),
			  (uint32_t)t->snd.una, 0, 0);
		break;
	case RECOVERY_NONE:
		break;
	}
	if (t->trace)
		path_tell(t, &before, now_ns);
}

static void give_up(struct tcp *t, uint64_t now_ns)
{
	if (t->state != TCP_SYN_SENT)
		rst_owe(t, snd_seq(t, t->snd.nxt), TCP_RST | TCP_ACK);
	tcp_fail(t, t->error_soft ? t->error_soft : ETIMEDOUT, now_ns);
}

static void alive_expire(struct tcp *t, uint64_t now_ns)
{
	if (alive_at_ns(t) > now_ns)
		return;
	if (t->timer.n_alive >= t->host->set.keepalive_probes) {
		give_up(t, now_ns);
		return;
	}
	t->timer.n_alive++;
	t->timer.alive_due = true;
	t->timer.alive_ns = now_ns + t->host->set.keepalive_interval_ns;
}

void tcp_expire(struct tcp *t, uint64_t now_ns)
{
	if (t->state == TCP_CLOSED)
		return;
	if (patience_at_ns(t) <= now_ns) {
		give_up(t, now_ns);
		return;
	}
	if (t->timer.end_ns <= now_ns) {
		state_enter(t, TCP_CLOSED, now_ns);
		return;
	}
	if (t->ack.at_ns <= now_ns)
		t->ack.now = true;
	if (recovery_deadline(&t->recovery) <= now_ns)
		recovery_run_out(t, now_ns);
	persist_expire(t, now_ns);
	alive_expire(t, now_ns);
}
