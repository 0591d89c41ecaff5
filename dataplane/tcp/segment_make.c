// SPDX-License-Identifier: BSD-3-Clause
// Octets of ours and what we have to say, as a segment.
#include <assert.h>

#include "dataplane/tcp/tcp_priv.h"

// The SYN, and what we can do. A SYN-ACK says only what the SYN said (RFC 7323, 2.2 and 3.2; RFC
// 2018, 2).
static void syn_options_make(const struct tcp *t, struct tcp_options *o)
{
	bool is_first = t->state == TCP_SYN_SENT;

	o->has |= TCP_HAS_MSS;
	o->mss = (uint16_t)min_u64(mss_most(t), UINT16_MAX);
	o->scale = t->host->scale;
	if (is_first || t->has_scale)
		o->has |= TCP_HAS_SCALE;
	if (is_first || t->has_sack)
		o->has |= TCP_HAS_SACK_OK;
	if (is_first)
		o->has |= TCP_HAS_TIME;
}

// As many blocks as fit beside the payload.
static void sack_make(struct tcp *t, uint32_t len, struct tcp_options *o)
{
	unsigned max = t->has_time ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;
	struct run runs[TCP_SACK_MAX];

	if (t->receive.n == 0 && t->receive.repeat.from == t->receive.repeat.to)
		return;
	while (max && len + 4 + 8 * max > t->snd.mss)
		max--;
	if (len && max == 0)
		return;
	o->n_sack = (uint8_t)receive_sack(&t->receive, runs, max);
	for (unsigned i = 0; i < o->n_sack; i++)
		o->sack[i] = (struct tcp_range){rcv_seq(t, runs[i].from), rcv_seq(t, runs[i].to)};
	receive_reported(&t->receive);
}

static void options_make(struct tcp *t, uint32_t len, uint8_t flags, uint64_t now_ns,
			 struct tcp_options *o)
{
	o->has = t->has_time ? TCP_HAS_TIME : 0;
	o->n_sack = 0;
	o->ts_val = ts_now(t, now_ns);
	o->ts_ecr = flags & TCP_ACK ? t->rcv.ts_recent : 0;
	if (flags & TCP_SYN)
		syn_options_make(t, o);
	else if (t->has_sack)
		sack_make(t, len, o);
}

static uint8_t flags_make(const struct tcp *t, uint64_t from, uint64_t to, uint32_t len)
{
	uint8_t flags = t->state == TCP_SYN_SENT ? 0 : TCP_ACK;

	if (from == POSITION_SYN && to > from)
		flags |= TCP_SYN;
	if (to > t->snd.end && to > from)
		flags |= TCP_FIN;
	if (len && to >= t->snd.end)
		flags |= TCP_PSH;
	return flags;
}

static void head_make(const struct tcp *t, struct seq seq, uint8_t flags, struct tcp_segment *out)
{
	out->source_port = t->tuple.local_port;
	out->target_port = t->tuple.remote_port;
	out->seq = seq;
	out->ack = flags & TCP_ACK ? rcv_seq(t, t->receive.next) : seq_of(0);
	out->flags = flags;
	out->urgent = 0;
	out->n_merged = 1;
}

void segment_make(struct tcp *t, uint64_t from, uint64_t to, uint64_t now_ns,
		  struct tcp_segment *out)
{
	uint64_t first = max_u64(from, POSITION_DATA), last = min_u64(to, t->snd.end);
	uint32_t len = last > first ? (uint32_t)(last - first) : 0;
	uint8_t flags = flags_make(t, from, to, len);

	head_make(t, snd_seq(t, from), flags, out);
	out->window = window_offer(t, flags & TCP_SYN);
	if (t->rcv.is_shut != !out->window)
		window_tell(t, out->window, now_ns);
	options_make(t, len, flags, now_ns, &out->options);
	buffer_view(&t->send, first, len, out->body);
	out->len = len;
	out->mss = len > t->snd.mss ? t->snd.mss : 0;
	if (flags & TCP_ACK)
		ack_sent(t);
	t->last = (struct sent_last){.from = from, .to = to};
	t->n.segments_out += out->mss ? (len + out->mss - 1) / out->mss : 1;
}

void segment_make_rst(struct tcp *t, uint64_t now_ns, struct tcp_segment *out)
{
	head_make(t, t->rst.seq, t->rst.flags, out);
	out->window = 0;
	out->options.has = 0;
	out->options.n_sack = 0;
	out->len = 0;
	out->mss = 0;
	out->body[0] = out->body[1] = (struct iovec){NULL, 0};
	t->last = (struct sent_last){.is_rst = true};
	t->n.segments_out++;
	trace_segment(t->trace, now_ns, TRACE_OUT, out->flags, seq_diff(out->seq, t->snd.iss), 0,
		      (uint32_t)t->receive.next, 0);
}
