// SPDX-License-Identifier: BSD-3-Clause
// The shared memory between flyoverd and flyover-dataplane: one memfd, made by flyoverd, mapped by
// both, inherited as file descriptor CONTRACT_FD. No pointers inside. Each zone names its writer.
//
//   flyoverd                              flyover-dataplane
//     links[i].config      ----->           read when LINK_START arrives
//     commands (SPSC)      ----->           core 0, every turn and at least every 100 ms
//     links[i].state       <-----           core that reads the source of the link
//     links[i].lanes[j]    <-----           core of the lane
//     members[k]           <-----           core 0 its configuration, the rest as links[i]
//     events (SPSC)        <-----           core 0
//     cores[k].heartbeat   <-----           core k, every turn and at least every 100 ms
//     traces.rings[f]      <-----           core of flow f, when TCP is ours
//     network              <-----           core 0, when TCP is ours
//     network_counters[k]  <-----           core k, every 100 ms
//     flows.rows           <-----           core of the connection; flyoverd hands them on
//
// The memory outlives either process: a restarted dataplane gets a fresh one, a restarted flyoverd
// takes it from /proc/PID/fd/CONTRACT_FD of the running dataplane.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/contract/counters.h"
#include "dataplane/contract/errors.h"
#include "dataplane/contract/flows.h"
#include "dataplane/contract/settings.h"
#include "dataplane/contract/trace.h"
#include "parsers/url.h"

#define CONTRACT_MAGIC 0x72765f6f796c66ull // "flyo_vr"
#define CONTRACT_ABI   7
#define CONTRACT_FD    3
#define EXIT_DEVICE    4 // of the dataplane: no device; the last line of its stderr says why
#define LINKS_MAX      16
#define MEMBERS_MAX    64 // shards of all links whose source is a cluster
#define LANES_MAX      32
#define CORES_MAX      32
#define NAME_LEN       64
#define STATE_DIR_LEN  256
#define TEXT_LEN       240

// How a server is spoken to in TLS. The files are read by who connects, for each connection;
// nothing of what is secret in them ever lies here.
struct endpoint_trust {
	char ca[256];          // file or folder of CA certificates; "": the system's
	char cert[256];        // file of our certificate; "": none
	char key[256];         // file of its key; "": the same file
	char server_name[256]; // in the server's certificate; "": the host of the URL
	uint32_t trust_any;    // 1: any certificate will do
};

#define PASSWORD_FILE_LEN 256

// Who we are at a server. Passwords are the one thing that changes while a link runs: flyoverd
// writes what a file has come to hold. Who reads one at that very moment logs in with a mixture, is
// refused, and tries again.
struct credentials {
	char user[URL_USER_LEN];         // "" for the default user
	char password[URL_PASSWORD_LEN]; // "" for none; never logged
	char file[PASSWORD_FILE_LEN];    // where a new one will stand; "" nowhere
	uint32_t has_password;
};

// A deployment: where it is and who we are there. Written by flyoverd.
struct endpoint {
	char host[URL_HOST_LEN];         // nodes[0]: name or address; "" for a unix socket
	char path[URL_PATH_LEN];         // unix socket path; "" for TCP
	char user[URL_USER_LEN];         // "" for the default user
	char password[URL_PASSWORD_LEN]; // "" for none; never logged
	char password_file[PASSWORD_FILE_LEN]; // where a new one will stand; "" nowhere
	uint16_t port;                   // nodes[0]: host byte order
	uint16_t has_password;
	int32_t db;                      // database of the URL, -1 when it has none
	uint32_t tls;                    // 1: TLS, to every server and sentinel
	uint32_t net;        // enum setting_net, of the link; never auto. 0 for a unix socket
	uint32_t congestion; // enum setting_congestion, of the link
	uint32_t link;       // number of the link, from 1, for its traces; never given twice
	uint32_t kind;       // enum url_kind
	uint32_t n_nodes;    // 1; of a cluster the seeds, of sentinels those of the URL; 0: unix
	struct url_node nodes[URL_NODES_MAX];
	char master[URL_MASTER_LEN];     // the name that the sentinels know it by
	struct credentials sentinel;     // at the sentinels
	struct endpoint_trust trust;     // with tls
};

