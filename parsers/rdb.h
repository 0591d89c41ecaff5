// SPDX-License-Identifier: BSD-3-Clause
// A streaming RDB reader: bytes -> events, pulled by the caller. Formats: reference
// "RDB format" of Redis 2.x to 8.x and Valkey 7.2 to 9 (rdb.h, rdb.c of those versions).
//
//   rdb_reader_init -> rdb_next, rdb_next, ... -> RDB_DONE or RDB_BAD -> rdb_reader_fini
//
// The reader never holds more than its fixed state and one scratch buffer (below a limit). A value
// takes one of four shapes, by its size in the file:
//
//   string, up to big_len           RDB_STRING
//   string, longer                  RDB_STRING_BEGIN, RDB_STRING_PART..., RDB_STRING_END
//   any other, up to big_len        RDB_RAW: the body as in the file, for RESTORE
//   any other, longer               RDB_BIG_BEGIN, one event an element, RDB_BIG_END
#pragma once

#include "parsers/span.h"

struct rdb_type;
struct rdb_cursor;

enum rdb_result {
	RDB_EVENT, // *ev is filled
	RDB_MORE,  // show at least r->need_len bytes, from the first one not yet used
	RDB_BAD,   // r->error says what and where; the reader stays in this state
	RDB_DONE,  // RDB_EOF was delivered before; bytes after it are not ours
};

// What is in an event. The fields of struct rdb_event that each one sets stand behind it.
enum rdb_event_kind {
	RDB_AUX,      // key, value
	RDB_SELECTDB, // db
	RDB_RESIZEDB, // n_keys, n_expires: hints
	RDB_FUNCTION, // value: the source of one library; key: its name; field: its engine
	RDB_COMMAND,  // value: a command as RESP, to be run after what came before
	RDB_SKIPPED,  // name of what is passed over: MODULE_AUX (with module), SLOT_INFO, KEY_META,
	              // SLOT_IMPORT, with skim HASH_TEMPLATE, or a value (a module's above
	              // module_len, with skim any; then with key, type, module and attributes);
	              // key.p is NULL for all but values

	RDB_STRING,       // key, value, attributes
	RDB_STRING_BEGIN, // key, total_len, attributes
	RDB_STRING_PART,  // value: the next min(big_len, rest) bytes
	RDB_STRING_END,
	RDB_RAW, // key, value: the body; type, footer_version, value_kind, attributes, module

	RDB_BIG_BEGIN,       // key, type, footer_version, value_kind, attributes
	RDB_LIST_ITEM,       // value
	RDB_SET_ITEM,        // value
	RDB_HASH_ITEM,       // field, value, field_expire_at_ms
	RDB_ZSET_ITEM,       // field: the member; value: the score's text; score
	RDB_ARRAY_CURSOR,    // index: where the last ARINSERT went; comes before the items
	RDB_ARRAY_ITEM,      // index, value
	RDB_STREAM_ENTRY,    // id, fields
	RDB_STREAM_META,     // stream
	RDB_STREAM_GROUP,    // group, id: last delivered, entries_read
	RDB_STREAM_CONSUMER, // group, consumer, seen_at_ms, active_at_ms
	RDB_STREAM_PENDING,  // group, consumer, id, delivered_at_ms, n_delivered
	RDB_STREAM_NACKED,   // group, id, delivered_at_ms, n_delivered: pending, but nobody's
	RDB_STREAM_IDMP,     // idmp_duration_s, idmp_max_entries
	RDB_STREAM_IDMP_ENTRY, // field: the producer; value: its id for the entry; id
	RDB_BIG_END,

	RDB_EOF, // crc
};

enum rdb_kind {
	RDB_KIND_STRING,
	RDB_KIND_LIST,
	RDB_KIND_SET,
	RDB_KIND_HASH,
	RDB_KIND_ZSET,
	RDB_KIND_STREAM,
	RDB_KIND_MODULE,
	RDB_KIND_ARRAY,
};

enum rdb_magic {
	RDB_MAGIC_REDIS,
	RDB_MAGIC_VALKEY,
};

