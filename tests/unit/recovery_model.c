// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/recovery_model.h"

#include <string.h>

void model_init(struct model *m)
{
	*m = (struct model){.reo_wnd_mult = 1};
}

void model_sent(struct model *m, uint32_t len, uint64_t now_ns)
{
	assert(m->n < MODEL_SEGMENTS_MAX);
	m->segments[m->n++] =
		(struct model_segment){.from = m->nxt, .to = m->nxt + len, .sent_ns = now_ns};
	m->nxt += len;
}

void model_resent(struct model *m, uint32_t from, uint32_t to, uint64_t now_ns)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct model_segment *s = &m->segments[i];

		if (from < s->from || from >= s->to)
			continue;
		s->again += to - from;
		if (s->again > s->to - s->from)
			s->again = s->to - s->from;
		if (s->again == s->to - s->from)
			s->is_due = false;
		s->was_resent = true;
		s->sent_ns = now_ns;
	}
}

static void deliver(struct model *m, struct model_segment *s, const struct model_ack *a)
{
	uint64_t rtt_ns = a->now_ns - s->sent_ns;

	s->lost = s->is_due = false;
	s->again = 0;
	if (s->to > m->fack)
		m->fack = s->to;
	else if (s->to < m->fack && !s->was_resent)
		m->reordering_seen = true;
	if (s->was_resent &&
	    (rtt_ns < a->min_rtt_before_ns || a->ts_rtt_ns > rtt_ns + TIMESTAMP_TICK))
		return;
	if (s->sent_ns > m->xmit_ns || (s->sent_ns == m->xmit_ns && s->to > m->end)) {
		m->xmit_ns = s->sent_ns;
		m->end = s->to;
		m->rtt_ns = rtt_ns;
	}
}

static void take_una(struct model *m, const struct model_ack *a)
{
	unsigned gone = 0;

	for (unsigned i = 0; i < m->n && m->segments[i].to <= a->ack; i++, gone++)
		if (!m->segments[i].sacked)
			deliver(m, &m->segments[i], a);
	memmove(m->segments, m->segments + gone, (m->n - gone) * sizeof(m->segments[0]));
	m->n -= gone;
	if (m->n && m->segments[0].from < a->ack) {
		uint32_t cut = a->ack - m->segments[0].from;

		m->segments[0].from = a->ack;
		m->segments[0].again -= m->segments[0].again < cut ? m->segments[0].again : cut;
	}
	if (a->ack > m->una)
		m->una = a->ack;
}

static bool is_covered(const struct model_segment *s, const struct model_ack *a, uint32_t una,
		       uint32_t nxt)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->blocks[i].from < a->blocks[i].to && a->blocks[i].from >= una &&
		    a->blocks[i].to <= nxt && a->blocks[i].from <= s->from &&
		    s->to <= a->blocks[i].to)
			return true;
	return false;
}

static uint64_t reo_wnd_ns(const struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns)
{
	unsigned n_sacked = 0;
	uint64_t wnd;

	for (unsigned i = 0; i < m->n; i++)
		n_sacked += m->segments[i].sacked;
	if (!m->reordering_seen && (m->phase != RECOVERY_OPEN || n_sacked >= 3))
		return 0;
	wnd = m->reo_wnd_mult * (min_rtt_ns / 4);
	return wnd < srtt_ns ? wnd : srtt_ns;
}

static void lose(struct model_segment *s)
{
	s->lost = s->is_due = true;
	s->again = 0;
}

static void detect(struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns, uint64_t now_ns)
{
	uint64_t wnd_ns = reo_wnd_ns(m, min_rtt_ns, srtt_ns);

	m->reorder_ns = 0;
	for (unsigned i = 0; i < m->n; i++) {
		struct model_segment *s = &m->segments[i];
		uint64_t due_ns = s->sent_ns + m->rtt_ns + wnd_ns;

		if (s->sacked || s->is_due)
			continue;
		if (s->sent_ns > m->xmit_ns || (s->sent_ns == m->xmit_ns && s->to >= m->end))
			continue;
		if (due_ns <= now_ns)
			lose(s);
		else if (m->reorder_ns == 0 || due_ns < m->reorder_ns)
			m->reorder_ns = due_ns;
	}
}

