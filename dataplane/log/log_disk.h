// SPDX-License-Identifier: BSD-3-Clause
// What the files of the log share; nobody else includes it.
//
//   log.c      the front, in memory          segment.c   files: made, used again
//   log_disk.c begin, end, seek, the turn    removal.c   files: removed
//   recover.c  what a former process left    spill.c     records: filled, written, synced
//                                            readback.c  read ahead, in order, to the front
//
//   offsets:  first segment ... | reader | ... records in memory ... next | ... tail
//                               ^ end of the front (while it stands still)
#pragma once

#include "dataplane/log/log.h"
#include "drivers/disk_folder.h"

#define WRITE_SLOTS     24   // buffers for records that are filled or written
#define READ_SLOTS      16   // buffers for what is read ahead
#define DISK_RETRY_NS   1000000000ull
#define READ_TRIES_MAX  30   // a second apart
#define TURN_BYTES      (2u * 1024 * 1024) // copied per turn, each way
#define SEGMENT_RECORDS_MAX 255 // of full length in one file: 64 MB
#define SEGMENT_NAME_LEN    28
#define IDS_MAX             64
#define SMALL_PATIENCE_NS   1000000ull // with a full small ring, while something is read back
#define REMOVAL_PAUSE       32 // times what the last one took, while something is read back

// One segment file. The struct lives while somebody uses it, though the file may be gone already.
struct segment {
	uint64_t sequence;
	uint64_t first, end; // offsets of the stream that it holds; end rises as records are closed
	uint64_t at;          // in the file: where the next record goes; the file's length when it
			      // is old and not known
	uint64_t written;     // in the file: on disk without a gap up to here
	uint64_t written_end; // the same as an offset of the stream
	uint64_t synced;      // offset of the stream
	uint64_t newest_ms;   // wall clock of its newest byte
	uint32_t run;
	char replid[LOG_REPLID_LEN + 1];
	bool fresh;           // nothing before it belongs to it
	bool ready;           // has its space on disk
	bool sealed;          // takes no more records
	bool old;             // of a former process
	bool suspect;         // a sync of it failed
	bool header_synced;
	bool named;           // its name is durable
	bool dead;            // removed; freed when nobody uses it any more
	int file;             // -1: closed
	unsigned n_users;     // operations, and buffers that hold its bytes
	struct disk_op op;    // on the file as a whole: gets its space, is removed
	char gone[SEGMENT_NAME_LEN]; // name of a dead one; "": the file is not there any more
	bool removal_failed;
	struct segment *next; // in the list of dead ones
};

enum slot_state {
	SLOT_FILLING, // of a record: takes bytes
	SLOT_WAITING, // to be submitted, at once or when retry_ns has come
	SLOT_BUSY,    // the driver has it
	SLOT_DONE,
};

// A buffer with a record, or with the header of a segment. They are written in any order and
// forgotten in theirs.
struct record {
	struct disk_op op;
	enum slot_state state;
	bool dropped;         // nobody wants it any more
	bool failed;          // wait until retry_ns
	struct segment *segment;
	uint64_t first;       // offset of the stream
	uint32_t len, room;   // bytes of payload; 0, 0: the header of a segment
};

// A buffer with a part of a segment file, read ahead.
struct chunk {
	struct disk_op op;
	enum slot_state state;
	bool dropped;
	bool failed;
	unsigned n_tries;
	struct segment *segment;
};

struct reader {
	struct chunk chunks[READ_SLOTS]; // ring
	unsigned first, n;
	struct segment *ask;    // read next from here; NULL: the reader has nothing to do
	uint64_t ask_at;        // in that file
	struct segment *segment; // take apart next
	uint64_t at;            // in that file
	uint64_t offset;        // of the stream there
	bool whole;             // the record at `at` is in memory and has been verified
	uint64_t full_head;     // where the head was when the small ring was found full
	uint64_t full_ns;       // since when it has been, with the head there
};

// From an offset on the stream has this id.
struct log_id {
	char replid[LOG_REPLID_LEN + 1];
	uint64_t first;
	uint32_t run;
};

