// SPDX-License-Identifier: BSD-3-Clause
// main() -> world_open() -> world_run(): a page, each line a stage -> report_end()
#include "tools/pktgen/pktgen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "dataplane/net/host.h"
#include "drivers/clock.h"
#include "drivers/nic_dpdk.h"
#include "tools/pktgen/report.h"

#define CONNECTIONS_MAX 1024
#define BACKLOG         64
#define SEND_MAX        (1u << 20) // more than a window of a link in memory can be under way
#define SIGNAL_LOOK     4096       // turns between two looks of one who is never idle

enum { EXIT_FAILED = 1, EXIT_NO_DEVICE = 4 };

static uint64_t clock_ns(void)
{
	return clock_kernel.read().mono_ns;
}

// ---- Opening

static void servers_make(struct world *w)
{
	uint64_t drawn[3];
	for (unsigned i = 0; i <= w->o.flows; i++) {
		struct server *s = &w->servers[w->n_servers++];
		s->is_source = i < w->o.flows;
		s->port = (uint16_t)(s->is_source ? w->o.source_port + i : w->o.target_port);
		if (getrandom(drawn, sizeof(drawn), 0) != sizeof(drawn))
			abort(); // so few bytes are never refused
		snprintf(s->replid, sizeof(s->replid), "%016llx%016llx%08x",
			 (unsigned long long)drawn[0], (unsigned long long)drawn[1],
			 (unsigned)drawn[2]);
	}
}

static int stack_open(struct world *w)
{
	uint8_t secret[16];
	uint64_t seed;
	struct stack_settings set = host_net_stack(&w->o.network, w->nic->info);
	set.connections_max = CONNECTIONS_MAX;
	set.tcp.send_max = SEND_MAX;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret) ||
	    getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	int rc = stack_new(w->nic, &set, secret, seed, clock_ns(), &w->stack);
	for (unsigned i = 0; !rc && i < w->n_servers; i++)
		rc = stack_listen(w->stack, w->servers[i].port, NULL, 0, BACKLOG);
	return rc;
}

// Signals come as a descriptor that the idle loop looks at.
static int signals_open(struct world *w)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGINT, SIG_DFL); // who was started in the background inherits that it is ignored
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	idle_init(&w->idle, w->o.network.idle == NETWORK_SPIN ? IDLE_SPIN : IDLE_ADAPTIVE);
	idle_add_nic(&w->idle, w->nic);
	if (fd >= 0)
		idle_add_fd(&w->idle, fd);
	return fd < 0 ? -errno : fd;
}

// @return 0, or the exit code
static int world_open(struct world *w, int *signals)
{
	char text[NIC_DPDK_TEXT_LEN];
	struct nic_dpdk_settings set = {
		.device = w->o.network.nic, .n_queues = 1, .control_cpu = -1};
	if (nic_dpdk_open(&set, &w->nic, text)) {
		fprintf(stderr, "pktgen: %s\n", text);
		return EXIT_NO_DEVICE;
	}
	w->verbs = verbs_new();
	servers_make(w);
	block_make(&w->block, &w->o.block);
	int rc = w->verbs ? stack_open(w) : -ENOMEM;
	if (!rc)
		rc = *signals = signals_open(w);
	if (rc >= 0)
		return 0;
	fprintf(stderr, "pktgen: no TCP over %s: %s\n", w->o.network.nic, strerror(-rc));
	return EXIT_FAILED;
}

static void world_close(struct world *w)
{
	peers_free(w);
	if (w->stack)
		stack_free(w->stack, clock_ns());
	if (w->nic)
		nic_close(w->nic);
	block_free(&w->block);
	store_free(&w->store);
	verbs_free(w->verbs);
	free(w);
}

// ---- Running

// @return false: a signal has come
static bool turn_idle(struct world *w, uint64_t until_ns)
{
	uint64_t due_ns = stack_deadline(w->stack);
	idle_wait(&w->idle, w->now_ns, due_ns < until_ns ? due_ns : until_ns);
	return !w->idle.ready;
}

static void world_run(struct world *w)
{
	struct report report;
	w->begin_ns = w->now_ns = clock_ns();
	uint64_t end_ns = w->o.for_ns ? w->begin_ns + w->o.for_ns : UINT64_MAX;
	bool goes_on = true;
	report_begin(&report, w);
	for (unsigned turn = 0; goes_on && w->now_ns < end_ns; turn++) {
		bool busy = stack_turn(w->stack, w->now_ns);
		peers_accept(w);
		peers_news(w);
		busy |= peers_feed(w);
		report_turn(&report, w);
		if (turn % SIGNAL_LOOK == 0)
			goes_on = !idle_look(&w->idle);
		uint64_t next_ns = end_ns < report.next_ns ? end_ns : report.next_ns;
		if (busy)
			idle_busy(&w->idle);
		else if (goes_on)
			goes_on = turn_idle(w, next_ns);
		uint64_t now_ns = clock_ns();
		w->busy_ns += busy ? now_ns - w->now_ns : 0;
		w->now_ns = now_ns;
	}
}

int main(int argc, char **argv)
{
	struct world *w = calloc(1, sizeof(*w));
	int signals = -1;
	if (!w)
		return EXIT_FAILED;
	TAILQ_INIT(&w->peers);
	int rc = options_read(argc, argv, &w->o);
	if (rc < 0 && !(rc = world_open(w, &signals))) {
		printf("pktgen: %s is ready\n", w->nic->info->name);
		fflush(stdout);
		world_run(w);
		rc = report_end(w) ? 0 : EXIT_FAILED;
	}
	if (signals >= 0)
		close(signals);
	world_close(w);
	return rc;
}
