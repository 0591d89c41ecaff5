// SPDX-License-Identifier: BSD-3-Clause
// What the workload of the torture is made of: between torture.c and its writer program.
#pragma once

enum writer_habit {
	WRITES_HEAVY = 1,       // values of some 10 KB are usual
	WRITES_GIANTS = 2,      // and now and then one of 4 MB comes
	WRITES_IDEMPOTENT = 4,  // nothing that harms when it is done twice
	WRITES_FLUSHES = 8,     // FLUSHDB, SWAPDB, MOVE, FLUSHALL
	WRITES_CALMLY = 32,     // a few commands, then a look around
	WRITES_ONE_DATABASE = 64, // all that a cluster has
};
