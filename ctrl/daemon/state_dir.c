// SPDX-License-Identifier: BSD-3-Clause
// state_dir_open() -> folder_make() -> folder_claim() -> folder_lock()
// -> folder_identify()
#include "ctrl/daemon/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/clock.h"

#define MARK      "flyover-state"
#define MARK_TEXT "This folder belongs to Flyover, which may change or delete what is in it.\n"

int folder_make(const char *path, mode_t mode)
{
	char part[4096];
	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, mode) && errno != EEXIST ? -errno : 0;
}

// @return 1 empty, 0 not, or -errno
static int folder_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir)
		return -errno;
	int empty = 1;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			empty = 0;
	closedir(dir);
	return empty;
}

static int mark_make(int dir_fd)
{
	int fd = openat(dir_fd, MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, MARK_TEXT, strlen(MARK_TEXT));
	int rc = n == (ssize_t)strlen(MARK_TEXT) ? 0 : n < 0 ? -errno : -EIO;
	close(fd);
	return rc;
}

// Make sure that the folder is ours: it has our mark, or it is empty and gets it.
static int folder_claim(struct state_dir *s, struct failure *f)
{
	if (faccessat(s->fd, MARK, F_OK, 0) == 0)
		return 0;
	int empty = folder_empty(s->fd);
	if (empty == 0 && faccessat(s->fd, MARK, F_OK, 0))
		return failure_set(f, ERROR_STATE_DIR,
				   "the folder %s has files in it that Flyover did not make",
				   s->path);
	int rc = empty < 0 ? empty : mark_make(s->fd);
	if (rc && rc != -EEXIST) // another process was faster: it is ours as well
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be used: %s", s->path,
				   strerror(-rc));
	return 0;
}

static int folder_lock(struct state_dir *s, unsigned wait_ms, struct failure *f)
{
	s->lock_fd = openat(s->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be written: %s",
				   s->path, strerror(errno));
	uint64_t end = mono_ms() + wait_ms;
	while (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		if (mono_ms() >= end)
			return failure_set(f, ERROR_STATE_DIR,
					   "another flyoverd is using the folder %s", s->path);
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	return 0;
}

static int folder_open(struct state_dir *s, const char *path, struct failure *f)
{
	int rc = folder_make(path, 0700);
	if (rc)
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be made: %s", path,
				   strerror(-rc));
	char *whole = realpath(path, NULL);
	int len = snprintf(s->path, sizeof(s->path), "%s", whole ? whole : path);
	free(whole);
	if (len >= (int)sizeof(s->path))
		return failure_set(f, ERROR_STATE_DIR,
				   "the path of the state folder is longer than %d bytes: %s",
				   STATE_PATH_LEN - 1, path);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be opened: %s", path,
				   strerror(errno));
	return 0;
}

// The file of the lock is never written: its time is that of its birth.
static int folder_identify(struct state_dir *s, struct failure *f)
{
	struct stat st;
	if (fstat(s->lock_fd, &st))
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be used: %s", s->path,
				   strerror(errno));
	snprintf(s->identity, sizeof(s->identity), "%llx.%llx.%llx.%lx",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
		 (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
	return 0;
}

int state_dir_open(struct state_dir *s, const char *path, unsigned wait_ms, struct failure *f)
{
	s->fd = s->lock_fd = -1;
	if (folder_open(s, path, f) || folder_claim(s, f) || folder_lock(s, wait_ms, f) ||
	    folder_identify(s, f)) {
		state_dir_close(s);
		return -1;
	}
	return 0;
}

void state_dir_close(struct state_dir *s)
{
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = s->lock_fd = -1;
}

int state_dir_link(struct state_dir *s, const char *name, char *out, size_t out_len)
{
	int len = snprintf(out, out_len, "%s/links/%s", s->path, name);
	if (len >= (int)out_len)
		return -ENAMETOOLONG;
	return folder_make(out, 0700);
}
