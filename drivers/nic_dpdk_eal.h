// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment: started once a process, without leaving a trace on the thread that does it;
// and what DPDK says, which is kept for the moment when something fails.
#pragma once

#include <signal.h>

#include "drivers/nic_dpdk_device.h"

// Start it, if that was not done.
//
// @param text  out: why not
// @return 0, or -errno; it cannot be tried twice (-ECANCELED)
int dpdk_start(const struct nic_dpdk_settings *set, const struct dpdk_device *d, char *text);

const char *dpdk_start_line(void); // the arguments; "" before

// While a device is opened, what DPDK says is held back: most of it is of no interest when all goes
// well. Otherwise it goes to stderr, a line at a time.
void dpdk_log_hold(void);
const char *dpdk_log_held(void);

// @param show  write what was held to stderr
void dpdk_log_release(bool show);

// For the time that DPDK may start threads, which keep it: signals of the program are not for them.
// @param before  out: the mask to go back to
void dpdk_signals_hold(sigset_t *before);
