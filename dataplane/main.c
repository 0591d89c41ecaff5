// SPDX-License-Identifier: BSD-3-Clause
// flyover-dataplane: the fast path. Started by flyoverd, which hands over the contract as file
// descriptor 3; not meant to be started by hand.
//
//   main() -> contract_map() -> cores_open() -> core 0 runs here, the others in threads
//   core 0: housekeeping() -> commands, links that are over
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dataplane/contract/network.h"
#include "dataplane/jobs.h"
#include "dataplane/net/host.h"
#include "drivers/cores.h"
#include "drivers/nic_dpdk.h"
#include "drivers/stream_tls.h"

struct dataplane {
	struct contract *contract;
	struct core *cores;
	struct host_net net;
	char io[TEXT_LEN]; // how the kernel's sockets are waited for
	pthread_t threads[CORES_MAX];
	unsigned n_cores;
	pthread_mutex_t log_lock;
	struct jobs jobs;
};

// What flyoverd says on the command line.
struct settings {
	int cpus[CORES_MAX];
	unsigned n_cores, io; // enum stream_choice
	struct network network;
};

static struct contract *contract_map(void)
{
	struct contract *c =
		mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, CONTRACT_FD, 0);
	if (c == MAP_FAILED) {
		fprintf(stderr,
			"flyover-dataplane: no shared memory on descriptor %d: %s; "
			"it is started by flyoverd, not by hand\n",
			CONTRACT_FD, strerror(errno));
		return NULL;
	}
	madvise(c, sizeof(*c), MADV_DONTDUMP); // it holds passwords
	if (contract_check(c)) {
		fprintf(stderr, "flyover-dataplane: flyoverd was built from another version; "
				"install both from one build\n");
		return NULL;
	}
	return c;
}

// Core 0, each turn. @return false to end
static bool housekeeping(struct core *c, void *owner)
{
	struct dataplane *d = owner;
	struct command_record r;
	jobs_turn(&d->jobs);
	while (contract_command_pop(d->contract, &r)) {
		if (r.verb == COMMAND_EXIT)
			return false;
		jobs_command(&d->jobs, &r);
	}
	return true;
}

// ---- Cores

static void *core_thread(void *core)
{
	core_run(core);
	return NULL;
}

