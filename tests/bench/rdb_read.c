// SPDX-License-Identifier: BSD-3-Clause
// The RDB reader by itself: file -> window of 1 MB -> events, which are counted and dropped.
// With -e values come element by element, as decode wants them; else whole, as a link wants them.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parsers/rdb.h"

#define WINDOW_LEN (1024 * 1024)
#define READ_LEN   (WINDOW_LEN / 2)

struct window {
	int fd;
	size_t at, len; // unread: buf + at, len bytes
	char buf[WINDOW_LEN];
};

// Read on until `need` bytes are there. @return false at the end of the file
static bool window_fill(struct window *w, size_t need)
{
	if (w->at + need > sizeof(w->buf) || w->at + w->len > READ_LEN) {
		memmove(w->buf, w->buf + w->at, w->len);
		w->at = 0;
	}
	while (w->len < need) {
		size_t room = sizeof(w->buf) - w->at - w->len;
		ssize_t n = read(w->fd, w->buf + w->at + w->len, room < READ_LEN ? room : READ_LEN);
		if (n <= 0)
			return false;
		w->len += (size_t)n;
	}
	return true;
}

// @return the number of events, or -1 with the reader's sentence
static int64_t events_count(struct rdb_reader *r, struct window *w)
{
	int64_t n = 0;
	for (;;) {
		struct rdb_event ev;
		size_t used;
		struct span in = {w->buf + w->at, w->len};
		enum rdb_result result = rdb_next(r, in, &ev, &used);
		w->at += used;
		w->len -= used;
		if (result == RDB_DONE)
			return n;
		bool wrong_sum =
			result == RDB_EVENT && ev.kind == RDB_EOF && ev.crc == RDB_CRC_WRONG;
		if (result == RDB_BAD || wrong_sum)
			return -1;
		if (result == RDB_EVENT) {
			n++;
		} else if (!window_fill(w, r->need_len)) {
			rdb_truncated(r, w->len);
			return -1;
		}
	}
}

int main(int argc, char **argv)
{
	bool elements = argc == 3 && !strcmp(argv[1], "-e");
	if (argc != 2 + elements) {
		fputs("usage: rdb_read [-e] FILE.rdb\n", stderr);
		return 2;
	}
	struct rdb_settings set = {
		.window_len = WINDOW_LEN,
		.big_len = READ_LEN - 64 * 1024,
		.scratch_len = 16 * 1024 * 1024,
		.elements = elements,
	};
	struct rdb_reader r;
	struct window *w = calloc(1, sizeof(*w));
	if (!w || rdb_reader_init(&r, &set)) {
		fputs("rdb_read: no memory\n", stderr);
		return 1;
	}
	w->fd = open(argv[argc - 1], O_RDONLY | O_CLOEXEC);
	int64_t n = -1;
	if (w->fd < 0)
		perror(argv[argc - 1]);
	else if ((n = events_count(&r, w)) < 0)
		fprintf(stderr, "rdb_read: %s\n", r.error);
	else
		printf("%lld events, %llu bytes\n", (long long)n, (unsigned long long)r.pos);
	rdb_reader_fini(&r);
	free(w);
	return n < 0;
}
