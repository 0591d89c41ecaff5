// SPDX-License-Identifier: BSD-3-Clause
// What this host offers to Flyover: gathered by plain system calls, judged apart from them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/doctor/findings.h"

struct host_facts {
	bool flyoverd_found, dataplane_found;
	int uring_error;      // of io_uring_setup(): 0 allowed, or -errno
	int64_t uring_switch; // kernel.io_uring_disabled, UNKNOWN when the kernel has no such
			      // switch
	bool seccomp;         // a filter lies on this process
	char state_dir[256];  // the folder, or the one above it that exists
	int state_error;      // of writing there: 0 or -errno
	bool direct;          // O_DIRECT works there
	int64_t free_bytes;   // for us, in its file system
	int64_t open_files, open_files_max; // RLIMIT_NOFILE
	int64_t memory_free;  // what may still be had: of the host or the control group
	int64_t cores;        // that we may run on
	int64_t tcp_read_max, tcp_write_max; // net.ipv4.tcp_rmem and tcp_wmem, the last number
	bool hugepages_always;
};

// @param state_dir  where a daemon or a job would keep its state
void host_gather(struct host_facts *h, const char *state_dir);

void host_judge(const struct host_facts *h, struct findings *f);
