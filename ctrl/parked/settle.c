// SPDX-License-Identifier: BSD-3-Clause
// settler_compact() -> file_rewrite() -> header_write(), line_copy() ; rename, empty the other file
#include "ctrl/parked/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_LEN  (64 << 10)
#define FRESH_FILE PARKED_FILE ".new"

static int path_of(const char *folder, const char *name, char *out, size_t out_len)
{
	return snprintf(out, out_len, "%s/%s", folder, name) >= (int)out_len ? -ENAMETOOLONG : 0;
}

static int disk_failure(const struct settler *s, const char *name, int rc, struct failure *f)
{
	return failure_set(f, ERROR_DISK, "%s/%s cannot be written: %s", s->folder, name,
			   strerror(-rc));
}

static int write_whole(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int settler_open(struct settler *s, const char *folder, struct failure *f)
{
	char path[4096];
	snprintf(s->folder, sizeof(s->folder), "%s", folder);
	int rc = path_of(folder, SETTLED_FILE, path, sizeof(path));
	s->fd = rc ? -1 : open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return disk_failure(s, SETTLED_FILE, rc ? rc : -errno, f);
	if (flock(s->fd, LOCK_EX | LOCK_NB)) {
		settler_close(s);
		return failure_set(f, ERROR_LINK_STATE,
				   "somebody else is retrying or dropping commands of this link; "
				   "wait until that is done");
	}
	off_t end = lseek(s->fd, 0, SEEK_END);
	char last = '\n';
	// A crash may have torn the last line: end it, so that it spoils nothing but itself.
	if (end > 0 && pread(s->fd, &last, 1, end - 1) == 1 && last != '\n')
		rc = write_whole(s->fd, "\n", 1);
	if (rc)
		settler_close(s);
	return rc ? disk_failure(s, SETTLED_FILE, rc, f) : 0;
}

void settler_close(struct settler *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

int settler_put(struct settler *s, uint64_t id, enum parked_fate fate, uint64_t now_ms,
		struct failure *f)
{
	char line[160];
	int len = snprintf(line, sizeof(line),
			   "{\"id\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"fate\":\"%s\"}\n", id,
			   now_ms, parked_fate_word(fate));
	int rc = write_whole(s->fd, line, (size_t)len);
	if (!rc && fdatasync(s->fd))
		rc = -errno;
	return rc ? disk_failure(s, SETTLED_FILE, rc, f) : 0;
}

static int line_copy(int from, const struct parked_line *line, int to, char *bytes)
{
	int rc = 0;
	for (uint64_t done = 0; done < line->len && !rc;) {
		uint64_t left = line->len - done;
		ssize_t n = pread(from, bytes, left < COPY_LEN ? left : COPY_LEN,
				  (off_t)(line->at + done));
		if (n <= 0)
			return n ? -errno : -EIO;
		rc = write_whole(to, bytes, (size_t)n);
		done += (uint64_t)n;
	}
	return rc ? rc : write_whole(to, "\n", 1);
}

// The lines from the first open one on; those that are settled become empty.
static int file_rewrite(const struct journal *j, int to)
{
	char header[96], *bytes = malloc(COPY_LEN);
	size_t first = 0;
	if (!bytes)
		return -ENOMEM;
	while (first < j->n_lines && j->lines[first].fate != PARKED_OPEN)
		first++;
	int len = snprintf(header, sizeof(header),
			   "{\"first_id\":%" PRIu64 ",\"settled\":%" PRIu64 "}\n",
			   journal_id(j, first), j->n_settled);
	int rc = write_whole(to, header, (size_t)len);
	for (size_t i = first; i < j->n_lines && !rc; i++)
		rc = j->lines[i].fate == PARKED_OPEN
			     ? line_copy(j->scan.fd, &j->lines[i], to, bytes)
			     : write_whole(to, "\n", 1);
	free(bytes);
	return rc;
}

static int folder_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

// Put the shorter file in the place of the other. The ids of what is left out are below first_id or
// stand at empty lines, so what parked-settled.jsonl says of them means nothing any more.
static int file_replace(struct settler *s, const struct journal *j)
{
	char path[4096], fresh[4096];
	int rc = path_of(s->folder, PARKED_FILE, path, sizeof(path));
	rc = rc ? rc : path_of(s->folder, FRESH_FILE, fresh, sizeof(fresh));
	int fd = rc ? -1 : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return rc ? rc : -errno;
	rc = file_rewrite(j, fd);
	if (!rc && (fsync(fd) || rename(fresh, path)))
		rc = -errno;
	if (rc)
		unlink(fresh);
	close(fd);
	rc = rc ? rc : folder_sync(s->folder);
	if (!rc && (ftruncate(s->fd, 0) || fdatasync(s->fd)))
		rc = -errno;
	return rc;
}

int settler_compact(struct settler *s, struct failure *f)
{
	struct journal j;
	char path[4096];
	int rc = path_of(s->folder, PARKED_FILE, path, sizeof(path));
	int fd = rc ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0; // nothing was parked
	// The dataplane appends under this lock and looks afterwards whether the file is still the
	// one that has the name.
	rc = flock(fd, LOCK_EX) ? -errno : 0;
	if (!rc && journal_open(&j, s->folder, f)) {
		close(fd);
		return -1;
	}
	if (!rc) {
		if (j.settled_bytes > SETTLED_BYTES_MAX && j.settled_bytes > j.scan.at / 2)
			rc = file_replace(s, &j);
		journal_close(&j);
	}
	close(fd);
	return rc ? disk_failure(s, PARKED_FILE, rc, f) : 0;
}
