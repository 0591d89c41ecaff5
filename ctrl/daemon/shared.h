// SPDX-License-Identifier: BSD-3-Clause
// The memfd that holds the contract: making one, and taking the one of a running dataplane.
#pragma once

#include <sys/types.h>

#include "dataplane/contract/contract.h"

#define SHARED_NAME "flyover-contract"

struct shared {
	struct contract *contract; // NULL when there is none
	int fd;                    // the memfd, -1 once handed over
};

// A fresh contract: zeros, but for magic, ABI and size. @return 0 or -errno
int shared_new(struct shared *s);

// Map descriptor CONTRACT_FD of a process.
//
// @return 0; -ENOENT no such process, or not a dataplane; -EPROTO a dataplane of another build; or
//         -errno
int shared_attach(struct shared *s, pid_t pid);

void shared_free(struct shared *s);
