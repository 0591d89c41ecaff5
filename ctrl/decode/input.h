// SPDX-License-Identifier: BSD-3-Clause
// A file or a pipe, seen through a window of its bytes that have not been used yet.
#pragma once

#include <sys/types.h>

#include "parsers/span.h"

struct input {
	int fd;
	// Instead of reading from fd: bytes, 0 at the end, or -errno. NULL: read().
	ssize_t (*take)(void *arg, void *buf, size_t len);
	void *take_arg;
	bool ended;
	uint64_t n_read;   // bytes
	uint64_t total;    // bytes of the file, 0: not known
	char *buf;
	size_t at, len, cap; // unread: buf + at, len bytes
	size_t cap_max;
};

// @param path     "-": the standard input
// @param cap_max  most bytes that the window ever holds
//
// @return 0 or -errno
int input_open(struct input *in, const char *path, size_t cap_max);
// The same on a descriptor that is there, whose end may be that of a connection. Where it does not
// block, input_fill() says -EAGAIN when nothing has come yet.
//
// @param fd  closed by input_close()
// @return 0 or -ENOMEM
int input_take(struct input *in, int fd);
void input_close(struct input *in);

// Go on at an offset of the file; the window is empty then.
//
// @return 0 or -errno; -ESPIPE when the input is no regular file
int input_seek(struct input *in, uint64_t at);

static inline struct span input_window(const struct input *in)
{
	return (struct span){in->buf + in->at, in->len};
}

static inline void input_used(struct input *in, size_t n)
{
	in->at += n;
	in->len -= n;
}

// Read on until the window holds `need` bytes, or the input ends. The window may move. Memory is
// only taken as bytes arrive, whatever `need` says.
//
// @return 0 or -errno
int input_fill(struct input *in, size_t need);