// Whether a refused password, which was right before, is to be waited for: by a link that outlives
// what happens to it, and by a job whose password stands in a file.
static inline bool endpoint_password_may_change(const struct endpoint *e, bool fail_fast)
{
	return !fail_fast || e->password_file[0];
}

// A link, immutable while it runs but for its passwords. Written by flyoverd before LINK_START.
struct link_config {
	char name[NAME_LEN];      // [A-Za-z0-9_.-]+
	char site[NAME_LEN];      // origin site of the markers
	char state_dir[STATE_DIR_LEN]; // folder of this link: checkpoint, holds, parked commands
	struct endpoint source, target;
	struct link_settings settings;
	uint64_t core_mask;       // bit k: core k may be used; 0: flyover chooses
	uint32_t of;              // of a member: number of its link + 1; else 0
};

// The databases that a link syncs and where they go: as db-map has it, else the one of a URL, which
// is that of the other side too where that names none.
void link_databases(const struct link_config *c, struct db_map *dbs);

#define LINK_PHASES(X)                                                                             \
	X(IDLE, "idle")                                                                            \
	X(CONNECTING, "connecting")                                                                \
	X(SNAPSHOT, "snapshot")                                                                    \
	X(STREAM, "stream")                                                                        \
	X(DRAINING, "draining")                                                                    \
	X(PAUSED, "paused")                                                                        \
	X(DONE, "done")                                                                            \
	X(FAILED, "failed")

enum link_phase {
#define X(name, text) PHASE_##name,
	LINK_PHASES(X)
#undef X
	PHASE_COUNT
};

// @return the word of the CLI contract, e.g. "snapshot"
const char *link_phase_text(enum link_phase phase);

// A short text under a sequence lock: odd while it is being written.
struct shared_text {
	_Atomic uint32_t seq;
	char text[TEXT_LEN];
};

// What a link is doing. Written by the core that reads its source.
struct link_state {
	_Atomic uint32_t phase;           // enum link_phase
	_Atomic uint32_t error;           // enum error_id, when phase is FAILED
	_Atomic uint32_t caught_up;       // 1 once the frontier has reached the catch-up offset
	_Atomic uint32_t lanes;           // lanes in use
	_Atomic uint64_t
		catch_up_offset; // the source's offset when the snapshot was loaded, 0 unknown
	_Atomic uint64_t started_ms;      // wall clock
	_Atomic uint64_t wait_deadline_ms; // wall clock, 0 when nothing is waited for
	struct shared_text failure;       // the sentence, when phase is FAILED
	struct shared_text waiting;       // what is waited for, "" when nothing
	struct shared_text note;          // last thing worth telling: why a full sync, a fallback
	struct shared_text delivery;      // which one holds and why
	struct shared_text resumed;       // where the stream was taken up, and what from
	struct shared_text full_sync;     // why there was the last full sync, "" when none
	struct shared_text replid;        // 40 hex digits of the stream
	struct shared_text source_version; // "redis 7.0.15"; "" unknown
	struct shared_text target_version;
	struct shared_text source_at; // where the sentinels' master is, "" when none are asked
	struct shared_text target_at;
	struct shared_text io;            // "epoll", "io_uring", "epoll (io_uring: EPERM)"
	struct shared_text disk;          // of the log: "io_uring, O_DIRECT", "not used yet", "off"
	struct source_counters counters;
} __attribute__((aligned(64)));

// A link, or a member: one shard of a link whose source is a cluster. Such a link's own state and
// counters are the sums over its members.
struct link_slot {
	struct link_config config;                // writer: flyoverd; of a member core 0
	struct link_state state;                  // writer: reading core
	struct lane_counters lanes[LANES_MAX];    // writer: the lane's core
} __attribute__((aligned(64)));

