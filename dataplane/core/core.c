// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/core/core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/cores.h"

// A core that has nothing to do still looks for commands and beats its heart this often.
#define TICK_NS 100000000ull

int core_loop_open(unsigned io, struct stream_loop **out, char *text)
{
	const struct stream_ops *first = stream_preferred(io), *second = &stream_epoll;
	int rc = first->loop_new(out);
	if (!rc) {
		snprintf(text, TEXT_LEN, "%s", first->name);
		return 0;
	}
	if (first == second)
		return rc;
	snprintf(text, TEXT_LEN, "%s (%s: %s)", second->name, first->name, strerror(-rc));
	return second->loop_new(out);
}

void core_init(struct core *c, unsigned index, int cpu, struct contract *contract,
	       struct stream_loop *loop)
{
	memset(c, 0, sizeof(*c));
	c->index = index;
	c->cpu = cpu;
	c->contract = contract;
	c->clock = &clock_kernel;
	c->now = c->clock->read();
	c->loop = loop;
}

void core_fini(struct core *c)
{
	if (c->loop)
		c->loop->ops->loop_free(c->loop);
	c->loop = NULL;
}

static int mail_push(struct core *c, bool add, task_turn turn, void *task)
{
	uint32_t head = atomic_load_explicit(&c->mail_head, memory_order_relaxed);
	if (head - atomic_load_explicit(&c->mail_tail, memory_order_acquire) == CORE_MAIL_SIZE)
		return -ENOBUFS;
	c->mail[head % CORE_MAIL_SIZE] = (struct core_mail){add, {turn, task}};
	atomic_store_explicit(&c->mail_head, head + 1, memory_order_release);
	core_wake(c);
	return 0;
}

int core_add(struct core *c, task_turn turn, void *task)
{
	return mail_push(c, true, turn, task);
}

int core_remove(struct core *c, void *task)
{
	return mail_push(c, false, NULL, task);
}

bool core_is_settled(const struct core *c)
{
	return atomic_load_explicit((_Atomic uint32_t *)&c->mail_tail, memory_order_acquire) ==
	       atomic_load_explicit((_Atomic uint32_t *)&c->mail_head, memory_order_relaxed);
}

static void task_forget(struct core *c, void *task)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].task != task)
			c->tasks[kept++] = c->tasks[i];
	c->n_tasks = kept;
}

// Between turns, so that no task goes while it runs.
static void mail_read(struct core *c)
{
	uint32_t tail = atomic_load_explicit(&c->mail_tail, memory_order_relaxed);
	while (tail != atomic_load_explicit(&c->mail_head, memory_order_acquire)) {
		const struct core_mail *m = &c->mail[tail % CORE_MAIL_SIZE];
		if (m->add && c->n_tasks < CORE_TASKS_MAX)
			c->tasks[c->n_tasks++] = m->task;
		else if (!m->add)
			task_forget(c, m->task.task);
		atomic_store_explicit(&c->mail_tail, ++tail, memory_order_release);
	}
}

static bool tasks_turn(struct core *c, uint64_t *deadline_ns)
{
	bool more = false;
	for (unsigned i = 0; i < c->n_tasks; i++) {
		uint64_t deadline = NO_DEADLINE;
		more |= c->tasks[i].turn(c->tasks[i].task, &c->now, &deadline);
		if (deadline < *deadline_ns)
			*deadline_ns = deadline;
	}
	return more;
}

// Sleep only when nobody has rung since the last turn: a producer that sees `asleep` unset leaves
// the bell alone, so the flag goes up before one more look at everything.
static void core_sleep(struct core *c, uint64_t deadline_ns)
{
	uint64_t limit = c->now.mono_ns + TICK_NS;
	if (deadline_ns > limit)
		deadline_ns = limit;
	int64_t wait_ns =
		deadline_ns > c->now.mono_ns ? (int64_t)(deadline_ns - c->now.mono_ns) : 0;
	stream_loop_wait(c->loop, wait_ns);
	atomic_store_explicit(&c->asleep, 0, memory_order_relaxed);
}

static void heartbeat(struct core *c, bool busy)
{
	struct core_slot *slot = &c->contract->cores[c->index];
	counter_set(&slot->heartbeat_ms, c->now.wall_ms);
	counter_add(&slot->turns, 1);
	if (busy)
		counter_add(&slot->busy_turns, 1);
}

void core_run(struct core *c)
{
	bool go_on = true;
	while (go_on && !atomic_load_explicit(&c->stop, memory_order_relaxed)) {
		c->now = c->clock->read();
		mail_read(c);
		if (c->housekeeping)
			go_on = c->housekeeping(c, c->owner);
		uint64_t deadline_ns = NO_DEADLINE;
		bool more = tasks_turn(c, &deadline_ns);
		if (!more) {
			atomic_store_explicit(&c->asleep, 1, memory_order_seq_cst);
			deadline_ns = NO_DEADLINE;
			more = tasks_turn(c, &deadline_ns);
		}
		heartbeat(c, more);
		if (!more)
			core_sleep(c, deadline_ns);
		else
			stream_loop_wait(c->loop, 0);
		atomic_store_explicit(&c->asleep, 0, memory_order_relaxed);
	}
}

void core_wake(struct core *c)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&c->asleep, memory_order_relaxed) &&
	    atomic_exchange_explicit(&c->asleep, 0, memory_order_seq_cst))
		stream_loop_wake(c->loop);
}

void core_log(struct core *c, enum event_level level, uint32_t link, const char *format, ...)
{
	struct event_record r = {.time_ms = c->now.wall_ms, .level = level, .link = link};
	va_list args;
	va_start(args, format);
	vsnprintf(r.text, sizeof(r.text), format, args);
	va_end(args);
	pthread_mutex_lock(c->log_lock);
	contract_event_push(c->contract, &r);
	pthread_mutex_unlock(c->log_lock);
}