struct log_disk {
	struct log *log;
	char path[300], owner[LOG_OWNER_LEN];
	struct disk_folder folder;
	const struct disk_seam *seam;
	unsigned choice;
	int wake_fd;
	struct disk *disk;          // NULL until it is needed
	char driver[LOG_TEXT_LEN];

	uint64_t limit, keep_len, keep_ms, sync_interval_ns;
	enum setting_log_sync sync;
	uint32_t record_len;
	uint64_t segment_len;
	unsigned segments_max;

	bool passing;               // see log_config
	bool allowed;               // to begin writing
	bool writing;               // bytes are copied or received to records
	bool recovered;             // what a former process left waits for a decision
	bool seeking;               // the front still has bytes that no record has
	uint64_t next;              // first byte that no record has; while writing
	struct log_id ids[IDS_MAX]; // of the bytes from head on, oldest first; at least one
	unsigned n_ids;
	uint32_t run;               // of the newest
	bool fresh;                 // the next segment begins a new line
	bool renaming;              // the newest id is to be on disk before bytes are taken
	struct segment *rename_segment; // that brings it there

	struct segment **segments;  // oldest first
	unsigned n_segments, segments_room;
	struct segment *ahead;      // made, not used yet
	struct segment *dead;       // their files go one by one, oldest first
	unsigned n_dead;
	struct segment *removing;   // one of them; NULL: none
	uint64_t removing_ns;       // since when
	uint64_t removal_ns;        // none before, while something is read back
	bool closing;               // what cannot be removed stays for a later life
	uint64_t sequence;          // of the next one

	struct record records[WRITE_SLOTS]; // ring
	unsigned first_record, n_records;

	struct reader reader;

	struct disk_op sync_op;
	struct segment *syncing;    // NULL: none
	uint64_t syncing_end;
	uint64_t sync_to;           // offset that has to become durable
	uint64_t sync_at_ns;        // when that was asked for last
	uint64_t durable;           // all before is synced, or in a segment that is suspect

	char trouble[LOG_TEXT_LEN], damage[LOG_TEXT_LEN], news[LOG_TEXT_LEN];
	uint64_t retry_ns;          // nothing that failed is tried before
	bool no_room;               // the disk is full, or the limit is reached
	struct clock_reading now;
	struct log_history history;
	struct log_figures figures;
};

// ---- log.c: the front

size_t log_front_room(const struct log *l);
void log_front_widen(struct log *l); // go over to the large ring
uint64_t log_front_oldest(const struct log *l); // first byte that memory still has, head or before
// As log_view(), but for bytes that are not viewable as well: up to tail, before head.
const char *log_front_raw(const struct log *l, uint64_t offset, size_t *len);
void log_front_put(struct log *l, const char *p, size_t len);
void log_front_begin(struct log *l, uint64_t offset); // hold nothing
void log_head_update(struct log *l);
void log_stamp_push(struct log *l, uint64_t offset, uint64_t mono_ns, uint64_t wall_ms);
// The stamps of [from, to), into a record.
void log_stamps_copy(const struct log *l, struct record_header *h, uint64_t from, uint64_t to);

// ---- log_disk.c

int log_disk_new(struct log *l, const struct log_config *config, char *text);
void log_disk_free(struct log_disk *d);
void log_disk_reset(struct log_disk *d, const char *replid);
uint64_t log_disk_oldest(const struct log_disk *d);
int log_disk_seek(struct log_disk *d, uint64_t offset);
void log_disk_sought(struct log_disk *d); // within the front
static inline bool log_disk_is_seeking(const struct log_disk *d)
{
	return d && d->seeking;
}

static inline bool log_disk_may_write(const struct log_disk *d)
{
	return d && (d->allowed || d->writing);
}

