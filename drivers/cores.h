// SPDX-License-Identifier: BSD-3-Clause
// Threads and the processors they run on.
#pragma once

#include <pthread.h>
#include <stdint.h>

// Parse a processor list such as "0,2-3".
//
// @param cpus  out: at most max numbers, in the order of the text
// @return how many, -EINVAL malformed, -E2BIG too many
int cores_parse(const char *text, int *cpus, int max);

// Start a thread, pinned to a processor.
//
// @param cpu  -1: not pinned
// @return 0, or -errno (-EINVAL: no such processor, or not ours to use)
int cores_start(pthread_t *thread, const char *name, int cpu, void *(*run)(void *), void *arg);

// Pin the calling thread and name it. @return as cores_start()
int cores_pin(const char *name, int cpu);
