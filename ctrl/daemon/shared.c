// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int shared_map(struct shared *s)
{
	void *p = mmap(NULL, sizeof(struct contract), PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->contract = p;
	madvise(p, sizeof(struct contract), MADV_DONTDUMP); // it holds passwords
	return 0;
}

int shared_new(struct shared *s, const char *identity)
{
	char name[128];
	snprintf(name, sizeof(name), "%s %s", SHARED_NAME, identity);
	s->contract = NULL;
	s->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0)
		return -errno;
	int rc = ftruncate(s->fd, sizeof(struct contract)) ? -errno : 0;
	// Its size never changes: neither side can be hurt by the other cutting it.
	if (rc == 0 && fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		rc = -errno;
	rc = rc ? rc : shared_map(s);
	if (rc) {
		shared_free(s);
		return rc;
	}
	s->contract->magic = CONTRACT_MAGIC;
	s->contract->abi = CONTRACT_ABI;
	s->contract->size = sizeof(struct contract);
	return 0;
}

static void contract_path(char *out, size_t out_len, pid_t pid)
{
	snprintf(out, out_len, "/proc/%d/fd/%d", (int)pid, CONTRACT_FD);
}

// Of another user a process may call its memory what it likes: it would be told our passwords.
static bool is_ours(pid_t pid)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return !stat(path, &st) && st.st_uid == geteuid();
}

bool shared_is_held_by(const char *identity, pid_t pid)
{
	char path[64], wanted[256], target[256];
	if (!is_ours(pid))
		return false;
	contract_path(path, sizeof(path), pid);
	snprintf(wanted, sizeof(wanted), "/memfd:%s %s (deleted)", SHARED_NAME, identity);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	return !strcmp(target, wanted);
}

unsigned shared_holders(const char *identity, pid_t *pids)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc");
	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e && n < HOLDERS_MAX; e = readdir(dir)) {
		long pid = strtol(e->d_name, NULL, 10); // 0: not a process
		if (pid > 0 && shared_is_held_by(identity, (pid_t)pid))
			pids[n++] = (pid_t)pid;
	}
	closedir(dir);
	return n;
}

int shared_attach(struct shared *s, const char *identity, pid_t pid)
{
	char path[64];
	struct stat st;
	s->contract = NULL;
	s->fd = -1;
	contract_path(path, sizeof(path), pid);
	if (!shared_is_held_by(identity, pid))
		return -ENOENT;
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	int rc = fstat(s->fd, &st) ? -errno : 0;
	if (rc == 0 && st.st_size != (off_t)sizeof(struct contract))
		rc = -EPROTO;
	rc = rc ? rc : shared_map(s);
	rc = rc ? rc : contract_check(s->contract);
	if (rc)
		shared_free(s);
	return rc;
}

void shared_free(struct shared *s)
{
	if (s->contract)
		munmap(s->contract, sizeof(*s->contract));
	if (s->fd >= 0)
		close(s->fd);
	s->contract = NULL;
	s->fd = -1;
}
