// SPDX-License-Identifier: BSD-3-Clause
// The consumer groups of a stream.
//
//   groups -> group -> pending list -> consumers -> consumer -> its ids ... -> consumer ...
//               ^                          |
//               +---- nobody's ids --------+ -> rdb_idmp.c -> end
//
// The group's pending list has times and counts; behind it each consumer lists just its ids. So the
// list is kept in scratch and looked up. Scratch: group name, pending list, consumer name.
#include "parsers/rdb_priv.h"

struct pending {
	struct rdb_stream_id id;
	int64_t delivered_at_ms;
	uint64_t n_delivered;
};

static rdb_step group_step, pel_step, consumers_step, consumer_step, owned_step, nacked_step;

static struct pending pending_at(const struct rdb_reader *r, uint64_t i)
{
	struct pending e;

	memcpy(&e, r->scratch + r->pel_off + i * sizeof(e), sizeof(e));
	return e;
}

static int id_compare(struct rdb_stream_id a, struct rdb_stream_id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static struct rdb_stream_id id_read(const uint8_t *p)
{
	return (struct rdb_stream_id){rdb_be64(p), rdb_be64(p + 8)};
}

static int length_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, uint64_t *v)
{
	enum rdb_take t = rdb_len_take(p, c->end, v);

	return t == RDB_TAKE_OK ? RDB_AGAIN : rdb_untaken(r, c, t, "consumer group");
}

int rdb_groups_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	int rc = length_take(r, c, &c->p, &r->n_groups);

	if (rc == RDB_AGAIN)
		r->step = group_step;
	return rc;
}

static int group_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str name;
	uint64_t v[4]; // last id; entries read, from Redis 7.0 on; pending
	int n = r->type->level == 1 ? 2 : 3, rc;

	if (r->n_groups == 0)
		return r->type->level >= 4 ? rdb_idmp_step(r, c, ev) : rdb_big_end_step(r, c, ev);
	rc = rdb_str_take(r, c, &p, &name, "consumer group");
	for (int i = 0; i < n && rc == RDB_AGAIN; i++)
		rc = length_take(r, c, &p, &v[i]);
	if (rc == RDB_AGAIN)
		rc = length_take(r, c, &p, &r->n_pending);
	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_keep(r, c, &name, 0, &r->group_len) == RDB_BAD)
		return RDB_BAD;
	r->pel_off = (r->group_len + 7) & ~(size_t)7;
	r->n_pel = 0;
	r->n_groups--;
	ev->kind = RDB_STREAM_GROUP;
	ev->group = (struct span){r->scratch, r->group_len};
	ev->id = (struct rdb_stream_id){v[0], v[1]};
	ev->entries_read = n == 3 ? (int64_t)v[2] : -1;
	c->p = p;
	r->step = pel_step;
	return RDB_EVENT;
}

// Read the group's pending list into scratch. Redis writes it in the order of ids.
static int pel_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	while (r->n_pending > 0) {
		const uint8_t *p = c->p + 24;
		struct pending e;

		if (c->end - c->p < 25)
			return rdb_more(r, c, 25, "pending entry");
		e.id = id_read(c->p);
		e.delivered_at_ms = (int64_t)rdb_le64(c->p + 16);
		int rc = length_take(r, c, &p, &e.n_delivered);

		if (rc != RDB_AGAIN)
			return rc;
		if (r->n_pel > 0 && id_compare(pending_at(r, r->n_pel - 1).id, e.id) >= 0)
			return rdb_fail(r, c, "%s: pending ids are out of order", r->type->name);
		size_t at = r->pel_off + r->n_pel * sizeof(e);

		if (rdb_scratch_grow(r, c, at + sizeof(e), "pending list of a group") == RDB_BAD)
			return RDB_BAD;
		memcpy(r->scratch + at, &e, sizeof(e));
		r->n_pel++;
		r->n_pending--;
		c->p = p;
	}
	r->step = consumers_step;
	return RDB_AGAIN;
}

static int consumers_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	int rc = length_take(r, c, &c->p, &r->n_consumers);

	if (rc == RDB_AGAIN)
		r->step = consumer_step;
	return rc;
}

static int consumer_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p, *times;
	size_t n_times = r->type->level >= 3 ? 2 : 1;
	struct rdb_str name;
	int rc;

	if (r->n_consumers == 0) {
		if (r->type->level >= 5) {
			rc = length_take(r, c, &c->p, &r->n_pending);
			if (rc != RDB_AGAIN)
				return rc;
		}
		r->step = r->type->level >= 5 ? nacked_step : group_step;
		return RDB_AGAIN;
	}
	rc = rdb_str_take(r, c, &p, &name, "consumer");

	if (rc != RDB_AGAIN)
		return rc;
	times = p;
	if ((size_t)(c->end - p) < n_times * 8)
		return rdb_more(r, c, (uint64_t)(p - c->p) + n_times * 8 + 1, "consumer");
	p += n_times * 8;
	rc = length_take(r, c, &p, &r->n_pending);
	if (rc != RDB_AGAIN)
		return rc;
	r->consumer_off = r->pel_off + r->n_pel * sizeof(struct pending);
	if (rdb_str_keep(r, c, &name, r->consumer_off, &r->consumer_len) == RDB_BAD)
		return RDB_BAD;
	ev->kind = RDB_STREAM_CONSUMER;
	ev->group = (struct span){r->scratch, r->group_len};
	ev->consumer = (struct span){r->scratch + r->consumer_off, r->consumer_len};
	ev->seen_at_ms = (int64_t)rdb_le64(times);
	ev->active_at_ms = n_times == 2 ? (int64_t)rdb_le64(times + 8) : -1;
	c->p = p;
	r->n_consumers--;
	r->step = owned_step;
	return RDB_EVENT;
}

static bool pending_find(const struct rdb_reader *r, struct rdb_stream_id id, struct pending *out)
{
	uint64_t low = 0, high = r->n_pel;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		*out = pending_at(r, mid);
		int cmp = id_compare(out->id, id);

		if (cmp == 0)
			return true;
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

// The next id of the pending list, as an event of that kind.
static int pending_take(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
			enum rdb_event_kind kind, const char *wrong)
{
	struct pending e;

	if (c->end - c->p < 16)
		return rdb_more(r, c, 16, "pending id");
	if (!pending_find(r, id_read(c->p), &e))
		return rdb_fail(r, c, "%s: %s that its group does not list", r->type->name, wrong);
	ev->kind = kind;
	ev->group = (struct span){r->scratch, r->group_len};
	ev->id = e.id;
	ev->delivered_at_ms = e.delivered_at_ms;
	ev->n_delivered = e.n_delivered;
	r->n_pending--;
	c->p += 16;
	return RDB_EVENT;
}

static int owned_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (r->n_pending == 0) {
		r->step = consumer_step;
		return RDB_AGAIN;
	}
	ev->consumer = (struct span){r->scratch + r->consumer_off, r->consumer_len};
	return pending_take(r, c, ev, RDB_STREAM_PENDING, "a consumer owns an id");
}

// Ids that were delivered and given back (XNACK): in the group's list, and no consumer's.
static int nacked_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	if (r->n_pending == 0) {
		r->step = group_step;
		return RDB_AGAIN;
	}
	return pending_take(r, c, ev, RDB_STREAM_NACKED, "an id was given back");
}
