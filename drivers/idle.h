// SPDX-License-Identifier: BSD-3-Clause
// What a core that polls a device does when it has nothing to do: spin, or nap a little longer
// after each empty turn and at last sleep until a device or a descriptor tells of something.
//
//   turn did something: idle_busy()
//   turn did nothing:   idle_wait() -> naps of 1, 2, 3 .. us -> arm the devices and sleep
//
// A nap costs latency, spinning costs a core. A core that works all the time pays neither: it never
// gets here.
#pragma once

#include <poll.h>

#include "drivers/nic.h"

#define IDLE_NICS_MAX 4
#define IDLE_FDS_MAX  4
#define IDLE_NEVER    UINT64_MAX

enum idle_mode {
	IDLE_ADAPTIVE,
	IDLE_SPIN, // a core for itself: it never sleeps, and looks at the descriptors now and then
};

// Lengths of the ramp. The defaults are idle_init()'s; change them before the first wait.
struct idle_ramp {
	unsigned spins;         // empty turns without a nap: 64
	uint64_t step_ns;       // each nap is longer by this: 1 us
	uint64_t nap_max_ns;    // devices that cannot tell are looked at this often: 100 us
	uint64_t sleep_from_ns; // a nap so long becomes a sleep, if every device can tell: 16 us
	unsigned spin_look;     // IDLE_SPIN: look at the descriptors every so many turns: 64
};

// Of one core; no other thread touches it.
struct idle {
	enum idle_mode mode;
	struct idle_ramp ramp;
	unsigned n_nics, n_fds;
	struct nic *nics[IDLE_NICS_MAX];
	int fds[IDLE_FDS_MAX];
	bool can_sleep; // every device can tell of frames
	bool is_begun;  // the thread's timers are set
	unsigned empty_turns;
	uint64_t nap_ns;

	// Out: descriptors that were readable at the last look, bit i for the i-th added.
	unsigned ready;
	uint64_t n_naps, n_sleeps, slept_ns; // counters

	// The seam for tests: wait for one of p[0..n) at most max_ns (IDLE_NEVER: no limit).
	// @return ns that went by
	uint64_t (*sleep)(struct idle *i, struct pollfd *p, unsigned n, uint64_t max_ns);
};

void idle_init(struct idle *i, enum idle_mode mode);

// Both before the first wait, borrowed. @return 0, or -ENOSPC. idle_add_fd(): its bit's number, or
// -ENOSPC
int idle_add_nic(struct idle *i, struct nic *n);
int idle_add_fd(struct idle *i, int fd);

// The turn did something: the ramp begins anew.
static inline void idle_busy(struct idle *i)
{
	i->empty_turns = 0;
	i->nap_ns = 0;
}

// Look at the descriptors without waiting. A loop that is busy all the time does so every few
// turns, for nobody else looks at them. One system call. @return `ready`
unsigned idle_look(struct idle *i);

// The turn did nothing and nothing is due before `until_ns`. Call it after every such turn, from
// the core's own thread; take a turn whatever it returns.
//
// @param now_ns    the clock as the turn began
// @param until_ns  on the same clock; IDLE_NEVER
// @return ns slept, 0 when it did not; `ready` says which descriptors are readable
uint64_t idle_wait(struct idle *i, uint64_t now_ns, uint64_t until_ns);
