// SPDX-License-Identifier: BSD-3-Clause
// The stream seam over our own TCP: the loop of one core, with one stack on one queue of a device.
//
// A loop of the kernel's sockets lies within it, for unix sockets, for peers that are to be reached
// over the kernel's network, and for wake(). Its streams carry that loop, so that their calls never
// come here.
#pragma once

#include "dataplane/net/stack.h"
#include "drivers/clock.h"
#include "drivers/idle.h"
#include "drivers/stream.h"

// What loop_new() cannot make: it knows no device. See stream_tcp_new().
extern const struct stream_ops stream_tcp;

// @param stack, nic  borrowed; the nic is the stack's. Both must outlive the loop
// @param idle        what a wait() does that has nothing to do
// @param out         to free by its loop_free(), which lets what was written go out first
// @return 0, or -errno
int stream_tcp_new(struct stack *stack, struct nic *nic, enum idle_mode idle,
		   const struct clock_ops *clock, struct stream_loop **out);