enum rdb_crc_verdict {
	RDB_CRC_OK,
	RDB_CRC_NONE,  // zero in the file, or a version before 5: nothing to check
	RDB_CRC_WRONG, // r->error names both sums
};

struct rdb_stream_id {
	uint64_t ms;
	uint64_t seq;
};

// The field-value pairs of one stream entry: walk them with rdb_fields_next(). Already checked, so
// walking cannot fail.
struct rdb_fields {
	uint32_t n;          // pairs left
	bool same;           // names come from the node's master entry
	struct span names;   // listpack entries
	struct span entries; // listpack entries
};

// One pair. Integers are given as text in the buffers of this struct.
struct rdb_field {
	struct span name;
	struct span value;
	char name_num[24];
	char value_num[24];
};

struct rdb_stream_meta {
	uint64_t length;
	struct rdb_stream_id last;
	bool full;                        // the three below are in the file (Redis 7.0)
	struct rdb_stream_id first;
	struct rdb_stream_id max_deleted;
	uint64_t entries_added;
};

// Spans point into the caller's window or into the reader, and live until the next rdb_next().
struct rdb_event {
	enum rdb_event_kind kind;
	enum rdb_kind value_kind;
	uint8_t type;            // type byte in the file
	uint16_t footer_version; // lowest RDB version that owns the type: for the RESTORE footer
	enum rdb_crc_verdict crc;
	const char *name;
	const char *encoding;    // how the value lies in the file: "hash_listpack"

	struct span key;
	struct span field;
	struct span value;

	// Attributes of a key: -1 when the file has none.
	int64_t expire_at_ms; // unix time
	int64_t idle_s;       // LRU policies
	int16_t freq;         // LFU policies, 0-255

	uint64_t db;
	uint64_t n_keys;
	uint64_t n_expires;
	uint64_t total_len;
	int64_t field_expire_at_ms; // -1: the field has none
	double score;

	struct rdb_stream_id id;
	struct rdb_fields fields;
	struct rdb_stream_meta stream;
	struct span group;
	struct span consumer;
	int64_t entries_read; // -1: unknown, or not in the file
	int64_t seen_at_ms;
	int64_t active_at_ms; // -1: never, or not in the file
	int64_t delivered_at_ms;
	uint64_t n_delivered;
	uint64_t idmp_duration_s;
	uint64_t idmp_max_entries;
	uint64_t index;     // of an array
	uint64_t module_id; // 0: not a module's; rdb_module_name()
	uint16_t module_version;
};

struct rdb_settings {
	size_t window_len;  // most bytes that the caller can ever show at once
	size_t big_len;     // values above this come in pieces; 1 .. window_len
	size_t scratch_len; // most bytes of scratch: one decompressed element or node, or the
	                    // pending list of one group (32 bytes an entry); at least
	                    // big_len + 8 KiB
	size_t module_len;  // modules' values above it are skipped; 0: only those above window_len
	uint64_t element_types[2]; // by enum rdb_magic, bit n: values of type n come as elements
	                           // whatever their size
	bool elements;      // no RDB_RAW: every value but strings and modules comes as elements
	bool skim;          // no value is looked into: each comes as RDB_SKIPPED, so that the
	                    // window need not hold more than the longest name
	bool lenient;       // go on where no server would take it: RDB versions that we do not know
	                    // (as far as their types are known), functions of release candidates,
	                    // and RDB_COMMAND
};

// Resumable skim over an encoded body; see rdb_skim.h.
#define RDB_SKIM_DEPTH 4
struct rdb_skim {
	const char *at;   // next step of the layout
	uint64_t skip;    // bytes of the current step still to pass over
	uint64_t total;   // bytes passed so far, skip included
	int depth;
	bool tagged;      // among the tagged items of a module
	struct {
		const char *at;
		uint64_t left;
	} loop[RDB_SKIM_DEPTH];
};

// Streaming LZF; see rdb_lzf.h.
struct rdb_lzf {
	uint64_t in_left;
	uint64_t out_left;
	uint64_t out_total;
	uint32_t n_literal;
	uint32_t n_match;
	uint32_t distance;
};