// Open the queue when it is not. @return 0, or -errno: there is trouble
int disk_need(struct log_disk *d);
// Begin to write, at head.
void disk_begin(struct log_disk *d);
// The id of the stream at an offset.
const struct log_id *id_at(const struct log_disk *d, uint64_t offset);
// Forget everything that is on disk.
void disk_drop(struct log_disk *d);
void trouble_set(struct log_disk *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void disk_trouble(struct log_disk *d, int rc, const char *what); // of an operation
void log_tell(struct log_disk *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void disk_listen(struct log_disk *d); // take back what the driver has done
void trouble_over(struct log_disk *d); // something that had failed went well

// ---- segment.c

void segment_name(char *name, uint64_t sequence); // SEGMENT_NAME_LEN bytes
void segment_close(struct log_disk *d, struct segment *s);
// Open its file unless it is. @return 0, or -errno: there is trouble
int segment_open(struct log_disk *d, struct segment *s);
void segment_settle(struct log_disk *d, struct segment *s); // close it when nothing needs it open
int segment_add(struct log_disk *d, struct segment *s); // at the end of the list; -ENOMEM
void segments_free(struct log_disk *d);                 // the structs; the files stay
void segment_allocated(struct log_disk *d, struct disk_op *op);
// Whether there is use for another file, or a segment still has none.
bool segment_is_wanted(const struct log_disk *d);
void segment_prepare(struct log_disk *d); // make one ahead, or try again
// Use the one that was made ahead. @return NULL: there is none
struct segment *segment_take(struct log_disk *d);
// Make one that nobody needs the one that was made ahead. @return false: it has to stay as it is
bool segment_again(struct log_disk *d, struct segment *s);
static inline bool limit_is_reached(const struct log_disk *d)
{
	return d->n_segments + d->n_dead + !!d->ahead >= d->segments_max;
}

static inline struct segment *segment_last(const struct log_disk *d)
{
	return d->n_segments ? d->segments[d->n_segments - 1] : NULL;
}

// ---- removal.c

void segment_name_gone(char *name, uint64_t sequence);      // of a dead one
void segment_remove(struct log_disk *d, struct segment *s); // from the disk; not from the list
void segment_removed(struct log_disk *d, struct disk_op *op);
// A file that a former process was about to remove. @return 0, or -ENOMEM
int segment_found_gone(struct log_disk *d, const char *name);
void segments_bury(struct log_disk *d); // go on with the files of dead ones, and free these
void segments_bury_deadline(const struct log_disk *d, uint64_t *deadline_ns); // lowered
void segments_forget(struct log_disk *d, unsigned n); // remove the oldest ones
// Whether it stays in the table, were everything before this offset done with.
bool segment_is_kept(const struct log_disk *d, const struct segment *s, uint64_t needed);
void segments_again(struct log_disk *d); // use the oldest one again, when nobody needs it
void segments_trim(struct log_disk *d);  // and remove others that nobody needs

// ---- spill.c

char *spill_space(struct log_disk *d, size_t *len);
void spill_received(struct log_disk *d, size_t len, uint64_t wall_ms);
bool spill_copy(struct log_disk *d, size_t budget); // true: there is more to copy
struct record *record_filling(struct log_disk *d);
struct record *record_holding(struct log_disk *d, uint64_t offset); // in memory; NULL: none
char *record_payload(const struct log_disk *d, const struct record *r);
struct record_header *record_head(const struct log_disk *d, const struct record *r);
void record_close(struct log_disk *d, struct record *r);
void records_submit(struct log_disk *d);
void record_came_back(struct log_disk *d, struct disk_op *op);
void records_retire(struct log_disk *d);
void records_drop(struct log_disk *d, const struct segment *s); // of a segment; NULL: all
void spill_rename(struct log_disk *d);

// ---- sync.c

void sync_turn(struct log_disk *d, uint64_t *deadline_ns);
uint64_t synced_to(const struct log_disk *d); // all before is durable, as far as it is there
void sync_came_back(struct log_disk *d, struct disk_op *op);

// ---- readback.c

void reader_stop(struct log_disk *d);
// Read on from a place of a file, where a record begins that begins at this offset.
void reader_begin(struct log_disk *d, struct segment *s, uint64_t at, uint64_t offset);
// @return whether there is more to do at once
bool reader_turn(struct log_disk *d, size_t budget, uint64_t *deadline_ns);
void chunk_came_back(struct log_disk *d, struct disk_op *op);
void damage_set(struct log_disk *d, const struct segment *s, uint64_t at, uint64_t offset,
		const char *what);

// ---- recover.c

int log_recover(struct log_disk *d, char *text);
int folder_claim(struct log_disk *d, char *text);
