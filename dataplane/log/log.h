// SPDX-License-Identifier: BSD-3-Clause
// The log: what we hold of a stream, addressed by the source's own offsets.
//
//   oldest <= slowest cursor <= head <= end <= tail      byte at offset o is "the (o+1)-th byte"
//
// The front is memory: the bytes [head, end), which may be viewed. They lie in one of two rings: a
// small one that stays in the processor's cache, as long as nobody is far behind, and a large one
// of the size of the window. When the small one is full the log goes over to the large one, and
// comes back when it is nearly empty. Nothing that was handed out ever moves.
//
// Behind it is the disk. When more than half of the window is taken, bytes are copied to segment
// files as well; when all of it is, the front stands still and what comes is received in the
// buffers that are written ([end, tail)), and read back in order as the front gets room. Bytes that
// a cursor still needs are never lost: when the disk takes no more either, log_space() is 0, the
// owner holds the source back, and log_trouble() says why.
//
//   log_turn() writes behind, syncs, reads ahead; log_space() -> log_received() -> log_view()
//
// Owner: the core that reads the source. Lanes on other cores read bytes of the front through
// pointers that they were handed; head moves only past what they have reported as done.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/contract/settings.h"
#include "dataplane/log/record.h"
#include "drivers/clock.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

#define LOG_CURSORS_MAX 4
#define LOG_STAMPS      4096
#define LOG_TEXT_LEN    240

struct log_config {
	size_t window_len;   // bytes of memory in front, rounded up to pages
	const char *folder;  // of the segment files; NULL: memory only
	uint64_t disk_limit; // most bytes of segment files; 0: memory only
	uint64_t keep_len;   // bytes kept behind the slowest cursor; above 0 all goes to disk
	uint64_t keep_ms;    // and not longer than this
	bool passing;        // nothing of it outlives the process: what one has left is removed,
			     // and the disk is not touched before log_disk_allow()
	enum setting_log_sync sync;
	uint64_t sync_interval_ms;
	const char *owner;   // who writes there, such as the name of the link
	int wake_fd;         // see disk_config
	unsigned disk;       // enum disk_choice
	const struct disk_seam *seam; // instead of it; NULL in real life
	uint32_t record_len; // most bytes of a record, whole blocks; 0: RECORD_LEN_MAX
	size_t small_len; // bytes of the small ring, whole pages, up to a quarter of the window;
			  // 0: what suits the window
};

// When the bytes from an offset on were received.
struct log_stamp {
	uint64_t offset;
	uint64_t mono_ns, wall_ms;
};

// From an offset on the stream has this id.
struct log_run {
	char replid[LOG_REPLID_LEN + 1];
	uint64_t first;
};

#define LOG_RUNS_MAX 64

struct log_history {
	unsigned n; // of runs, oldest first; 0: the log held nothing
	struct log_run runs[LOG_RUNS_MAX];
	uint64_t end; // behind the last byte of the last run
};

// What the disk does, for counters.
struct log_figures {
	uint64_t disk_bytes;    // of segment files
	uint64_t written_bytes; // since log_init(), with headers
	uint64_t read_bytes;
	uint64_t n_syncs;
};

enum log_ring { LOG_RING_LARGE, LOG_RING_SMALL };

struct log_disk;

struct log {
	struct memory_ring rings[2]; // by enum log_ring; the small one is empty in a small window
	enum log_ring active;        // where bytes come in
	uint64_t moved_at;           // older bytes than this lie in the other ring
	uint64_t since[2];           // what each ring got without a gap begins there
	uint64_t left_at; // what the large one got ends there, while the small one is active
	uint64_t lent_until;         // older bytes may be in use where the small one had them
	uint64_t head;               // oldest byte that may be viewed
	uint64_t end;                // next byte that may not be viewed yet
	uint64_t tail;               // next byte to come
	uint64_t slowest;            // the lowest cursor
	uint64_t released;           // nobody views what is before it
	uint64_t keep_from;          // the disk has not got the bytes from here on; UINT64_MAX: it
				     // gets none
	bool shut;                   // takes no bytes for the moment
	uint64_t cursors[LOG_CURSORS_MAX];
	unsigned n_cursors;
	struct log_stamp stamps[LOG_STAMPS]; // of the front; ring, oldest first, offsets rising
	unsigned stamp_first, n_stamps;
	struct log_disk *disk;       // NULL: memory only
};

