// SPDX-License-Identifier: BSD-3-Clause
// Our own TCP as a driver of the stream seam whose peer is the kernel's TCP: each loop has a stack
// on a TAP device, all in a network namespace of the test program.
#pragma once

#include "drivers/stream.h"

#define STREAM_OWN_HOST "10.98.0.1" // the kernel's end, as peers of such a loop know it

// Its loop_new() makes the device as well, and enters the namespace when it is called first: before
// the test program has threads. -EPERM where that is not allowed.
const struct stream_ops *stream_own(void);
