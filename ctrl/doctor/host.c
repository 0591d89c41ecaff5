// SPDX-License-Identifier: BSD-3-Clause
// host_gather() -> uring_look(), state_dir_look(), limits_look()
#include "ctrl/doctor/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/root.h"
#include "ctrl/program.h"

// The number behind a word of a file. @return UNKNOWN when it is not there
static int64_t number_after(const char *path, const char *word)
{
	char text[4096];
	const char *at = strstr(root_text("", text, sizeof(text), "%s", path), word);
	return at ? number_read(at + strlen(word)) : UNKNOWN;
}

static void uring_look(struct host_facts *h)
{
	struct io_uring_params p = {0};
	long fd = syscall(SYS_io_uring_setup, 2, &p);
	h->uring_error = fd < 0 ? -errno : 0;
	if (fd >= 0)
		close((int)fd);
	h->uring_switch = number_after("/proc/sys/kernel/io_uring_disabled", "");
	h->seccomp = number_after("/proc/self/status", "\nSeccomp:") > 0;
}

// The folder itself, or the nearest above it that is there already.
static void state_dir_find(struct host_facts *h, const char *state_dir)
{
	snprintf(h->state_dir, sizeof(h->state_dir), "%s", state_dir);
	for (char *slash; access(h->state_dir, F_OK); *slash = 0) {
		slash = strrchr(h->state_dir, '/');
		if (!slash || slash == h->state_dir) {
			snprintf(h->state_dir, sizeof(h->state_dir), "%s", slash ? "/" : ".");
			return;
		}
	}
}

// A file without a name; where the file system has none of these, one that is removed at once.
//
// @return 0 or -errno
static int file_try(const char *dir, int flags)
{
	char path[320];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		snprintf(path, sizeof(path), "%s/.flyover-doctor-%d", dir, (int)getpid());
		fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | flags, 0600);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void state_dir_look(struct host_facts *h, const char *state_dir)
{
	struct statvfs fs;
	state_dir_find(h, state_dir);
	h->state_error = file_try(h->state_dir, 0);
	h->direct = !file_try(h->state_dir, O_DIRECT);
	h->free_bytes = UNKNOWN;
	if (!statvfs(h->state_dir, &fs))
		h->free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

static void memory_look(struct host_facts *h)
{
	int64_t kb = number_after("/proc/meminfo", "MemAvailable:");
	int64_t most = number_after("/sys/fs/cgroup/memory.max", "");
	int64_t used = number_after("/sys/fs/cgroup/memory.current", "");
	h->memory_free = kb > 0 ? kb * 1024 : UNKNOWN;
	if (most > 0 && used >= 0 && (h->memory_free == UNKNOWN || most - used < h->memory_free))
		h->memory_free = most - used;
}

// The third number of three.
static int64_t third_number(const char *path)
{
	char text[128];
	long long v;
	root_text("", text, sizeof(text), "%s", path);
	return sscanf(text, "%*d %*d %lld", &v) == 1 ? v : UNKNOWN;
}

static void limits_look(struct host_facts *h)
{
	struct rlimit files;
	cpu_set_t set;
	char text[128];
	h->open_files = h->open_files_max = h->cores = UNKNOWN;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		h->open_files = files.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)files.rlim_cur;
		h->open_files_max =
			files.rlim_max > INT32_MAX ? INT32_MAX : (int64_t)files.rlim_max;
	}
	if (!sched_getaffinity(0, sizeof(set), &set))
		h->cores = CPU_COUNT(&set);
	h->tcp_read_max = third_number("/proc/sys/net/ipv4/tcp_rmem");
	h->tcp_write_max = third_number("/proc/sys/net/ipv4/tcp_wmem");
	root_text("", text, sizeof(text), "/sys/kernel/mm/transparent_hugepage/enabled");
	h->hugepages_always = strstr(text, "[always]") != NULL;
}

void host_gather(struct host_facts *h, const char *state_dir)
{
	char path[4096];
	memset(h, 0, sizeof(*h));
	h->flyoverd_found = !program_find("flyoverd", path, sizeof(path));
	h->dataplane_found = !program_find("flyover-dataplane", path, sizeof(path));
	uring_look(h);
	state_dir_look(h, state_dir);
	memory_look(h);
	limits_look(h);
}
