// SPDX-License-Identifier: BSD-3-Clause
// One connection of the torture's workload, and what it writes.
#pragma once

#include <hiredis/hiredis.h>

#include "tests/e2e/torture_random.h"
#include "tests/e2e/torture_writer.h"

#define VALUE_MAX (4u << 20)

struct client {
	redisContext *redis; // NULL: not connected
	struct random random;
	unsigned habits, port;
	unsigned queued; // commands whose answer was not read yet
	unsigned db;
	unsigned gap;      // number of the time at hand in which no link runs, 0: one does
	const char *bytes; // VALUE_MAX bytes at random: values are pieces of them
};

// Append the commands of one step to the connection's buffer; they are counted in `queued`.
void client_step(struct client *c);

// Append a SELECT of one of the databases that the steps write to.
void client_select(struct client *c);
