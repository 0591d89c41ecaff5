// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/last_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "dataplane.stderr"
#define TAIL_LEN  2048

int last_words_open(const struct state_dir *s)
{
	int fd =
		openat(s->fd, FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

// @param text  TAIL_LEN + 1 bytes
static void tail_read(const struct state_dir *s, char *text)
{
	int fd = openat(s->fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	text[0] = 0;
	if (fd < 0)
		return;
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, text, TAIL_LEN, end > TAIL_LEN ? end - TAIL_LEN : 0);
	close(fd);
	text[n > 0 ? n : 0] = 0;
}

void last_words_line(const struct state_dir *s, char *out, size_t out_len)
{
	char text[TAIL_LEN + 1];
	tail_read(s, text);
	size_t len = strlen(text);
	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	const char *line = strrchr(text, '\n');
	snprintf(out, out_len, "%s", line ? line + 1 : text);
}

void last_words_log(const struct state_dir *s, struct log *l)
{
	char text[TAIL_LEN + 1];
	tail_read(s, text);
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (*line)
			log_put(l, EVENT_ERROR, NULL, "dataplane: %s", line);
}
