// SPDX-License-Identifier: BSD-3-Clause
// What a stream knows of idempotent producers (Redis 8.6): which of their messages it has.
//
//   idmp -> producer -> entry, entry ... -> producer ... -> counters -> end
//
// Scratch: the producer's name.
#include "parsers/rdb_priv.h"

static rdb_step producer_step, entry_step, counters_step;

static int lengths_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, uint64_t *v,
			int n)
{
	for (int i = 0; i < n; i++) {
		enum rdb_take t = rdb_len_take(p, c->end, &v[i]);

		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, "idempotent producers");
	}
	return RDB_AGAIN;
}

int rdb_idmp_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	uint64_t v[3];
	int rc = lengths_take(r, c, &p, v, 3);

	if (rc != RDB_AGAIN)
		return rc;
	ev->kind = RDB_STREAM_IDMP;
	ev->idmp_duration_s = v[0];
	ev->idmp_max_entries = v[1];
	r->n_producers = v[2];
	r->step = producer_step;
	c->p = p;
	return RDB_EVENT;
}

static int producer_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str name;

	r->scratch_used = 0;
	if (r->n_producers == 0) {
		r->step = counters_step;
		return RDB_AGAIN;
	}
	int rc = rdb_str_take(r, c, &p, &name, "idempotent producer");

	if (rc == RDB_AGAIN)
		rc = lengths_take(r, c, &p, &r->left, 1);
	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_keep(r, c, &name, 0, &r->group_len) == RDB_BAD)
		return RDB_BAD;
	r->scratch_used = r->group_len;
	r->n_producers--;
	r->step = entry_step;
	c->p = p;
	return RDB_AGAIN;
}

static int entry_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str name;
	uint64_t v[2];

	if (r->left == 0) {
		r->step = producer_step;
		return RDB_AGAIN;
	}
	int rc = rdb_str_take(r, c, &p, &name, "idempotent entry");

	if (rc == RDB_AGAIN)
		rc = lengths_take(r, c, &p, v, 2);
	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &name, &ev->value, 1) == RDB_BAD)
		return RDB_BAD;
	ev->kind = RDB_STREAM_IDMP_ENTRY;
	ev->field = (struct span){r->scratch, r->group_len};
	ev->id = (struct rdb_stream_id){v[0], v[1]};
	r->left--;
	c->p = p;
	return RDB_EVENT;
}

// How many there have ever been, and how many were repeated: nothing that a command could set.
static int counters_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	uint64_t v[2];
	int rc = lengths_take(r, c, &p, v, 2);

	if (rc != RDB_AGAIN)
		return rc;
	c->p = p;
	return rdb_big_end_step(r, c, ev);
}
