// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/parked/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_LEN (256 << 10)

int scan_open(struct scan *s, const char *folder, const char *name)
{
	char path[4096];
	struct stat st;
	*s = (struct scan){.fd = -1};
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(s->fd, &st)) {
		int rc = -errno;
		scan_close(s);
		return rc;
	}
	s->ino = st.st_ino;
	return 0;
}

void scan_close(struct scan *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static enum line_kind kind_of(const struct scan *s, uint64_t len)
{
	if (len == 0)
		return LINE_EMPTY;
	return s->first == '{' && s->last == '}' && len > 1 ? LINE_RECORD : LINE_DAMAGED;
}

// The bytes [s->at, s->at + n) of the file. @return 0, or what take() returned
static int bytes_take(struct scan *s, const char *p, size_t n, scan_line *take, void *arg)
{
	const char *end = p + n;
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((stop ? stop : end) - p);
		if (len && s->at == s->begin)
			s->first = *p;
		if (len)
			s->last = p[len - 1];
		s->at += len;
		p += len;
		if (!stop)
			break;
		uint64_t begin = s->begin, whole = s->at - begin;
		s->begin = ++s->at;
		p++;
		int rc = take(arg, kind_of(s, whole), begin, whole);
		if (rc)
			return rc;
	}
	return 0;
}

int scan_more(struct scan *s, scan_line *take, void *arg)
{
	char *bytes = s->fd < 0 ? NULL : malloc(READ_LEN);
	int rc = 0;
	if (!bytes)
		return s->fd < 0 ? 0 : -ENOMEM;
	while (rc == 0) {
		ssize_t n = pread(s->fd, bytes, READ_LEN, (off_t)s->at);
		if (n < 0)
			rc = errno == EINTR ? 0 : -errno;
		else if (n == 0)
			break;
		else
			rc = bytes_take(s, bytes, (size_t)n, take, arg);
	}
	free(bytes);
	return rc;
}

size_t scan_header(const struct scan *s, struct scan_header *h)
{
	char text[96];
	int used = 0;
	*h = (struct scan_header){.first_id = 1};
	ssize_t n = s->fd < 0 ? -1 : pread(s->fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = 0;
	struct scan_header found;
	if (sscanf(text, "{\"first_id\":%" SCNu64 ",\"settled\":%" SCNu64 "}\n%n", &found.first_id,
		   &found.settled, &used) != 2 ||
	    !used || text[strcspn(text, "\n")] != '\n')
		return 0;
	*h = found;
	return strcspn(text, "\n");
}
