// SPDX-License-Identifier: BSD-3-Clause
// replacer_put() -> thread: replacer_run() -> file_replace()
#include "drivers/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_MAX_LEN 64

struct replacer_file {
	const char *name; // NULL: not used yet
	char *bytes;
	size_t len;
	bool waits;
};

struct replacer {
	const char *folder;
	void (*wake)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; // of all below
	pthread_cond_t news;
	struct replacer_file files[REPLACER_FILES];
	bool busy, closing;
	int error;
};

// ---- One file

static int bytes_write(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int file_make(int dir, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = bytes_write(fd, bytes, len);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

int file_replace(const char *folder, const char *name, const void *bytes, size_t len)
{
	char beside[NAME_MAX_LEN + 8];
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	if (dir < 0)
		return -errno;
	snprintf(beside, sizeof(beside), "%.*s.new", NAME_MAX_LEN, name);
	if (bytes) {
		rc = file_make(dir, beside, bytes, len);
		if (!rc && renameat(dir, beside, dir, name))
			rc = -errno;
		if (rc)
			unlinkat(dir, beside, 0);
	} else if (unlinkat(dir, name, 0) && errno != ENOENT) {
		rc = -errno;
	}
	if (!rc && fsync(dir))
		rc = -errno;
	close(dir);
	return rc;
}

static int bytes_read(int fd, size_t max, char **out, size_t *len)
{
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	size_t want = (size_t)st.st_size, have = 0;
	char *p = malloc(want + 1);
	if (!p)
		return -ENOMEM;
	while (have < want) {
		ssize_t n = read(fd, p + have, want - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(p);
			return -errno;
		}
		if (!n)
			break;
		have += (size_t)n;
	}
	p[have] = 0;
	*out = p;
	*len = have;
	return 0;
}

int file_load(const char *folder, const char *name, size_t max, char **out, size_t *len)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : bytes_read(fd, max, out, len);
	if (fd >= 0)
		close(fd);
	close(dir);
	return rc;
}

// ---- The thread

static struct replacer_file *file_waiting(struct replacer *r)
{
	for (unsigned i = 0; i < REPLACER_FILES; i++)
		if (r->files[i].waits)
			return &r->files[i];
	return NULL;
}

// A second's pause after a failure, cut short by the end.
static void replacer_pause(struct replacer *r)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (!r->closing && pthread_cond_timedwait(&r->news, &r->lock, &until) != ETIMEDOUT)
		;
}

// Write one file, unlocked meanwhile. A newer version that came in between stays.
static void file_write(struct replacer *r, struct replacer_file *f)
{
	char *bytes = f->bytes;
	size_t len = f->len;
	f->bytes = NULL;
	f->waits = false;
	r->busy = true;
	pthread_mutex_unlock(&r->lock);
	int rc = file_replace(r->folder, f->name, bytes, len);
	pthread_mutex_lock(&r->lock);
	r->busy = false;
	r->error = rc;
	if (rc && !f->waits && !r->closing) {
		f->bytes = bytes;
		f->len = len;
		f->waits = true;
		bytes = NULL;
	}
	free(bytes);
	r->wake(r->arg);
}

static void *replacer_run(void *arg)
{
	struct replacer *r = arg;
	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct replacer_file *f = file_waiting(r);
		if (f)
			file_write(r, f);
		else if (r->closing)
			break;
		else
			pthread_cond_wait(&r->news, &r->lock);
		if (r->error && !r->closing)
			replacer_pause(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int replacer_open(struct replacer **out, const char *folder, void (*wake)(void *arg), void *arg)
{
	struct replacer *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	if (!r)
		return -ENOMEM;
	r->folder = folder;
	r->wake = wake;
	r->arg = arg;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = pthread_create(&r->thread, NULL, replacer_run, r);
	if (rc) {
		free(r);
		return -rc;
	}
	*out = r;
	return 0;
}

void replacer_close(struct replacer *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->closing = true;
	pthread_cond_signal(&r->news);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	for (unsigned i = 0; i < REPLACER_FILES; i++)
		free(r->files[i].bytes);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->news);
	free(r);
}

// The entry of a name; there is always one, since the names are few.
static struct replacer_file *file_named(struct replacer *r, const char *name)
{
	for (unsigned i = 0; i < REPLACER_FILES; i++) {
		struct replacer_file *f = &r->files[i];
		if (!f->name)
			f->name = name;
		if (!strcmp(f->name, name))
			return f;
	}
	abort();
}

void replacer_put(struct replacer *r, const char *name, char *bytes, size_t len)
{
	pthread_mutex_lock(&r->lock);
	struct replacer_file *f = file_named(r, name);
	free(f->bytes);
	f->bytes = bytes;
	f->len = len;
	f->waits = true;
	pthread_cond_signal(&r->news);
	pthread_mutex_unlock(&r->lock);
}

bool replacer_is_idle(struct replacer *r)
{
	pthread_mutex_lock(&r->lock);
	bool idle = !r->busy && !file_waiting(r);
	pthread_mutex_unlock(&r->lock);
	return idle;
}

int replacer_error(struct replacer *r)
{
	pthread_mutex_lock(&r->lock);
	int error = r->error;
	pthread_mutex_unlock(&r->lock);
	return error;
}
