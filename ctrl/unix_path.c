// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// @param dir_fd  out: to be closed after use, -1 when none was needed
static int address_fill(struct sockaddr_un *a, const char *path, int *dir_fd)
{
	*dir_fd = -1;
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(a->sun_path)) {
		strcpy(a->sun_path, path);
		return 0;
	}
	char folder[4096];
	const char *slash = strrchr(path, '/');
	if (!slash || slash - path >= (long)sizeof(folder))
		return -ENAMETOOLONG;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = 0;
	*dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0)
		return -errno;
	int len = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d%s", *dir_fd, slash);
	if (len < (int)sizeof(a->sun_path))
		return 0;
	close(*dir_fd);
	return -ENAMETOOLONG;
}

static int socket_make(int flags)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return fd < 0 ? -errno : fd;
}

static int connect_at(const struct sockaddr_un *a)
{
	int fd = socket_make(0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

// Mode 0600 from its first moment on, by the umask.
static int listen_at(const struct sockaddr_un *a)
{
	int fd = socket_make(SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)a, sizeof(*a)) || listen(fd, 16) ? -errno : 0;
	umask(mask);
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

// A socket file stays behind when its server was killed.
static int stale_remove(const struct sockaddr_un *a)
{
	struct stat st;
	if (lstat(a->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = connect_at(a);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	return unlink(a->sun_path) ? -errno : 0;
}

int unix_listen(const char *path, struct failure *f)
{
	struct sockaddr_un a;
	int dir_fd, fd = address_fill(&a, path, &dir_fd);
	fd = fd ? fd : stale_remove(&a);
	fd = fd ? fd : listen_at(&a);
	if (dir_fd >= 0)
		close(dir_fd);
	if (fd == -EADDRINUSE)
		return failure_set(f, ERROR_CONFIG, "another flyoverd listens at %s", path);
	if (fd < 0)
		return failure_set(f, ERROR_CONFIG, "cannot listen at %s: %s", path, strerror(-fd));
	return fd;
}

int unix_connect(const char *path, struct failure *f)
{
	struct sockaddr_un a;
	int dir_fd, fd = address_fill(&a, path, &dir_fd);
	fd = fd ? fd : connect_at(&a);
	if (dir_fd >= 0)
		close(dir_fd);
	if (fd < 0)
		return failure_set(f, ERROR_CONNECT, "cannot connect to %s: %s", path,
				   strerror(-fd));
	return fd;
}
