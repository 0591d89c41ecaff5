// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/figures.h"
#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/host.h"

#define OPEN_FILES_LEAST 1024
#define MEMORY_LEAST     (256 * (int64_t)MB)
#define DISK_LEAST       ((int64_t)GB)
#define TCP_BUFFER_LEAST (4 * (int64_t)MB)
#define WAN_RTT_S        0.1 // for the sentence about windows

static void row_programs(const struct host_facts *h, struct findings *f)
{
	const char *missing = !h->flyoverd_found    ? "flyoverd"
			      : !h->dataplane_found ? "flyover-dataplane"
						    : NULL;
	if (missing)
		finding_put(f, SEVERITY_ERROR, "meson install -C build",
			    "%s is neither beside flyover nor in PATH", missing);
}

// Sockets are waited for by epoll where io_uring is not to be had: no more than a remark.
static void row_io_uring(const struct host_facts *h, struct findings *f)
{
	if (!h->uring_error)
		finding_put(f, SEVERITY_INFO, NULL, "io_uring is allowed");
	else if (h->uring_switch > 0)
		finding_put(f, SEVERITY_INFO, "sysctl -w kernel.io_uring_disabled=0",
			    "io_uring is switched off (kernel.io_uring_disabled is %lld): epoll is "
			    "used instead",
			    (long long)h->uring_switch);
	else if (h->uring_error == -ENOSYS && !h->seccomp)
		finding_put(f, SEVERITY_INFO, NULL,
			    "this kernel has no io_uring: epoll is used instead");
	else
		finding_put(f, SEVERITY_INFO,
			    h->seccomp ? "docker run --security-opt seccomp=unconfined ..." : NULL,
			    "io_uring is refused%s (%s): epoll is used instead",
			    h->seccomp ? " by a seccomp filter" : "", strerror(-h->uring_error));
}

static void row_state_dir(const struct host_facts *h, struct findings *f)
{
	char mend[FINDING_LEN], size[24];
	snprintf(mend, sizeof(mend), "chown \"$USER\" %s", h->state_dir);
	if (h->state_error) {
		finding_put(f, SEVERITY_ERROR, mend,
			    "the state folder cannot be written in %s: %s; another can be named by "
			    "--state-dir",
			    h->state_dir, strerror(-h->state_error));
		return;
	}
	snprintf(mend, sizeof(mend), "df -h %s", h->state_dir);
	if (h->free_bytes == UNKNOWN)
		return;
	figure_bytes((double)h->free_bytes, size);
	if (h->free_bytes < DISK_LEAST)
		finding_put(f, SEVERITY_WARNING, mend,
			    "there are only %s free in %s for what a slow target holds back", size,
			    h->state_dir);
	else
		finding_put(f, SEVERITY_INFO, NULL, "the state folder in %s has %s free%s",
			    h->state_dir, size,
			    h->direct ? ""
				      : "; it does not take O_DIRECT, so the page cache is used");
}

static void row_open_files(const struct host_facts *h, struct findings *f)
{
	if (h->open_files != UNKNOWN && h->open_files < OPEN_FILES_LEAST)
		finding_put(f, SEVERITY_WARNING,
			    h->open_files_max >= OPEN_FILES_LEAST
				    ? "ulimit -n 1024"
				    : "systemctl edit flyoverd   # [Service] LimitNOFILE=4096",
			    "a process may open %lld files only, which many links and lanes use up",
			    (long long)h->open_files);
}

static void row_memory(const struct host_facts *h, struct findings *f)
{
	char size[24];
	if (h->memory_free == UNKNOWN)
		return;
	figure_bytes((double)h->memory_free, size);
	if (h->memory_free < MEMORY_LEAST)
		finding_put(f, SEVERITY_WARNING,
			    "flyover sync --memory-window=16MB --snapshot-window=4MB ...",
			    "only %s of memory are free, where a link takes about 100 MB", size);
	else
		finding_put(f, SEVERITY_INFO, NULL, "%s of memory are free", size);
}

static void row_cores(const struct host_facts *h, struct findings *f)
{
	if (h->cores == 1)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "there is one core, which the fast path shares with everything else");
	else if (h->cores > 1)
		finding_put(f, SEVERITY_INFO, NULL, "%lld cores may be used", (long long)h->cores);
}

// Half of a receive buffer is bookkeeping; the other half is the window.
static void row_tcp_buffers(const struct host_facts *h, struct findings *f)
{
	int64_t least = h->tcp_read_max < h->tcp_write_max ? h->tcp_read_max : h->tcp_write_max;
	char rate[24];
	if (least <= 0)
		return;
	figure_bytes((double)least / 2 / WAN_RTT_S, rate);
	if (least < TCP_BUFFER_LEAST)
		finding_put(f, SEVERITY_WARNING,
			    "sysctl -w net.ipv4.tcp_rmem='4096 131072 33554432' "
			    "net.ipv4.tcp_wmem='4096 65536 33554432'",
			    "TCP buffers are small: over 100 ms one connection carries about %s/s",
			    rate);
}

static void row_hugepages(const struct host_facts *h, struct findings *f)
{
	if (h->hugepages_always)
		finding_put(f, SEVERITY_INFO, NULL,
			    "transparent huge pages are on: Flyover does not mind, servers on this "
			    "host do");
}

void host_judge(const struct host_facts *h, struct findings *f)
{
	static const struct {
		const char *check;
		void (*judge)(const struct host_facts *h, struct findings *f);
	} rows[] = {
		{"programs", row_programs},     {"io-uring", row_io_uring},
		{"state-dir", row_state_dir},   {"open-files", row_open_files},
		{"memory", row_memory},         {"cores", row_cores},
		{"tcp-buffers", row_tcp_buffers}, {"hugepages", row_hugepages},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->check = rows[i].check;
		rows[i].judge(h, f);
	}
}
