// SPDX-License-Identifier: BSD-3-Clause
// An examination of two servers in a thread of its own, since it asks with blocking calls and a
// server, or a name server, may keep silent for long. Whoever started it never waits: a descriptor
// tells of news, findings come as they are made, and one who has seen enough just leaves.
#pragma once

#include "ctrl/doctor/findings.h"
#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

enum examination_stage {
	EXAMINATION_CONNECTS,
	EXAMINATION_ASKS,    // what forbids a start is known
	EXAMINATION_WATCHES, // all but what hangs on the rate of writes is known
	EXAMINATION_DONE,
	EXAMINATION_FAILED,  // see examination_failure()
};

struct examination;

// Start. @param c  copied. @return NULL when there is no memory or no thread
struct examination *examination_start(const struct link_config *c);

// An eventfd that is readable whenever a stage has been reached since it was last read.
int examination_fd(const struct examination *e);

enum examination_stage examination_stage(const struct examination *e);

// What was found so far.
const struct findings *examination_findings(const struct examination *e);

// Valid at EXAMINATION_FAILED.
const struct failure *examination_failure(const struct examination *e);

// Replace sentinels by the masters that were examined. Valid at EXAMINATION_DONE.
void examination_settle(const struct examination *e, struct link_config *c);

// Want no more of it; the thread ends by itself. NULL is allowed.
void examination_leave(struct examination *e);
