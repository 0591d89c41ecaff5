// SPDX-License-Identifier: BSD-3-Clause
// What the files of route share: route.c (fates and lanes), route_frame.c (the next command).
#pragma once

#include "dataplane/route/route.h"

#define TURN_BYTES (256 * 1024) // of the log that one turn takes, so that replies get theirs

// route_frame.c

// Say why route_turn() cannot go on. @return -1
int route_bad(struct route *r, enum error_id error, const char *what, uint64_t offset);

// Room for the words of a command; what they held is lost. @return 0, or -errno
int route_argv_reserve(struct route *r, uint32_t argc);
void route_argv_free(struct route *r);

// The next command: frame, argv and bytes.
//
// @return 1 it is at hand, 0 not all of it is there or there is no place for it, 2 the turn is over
//         and there is more to do, -1 error
int route_frame_next(struct route *r);

// The one that found no free batch once more, should its bytes have moved. @return 1, or -1 error
int route_frame_again(struct route *r);

// The last command of a giant has its fate or its batch. @return 0, or -1 error
int route_giant_over(struct route *r);
