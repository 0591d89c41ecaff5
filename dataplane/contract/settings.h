// SPDX-License-Identifier: BSD-3-Clause
// Settings of a link, one row each: field, kind, default, min, max, help. The struct, the command
// line (--field-name, '_' as '-'), the configuration file (field-name) and the help follow.
//
// Kinds: U64 a number; BYTES a number with an optional KB, MB, GB; MS a number of milliseconds with
// an optional ms, s, m, h; BOOL yes or no; ENUM one of the words in the help, separated by '|', the
// value is the index of the word; DATABASES a map of them, see db_map.h.
#pragma once

#include <stdint.h>

#include "dataplane/contract/db_map.h"

#define KB (1ull << 10)
#define MB (1ull << 20)
#define GB (1ull << 30)

#define LINK_SETTINGS(X)                                                                           \
	X(lanes, U64, 1, 1, 32, "ordered writers to the target, each with its own connection")     \
	X(memory_window, BYTES, 64 * MB, 1 * MB, 64 * GB, "memory for the stream's log")           \
	X(snapshot_window, BYTES, 8 * MB, 1 * MB, 1 * GB, "memory for the snapshot on its way")    \
	X(snapshot_patience, MS, 5000, 0, 86400000,                                                \
	  "how long in all the target may hold a snapshot back before it goes through the disk")   \
	X(disk_limit, BYTES, 16 * GB, 0, 1024 * 1024 * GB,                                         \
	  "most disk for what does not fit the windows, for the snapshot and for the stream "      \
	  "each; "                                                                                 \
	  "0: none, the source is held back")                                                      \
	X(log_sync, ENUM, 1, 0, 2, "never|interval|always")                                        \
	X(log_sync_interval, MS, 1000, 1, 3600000, "time between two syncs of the log on disk")    \
	X(log_keep, BYTES, 0, 0, 1024 * 1024 * GB,                                                 \
	  "bytes of the stream kept on disk behind the frontier; above 0 all of it goes to disk")  \
	X(log_keep_time, MS, 86400000, 0, 31536000000ull, "and not longer than this")              \
	X(keep_snapshot, BOOL, 0, 0, 1,                                                            \
	  "keep the snapshot on disk, to fill a target that comes back empty")                     \
	X(big_value, BYTES, 256 * KB, 4 * KB, 512 * KB, "values above it are sent in pieces")      \
	X(batch_commands, U64, 128, 1, 4096, "most commands in one batch")                         \
	X(batch_bytes, BYTES, 64 * KB, 1 * KB, 1 * MB, "bytes after which a batch is closed")      \
	X(inflight_commands, U64, 16384, 1, 1048576, "most commands of a lane without an answer")  \
	X(inflight_bytes, BYTES, 8 * MB, 64 * KB, 1 * GB,                                          \
	  "most bytes of a lane without an answer")                                                \
	X(ack, ENUM, 0, 0, 1, "observer|applied")                                                  \
	X(delivery, ENUM, 0, 0, 1, "exactly-once|at-least-once")                                   \
	X(on_error, ENUM, 0, 0, 1, "park|stop")                                                    \
	X(field_ttl, ENUM, 0, 0, 1, "park|drop")                                                   \
	X(extra_keys, ENUM, 0, 0, 2, "auto|delete|keep")                                           \
	X(until, ENUM, 0, 0, 1, "forever|caught-up")                                               \
	X(net, ENUM, 0, 0, 2, "auto|kernel|dpdk")                                                  \
	X(congestion, ENUM, 0, 0, 2, "auto|cubic|bbr")                                             \
	X(fail_fast, BOOL, 0, 0, 1,                                                                \
	  "end at the first refusal to connect, do not wait for a server")                         \
	X(connect_timeout, MS, 5000, 100, 600000, "longest wait for one connection to open")       \
	X(wait_timeout, MS, 3600000, 1000, 604800000, "longest wait for a server to come back")    \
	X(loading_timeout, MS, 600000, 1000, 604800000,                                            \
	  "longest wait for LOADING, NOMASTERLINK, a snapshot to begin")                           \
	X(repl_timeout, MS, 60000, 1000, 3600000,                                                  \
	  "silence of the source after which it is connected again")                               \
	X(prefer_replica, ENUM, 0, 0, 2, "auto|yes|no")                                            \
	X(preflight, BOOL, 1, 0, 1, "look at both servers as the link begins, and warn")           \
	X(db_map, DATABASES, 0, 0, DB_NUMBER_MAX,                                                  \
	  "FROM:TO[,FROM:TO...]: the databases that are synced and where they go; empty: all, "    \
	  "each to its own")

