// SPDX-License-Identifier: BSD-3-Clause
// What a disk gives to the log: records of its size are written through the disk seam to segment
// files, as many at a time as the log does, made durable, and read back.
//
//   spill [-i auto|io_uring|thread] [-g GB] [-r RECORD_KB] [-w WRITES] [-k READS] FOLDER
//
// One JSON object to standard output. The folder is made, filled, and emptied again; MB are 10^6.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "drivers/disk.h"
#include "drivers/disk_folder.h"

#define SEGMENT_LEN (64ull << 20)
#define SLOTS_MAX   64
#define FILES_MAX   65536

struct spill {
	// of the command line
	unsigned choice;
	uint64_t bytes;
	uint32_t record_len;
	unsigned n_slots[2]; // by enum disk_op_kind: writes, reads
	const char *path;

	struct disk_folder folder;
	struct disk *disk;
	char text[128];
	uint64_t n_records, records_per_file;
	unsigned n_files;
	int *files; // -1: not made yet
	struct disk_op ops[SLOTS_MAX];
	uint64_t record[SLOTS_MAX]; // that the slot's operation is for
	unsigned free[SLOTS_MAX], n_free;
};

struct meter {
	double wall_s, cpu_s;
};

static void __attribute__((noreturn)) give_up(const char *what, int64_t rc)
{
	fprintf(stderr, "spill: %s: %s\n", what, strerror((int)-rc));
	exit(1);
}

static struct meter meter_read(void)
{
	struct rusage u;
	struct timespec t;
	getrusage(RUSAGE_SELF, &u);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct meter){
		.wall_s = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec,
		.cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
			 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec),
	};
}

static struct meter meter_since(struct meter begin)
{
	struct meter now = meter_read();
	return (struct meter){now.wall_s - begin.wall_s, now.cpu_s - begin.cpu_s};
}

// ---- Operations

// Take one back; a read has to bring what was written there.
static struct disk_op *spill_reap(struct spill *s)
{
	struct disk_op *op;
	while (!(op = disk_reap(s->disk)))
		disk_wait(s->disk);
	if (op->kind > DISK_READ)
		return op;
	unsigned slot = (unsigned)(op - s->ops);
	uint64_t found;
	if (op->result != op->len)
		give_up("write or read", op->result < 0 ? op->result : -EIO);
	memcpy(&found, disk_buffer(s->disk, slot), sizeof(found));
	if (found != s->record[slot])
		give_up("read brought the bytes of another record", -EIO);
	s->free[s->n_free++] = slot;
	return op;
}

// One operation on a whole file, while others go on.
static void spill_wait_for(struct spill *s, struct disk_op op, const char *what)
{
	int rc = disk_submit(s->disk, &op);
	while (!rc && spill_reap(s) != &op)
		continue;
	if (rc || op.result)
		give_up(what, rc ? rc : op.result);
}

static void spill_make_file(struct spill *s, unsigned i)
{
	char name[32];
	snprintf(name, sizeof(name), "spill-%u", i);
	s->files[i] = disk_file_open(s->disk, name, DISK_CREATE);
	if (s->files[i] < 0)
		give_up("making a file", s->files[i]);
	uint32_t len = (uint32_t)s->records_per_file * s->record_len;
	spill_wait_for(s, (struct disk_op){DISK_ALLOCATE, s->files[i], .len = len}, "allocating");
}

static void spill_submit(struct spill *s, enum disk_op_kind kind, uint64_t record)
{
	unsigned slot = s->free[--s->n_free];
	uint64_t place = record % s->records_per_file;
	uint64_t mark = kind == DISK_WRITE ? record : UINT64_MAX;
	memcpy(disk_buffer(s->disk, slot), &mark, sizeof(mark));
	s->record[slot] = record;
	s->ops[slot] = (struct disk_op){
		.kind = kind,
		.file = s->files[record / s->records_per_file],
		.buffer = slot,
		.len = s->record_len,
		.at = place * s->record_len,
	};
	int rc = disk_submit(s->disk, &s->ops[slot]);
	if (rc)
		give_up("submit", rc);
}

// Every record once, in order, with n_slots of them in flight.
static struct meter spill_all(struct spill *s, enum disk_op_kind kind)
{
	struct meter begin = meter_read();
	s->n_free = s->n_slots[kind];
	for (unsigned i = 0; i < s->n_free; i++)
		s->free[i] = i;
	for (uint64_t r = 0; r < s->n_records; r++) {
		if (s->files[r / s->records_per_file] < 0)
			spill_make_file(s, (unsigned)(r / s->records_per_file));
		while (!s->n_free)
			spill_reap(s);
		spill_submit(s, kind, r);
	}
	while (s->n_free < s->n_slots[kind])
		spill_reap(s);
	return meter_since(begin);
}

