// SPDX-License-Identifier: BSD-3-Clause
// The memfd that holds the contract: making one, and taking the one of a running dataplane.
//
// A memfd has a name that /proc shows, and ours says which state folder it serves. So a dataplane
// is found from the moment it runs until it ends, and no file has to be written for that: a full
// disk does not hide it.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "dataplane/contract/contract.h"

#define SHARED_NAME "flyover-contract"
#define HOLDERS_MAX 8 // two are there only when one of them is being ended

struct shared {
	struct contract *contract; // NULL when there is none
	int fd;                    // the memfd, -1 once handed over
};

// A fresh contract: zeros, but for magic, ABI and size.
//
// @param identity  of the state folder
// @return 0 or -errno
int shared_new(struct shared *s, const char *identity);

// The processes that hold a contract of this state folder as descriptor CONTRACT_FD.
//
// @param pids  out, HOLDERS_MAX of them
// @return how many
unsigned shared_holders(const char *identity, pid_t *pids);

bool shared_is_held_by(const char *identity, pid_t pid);

// Map descriptor CONTRACT_FD of a process.
//
// @return 0; -ENOENT no such process, or no dataplane of this state folder; -EPROTO a dataplane of
//         another build; or -errno
int shared_attach(struct shared *s, const char *identity, pid_t pid);

void shared_free(struct shared *s);
