// SPDX-License-Identifier: BSD-3-Clause
// SACK blocks as received (RFC 2018, 2883): which of them are to be believed, and what they say.
#include "dataplane/tcp/recovery_priv.h"

// A first block at or below the acknowledgement, or within the second one, reports a segment that
// came twice (RFC 2883, 4).
static bool is_dsack(const struct recovery *r, const struct recovery_ack *in)
{
	const struct tcp_range *b = in->sack;

	if (in->n_sack == 0 || seq_ge(b->from, b->to) || seq_gt(b->to, r->nxt))
		return false;
	if (seq_le(b->to, in->ack))
		return (uint32_t)seq_diff(in->ack, b->from) <= in->snd_max_window;
	return in->n_sack > 1 && seq_ge(b->from, b[1].from) && seq_le(b->to, b[1].to);
}

static bool is_new(const struct recovery *r, const struct tcp_range *b)
{
	return seq_lt(b->from, b->to) && seq_ge(b->from, r->una) && seq_le(b->to, r->nxt);
}

// A record counts as sacked when the whole of it is.
static void take_block(struct recovery *r, const struct tcp_range *b, struct delivery *d)
{
	struct recovery_state *st = r->state;
	uint32_t i = record_find(r, b->from);

	while (i != st->tail) {
		const struct record *rec = record_of(st, i);

		if (seq_gt(rec->to, b->to))
			break;
		if (rec->where == RECORD_SACKED) {
			i = record_skip_sacked(st, i);
			continue;
		}
		record_sacked(r, i, d);
		i++;
	}
}

static void take_dsack(struct recovery *r, struct delivery *d)
{
	const struct recovery_state *st = r->state;
	const struct tcp_range *b = &d->in->sack[0];

	r->n_dsack++;
	d->has_dsack = true;
	d->dsack_is_probe = st->tlp.is_on && st->tlp.is_again && seq_eq(b->to, st->tlp.to);
}

// In the order of their numbers, lest the newest first looks like reordering.
void sack_take(struct recovery *r, struct delivery *d)
{
	const struct recovery_ack *in = d->in;
	struct tcp_range blocks[TCP_SACK_MAX];
	unsigned n = 0, i = 0;

	assert(in->n_sack <= TCP_SACK_MAX);
	if (is_dsack(r, in)) {
		take_dsack(r, d);
		i = 1;
	}
	for (; i < in->n_sack; i++) {
		unsigned at = n;

		if (!is_new(r, &in->sack[i]))
			continue;
		for (; at && seq_gt(blocks[at - 1].from, in->sack[i].from); at--)
			blocks[at] = blocks[at - 1];
		blocks[at] = in->sack[i];
		n++;
	}
	for (i = 0; i < n; i++)
		take_block(r, &blocks[i], d);
}
