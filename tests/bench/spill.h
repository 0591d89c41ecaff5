// SPDX-License-Identifier: BSD-3-Clause
// What the files of the spill benchmark share.
//
//   spill.c  options, turns, medians     spill_plain.c  records straight through the disk seam
//                                        spill_log.c    the same bytes through the log
#pragma once

#include <stdint.h>

struct spill_options {
	unsigned choice; // enum disk_choice
	uint64_t bytes;
	uint32_t record_len;
	unsigned n_slots[2]; // of the plain run, by enum disk_op_kind: writes, reads
	unsigned n_turns;
	uint64_t window_len;
	double source_mb_s; // while draining; 0: half of what the plain run writes
	const char *path;
};

// One row: the field's name in the output, and the place of its figure in a turn's.
#define SPILL_FIGURES(X)                                                                           \
	X(plain_write_mb_s)                                                                        \
	X(plain_write_cpu_us_per_mb)                                                               \
	X(plain_sync_ms)                                                                           \
	X(plain_read_mb_s)                                                                         \
	X(plain_read_cpu_us_per_mb)                                                                \
	X(log_write_mb_s)                                                                          \
	X(log_write_cpu_us_per_mb)                                                                 \
	X(log_sync_ms)                                                                             \
	X(log_read_mb_s)                                                                           \
	X(log_read_cpu_us_per_mb)                                                                  \
	X(write_ratio)                                                                             \
	X(read_ratio)                                                                              \
	X(both_asked_mb_s)                                                                         \
	X(both_source_mb_s)                                                                        \
	X(both_read_mb_s)                                                                          \
	X(both_cpu_us_per_mb)

enum spill_figure {
#define X(name) SPILL_##name,
	SPILL_FIGURES(X)
#undef X
		SPILL_N_FIGURES,
};

struct spill_meter {
	double wall_s, cpu_s;
};

void __attribute__((noreturn)) give_up(const char *what, int64_t rc);
struct spill_meter meter_read(void);
struct spill_meter meter_since(struct spill_meter begin);

// ---- spill_plain.c

struct plain;

// @param path  of its folder; made, owned by the caller until plain_free()
struct plain *plain_new(const struct spill_options *o, const char *path);
void plain_free(struct plain *p);
// Write all, sync, read all; the plain figures of `f` are filled. What was written stays until
// plain_clear(), which no figure counts.
void plain_turn(struct plain *p, double *f);
void plain_clear(struct plain *p);
const char *plain_text(const struct plain *p); // what the driver is

// ---- spill_log.c

struct logged;

struct logged *logged_new(const struct spill_options *o, const char *path);
void logged_free(struct logged *g);
// Spill all, drain all, then half of it at once with a paced source; the log's figures are filled.
//
// @param source_mb_s  of the paced source, > 0
void logged_turn(struct logged *g, double source_mb_s, double *f);
