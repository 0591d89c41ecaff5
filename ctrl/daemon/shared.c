// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

int shared_new(struct shared *s)
{
	s->contract = NULL;
	s->fd = memfd_create(SHARED_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
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

static int is_ours(const char *path)
{
	char target[128];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return 0;
	target[n] = 0;
	return strncmp(target, "/memfd:" SHARED_NAME, strlen("/memfd:" SHARED_NAME)) == 0;
}

int shared_attach(struct shared *s, pid_t pid)
{
	char path[64];
	struct stat st;
	s->contract = NULL;
	s->fd = -1;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, CONTRACT_FD);
	if (!is_ours(path))
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
