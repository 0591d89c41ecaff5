// SPDX-License-Identifier: BSD-3-Clause
// What must hold between calls. Walks everything: for tests and fuzzers.
#include "dataplane/tcp/recovery_priv.h"

struct tally {
	uint64_t sacked, lost, resent;
	uint32_t n_sacked, n_lost, n_again, n_resent;
};

static const char *check_record(const struct record *rec, struct tally *t)
{
	uint32_t len = record_len(rec);

	if (!seq_lt(rec->from, rec->to))
		return "a record is empty";
	if (rec->again > len)
		return "more of a record went out again than there is";
	if (rec->again && !(rec->flags & RECORD_WAS_RESENT))
		return "a record went out again and does not know it";
	t->resent += rec->again;
	if (rec->flags & RECORD_IS_LOST)
		t->lost += len;
	switch (rec->where) {
	case RECORD_SENT:
		return rec->flags & RECORD_IS_LOST ? "a lost record is in no list" : NULL;
	case RECORD_SACKED:
		t->sacked += len;
		t->n_sacked++;
		return rec->flags & RECORD_IS_LOST || rec->again ? "a sacked record counts twice"
								 : NULL;
	case RECORD_LOST:
		t->n_lost++;
		return rec->flags & RECORD_IS_LOST ? NULL : "a record to be sent is not lost";
	case RECORD_AGAIN:
		t->n_again++;
		return rec->flags & RECORD_IS_LOST ? NULL : "a record to be sent is not lost";
	case RECORD_RESENT:
		t->n_resent++;
		return rec->flags & RECORD_WAS_RESENT ? NULL : "a record was not sent again";
	}
	return "a record is nowhere";
}

static const char *check_records(const struct recovery *r, struct tally *t)
{
	const struct recovery_state *st = r->state;
	struct seq at = r->una;

	for (uint32_t i = st->head; i != st->tail; i++) {
		const struct record *rec = record_of(st, i);
		const char *wrong = check_record(rec, t);

		if (wrong)
			return wrong;
		if (!seq_eq(rec->from, at))
			return "records do not touch";
		if (rec->where == RECORD_SACKED &&
		    (index_lt(rec->next, i) || !index_lt(rec->next, st->tail) ||
		     record_of(st, rec->next)->where != RECORD_SACKED))
			return "a sacked run leads astray";
		if (rec->where == RECORD_SENT && index_lt(i, st->fresh) &&
		    sent_after(rec->sent_ns, rec->to, st->rack.sent_ns, st->rack.to))
			return "RACK has passed a record that was sent later";
		at = rec->to;
	}
	return seq_eq(at, r->nxt) ? NULL : "records do not end at SND.NXT";
}

static const char *check_list(const struct recovery_state *st, const struct record_list *l,
			      enum record_where where, uint32_t n)
{
	uint32_t i = l->first;

	if (l->n != n)
		return "a list lacks records";
	for (; n; n--) {
		if (record_of(st, i)->where != where)
			return "a list holds what is not its own";
		if (n == 1)
			return i == l->last ? NULL : "a list does not end at its end";
		if (record_of(st, record_of(st, i)->next)->prev != i)
			return "a list does not lead back";
		i = record_of(st, i)->next;
	}
	return NULL;
}

const char *recovery_check(const struct recovery *r)
{
	const struct recovery_state *st = r->state;
	struct tally t = {0};
	const char *wrong = check_records(r, &t);

	if (!wrong)
		wrong = check_list(st, &st->lost, RECORD_LOST, t.n_lost);
	if (!wrong)
		wrong = check_list(st, &st->again, RECORD_AGAIN, t.n_again);
	if (!wrong)
		wrong = check_list(st, &st->resent, RECORD_RESENT, t.n_resent);
	if (wrong)
		return wrong;
	if (r->sacked != t.sacked + st->reno.inferred || st->rack.n_sacked != t.n_sacked)
		return "sacked bytes do not add up";
	if (r->lost != t.lost || r->resent != t.resent)
		return "lost or resent bytes do not add up";
	if ((int64_t)recovery_in_flight(r) < 0)
		return "less than nothing is in flight";
	if (st->phase == RECOVERY_OPEN && st->is_open && r->lost)
		return "something is lost and nobody recovers it";
	if (st->head != st->tail && !st->is_persisting && recovery_deadline(r) == TCP_NO_DEADLINE)
		return "something is in flight and no timer runs";
	return NULL;
}
