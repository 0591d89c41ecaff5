// SPDX-License-Identifier: BSD-3-Clause
// A dataplane that moves no data: it answers commands and turns counters as a real one does. What a
// link does follows from the host of its source:
//
//   ok.test        snapshot, stream; ends when told, or once caught up
//   slow.test      as ok, but a snapshot that never ends by itself
//   refuse.test    cannot connect
//   die.test       the process dies as the link starts
//   die-once.test  the same, but only the first time (a file in the link's folder remembers)
//   old.test       as ok, and the contract becomes one of another build
//   hang.test      as ok, and the drain never comes to its end
//   trace.test     as ok, with a connection of our own TCP
//   trouble.test   as ok, with TROUBLES of them that time out, the last one for good once paused
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/contract/contract.h"

#define SNAPSHOT_TURNS 40
#define DRAIN_TURNS    10
#define TROUBLES       40

struct fake_link {
	bool runs;
	unsigned turns, drain_turns;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_mono_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void tell(struct contract *c, unsigned link, const char *text)
{
	struct event_record e = {.time_ms = now_ms(), .level = EVENT_INFO, .link = link};
	snprintf(e.text, sizeof(e.text), "%s", text);
	contract_event_push(c, &e);
}

static bool host_is(const struct link_slot *s, const char *host)
{
	return !strcmp(s->config.source.host, host);
}

static void die(void)
{
	fputs("fake dataplane: these are my last words\n", stderr);
	_exit(3);
}

static void die_once(const struct link_slot *s)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/died", s->config.state_dir);
	if (access(path, F_OK) == 0)
		return;
	FILE *f = fopen(path, "w");
	if (!f)
		die(); // the folder must be there
	fclose(f);
	die();
}

// A connection to port 7000 + slot: a handshake, then silence.
static struct trace_ring *flow_open(struct contract *c, unsigned link, uint32_t slot)
{
	struct trace_flow flow = {
		.family = 4,
		.local = {10, 99, 0, 2},
		.remote = {10, 99, 0, 1},
		.local_port = 40000,
		.remote_port = (uint16_t)(7000 + slot),
		.link = c->links[link].config.source.link,
	};
	struct trace_ring *r = trace_open(&c->traces, slot, &flow);
	uint64_t now_ns = now_mono_ns();
	trace_segment(r, now_ns - 3000, TRACE_OUT, 0x02, 0, 0, 0, 65535);
	trace_segment(r, now_ns - 2000, TRACE_IN, 0x12, 0, 0, 1, 512);
	trace_put(r, now_ns - 1000, TRACE_STATE, 0, 0, 1, 3);
	trace_segment(r, now_ns, TRACE_OUT, 0x18, 1, 1448, 1, 512);
	return r;
}

static void flow_struggle(struct trace_ring *r)
{
	for (unsigned n = 1; n <= TRACE_RTO_ALARM; n++)
		trace_rto(r, now_mono_ns(), n, 200000000ull << n, 1);
}

static void link_start(struct contract *c, unsigned i, struct fake_link *l)
{
	struct link_slot *s = &c->links[i];
	tell(c, i, "the fake begins");
	if (host_is(s, "die.test"))
		die();
	if (host_is(s, "die-once.test"))
		die_once(s);
	if (host_is(s, "old.test"))
		c->abi++;
	if (host_is(s, "refuse.test")) {
		shared_text_set(&s->state.failure,
				"the source refuse.test:6379 refuses connections");
		atomic_store(&s->state.error, ERROR_CONNECT);
		atomic_store(&s->state.phase, PHASE_FAILED);
		return;
	}
	*l = (struct fake_link){.runs = true};
	if (host_is(s, "trace.test"))
		flow_open(c, i, 5);
	for (uint32_t slot = 0; slot < TROUBLES && host_is(s, "trouble.test"); slot++)
		flow_struggle(flow_open(c, i, slot));
	atomic_store(&s->state.lanes, (uint32_t)s->config.settings.lanes);
	counter_set(&s->state.counters.snapshot_total_bytes, SNAPSHOT_TURNS * 1000);
	shared_text_set(&s->state.source_version, "redis 7.0.15");
	shared_text_set(&s->state.io, "epoll");
	atomic_store(&s->state.phase, PHASE_SNAPSHOT);
}

