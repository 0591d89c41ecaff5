// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/secret.h"

static int usable(const char *path, size_t len, size_t room)
{
	return len < room && access(path, X_OK) == 0 ? 0 : -ENOENT;
}

static int find_near(const char *name, char *out, size_t out_len)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return -ENOENT;
	self[n] = 0;
	char *slash = strrchr(self, '/');
	*slash = 0;
	int len = snprintf(out, out_len, "%s/%s", self, name);
	if (!usable(out, (size_t)len, out_len))
		return 0;
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	len = snprintf(out, out_len, "%s/libexec/flyover/%s", self, name);
	return usable(out, (size_t)len, out_len);
}

int program_find(const char *name, char *out, size_t out_len)
{
	if (!find_near(name, out, out_len))
		return 0;
	const char *path = getenv("PATH");
	while (path && *path) {
		size_t dir = strcspn(path, ":");
		int len = snprintf(out, out_len, "%.*s/%s", (int)dir, path, name);
		if (dir && !usable(out, (size_t)len, out_len))
			return 0;
		path += dir + (path[dir] == ':');
	}
	return -ENOENT;
}

static int actions_fill(posix_spawn_file_actions_t *a, const struct program_start *s)
{
	int rc = s->stdin_fd < 0 ? posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0)
				 : posix_spawn_file_actions_adddup2(a, s->stdin_fd, 0);
	rc = rc ? rc : posix_spawn_file_actions_addopen(a, 1, "/dev/null", O_WRONLY, 0);
	if (s->stderr_fd >= 0)
		rc = rc ? rc : posix_spawn_file_actions_adddup2(a, s->stderr_fd, 2);
	if (s->fd_from >= 0)
		rc = rc ? rc : posix_spawn_file_actions_adddup2(a, s->fd_from, s->fd_to);
	return rc ? rc
		  : posix_spawn_file_actions_addclosefrom_np(a, s->fd_from < 0 ? 3 : s->fd_to + 1);
}

static int attributes_fill(posix_spawnattr_t *attr)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setsigmask(attr, &none);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSIGMASK);
}

static int is_secret(const char *entry)
{
	static const char *const names[] = {SOURCE_PASSWORD_ENV "=", TARGET_PASSWORD_ENV "=",
					    SOURCE_SENTINEL_PASSWORD_ENV "=",
					    TARGET_SENTINEL_PASSWORD_ENV "="};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(entry, names[i], strlen(names[i])))
			return 1;
	return 0;
}

// The environment but for the passwords. @return to be freed, the texts not
static char **environment_clean(void)
{
	size_t n = 0, kept = 0;
	while (environ[n])
		n++;
	char **clean = calloc(n + 1, sizeof(*clean));
	for (size_t i = 0; clean && i < n; i++)
		if (!is_secret(environ[i]))
			clean[kept++] = environ[i];
	return clean;
}

int program_spawn(const struct program_start *start, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char **env = environment_clean();
	if (!env)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	int rc = actions_fill(&actions, start);
	rc = rc ? rc : attributes_fill(&attr);
	rc = rc ? rc : posix_spawn(pid, start->path, &actions, &attr, start->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	return -rc;
}