// @param text  out, LOG_TEXT_LEN bytes: on error a sentence for the user; else "" or what had to be
//              cut off of what a former process had left
// @return 0, or -errno (-EBUSY: another process has the folder; -EPERM: it is not ours)
int log_init(struct log *l, const struct log_config *config, char *text);

// Bring what has to be kept to the disk, and let go. Waits for the disk.
void log_fini(struct log *l);

// Begin anew: nothing held, every cursor there, older segments removed.
//
// @param replid  of the stream from there on
void log_reset(struct log *l, const char *replid, uint64_t offset);

// From tail on the stream has another id. No bytes are taken (log_space() is 0) until the disk
// knows it, when the disk is in use.
//
// @return 0
int log_rename(struct log *l, const char *replid);

// Give the memory back to the system until bytes come again. Everything held is lost.
void log_release_memory(struct log *l);

// A new cursor at head. @return its number, below LOG_CURSORS_MAX
unsigned log_cursor_add(struct log *l);

// Move a cursor forward; memory and segments behind the slowest one are free again.
void log_cursor_set(struct log *l, unsigned cursor, uint64_t offset);

// The front may forget the bytes before an offset though a cursor still stands there: they are kept
// elsewhere. They are not viewed again but after log_seek().
//
// @param offset  <= end
void log_release(struct log *l, uint64_t offset);

// Longest run of bytes that the front can ever hold.
static inline size_t log_capacity(const struct log *l)
{
	return l->rings[LOG_RING_LARGE].size;
}

// Go over to the small ring, when that pays and nothing stands in the way.
//
// @param whole  first byte of what has not been taken apart yet: a view from there on has to stay
//               in one piece, so these bytes are copied
void log_settle(struct log *l, uint64_t whole);

// Where to receive the next bytes.
//
// @param len  out: contiguous free bytes, 0 when the window is full and the disk takes none
// @return     the place
char *log_space(struct log *l, size_t *len);

// Say that `len` bytes were received there, at this time.
void log_received(struct log *l, size_t len, uint64_t mono_ns, uint64_t wall_ms);

// Receive bytes that lie elsewhere. @return how many found room
size_t log_append(struct log *l, const char *p, size_t len, uint64_t mono_ns, uint64_t wall_ms);

// Whether the front has no room for what comes next: who needs more than it holds waits in vain.
bool log_is_stuffed(const struct log *l);

// Viewable up to here; tail, unless bytes have to come back from the disk.
static inline uint64_t log_end(const struct log *l)
{
	return l->end;
}

// The bytes from an offset on.
//
// @param offset  head <= offset <= end
// @param len     out: contiguous bytes: up to end, or to where the log moved to its other ring
const char *log_view(const struct log *l, uint64_t offset, size_t *len);

// When the byte at an offset was received; the newest stamp at or before it.
struct log_stamp log_stamp_at(const struct log *l, uint64_t offset);

// ---- The disk

// What a former process has left, until log_seek() or log_reset() says what becomes of it.
const struct log_history *log_history(const struct log *l);

// The first byte that log_seek() can reach; tail when there is none.
uint64_t log_oldest(const struct log *l);

// Put every cursor at an offset, and make the bytes from there on viewable again. Nobody may hold
// pointers into the log.
//
// @return 0, or -ENOENT: they are not held, or only by a disk that is too full to take in return
// what
//         the front has; nothing has changed
int log_seek(struct log *l, uint64_t offset);

// Let a passing log use its disk, until it is begun anew or its memory is released; others may from
// the start. Until then a full window holds the source back.
//
// @return whether it was not allowed before
bool log_disk_allow(struct log *l);

// Write behind, sync, read ahead; never waits.
//
// @param deadline_ns  in and out: lowered to when it wants a turn even without news
// @return true when there is more to do at once
bool log_turn(struct log *l, const struct clock_reading *now, uint64_t *deadline_ns);

// "" or why bytes are held back, and what to do; it goes on by itself.
const char *log_trouble(const struct log *l);

// Something worth telling happened that holds nothing back. @param text  out, LOG_TEXT_LEN bytes
bool log_news(struct log *l, char *text);

// What the disk driver is: "io_uring, O_DIRECT"; "not used yet", "off".
const char *log_disk_text(const struct log *l);

// @param text  out, on error: which record of which file is damaged, and the offset of the stream
// @return 0, or -EBADMSG: what has to be read next is damaged, nothing of it will be viewable
int log_damage(const struct log *l, const char **text);

// Everything before it is on disk and synced, or needed by nobody. Head when nothing is.
uint64_t log_durable(const struct log *l);

struct log_figures log_figures(const struct log *l);
