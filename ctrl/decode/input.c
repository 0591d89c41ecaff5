// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/decode/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_LEN (512 * 1024)

int input_open(struct input *in, const char *path, size_t cap_max)
{
	struct stat st;
	*in = (struct input){.fd = -1, .cap = 2 * READ_LEN, .cap_max = cap_max};
	in->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (in->fd < 0)
		return -errno;
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode)) {
		in->total = (uint64_t)st.st_size;
		posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	in->buf = malloc(in->cap);
	return in->buf ? 0 : -ENOMEM;
}

int input_take(struct input *in, int fd)
{
	*in = (struct input){.fd = fd, .cap = 2 * READ_LEN};
	in->buf = malloc(in->cap);
	return in->buf ? 0 : -ENOMEM;
}

void input_close(struct input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	free(in->buf);
	in->fd = -1;
	in->buf = NULL;
}

int input_seek(struct input *in, uint64_t at)
{
	struct stat st;
	if (fstat(in->fd, &st) || !S_ISREG(st.st_mode))
		return -ESPIPE;
	if (lseek(in->fd, (off_t)at, SEEK_SET) < 0)
		return -errno;
	in->at = in->len = 0;
	in->ended = false;
	return 0;
}

// Room for READ_LEN bytes behind the window.
static int room_make(struct input *in)
{
	if (in->cap - in->at - in->len >= READ_LEN)
		return 0;
	memmove(in->buf, in->buf + in->at, in->len);
	in->at = 0;
	if (in->cap - in->len >= READ_LEN)
		return 0;
	// By what has arrived, not by what the file promises.
	char *more = realloc(in->buf, 2 * in->cap);
	if (!more)
		return -ENOMEM;
	in->buf = more;
	in->cap *= 2;
	return 0;
}

static ssize_t bytes_read(struct input *in, char *buf, size_t len)
{
	if (in->take)
		return in->take(in->take_arg, buf, len);
	ssize_t n = read(in->fd, buf, len);
	return n < 0 ? -errno : n;
}

int input_fill(struct input *in, size_t need)
{
	while (in->len < need && !in->ended) {
		int rc = room_make(in);
		if (rc)
			return rc;
		ssize_t n = bytes_read(in, in->buf + in->at + in->len, READ_LEN);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		in->ended = n == 0;
		in->len += (size_t)n;
		in->n_read += (uint64_t)n;
	}
	return 0;
}
