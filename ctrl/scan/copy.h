// SPDX-License-Identifier: BSD-3-Clause
// Copying keys from one server to another as they are now: size, expiry and DUMP are asked of the
// source, RESTORE REPLACE is put to the target, thousands of keys at once. Where DUMP or RESTORE is
// not to be had, or a payload is of a version that the target does not take, small values are read
// and written by the commands of their type; what is big is rebuilt piece by piece (rebuild.h).
//
// What is written to the target is put there when the value arrives from the source, so for each
// key the target sees states in the order in which the source had them, however often it is copied.
// A key that is gone is deleted. Memory: the bytes under way are bounded by COPY_WINDOW_BYTES each
// way, plus one value.
//
//   copier_take() group -> size -> [type -> length ->] expiry and value -> write -> fate
//                                                   `-> rebuilt, once nothing else is under way
#pragma once

#include "ctrl/check/own_key.h"
#include "ctrl/check/value_type.h"
#include "ctrl/pace.h"
#include "ctrl/scan/can.h"

#define COPY_WINDOW_BYTES (8u << 20)
#define COPY_ASKED_MAX    4096 // values asked for at once
#define COPY_ALSO_MAX     2
#define COPY_SMALL        512 // elements of a collection that is read as a whole
#define COPY_ARGS_MAX     (4 * COPY_SMALL)

enum copy_fate { COPY_OPEN, COPY_COPIED, COPY_GONE, COPY_REFUSED };

struct copy_item {
	struct copy_item *next; // in the list of those that are ready, or too big
	struct copy_group *group;
	struct span key;
	int64_t expiry_ms;   // absolute by the source's clock, -1 for none, -2 gone
	uint64_t size;       // bytes, about; 0 unknown
	int64_t hint;        // FREQ or IDLETIME, -1 for none
	uint8_t type;        // enum value_type
	uint8_t payload;     // the first byte of what DUMP gave
	uint8_t tries;
	uint8_t fate;
	bool by_type;        // not by DUMP and RESTORE
	bool typed;          // TYPE was asked as well
	size_t put_len;      // bytes written and not answered
};

// Keys that are given together; memory that is used again. Belongs to whoever gives it and must
// stay until `open` is 0.
struct copy_group {
	struct copy_item *items;
	unsigned n, open; // open: without a fate
	int db[2];        // of source and target
	unsigned room;
	char *bytes; // where the keys lie
	size_t len, bytes_room;
};

// Forget the keys, and have room for n keys of so many bytes in all. @return 0 or -ENOMEM
int copy_group_begin(struct copy_group *g, const int db[2], unsigned n, size_t bytes);
void copy_group_add(struct copy_group *g, struct span key);
void copy_group_free(struct copy_group *g);

struct copy_counts {
	uint64_t keys;         // copied
	uint64_t bytes;        // of payloads and values
	uint64_t gone;         // were gone when it was their turn: deleted in the target
	uint64_t refused;      // by the target or the source, for good
	uint64_t by_type;      // of keys: copied by commands of their type
	uint64_t rebuilt;      // of keys: piece by piece
	uint64_t again;        // read once more, since they changed under way
	uint64_t unsteady;     // big values that changed all the while they were read
	uint64_t pending_lost; // entries pending in consumer groups that no command can express
	uint64_t field_ttls_lost;
};

struct copy_options {
	uint64_t big_value;  // bytes; larger values are rebuilt
	bool by_type;        // never DUMP and RESTORE
	bool keep_idle;      // pass LRU and LFU hints on
	uint64_t keys_per_s, bytes_per_s; // 0: no limit
	unsigned wait_ms;    // how long a target may say OOM, LOADING, ...
	char temporary[64];  // name of the key that big values are built under
	// Asked between pieces of long work. @return false: leave. May be NULL
	bool (*go_on)(void *arg);
	void *go_on_arg;
};

struct copy_expected {
	struct copy_item *item;
	uint8_t kind;
};

struct copy_fifo {
	struct copy_expected *list; // ring
	unsigned head, n, room;
};

struct copy_list {
	struct copy_item *first, *last;
	unsigned n;
};

void copy_list_add(struct copy_list *l, struct copy_item *item);
struct copy_item *copy_list_take(struct copy_list *l);

enum payload_way { PAYLOAD_AS_IS, PAYLOAD_NEW_FOOTER, PAYLOAD_BY_TYPE };

struct copier {
	struct copy_options options;
	struct can can;
	struct pair *pair;
	struct failure *failure;
	struct copy_counts counts;
	struct pace keys_pace, bytes_pace;
	struct copy_fifo asked, put;     // replies to come from the source, from the target
	struct copy_list ready, big;
	int db_asked, db_put;            // selected once all that was sent is through; -1 unknown
	uint64_t asked_bytes;            // of values, as their sizes say
	unsigned n_asked;                // values
	uint64_t put_bytes;              // written and not answered
	uint64_t paused_until_ms, waiting_since_ms; // while the target cannot take more
	uint64_t heard_ms;
	bool rests;                      // big values take a quarter of the time at most
	uint64_t rest_until_ms;
	char why_refused[200];           // the first time
	char waiting[100];               // what the target says, "" when nothing
	char queue_refused[160];         // an error inside the transaction at hand
	uint8_t payload_ways[256];       // enum payload_way, by type byte
	struct span *argv;               // scratch
};

// @param pair  two open clients, which are the copier's alone from now on
// @return 0, or -1 with f
int copier_init(struct copier *c, struct pair *p, const struct copy_options *o, struct failure *f);
void copier_free(struct copier *c);

// The connections were opened anew: what was under way is forgotten, with its groups.
void copier_forget(struct copier *c);

// Begin with a group. Its items get their fates while copier_turn() is called.
void copier_take(struct copier *c, struct copy_group *g);

// Go on as far as that goes without waiting; only big values hold it up.
//
// @return 1 something was done, 0 wait for the clients (copier_wait()), -1 failed
int copier_turn(struct copier *c);

// Wait for the clients, at most ms. @param also, n  COPY_ALSO_MAX more at most
void copier_wait(struct copier *c, struct client *const *also, unsigned n, unsigned ms);

// Nothing is under way.
bool copier_idle(const struct copier *c);

// Until nothing is under way. @return 0 or -1
int copier_finish(struct copier *c);
