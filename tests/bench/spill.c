// SPDX-License-Identifier: BSD-3-Clause
// The log on disk beside what the disk gives: records of the log's size written and read through
// the disk seam, and the same bytes through the log, by turns, since disks drift.
//
//   spill [-i auto|io_uring|thread] [-g GB] [-r RECORD_KB] [-w WRITES] [-k READS] [-n TURNS]
//         [-m WINDOW_MB] [-s SOURCE_MB_S] FOLDER
//
// One JSON object to standard output, each figure the median of the turns. The folder is made when
// it is not there, and what is put there is removed again; MB are 10^6 bytes, but for the window.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <linux/magic.h>

#include "drivers/disk.h"
#include "tests/bench/spill.h"

#define TURNS_MAX 99
#define XFS_MAGIC 0x58465342 // not among the kernel's public ones

void give_up(const char *what, int64_t rc)
{
	fprintf(stderr, "spill: %s: %s\n", what, strerror((int)-rc));
	exit(1);
}

// ---- Meters

struct spill_meter meter_read(void)
{
	struct rusage u;
	struct timespec t;
	getrusage(RUSAGE_SELF, &u);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct spill_meter){
		.wall_s = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec,
		.cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
			 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec),
	};
}

struct spill_meter meter_since(struct spill_meter begin)
{
	struct spill_meter now = meter_read();
	return (struct spill_meter){now.wall_s - begin.wall_s, now.cpu_s - begin.cpu_s};
}

// ---- Options

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: spill [-i auto|io_uring|thread] [-g GB] [-r RECORD_KB] [-w WRITES] "
			"[-k READS] [-n TURNS] [-m WINDOW_MB] [-s SOURCE_MB_S] FOLDER\n");
	exit(2);
}

static unsigned choice_of(const char *name)
{
	return !strcmp(name, "thread")     ? DISK_THREAD
	       : !strcmp(name, "io_uring") ? DISK_URING
					   : DISK_AUTO;
}

static void option_take(struct spill_options *o, int c, double value)
{
	if (c == 'g')
		o->bytes = (uint64_t)(value * 1e9);
	else if (c == 'r')
		o->record_len = (uint32_t)(value * 1024);
	else if (c == 'w' || c == 'k')
		o->n_slots[c == 'k'] = (unsigned)value;
	else if (c == 'n')
		o->n_turns = (unsigned)value;
	else if (c == 'm')
		o->window_len = (uint64_t)(value * (1 << 20));
	else if (c == 's')
		o->source_mb_s = value;
}

static void options_read(struct spill_options *o, int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, "i:g:r:w:k:n:m:s:")) >= 0) {
		if (c == '?')
			usage();
		if (c == 'i') {
			o->choice = choice_of(optarg);
			continue;
		}
		double value = strtod(optarg, NULL);
		if (!(value > 0))
			usage();
		option_take(o, c, value);
	}
	o->path = argv[optind];
	if (!o->path || argv[optind + 1] || !o->n_turns || o->n_turns > TURNS_MAX)
		usage();
}

// ---- Figures

static int figure_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double figure_median(double figures[][SPILL_N_FIGURES], unsigned n, unsigned i)
{
	double of[TURNS_MAX];
	for (unsigned turn = 0; turn < n; turn++)
		of[turn] = figures[turn][i];
	qsort(of, n, sizeof(of[0]), figure_order);
	return (of[n / 2] + of[(n - 1) / 2]) / 2;
}

static const char *file_system(const char *path)
{
	struct statfs s;
	if (statfs(path, &s))
		give_up(path, -errno);
	return s.f_type == EXT4_SUPER_MAGIC        ? "ext4"
	       : s.f_type == XFS_MAGIC             ? "xfs"
	       : s.f_type == BTRFS_SUPER_MAGIC     ? "btrfs"
	       : s.f_type == OVERLAYFS_SUPER_MAGIC ? "overlay"
	       : s.f_type == TMPFS_MAGIC           ? "tmpfs, no disk at all"
						   : "another file system";
}

static void figures_print(const struct spill_options *o, const char *driver,
			  double figures[][SPILL_N_FIGURES])
{
	static const char *const names[] = {
#define X(name) #name,
		SPILL_FIGURES(X)
#undef X
	};
	printf("{\"disk\": \"%s, %s\", \"mb\": %.0f, \"window_mb\": %.0f, \"record_kb\": %u, "
	       "\"turns\": %u",
	       driver, file_system(o->path), (double)o->bytes / 1e6, (double)o->window_len / 1e6,
	       o->record_len / 1024, o->n_turns);
	for (unsigned i = 0; i < SPILL_N_FIGURES; i++)
		printf(", \"%s\": %.2f", names[i], figure_median(figures, o->n_turns, i));
	printf("}\n");
}

// ---- Turns

// The next turn begins with the other one, so that neither is always the one that comes after.
static void turn_do(const struct spill_options *o, struct plain *p, struct logged *g, unsigned turn,
		    double *f)
{
	if (!(turn % 2))
		plain_turn(p, f);
	plain_clear(p);
	double source_mb_s = o->source_mb_s;
	if (!source_mb_s) // of this turn, or of the one before
		source_mb_s = (turn % 2 ? f - SPILL_N_FIGURES : f)[SPILL_plain_write_mb_s] / 2;
	logged_turn(g, source_mb_s, f);
	if (turn % 2)
		plain_turn(p, f);
	plain_clear(p);
	f[SPILL_write_ratio] = f[SPILL_log_write_mb_s] / f[SPILL_plain_write_mb_s];
	f[SPILL_read_ratio] = f[SPILL_log_read_mb_s] / f[SPILL_plain_read_mb_s];
}

// Of those of the two runs: all that is left there is what says whose it was.
static void folder_remove(const char *path)
{
	char identity[600];
	snprintf(identity, sizeof(identity), "%s/identity", path);
	unlink(identity);
	if (rmdir(path))
		give_up(path, -errno);
}

int main(int argc, char **argv)
{
	struct spill_options o = {.bytes = 4000000000,
				  .record_len = 256 * 1024,
				  .n_slots = {16, 8},
				  .n_turns = 3,
				  .window_len = 64 << 20};
	static double figures[TURNS_MAX][SPILL_N_FIGURES];
	char plain_path[512], log_path[512];
	options_read(&o, argc, argv);
	if (mkdir(o.path, 0700) && errno != EEXIST)
		give_up(o.path, -errno);
	snprintf(plain_path, sizeof(plain_path), "%s/plain", o.path);
	snprintf(log_path, sizeof(log_path), "%s/log", o.path);
	struct plain *p = plain_new(&o, plain_path);
	struct logged *g = logged_new(&o, log_path);
	for (unsigned turn = 0; turn < o.n_turns; turn++)
		turn_do(&o, p, g, turn, figures[turn]);
	figures_print(&o, plain_text(p), figures);
	logged_free(g);
	plain_free(p);
	folder_remove(log_path);
	folder_remove(plain_path);
	return 0;
}
