// SPDX-License-Identifier: BSD-3-Clause
// The folder in which one flyoverd keeps what must outlive it:
//
//   flyover-state    says that the folder is ours; without it we touch nothing
//   lock             held by the flyoverd that uses the folder
//   dataplane.stderr what it said when it died
//   flyoverd.sock    the API of a private flyoverd
//   flyoverd.log     its log
//   traces/          the last connections of our own TCP that were in trouble
//   links/NAME/      the folder of a link, written by the dataplane
#pragma once

#include <sys/types.h>

#include "ctrl/failure.h"

#define STATE_PATH_LEN     160 // room for /links/NAME in the contract's 256 bytes
#define STATE_IDENTITY_LEN 72

struct state_dir {
	int fd; // the folder
	int lock_fd;
	char path[STATE_PATH_LEN]; // absolute
	// Of this folder alone on this host; another one when it was deleted and made again.
	char identity[STATE_IDENTITY_LEN];
};

// Open the folder, make it (0700) when it is not there, and lock it.
//
// @param wait_ms  how long to wait for another process that is about to leave it
// @return 0, or -1: STATE_DIR
int state_dir_open(struct state_dir *s, const char *path, unsigned wait_ms, struct failure *f);
void state_dir_close(struct state_dir *s);

// Make the folder links/NAME. @return 0 or -errno
int state_dir_link(struct state_dir *s, const char *name, char *out, size_t out_len);

// Make a folder and those above it. @return 0 or -errno; 0 when it is there already
int folder_make(const char *path, mode_t mode);
