// SPDX-License-Identifier: BSD-3-Clause
// The folder in which one flyoverd keeps what must outlive it:
//
//   flyover-state    says that the folder is ours; without it we touch nothing
//   lock             held by the flyoverd that uses the folder
//   dataplane.pid    the dataplane that may still be running
//   dataplane.stderr what it said when it died
//   flyoverd.sock    the API of a private flyoverd
//   flyoverd.log     its log
//   traces/          the last connections of our own TCP that were in trouble
//   links/NAME/      the folder of a link, written by the dataplane
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ctrl/failure.h"

#define STATE_PATH_LEN 160 // room for /links/NAME in the contract's 256 bytes

struct state_dir {
	int fd; // the folder
	int lock_fd;
	char path[STATE_PATH_LEN]; // absolute
};

// Open the folder, make it (0700) when it is not there, and lock it.
//
// @param wait_ms  how long to wait for another process that is about to leave it
// @return 0, or -1: STATE_DIR
int state_dir_open(struct state_dir *s, const char *path, unsigned wait_ms, struct failure *f);
void state_dir_close(struct state_dir *s);

// Make the folder links/NAME. @return 0 or -errno
int state_dir_link(struct state_dir *s, const char *name, char *out, size_t out_len);

// The pid of the dataplane. @return read: the pid, or 0 when there is none; write: 0 or -errno
pid_t state_dir_pid_read(const struct state_dir *s);
int state_dir_pid_write(struct state_dir *s, pid_t pid);
void state_dir_pid_remove(struct state_dir *s);

// Make a folder and those above it. @return 0 or -errno; 0 when it is there already
int folder_make(const char *path, mode_t mode);