static void link_end(struct contract *c, unsigned i, struct fake_link *l)
{
	l->runs = false;
	atomic_store(&c->links[i].state.phase, PHASE_DONE);
	tell(c, i, "the fake is done");
}

static void stream_turn(struct link_slot *s)
{
	struct source_counters *n = &s->state.counters;
	counter_add(&n->received_bytes, 300);
	counter_add(&n->received_offset, 300);
	counter_add(&n->received_commands, 10);
	counter_add(&n->filtered_commands, 1);
	counter_add(&s->lanes[0].applied_commands, 8);
	counter_add(&s->lanes[0].parked_commands, 1);
	counter_add(&s->lanes[0].latency_us[latency_bucket(100)], 8);
	counter_add(&n->frontier_offset, 300);
	atomic_store(&s->state.caught_up, 1);
}

static void link_turn(struct contract *c, unsigned i, struct fake_link *l)
{
	struct link_slot *s = &c->links[i];
	uint32_t phase = atomic_load(&s->state.phase);
	l->turns++;
	if (phase == PHASE_SNAPSHOT) {
		counter_add(&s->state.counters.received_bytes, 1000);
		counter_add(&s->state.counters.snapshot_bytes, 1000);
		counter_add(&s->state.counters.snapshot_keys, 10);
		if (l->turns >= SNAPSHOT_TURNS && !host_is(s, "slow.test"))
			atomic_store(&s->state.phase, PHASE_STREAM);
	} else if (phase == PHASE_STREAM) {
		stream_turn(s);
		if (s->config.settings.until == UNTIL_CAUGHT_UP)
			link_end(c, i, l);
	} else if (phase == PHASE_DRAINING && ++l->drain_turns >= DRAIN_TURNS &&
		   !host_is(s, "hang.test")) {
		link_end(c, i, l);
	}
}

static void command_run(struct contract *c, struct command_record r, struct fake_link *links)
{
	struct link_state *state = &c->links[r.link].state;
	switch (r.verb) {
	case COMMAND_LINK_START:
		link_start(c, r.link, &links[r.link]);
		break;
	case COMMAND_LINK_PAUSE:
		atomic_store(&state->phase, PHASE_PAUSED);
		if (host_is(&c->links[r.link], "trouble.test")) {
			struct trace_ring *ring = &c->traces.rings[TROUBLES - 1];
			trace_failed(ring, now_mono_ns(), ETIMEDOUT, 1448);
			trace_close(ring);
		}
		break;
	case COMMAND_LINK_RESUME:
		atomic_store(&state->phase, PHASE_STREAM);
		break;
	case COMMAND_LINK_DRAIN:
		atomic_store(&state->phase, PHASE_DRAINING);
		break;
	case COMMAND_LINK_STOP:
		link_end(c, r.link, &links[r.link]);
		break;
	case COMMAND_EXIT:
		_exit(0);
	}
}

int main(void)
{
	struct fake_link links[LINKS_MAX] = {0};
	struct contract *c =
		mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, CONTRACT_FD, 0);
	if (c == MAP_FAILED || contract_check(c))
		return 2;
	atomic_store(&c->dataplane_pid, (uint32_t)getpid());
	atomic_store(&c->n_cores, 1);
	atomic_store(&c->ready, 1);
	for (;;) {
		struct command_record r;
		while (contract_command_pop(c, &r))
			command_run(c, r, links);
		counter_set(&c->cores[0].heartbeat_ms, now_ms());
		for (unsigned i = 0; i < LINKS_MAX; i++)
			if (links[i].runs)
				link_turn(c, i, &links[i]);
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
}