static struct meter spill_sync(struct spill *s)
{
	struct meter begin = meter_read();
	for (unsigned i = 0; i < s->n_files; i++)
		spill_wait_for(s, (struct disk_op){DISK_SYNC, s->files[i]}, "sync");
	return meter_since(begin);
}

// ---- Begin and end

static void options_read(struct spill *s, int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, "i:g:r:w:k:")) >= 0) {
		double value = c == 'i' || c == '?' ? 1 : strtod(optarg, NULL);
		if (c == 'i')
			s->choice = !strcmp(optarg, "thread")     ? DISK_THREAD
				    : !strcmp(optarg, "io_uring") ? DISK_URING
								  : DISK_AUTO;
		else if (c == 'g')
			s->bytes = (uint64_t)(value * 1e9);
		else if (c == 'r')
			s->record_len = (uint32_t)(value * 1024);
		else if (c == 'w' || c == 'k')
			s->n_slots[c == 'k'] = (unsigned)value;
		if (c == '?' || !(value > 0))
			exit(2);
	}
	s->path = argv[optind];
	if (!s->path || argv[optind + 1] || s->record_len % DISK_BLOCK ||
	    s->record_len > SEGMENT_LEN || !s->record_len || s->n_slots[0] > SLOTS_MAX ||
	    s->n_slots[1] > SLOTS_MAX || !s->n_slots[0] || !s->n_slots[1]) {
		fprintf(stderr, "usage: spill [-i auto|io_uring|thread] [-g GB] [-r RECORD_KB] "
				"[-w WRITES] [-k READS] FOLDER\n");
		exit(2);
	}
}

static void spill_begin(struct spill *s)
{
	int rc = disk_folder_open(&s->folder, s->path);
	if (rc)
		give_up(s->path, rc);
	struct disk_config c = {
		.folder_fd = s->folder.fd,
		.n_buffers = s->n_slots[0] > s->n_slots[1] ? s->n_slots[0] : s->n_slots[1],
		.buffer_len = s->record_len,
		.depth = SLOTS_MAX + 1,
		.wake_fd = -1,
	};
	rc = disk_open(s->choice, &c, &s->disk, s->text, sizeof(s->text));
	if (rc)
		give_up(s->text, rc);
	for (unsigned i = 0; i < c.n_buffers; i++) // nothing that a clever disk would not store
		for (uint32_t at = 0; at < c.buffer_len; at += 4)
			*(int32_t *)(void *)(disk_buffer(s->disk, i) + at) = (int32_t)mrand48();
	s->records_per_file = SEGMENT_LEN / s->record_len;
	s->n_records = s->bytes / s->record_len;
	s->n_files = (unsigned)((s->n_records + s->records_per_file - 1) / s->records_per_file);
	if (!s->n_files || s->n_files > FILES_MAX)
		give_up("so many bytes", -ERANGE);
	s->files = malloc(s->n_files * sizeof(int));
	for (unsigned i = 0; i < s->n_files; i++)
		s->files[i] = -1;
}

static void spill_end(struct spill *s)
{
	char name[32];
	for (unsigned i = 0; i < s->n_files; i++) {
		disk_file_close(s->disk, s->files[i]);
		snprintf(name, sizeof(name), "spill-%u", i);
		disk_folder_unlink(&s->folder, name);
	}
	disk_close(s->disk);
	disk_folder_close(&s->folder);
	free(s->files);
}

int main(int argc, char **argv)
{
	struct spill s = {.bytes = 4000000000, .record_len = 256 * 1024, .n_slots = {16, 8}};
	options_read(&s, argc, argv);
	spill_begin(&s);
	struct meter write = spill_all(&s, DISK_WRITE), sync = spill_sync(&s);
	struct meter read = spill_all(&s, DISK_READ);
	double mb = (double)(s.n_records * s.record_len) / 1e6;
	printf("{\"driver\": \"%s\", \"mb\": %.0f, \"record_kb\": %u, \"writes_in_flight\": %u, "
	       "\"reads_in_flight\": %u, \"write_mb_s\": %.0f, \"write_and_sync_mb_s\": %.0f, "
	       "\"write_cpu_us_per_mb\": %.1f, \"sync_ms\": %.1f, \"read_mb_s\": %.0f, "
	       "\"read_cpu_us_per_mb\": %.1f}\n",
	       s.text, mb, s.record_len / 1024, s.n_slots[0], s.n_slots[1], mb / write.wall_s,
	       mb / (write.wall_s + sync.wall_s), 1e6 * write.cpu_s / mb, 1e3 * sync.wall_s,
	       mb / read.wall_s, 1e6 * read.cpu_s / mb);
	spill_end(&s);
	return 0;
}
