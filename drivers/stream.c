// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/stream.h"

const struct stream_ops *stream_preferred(unsigned io)
{
	return io == 2 ? &stream_uring : &stream_epoll;
}
