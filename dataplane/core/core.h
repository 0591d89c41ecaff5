// SPDX-License-Identifier: BSD-3-Clause
// A core: one thread with its own loop, its own connections and a list of tasks that take turns.
//
//   core_run(): contract commands -> every task's turn -> wait until news, a wake or a deadline
//
// Nothing is shared between cores but rings, counters and the few atomics named in the structs that
// hold them.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "dataplane/contract/contract.h"
#include "drivers/clock.h"
#include "drivers/stream.h"

#define CORE_TASKS_MAX 1024
#define CORE_MAIL_SIZE 128
#define NO_DEADLINE    UINT64_MAX

struct core;

_Static_assert((int)CONGESTION_CUBIC == STREAM_CUBIC && (int)CONGESTION_BBR == STREAM_BBR,
	       "the setting says what the stream is told");
// Where a server is and how it is spoken to, for stream_connect().
static inline struct stream_peer endpoint_peer(const struct endpoint *e)
{
	return (struct stream_peer){
		.host = e->host,
		.port = e->port,
		.path = e->path,
		.net = e->net == NET_DPDK ? STREAM_OWN : STREAM_KERNEL,
		.congestion = (enum stream_congestion)e->congestion,
		.link = e->link,
		.tls = e->tls,
		.tls_settings = {.ca = e->trust.ca,
				 .cert = e->trust.cert,
				 .key = e->trust.key,
				 .name = e->trust.server_name[0] ? e->trust.server_name : e->host,
				 .verify = !e->trust.trust_any},
	};
}

// The same for another server of the deployment.
//
// @param name     of its host, which a certificate has to name
// @param address  of it
static inline struct stream_peer endpoint_peer_at(const struct endpoint *e, const char *name,
						  const char *address, uint16_t port)
{
	struct stream_peer peer = endpoint_peer(e);
	peer.host = address;
	peer.port = port;
	if (!e->trust.server_name[0])
		peer.tls_settings.name = name;
	return peer;
}

// Do what can be done now, without blocking.
//
// @param now       the core's clock at the beginning of the turn
// @param deadline  in: NO_DEADLINE; out: mono_ns at which the task wants a turn even without news
// @return          true when there is more to do at once
typedef bool (*task_turn)(void *task, const struct clock_reading *now, uint64_t *deadline_ns);

struct core_task {
	task_turn turn;
	void *task;
};

struct core {
	// read only once the core runs
	unsigned index;
	int cpu; // -1: not pinned
	struct contract *contract;
	const struct clock_ops *clock;
	struct stream_loop *loop;
	bool (*housekeeping)(struct core *c, void *owner); // core 0: commands; false ends the core
	void *owner;
	pthread_mutex_t *log_lock; // of all cores: the ring of events has one producer at a time

	// owner: this core
	struct core_task tasks[CORE_TASKS_MAX];
	unsigned n_tasks;
	struct clock_reading now;

	// mail from core 0: tasks to add and to remove
	_Atomic uint32_t mail_head __attribute__((aligned(64))); // writer: core 0
	struct core_mail {
		bool add;
		struct core_task task;
	} mail[CORE_MAIL_SIZE];
	_Atomic uint32_t mail_tail __attribute__((aligned(64))); // writer: this core

	_Atomic uint32_t asleep __attribute__((aligned(64))); // writers: all cores
	_Atomic uint32_t stop;                                // writer: core 0
};

// Open a loop over kernel sockets with the driver of the setting; auto takes io_uring only where it
// is faster.
//
// @param io    enum stream_choice
// @param text  out: what is used and why, TEXT_LEN bytes
// @return 0, or -errno
int core_loop_open(unsigned io, struct stream_loop **out, char *text);

// @param loop  the core's from now on; of any driver
void core_init(struct core *c, unsigned index, int cpu, struct contract *contract,
	       struct stream_loop *loop);
void core_fini(struct core *c);

// Ask a core to take a task on, or to let it go. From core 0's thread only.
//
// @return 0, or -ENOBUFS when too much mail is on its way: try again
int core_add(struct core *c, task_turn turn, void *task);
int core_remove(struct core *c, void *task);

// Whether the core has carried out all that it was asked for.
bool core_is_settled(const struct core *c);

// Run until stopped. The calling thread becomes the core.
void core_run(struct core *c);

// Make sure that the core takes another turn soon. From any thread; cheap when it is awake.
void core_wake(struct core *c);

// One line for the log, through the contract's events; from the core's own thread. Takes a lock, so
// never per command. Cut at TEXT_LEN - 1.
void core_log(struct core *c, enum event_level level, uint32_t link, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