enum setting_log_sync { LOG_SYNC_NEVER, LOG_SYNC_INTERVAL, LOG_SYNC_ALWAYS };
enum setting_ack { ACK_OBSERVER, ACK_APPLIED };
enum setting_delivery { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };
enum setting_on_error { ON_ERROR_PARK, ON_ERROR_STOP };
// Expiries of hash fields, for a target that has none: park what carries them, or send it without.
enum setting_field_ttl { FIELD_TTL_PARK, FIELD_TTL_DROP };
// Whether a replica that is well is read instead of its master: auto of a cluster, not of a master
// that sentinels watch.
enum setting_prefer_replica { PREFER_REPLICA_AUTO, PREFER_REPLICA_YES, PREFER_REPLICA_NO };
enum setting_extra_keys { EXTRA_KEYS_AUTO, EXTRA_KEYS_DELETE, EXTRA_KEYS_KEEP };
enum setting_until { UNTIL_FOREVER, UNTIL_CAUGHT_UP };
// Over which network: as the host has it for its links, the kernel's, or our own TCP.
enum setting_net { NET_AUTO, NET_KERNEL, NET_DPDK };
// How TCP finds its rate. AUTO: as the host has it, our own TCP by its setting, the kernel by its
// sysctl.
enum setting_congestion { CONGESTION_AUTO, CONGESTION_CUBIC, CONGESTION_BBR };

#define SETTING_TYPE_U64       uint64_t
#define SETTING_TYPE_BYTES     uint64_t
#define SETTING_TYPE_MS        uint64_t
#define SETTING_TYPE_BOOL      uint64_t
#define SETTING_TYPE_ENUM      uint64_t
#define SETTING_TYPE_DATABASES struct db_map
#define X(name, kind, def, min, max, help) SETTING_TYPE_##kind name;
struct link_settings {
	LINK_SETTINGS(X)
};
#undef X

enum setting_kind {
	SETTING_U64,
	SETTING_BYTES,
	SETTING_MS,
	SETTING_BOOL,
	SETTING_ENUM,
	SETTING_DATABASES,
};

#define SETTING_TEXT_LEN DB_MAP_TEXT_LEN // the longest value

struct setting_row {
	const char *name; // with '-'
	enum setting_kind kind;
	uint64_t def, min, max;
	const char *help;
	uint32_t field; // offset in struct link_settings
};

// All rows, in the order of the struct. @param n  out: how many
const struct setting_row *setting_rows(unsigned *n);

// Every field at its default.
void settings_default(struct link_settings *s);

// Set one field from text, as it stands on a command line or in a file.
//
// @param name   with '-' or '_'
// @param why    out, on error: a sentence that names the setting and its limits
// @return 0, -ENOENT no such setting, -EINVAL not of its kind, -ERANGE outside its limits
int setting_set(struct link_settings *s, const char *name, const char *text, char *why,
		unsigned why_len);

// One field as text in the form that setting_set() takes. @return bytes as snprintf()
int setting_text(const struct link_settings *s, const struct setting_row *row, char *out,
		 unsigned out_len);

// A size as settings have it, "64KB". @return 0, -EINVAL not a size, -ERANGE too large
int setting_bytes(const char *text, uint64_t *bytes);
