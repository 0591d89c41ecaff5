// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/nic_dpdk_eal.h"

#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

// ---- What DPDK says

static struct {
	FILE *stream;
	pthread_mutex_t lock;
	bool is_held;
	size_t len;
	char held[4096]; // the end of it
} talk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lines_show(const char *p, size_t len)
{
	while (len) {
		const char *end = memchr(p, '\n', len);
		size_t n = end ? (size_t)(end - p) : len;
		fprintf(stderr, "flyover-dataplane: dpdk: %.*s\n", (int)n, p);
		n += end != NULL;
		p += n;
		len -= n;
	}
}

static void held_add(const char *p, size_t len)
{
	size_t most = sizeof(talk.held) - 1;
	if (len > most) {
		p += len - most;
		len = most;
	}
	if (talk.len + len > most) {
		size_t drop = talk.len + len - most;
		memmove(talk.held, talk.held + drop, talk.len - drop);
		talk.len -= drop;
	}
	memcpy(talk.held + talk.len, p, len);
	talk.len += len;
	talk.held[talk.len] = 0;
}

static ssize_t talk_write(void *cookie, const char *p, size_t len)
{
	pthread_mutex_lock(&talk.lock);
	if (talk.is_held)
		held_add(p, len);
	else
		lines_show(p, len);
	pthread_mutex_unlock(&talk.lock);
	return (ssize_t)len;
}

void dpdk_log_hold(void)
{
	if (!talk.stream) {
		talk.stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = talk_write});
		if (talk.stream)
			rte_openlog_stream(talk.stream);
	}
	pthread_mutex_lock(&talk.lock);
	talk.is_held = true;
	talk.len = 0;
	talk.held[0] = 0;
	pthread_mutex_unlock(&talk.lock);
}

const char *dpdk_log_held(void)
{
	return talk.held;
}

void dpdk_log_release(bool show)
{
	pthread_mutex_lock(&talk.lock);
	talk.is_held = false;
	if (show)
		lines_show(talk.held, talk.len);
	pthread_mutex_unlock(&talk.lock);
}

// ---- Start

static struct {
	bool is_tried, is_started;
	struct dpdk_arguments arguments;
} eal;

const char *dpdk_start_line(void)
{
	return eal.is_started ? eal.arguments.line : "";
}

// "0-1,4" of the processors that DPDK's threads may use: that of control work, or all of ours. It
// spreads its threads over what its calling thread may use, and takes the first as its main one.
static void cpus_write(const cpu_set_t *set, char *out, size_t len)
{
	size_t used = 0;
	out[0] = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, set) || (cpu && CPU_ISSET(cpu - 1, set)))
			continue;
		int last = cpu;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		char range[24];
		int n = last > cpu ? snprintf(range, sizeof(range), "%d-%d", cpu, last)
				   : snprintf(range, sizeof(range), "%d", cpu);
		if (used + (size_t)n + 2 > len)
			return;
		used += (size_t)snprintf(out + used, len - used, "%s%s", used ? "," : "", range);
	}
}

// Signals of the program are not for DPDK's threads. Real-time ones are: net_tap tells of frames by
// one of them, and whoever is free may take it.
void dpdk_signals_hold(sigset_t *before)
{
	sigset_t during;
	sigfillset(&during);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigdelset(&during, s);
	pthread_sigmask(SIG_SETMASK, &during, before);
}

static int eal_init(const struct nic_dpdk_settings *set, const struct dpdk_device *d,
		    const struct dpdk_memory *m)
{
	cpu_set_t before, during;
	sigset_t signals_before;
	pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
	during = before;
	if (set->control_cpu >= 0 && CPU_ISSET(set->control_cpu, &before)) {
		CPU_ZERO(&during);
		CPU_SET(set->control_cpu, &during);
	}
	char cpus[200];
	cpus_write(&during, cpus, sizeof(cpus));
	dpdk_arguments_make(d, m, cpus, &eal.arguments);

	dpdk_signals_hold(&signals_before);
	pthread_setaffinity_np(pthread_self(), sizeof(during), &during);
	struct dpdk_arguments passed = eal.arguments; // DPDK reorders what it is given
	for (int i = 0; i < passed.n; i++)
		passed.list[i] = passed.bytes + (eal.arguments.list[i] - eal.arguments.bytes);
	int rc = rte_eal_init(passed.n, passed.list);
	pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
	pthread_sigmask(SIG_SETMASK, &signals_before, NULL);
	return rc < 0 ? -rte_errno : 0;
}

int dpdk_start(const struct nic_dpdk_settings *set, const struct dpdk_device *d, char *text)
{
	struct dpdk_memory m;
	if (eal.is_started)
		return 0;
	if (eal.is_tried) {
		snprintf(text, NIC_DPDK_TEXT_LEN,
			 "DPDK could not be started before; mend what it said, and restart");
		return -ECANCELED;
	}
	int rc = dpdk_memory_plan(set, d, "", &m, text);
	if (rc)
		return rc;
	eal.is_tried = true;
	rc = eal_init(set, d, &m);
	if (rc)
		dpdk_explain(d, dpdk_log_held(), -rc, text);
	eal.is_started = !rc;
	return rc;
}
