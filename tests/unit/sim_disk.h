// SPDX-License-Identifier: BSD-3-Clause
// A disk for tests, behind the seam of drivers/disk.h: what is written lies in real files of a real
// folder, but operations take a seeded while, end in any order, fail when they are told to, and
// what was not synced can be lost or torn by a crash.
#pragma once

#include "drivers/disk.h"
#include "tests/unit/random.h"

struct sim_lost; // what was written and not synced

struct sim_disk {
	struct random random;
	uint64_t space;         // bytes that the disk has for files
	unsigned slowness;      // reaps, about, that an operation takes
	unsigned eio_in;        // one write, read or sync of so many fails; 0: none
	struct disk *queue;     // of whoever has it open now
	uint64_t n_writes, n_reads, n_failed;
	struct sim_lost *lost;  // newest first
};

// The seam that works on `s` from now on.
const struct disk_seam *sim_disk_seam(struct sim_disk *s);

// What a crash leaves of a folder, as a new one: operations on their way took place wholly, partly
// or not at all.
//
// @param power_fails  so did those that had ended and were not synced
void sim_disk_crash(struct sim_disk *s, const char *folder, const char *to, bool power_fails);

// Forget what could be lost; when the queue has been closed in order.
void sim_disk_forget(struct sim_disk *s);

// Bytes of all files in a folder.
uint64_t sim_disk_used(const char *folder);

// Remove a folder and its files.
void sim_disk_remove(const char *folder);