enum command_verb {
	COMMAND_LINK_START,  // take links[link].config and begin; phase IDLE, DONE or FAILED before
	COMMAND_LINK_PAUSE,  // stop reading from the log; connections stay
	COMMAND_LINK_RESUME,
	COMMAND_LINK_DRAIN,  // apply what was received, write the last markers, end in DONE
	COMMAND_LINK_STOP,   // end now, in DONE
	COMMAND_EXIT,        // drain nothing, close everything, leave
};

// flyoverd -> dataplane
struct command_record {
	uint32_t verb; // enum command_verb
	uint32_t link; // index into links
};

enum event_level { EVENT_DEBUG, EVENT_INFO, EVENT_WARN, EVENT_ERROR };

// dataplane -> flyoverd: one line of the log
struct event_record {
	uint64_t time_ms; // wall clock
	uint32_t level;   // enum event_level
	uint32_t link;    // index, or LINKS_MAX when it is about no link
	char text[TEXT_LEN];
};

// Single-producer single-consumer ring of records, free-running indexes. Full: the producer drops
// the record and counts it.
#define RECORD_RING(type, size)                                                                    \
	struct {                                                                                   \
		_Atomic uint64_t head __attribute__((aligned(64))); /* producer writes */          \
		_Atomic uint64_t dropped;                           /* producer writes */          \
		_Atomic uint64_t tail __attribute__((aligned(64))); /* consumer writes */          \
		struct type records[size];                                                         \
	}

#define COMMAND_RING_SIZE 64
#define EVENT_RING_SIZE   256

struct core_slot {
	_Atomic uint64_t heartbeat_ms; // wall clock of the last turn
	_Atomic uint64_t turns;
	_Atomic uint64_t busy_turns;   // turns that found something to do
} __attribute__((aligned(64)));

struct contract {
	uint64_t magic;
	uint32_t abi;
	uint32_t size; // bytes of this struct as the maker saw it
	_Atomic uint32_t dataplane_pid;
	_Atomic uint32_t ready; // 1 once the dataplane runs its cores
	_Atomic uint32_t n_cores;
	uint32_t n_links_begun; // numbers of links given so far; writer: flyoverd
	RECORD_RING(command_record, COMMAND_RING_SIZE) commands;
	RECORD_RING(event_record, EVENT_RING_SIZE) events;
	struct core_slot cores[CORES_MAX];
	struct network_counters network_counters[CORES_MAX];
	struct shared_text network;         // "dpdk net_tap0, 10.99.0.2/24"; "": the kernel's alone
	struct shared_text network_trouble; // a sentence, "" when there is none
	struct flow_rows flows; // the life that takes them finds the former's, and pokes those
	struct link_slot links[LINKS_MAX];
	struct link_slot members[MEMBERS_MAX]; // free: without a name
	struct trace_zone traces;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct command_record) == 8, "crosses processes");
_Static_assert(sizeof(struct event_record) == 256, "crosses processes");
_Static_assert(sizeof(struct core_slot) == 64, "one line, one writer");

// Check magic, ABI and size of a mapping.
//
// @return 0, or -EPROTO when the other side was built from another contract
int contract_check(const struct contract *c);

// Writer side of a shared text. @param text  cut at TEXT_LEN - 1 bytes
void shared_text_set(struct shared_text *t, const char *text);

// Reader side; retries while the writer is at it. @param out  TEXT_LEN bytes
void shared_text_get(const struct shared_text *t, char *out);

// @return 0, or -ENOBUFS when the ring is full (counted in dropped)
int contract_command_push(struct contract *c, struct command_record r);
int contract_event_push(struct contract *c, const struct event_record *r);

// @return 1 when a record was taken, 0 when the ring is empty
int contract_command_pop(struct contract *c, struct command_record *r);
int contract_event_pop(struct contract *c, struct event_record *r);