static void leave(struct model *m)
{
	m->phase = RECOVERY_OPEN;
	if (m->reo_wnd_persist && --m->reo_wnd_persist == 0)
		m->reo_wnd_mult = 1;
}

static void change_phase(struct model *m)
{
	if (m->phase != RECOVERY_OPEN && m->una >= m->high)
		leave(m);
	for (unsigned i = 0; i < m->n && m->phase == RECOVERY_OPEN; i++) {
		if (m->segments[i].lost) {
			m->phase = RECOVERY_FAST;
			m->high = m->nxt;
		}
	}
}

static void undo(struct model *m)
{
	if (m->phase == RECOVERY_FAST)
		m->reordering_seen = true;
	m->phase = RECOVERY_OPEN;
	for (unsigned i = 0; i < m->n; i++)
		m->segments[i].lost = m->segments[i].is_due = false;
}

void model_take(struct model *m, const struct model_ack *a)
{
	take_una(m, a);
	for (unsigned i = 0; i < m->n; i++) {
		struct model_segment *s = &m->segments[i];

		if (!s->sacked && is_covered(s, a, m->una, m->nxt)) {
			deliver(m, s, a);
			s->sacked = true;
		}
	}
	if (a->is_undone)
		undo(m);
	if (m->has_dsack_round && m->una >= m->dsack_round)
		m->has_dsack_round = false;
	if (a->has_dsack && !m->has_dsack_round) {
		m->has_dsack_round = true;
		m->dsack_round = m->nxt;
		m->reo_wnd_mult++;
		m->reo_wnd_persist = 16;
	}
	detect(m, a->min_rtt_ns, a->srtt_ns, a->now_ns);
	change_phase(m);
}

void model_reorder(struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns, uint64_t now_ns)
{
	detect(m, min_rtt_ns, srtt_ns, now_ns);
	change_phase(m);
}

void model_timeout(struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns, uint64_t now_ns)
{
	uint64_t wnd_ns;

	if (m->segments[0].sacked) // reneged
		for (unsigned i = 0; i < m->n; i++)
			m->segments[i].sacked = false;
	wnd_ns = reo_wnd_ns(m, min_rtt_ns, srtt_ns);
	for (unsigned i = 0; i < m->n; i++) {
		struct model_segment *s = &m->segments[i];

		if (s->sacked)
			continue;
		if (s->is_due)
			s->again = 0;
		else if (i == 0 || s->sent_ns + m->rtt_ns + wnd_ns <= now_ns)
			lose(s);
	}
	m->reorder_ns = 0;
	m->phase = RECOVERY_LOSS;
	m->high = m->nxt;
}

bool model_has_due(const struct model *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->segments[i].is_due)
			return true;
	return false;
}

bool model_is_due(const struct model *m, uint32_t from)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->segments[i].is_due && m->segments[i].from + m->segments[i].again == from)
			return true;
	return false;
}

static const char *compare_segment(const struct model_segment *s, const struct record *rec)
{
	bool is_due = rec->where == RECORD_LOST || rec->where == RECORD_AGAIN;

	if (record_len(rec) != s->to - s->from)
		return "length";
	if ((rec->where == RECORD_SACKED) != s->sacked)
		return "sacked";
	if (!!(rec->flags & RECORD_IS_LOST) != s->lost)
		return "lost";
	if (is_due != s->is_due)
		return "to be sent again";
	if (rec->again != s->again)
		return "sent again";
	if (rec->sent_ns != s->sent_ns)
		return "time of transmission";
	return NULL;
}

const char *model_compare(const struct model *m, const struct recovery *r, struct seq iss)
{
	const struct recovery_state *st = r->state;

	if (r->una.v - iss.v != m->una || r->nxt.v - iss.v != m->nxt)
		return "SND.UNA or SND.NXT";
	if (st->phase != m->phase)
		return "phase";
	if (st->tail - st->head != m->n)
		return "number of segments";
	if (st->reorder_ns != m->reorder_ns)
		return "reordering timer";
	if (st->rack.sent_ns != m->xmit_ns || st->rack.rtt_ns != m->rtt_ns ||
	    st->rack.reordering_seen != m->reordering_seen)
		return "RACK";
	for (unsigned i = 0; i < m->n; i++) {
		const char *wrong = compare_segment(&m->segments[i], record_of(st, st->head + i));

		if (wrong)
			return wrong;
	}
	return NULL;
}
