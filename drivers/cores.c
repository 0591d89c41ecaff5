// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/cores.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

int cores_parse(const char *text, int *cpus, int max)
{
	int n = 0;
	while (*text) {
		char *end;
		long first = strtol(text, &end, 10), last = first;
		if (end == text)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			last = strtol(text, &end, 10);
			if (end == text)
				return -EINVAL;
		}
		if ((*end && *end != ',') || first < 0 || last < first || last >= CPU_SETSIZE)
			return -EINVAL;
		for (long cpu = first; cpu <= last; cpu++) {
			if (n == max)
				return -E2BIG;
			cpus[n++] = (int)cpu;
		}
		text = *end ? end + 1 : end;
	}
	return n ? n : -EINVAL;
}

int cores_start(pthread_t *thread, const char *name, int cpu, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	int rc = 0;
	if (cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		rc = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	if (!rc)
		rc = pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	if (!rc)
		pthread_setname_np(*thread, name);
	return -rc;
}

int cores_pin(const char *name, int cpu)
{
	int rc = 0;
	if (cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	}
	pthread_setname_np(pthread_self(), name);
	return -rc;
}
