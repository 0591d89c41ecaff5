// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/contract/contract.h"

#include <errno.h>
#include <string.h>

const struct error_row *error_row(enum error_id id)
{
	static const struct error_row rows[] = {
#define X(name, exit_code, advice) {#name, exit_code, advice},
		ERRORS(X)
#undef X
	};
	return &rows[id < ERROR_COUNT ? id : ERROR_INTERNAL];
}

const char *link_phase_text(enum link_phase phase)
{
	static const char *const words[] = {
#define X(name, text) text,
		LINK_PHASES(X)
#undef X
	};
	return phase < PHASE_COUNT ? words[phase] : "unknown";
}

int contract_check(const struct contract *c)
{
	if (c->magic != CONTRACT_MAGIC || c->abi != CONTRACT_ABI || c->size != sizeof(*c))
		return -EPROTO;
	return 0;
}

void shared_text_set(struct shared_text *t, const char *text)
{
	uint32_t seq = atomic_load_explicit(&t->seq, memory_order_relaxed);
	if (strncmp(t->text, text, TEXT_LEN - 1) == 0)
		return; // the only writer may look without the lock
	atomic_store_explicit(&t->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	strncpy(t->text, text, TEXT_LEN - 1);
	t->text[TEXT_LEN - 1] = 0;
	atomic_store_explicit(&t->seq, seq + 2, memory_order_release);
}

void shared_text_get(const struct shared_text *t, char *out)
{
	struct shared_text *u = (struct shared_text *)t;
	// A writer that died in the middle must not hang us: take what is there after a while.
	for (int tries = 0; tries < 1000; tries++) {
		uint32_t before = atomic_load_explicit(&u->seq, memory_order_acquire);
		memcpy(out, t->text, TEXT_LEN);
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) && atomic_load_explicit(&u->seq, memory_order_relaxed) == before)
			break;
	}
	out[TEXT_LEN - 1] = 0;
}

void link_databases(const struct link_config *c, struct db_map *dbs)
{
	int32_t from = c->source.db >= 0 ? c->source.db : c->target.db;
	int32_t to = c->target.db >= 0 ? c->target.db : c->source.db;
	*dbs = c->settings.db_map;
	if (c->target.kind == URL_CLUSTER)
		to = 0; // it has no other
	if (!dbs->n && from >= 0)
		db_map_one(dbs, from, to);
}

// Push and pop are the same for both rings but for the type.
#define RING_PUSH(ring, limit, record)                                                             \
	do {                                                                                       \
		uint64_t head = atomic_load_explicit(&(ring)->head, memory_order_relaxed);         \
		uint64_t tail = atomic_load_explicit(&(ring)->tail, memory_order_acquire);         \
		if (head - tail >= (limit)) {                                                      \
			counter_add(&(ring)->dropped, 1);                                          \
			return -ENOBUFS;                                                           \
		}                                                                                  \
		(ring)->records[head % (limit)] = (record);                                        \
		atomic_store_explicit(&(ring)->head, head + 1, memory_order_release);              \
		return 0;                                                                          \
	} while (0)

#define RING_POP(ring, limit, out)                                                                 \
	do {                                                                                       \
		uint64_t tail = atomic_load_explicit(&(ring)->tail, memory_order_relaxed);         \
		if (tail == atomic_load_explicit(&(ring)->head, memory_order_acquire))             \
			return 0;                                                                  \
		*(out) = (ring)->records[tail % (limit)];                                          \
		atomic_store_explicit(&(ring)->tail, tail + 1, memory_order_release);              \
		return 1;                                                                          \
	} while (0)

int contract_command_push(struct contract *c, struct command_record r)
{
	RING_PUSH(&c->commands, COMMAND_RING_SIZE, r);
}

int contract_command_pop(struct contract *c, struct command_record *r)
{
	RING_POP(&c->commands, COMMAND_RING_SIZE, r);
}

int contract_event_push(struct contract *c, const struct event_record *r)
{
	RING_PUSH(&c->events, EVENT_RING_SIZE, *r);
}

int contract_event_pop(struct contract *c, struct event_record *r)
{
	RING_POP(&c->events, EVENT_RING_SIZE, r);
}
