// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/idle.h"

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

static uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// A signal ends it early (net_tap tells of frames by one): that is no more than a short nap.
static uint64_t kernel_sleep(struct idle *i, struct pollfd *p, unsigned n, uint64_t max_ns)
{
	if (!i->is_begun) {
		// The kernel rounds a thread's naps up by 50 us unless told otherwise.
		prctl(PR_SET_TIMERSLACK, 1);
		i->is_begun = true;
	}
	struct timespec t = {(time_t)(max_ns / 1000000000u), (long)(max_ns % 1000000000u)};
	uint64_t begin = max_ns ? clock_ns() : 0;
	if (ppoll(p, n, max_ns == IDLE_NEVER ? NULL : &t, NULL) <= 0)
		for (unsigned k = 0; k < n; k++)
			p[k].revents = 0;
	return max_ns ? clock_ns() - begin : 0;
}

void idle_init(struct idle *i, enum idle_mode mode)
{
	*i = (struct idle){
		.mode = mode,
		.ramp = {.spins = 64,
			 .step_ns = 1000,
			 .nap_max_ns = 100000,
			 .sleep_from_ns = 16000,
			 .spin_look = 64},
		.can_sleep = true,
		.sleep = kernel_sleep,
	};
}

int idle_add_nic(struct idle *i, struct nic *n)
{
	if (i->n_nics == IDLE_NICS_MAX)
		return -ENOSPC;
	i->nics[i->n_nics++] = n;
	i->can_sleep &= n->ops->arm != NULL;
	return 0;
}

int idle_add_fd(struct idle *i, int fd)
{
	if (i->n_fds == IDLE_FDS_MAX)
		return -ENOSPC;
	i->fds[i->n_fds] = fd;
	return (int)i->n_fds++;
}

// Wait at most max_ns for our descriptors and those of n_armed devices, which stand behind them.
static uint64_t descriptors_wait(struct idle *i, struct pollfd *p, unsigned n_armed,
				 uint64_t max_ns)
{
	for (unsigned k = 0; k < i->n_fds; k++)
		p[k] = (struct pollfd){.fd = i->fds[k], .events = POLLIN};
	uint64_t slept = i->sleep(i, p, i->n_fds + n_armed, max_ns);
	i->ready = 0;
	for (unsigned k = 0; k < i->n_fds; k++)
		i->ready |= p[k].revents ? 1u << k : 0;
	return slept;
}

unsigned idle_look(struct idle *i)
{
	struct pollfd p[IDLE_FDS_MAX];
	descriptors_wait(i, p, 0, 0);
	return i->ready;
}

// All devices, or none: frames of one that was not asked would wait for the end of the sleep.
//
// @return 0; -EAGAIN: frames have come meanwhile; -errno: one of them cannot
static int devices_arm(struct idle *i, struct pollfd *p)
{
	for (unsigned k = 0; k < i->n_nics; k++) {
		int fd = i->nics[k]->ops->arm(i->nics[k], true);
		if (fd < 0) {
			while (k--)
				i->nics[k]->ops->arm(i->nics[k], false);
			return fd;
		}
		p[k] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	return 0;
}

static uint64_t sleep_until(struct idle *i, uint64_t max_ns)
{
	struct pollfd p[IDLE_FDS_MAX + IDLE_NICS_MAX];
	int rc = devices_arm(i, p + i->n_fds);
	if (rc) {
		i->can_sleep = rc == -EAGAIN;
		return 0;
	}
	uint64_t slept = descriptors_wait(i, p, i->n_nics, max_ns);
	for (unsigned k = 0; k < i->n_nics; k++)
		i->nics[k]->ops->arm(i->nics[k], false);
	i->n_sleeps++;
	return slept;
}

static uint64_t nap(struct idle *i, uint64_t max_ns)
{
	struct pollfd p[IDLE_FDS_MAX];
	i->n_naps++;
	return descriptors_wait(i, p, 0, i->nap_ns < max_ns ? i->nap_ns : max_ns);
}

uint64_t idle_wait(struct idle *i, uint64_t now_ns, uint64_t until_ns)
{
	i->ready = 0;
	i->empty_turns++;
	if (i->mode == IDLE_SPIN) {
		if (i->empty_turns % i->ramp.spin_look == 0)
			idle_look(i);
		return 0;
	}
	if (until_ns <= now_ns || i->empty_turns <= i->ramp.spins)
		return 0;
	uint64_t max_ns = until_ns == IDLE_NEVER ? IDLE_NEVER : until_ns - now_ns;
	if (i->nap_ns + i->ramp.step_ns <= i->ramp.nap_max_ns)
		i->nap_ns += i->ramp.step_ns;
	uint64_t slept = i->can_sleep && i->nap_ns >= i->ramp.sleep_from_ns ? sleep_until(i, max_ns)
									    : nap(i, max_ns);
	i->slept_ns += slept;
	return slept;
}
