// SPDX-License-Identifier: BSD-3-Clause
// An RDB file of one sorted set with as many members as asked for, which no server of this machine
// needs to hold.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parsers/rdb_write.h"

static int file_sink(void *arg, struct span out)
{
	int fd = *(int *)arg;
	while (out.len) {
		ssize_t n = write(fd, out.p, out.len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			out = (struct span){(const char *)out.p + n, out.len - (size_t)n};
	}
	return 0;
}

static void zset_write(struct rdb_writer *w, uint64_t n)
{
	char member[32];
	rdb_write_header(w, 10);
	rdb_write_selectdb(w, 0);
	rdb_write_key(w, 5, (struct span){"big", 3}, &RDB_WRITE_NO_ATTRS);
	rdb_write_len(w, n);
	for (uint64_t i = 0; i < n && !w->error; i++) {
		int len = snprintf(member, sizeof(member), "member:%llu", (unsigned long long)i);
		rdb_write_str(w, (struct span){member, (size_t)len});
		rdb_write_double(w, (double)i);
	}
}

int main(int argc, char **argv)
{
	static char buf[256 * 1024];
	char *end = NULL;
	uint64_t n = argc == 3 ? strtoull(argv[1], &end, 10) : 0;
	if (!n || *end) {
		fputs("usage: formats_zset MEMBERS FILE.rdb\n", stderr);
		return 2;
	}
	int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	struct rdb_writer w;
	rdb_write_init(&w, buf, sizeof(buf), file_sink, &fd);
	zset_write(&w, n);
	int rc = rdb_write_eof(&w);
	if (rc || close(fd)) {
		fprintf(stderr, "formats_zset: %s: %s\n", argv[2], strerror(rc ? -rc : errno));
		return 1;
	}
	return 0;
}
