// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

// Where the shape of the ring that was measured can be had: completions run when this thread asks
// for them, Linux 6.1.
static bool uring_is_proved(void)
{
	struct utsname u;
	unsigned major, minor;
	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 1);
}

int stream_choice_parse(const char *text)
{
	static const char *const words[] = {"auto", "epoll", "io_uring"};
	for (int i = 0; i < 3; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -EINVAL;
}

const struct stream_ops *stream_preferred(unsigned io)
{
	if (io == STREAM_URING || (io == STREAM_AUTO && uring_is_proved()))
		return &stream_uring;
	return &stream_epoll;
}