// @return 0, or an exit code; the last line on stderr says why, for flyoverd
static int network_open(struct dataplane *d, const struct settings *set)
{
	char why[NIC_DPDK_TEXT_LEN];
	if (!set->network.present ||
	    !host_net_open(&d->net, &set->network, d->contract, set->n_cores, why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return EXIT_DEVICE;
}

static int cores_open(struct dataplane *d, const struct settings *set)
{
	unsigned n = set->n_cores;
	d->cores = aligned_alloc(64, n * sizeof(*d->cores));
	if (!d->cores)
		return -ENOMEM;
	if (set->network.present)
		snprintf(d->io, sizeof(d->io), "epoll");
	for (unsigned i = 0; i < n; i++) {
		struct stream_loop *loop;
		int rc = set->network.present ? host_net_loop(&d->net, i, &loop)
					      : core_loop_open(set->io, &loop, d->io);
		rc = rc ? rc : stream_tls_new(loop, &loop);
		if (rc)
			return rc;
		core_init(&d->cores[i], i, set->cpus[i], d->contract, loop);
		d->cores[i].log_lock = &d->log_lock;
	}
	d->n_cores = n;
	if (d->net.n_cores && host_net_attach(&d->net, d->cores))
		return -ENOBUFS;
	d->jobs.contract = d->contract;
	d->jobs.cores = d->cores;
	d->jobs.n_cores = n;
	d->jobs.io = d->io;
	d->jobs.net = d->net.n_cores ? d->net.text : NULL;
	d->cores[0].housekeeping = housekeeping;
	d->cores[0].owner = d;
	core_log(&d->cores[0], EVENT_INFO, LINKS_MAX, "%u core%s, sockets by %s", n,
		 n > 1 ? "s" : "", d->io);
	if (d->net.n_cores)
		core_log(&d->cores[0], EVENT_INFO, LINKS_MAX, "%s", d->net.opened);
	return 0;
}

static int cores_go(struct dataplane *d)
{
	for (unsigned i = 1; i < d->n_cores; i++) {
		char name[24];
		snprintf(name, sizeof(name), "flyover:%u", i & 0xff);
		int rc = cores_start(&d->threads[i], name, d->cores[i].cpu, core_thread,
				     &d->cores[i]);
		if (rc)
			return rc;
	}
	int rc = cores_pin("flyover:0", d->cores[0].cpu);
	if (rc)
		return rc;
	atomic_store(&d->contract->n_cores, d->n_cores);
	atomic_store(&d->contract->dataplane_pid, (uint32_t)getpid());
	atomic_store(&d->contract->ready, 1);
	core_run(&d->cores[0]);
	return 0;
}

static void cores_stop(struct dataplane *d)
{
	for (unsigned i = 1; i < d->n_cores; i++) {
		atomic_store(&d->cores[i].stop, 1);
		core_wake(&d->cores[i]);
		pthread_join(d->threads[i], NULL);
	}
	jobs_free(&d->jobs);
	for (unsigned i = 0; i < d->n_cores; i++)
		core_fini(&d->cores[i]);
	if (d->net.n_cores)
		host_net_close(&d->net);
	free(d->cores);
}

static void process_prepare(void)
{
	struct rlimit no_core = {0, 0};
	signal(SIGPIPE, SIG_IGN);
	// Ctrl-C on a terminal, and its end, reach the whole group; only flyoverd acts on them.
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core); // passwords stay out of core files
}

// @return 0, or -EINVAL with the reason on stderr
static int settings_read(struct settings *set, int argc, char **argv)
{
	static const struct option options[] = {
		{"cores", required_argument, NULL, 'c'},
		{"io", required_argument, NULL, 'i'},
#define X(field, name, room, arg, list, help) {name, required_argument, NULL, 'n'},
		NETWORK_SETTINGS(X)
#undef X
			{NULL, 0, NULL, 0},
	};
	struct network_texts texts = {0};
	char why[TEXT_LEN] = "it is started by flyoverd, not by hand";
	int n = 1, io = STREAM_AUTO, rc = 0, letter, at;
	*set = (struct settings){.cpus = {-1}};
	while (!rc && (letter = getopt_long(argc, argv, "", options, &at)) >= 0) {
		if (letter == 'c')
			rc = (n = cores_parse(optarg, set->cpus, CORES_MAX)) < 1;
		else if (letter == 'i')
			rc = (io = stream_choice_parse(optarg)) < 0;
		else if (letter == 'n')
			rc = network_set(&texts, options[at].name, optarg, why, sizeof(why));
		else
			rc = -EINVAL;
	}
	if (rc || optind != argc || network_read(&texts, &set->network, why, sizeof(why))) {
		fprintf(stderr, "flyover-dataplane: wrong arguments: %s\n", why);
		return -EINVAL;
	}
	set->n_cores = (unsigned)n;
	set->io = (unsigned)io;
	return 0;
}

int main(int argc, char **argv)
{
	static struct dataplane d = {.log_lock = PTHREAD_MUTEX_INITIALIZER};
	static struct settings set;
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return puts("flyover-dataplane " FLYOVER_VERSION) == EOF;
	if (settings_read(&set, argc, argv))
		return 2;
	process_prepare();
	d.contract = contract_map();
	if (!d.contract)
		return 1;
	int rc = network_open(&d, &set);
	if (rc)
		return rc;
	rc = cores_open(&d, &set);
	if (!rc)
		rc = cores_go(&d);
	if (rc) {
		fprintf(stderr, "flyover-dataplane: cannot start its cores: %s\n", strerror(-rc));
		return 1;
	}
	cores_stop(&d);
	return 0;
}