// One ziplist, listpack, intset or zipmap being walked.
struct rdb_node {
	uint64_t left;   // bytes of it not yet walked
	size_t off;      // where it goes on in scratch
	bool in_scratch; // else it is at the window's start
	uint32_t n_left; // intset: elements left
	uint32_t width;  // intset: bytes of an element
};

// The field names that hashes of one layout share (Redis 8.10); see rdb_template.c.
struct rdb_template {
	uint64_t id;
	uint64_t n;   // names
	size_t off;   // of the first, in rdb_reader.template_names
};

// All state of one reader. Fields up to the blank line are for the caller to read, the rest is
// the parser's own.
struct rdb_reader {
	int version;           // 0 until the header has been read
	enum rdb_magic magic;
	uint64_t pos;          // bytes used so far
	size_t need_len;       // with RDB_MORE
	uint64_t n_skipped;    // RDB_SKIPPED events
	uint64_t skip_end;     // position behind what was passed over last
	bool newer;            // the version is one that we do not know
	char error[256];       // one sentence, with RDB_BAD and RDB_CRC_WRONG

	struct rdb_settings set;
	int (*step)(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev);
	uint64_t crc;
	bool summing;   // until the end of the file
	size_t n_ahead; // bytes of the window that are in crc before they were used
	int64_t expire_at_ms;
	int64_t idle_s;
	int16_t freq;

	const struct rdb_type *type; // of the value being read
	struct rdb_skim skim;
	size_t body_off;             // from the window's start to the body
	size_t skim_off;             // from the window's start to where the skim is
	uint64_t left;               // bytes of a long string, or elements of a big value
	struct rdb_lzf lzf;
	struct rdb_node node;
	int64_t min_expire_at_ms;

	// Streams.
	struct rdb_stream_id master;
	size_t names_off; // master entry's fields, in scratch
	size_t names_len;
	uint32_t n_names;
	uint64_t n_groups;
	uint64_t n_consumers;
	uint64_t n_pending;
	size_t group_len;    // name, at the start of scratch
	size_t pel_off;      // the group's pending list, in scratch
	uint64_t n_pel;
	size_t consumer_off; // name, in scratch
	size_t consumer_len;

	uint64_t n_producers; // of idempotent entries

	struct rdb_template *templates;
	size_t n_templates, templates_cap;
	char *template_names; // length (4 bytes), name; length, name...
	size_t template_names_len, template_names_cap;
	uint64_t template_left; // names of the template at hand; UINT64_MAX: not chosen yet
	size_t template_off;

	char *scratch;
	size_t scratch_cap;
	size_t scratch_used;
	char num[3][24];     // integers as text
	char score_text[32];
};

// @return 0, or -EINVAL when the settings contradict each other
int rdb_reader_init(struct rdb_reader *r, const struct rdb_settings *set);
void rdb_reader_fini(struct rdb_reader *r);

// Take the next event out of the window.
//
// The window is the caller's unread bytes: it begins with the first byte that was not used, and its
// end never moves back between calls. `*used` bytes may be released, with RDB_EVENT once the event
// has been dealt with; with RDB_MORE at once. Truncated input is RDB_MORE: see rdb_truncated().
//
// @param in    unread bytes
// @param ev    filled with RDB_EVENT: only the fields that enum rdb_event_kind names
// @param used  bytes of `in` that were taken, set in every case
enum rdb_result rdb_next(struct rdb_reader *r, struct span in, struct rdb_event *ev, size_t *used);

// For a caller that was told RDB_MORE and has no more: puts the sentence into r->error.
//
// @param n_unused  bytes left in the window
const char *rdb_truncated(struct rdb_reader *r, size_t n_unused);

// @return false when there are no more pairs
bool rdb_fields_next(struct rdb_fields *f, struct rdb_field *out);

// The lowest RDB version that owns a type, for the RESTORE footer; 0 for an unknown type.
uint16_t rdb_type_version(enum rdb_magic magic, uint8_t type);

// Text for people: "list", "stream"...
const char *rdb_kind_name(enum rdb_kind kind);

#define RDB_MODULE_NAME_LEN 9

// The name of a module's type, from its id.
//
// @param name  RDB_MODULE_NAME_LEN + 1 bytes, NUL-terminated
void rdb_module_name(uint64_t module_id, char *name);
