// SPDX-License-Identifier: BSD-3-Clause
// What is known of the two servers of a link. gather.c fills it, the rows judge it; nothing in here
// talks to anybody.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/doctor/verbs.h"
#include "ctrl/rights.h"
#include "dataplane/contract/contract.h"
#include "parsers/cluster.h"
#include "parsers/resp.h"

#define UNKNOWN     (-1)
#define FACT_LEN    128
#define MODULES_MAX 32
#define LACKING_MAX 16

// Fields of INFO that are numbers: member, name there.
#define INFO_NUMBERS(X)                                                                            \
	X(loading, "loading")                                                                      \
	X(connected_clients, "connected_clients")                                                  \
	X(maxclients, "maxclients")                                                                \
	X(used_memory, "used_memory")                                                              \
	X(used_memory_startup, "used_memory_startup")                                              \
	X(used_memory_dataset, "used_memory_dataset")                                              \
	X(total_system_memory, "total_system_memory")                                              \
	X(maxmemory, "maxmemory")                                                                  \
	X(libraries, "number_of_libraries")                                                        \
	X(bgsave_s, "rdb_last_bgsave_time_sec")                                                    \
	X(good_replicas, "min_slaves_good_slaves")                                                 \
	X(backlog_active, "repl_backlog_active")                                                   \
	X(offset, "master_repl_offset")                                                            \
	X(input_bytes, "total_net_input_bytes")                                                    \
	X(calls, "total_commands_processed")                                                       \
	X(time_us, "server_time_usec")

// The same, texts.
#define INFO_TEXTS(X)                                                                              \
	X(mode, "redis_mode")                                                                      \
	X(run_id, "run_id")                                                                        \
	X(role, "role")                                                                            \
	X(replid, "master_replid")                                                                 \
	X(master_host, "master_host")                                                              \
	X(master_port, "master_port")                                                              \
	X(master_link, "master_link_status")                                                       \
	X(policy, "maxmemory_policy")                                                              \
	X(bgsave_status, "rdb_last_bgsave_status")                                                 \
	X(aof_status, "aof_last_write_status")

// Settings: member, what CONFIG GET is asked for.
#define CONFIG_NUMBERS(X)                                                                          \
	X(backlog_size, "repl-backlog-size")                                                       \
	X(backlog_ttl_s, "repl-backlog-ttl")                                                       \
	X(repl_timeout_s, "repl-timeout")                                                          \
	X(ping_period_s, "repl-ping-*-period")                                                     \
	X(diskless_delay_s, "repl-diskless-sync-delay")                                            \
	X(min_replicas, "min-*-to-write")                                                          \
	X(databases, "databases")                                                                  \
	X(bulk_max, "proto-max-bulk-len")

#define CONFIG_TEXTS(X)                                                                            \
	X(output_limit, "client-output-buffer-limit")                                              \
	X(diskless, "repl-diskless-sync")                                                          \
	X(stop_writes, "stop-writes-on-bgsave-error")                                              \
	X(save, "save")                                                                            \
	X(full_coverage, "cluster-require-full-coverage")

struct module {
	char name[48];
	int64_t version;
};

// What a cluster says of itself.
struct cluster_facts {
	bool present;
	unsigned n_masters, n_replicas;
	unsigned n_uncovered, first_uncovered; // slots without an owner, or whose owner is failing
	unsigned n_moving, moving_port;        // slots that go to or from one node
	unsigned n_lonely;                     // masters with slots and without a replica
	unsigned n_failing;
	char failing[CLUSTER_HOST_LEN + 8];    // "host:port" of one of those
};

// What our user may do at one server.
struct rights_facts {
	char host[CLUSTER_HOST_LEN]; // of a node of a cluster; "": the server is the only one
	unsigned port;
	bool known;             // the rest means something
	struct verb_set denied; // the user may not
	struct verb_set absent; // the server has no such command
	bool keys_denied, marker_denied, channels_denied;
	char refused[FACT_LEN]; // why it does not let us in, "" when it does
};

// One sentinel.
struct sentinel_facts {
	char host[URL_HOST_LEN];
	unsigned port;
	char user[128];         // who we are there
	bool knows;             // the master's name
	bool needed;            // one of the words is
	char trouble[300];      // why it was not asked, "" when it was
	char words[FACT_LEN];   // for ACL SETUSER, of what it has denied: " +sentinel|master"
	const char *without;    // what a link does less without the first of them, NULL: it ends
};

// One server. Numbers are UNKNOWN and texts "" when it did not say. Of a cluster: the master with
// the lowest id, with the keys and the memory of all.
struct server_facts {
	const char *who; // "the source", "the target"
	char cli[512];   // words that reach it: "redis-cli -h 10.0.0.1 -p 6379"
	char user[128];  // who we are there
	char host[256];
	unsigned port;
	int32_t db;      // the only database that is synced there, or -1

	bool valkey;
	unsigned version; // major << 8 | minor; 0 unknown
	char version_text[40]; // "redis 7.0.15"
#define X(member, name) int64_t member;
	INFO_NUMBERS(X)
	CONFIG_NUMBERS(X)
#undef X
#define X(member, name) char member[FACT_LEN];
	INFO_TEXTS(X)
	CONFIG_TEXTS(X)
#undef X
	bool config_refused;
	int64_t output_hard, output_soft, output_soft_s; // of replicas; 0 unlimited

	uint64_t keys;     // of the databases that are synced
	int64_t top_db;    // highest database with keys, UNKNOWN when there are none
	bool field_expiry; // there are hashes whose fields expire
	int64_t skew_ms;   // how far its clock is from ours, 0 when that lies within the round trip

	struct cluster_facts cluster;

	bool modules_known;
	unsigned n_modules;
	struct module modules[MODULES_MAX];

	enum rights_kind kind;
	struct rights_facts rights; // of a cluster only what no node has, and whether all are known
	unsigned n_nodes, n_lacking;              // of a cluster: that were asked, that lack any
	struct rights_facts lacking[LACKING_MAX]; // the first of these
	unsigned n_sentinels;
	struct sentinel_facts sentinels[URL_NODES_MAX];

	struct verb_set used; // called since the server's start
	int64_t write_calls;  // how often, those of the stream alone
};

struct facts {
	struct server_facts source, target;
	char link[NAME_LEN];
	struct link_settings settings;
	bool ours;         // the target holds markers of this link
	uint64_t reserved; // keys there that are Flyover's own, of any link; as far as was looked
	int64_t write_rate;   // bytes a second of the source's stream, UNKNOWN
	bool rate_is_guess;   // the source counts no stream yet: by what its clients send
};

// Everything unknown.
void facts_init(struct facts *k, const struct link_config *c);

// Take what a server answered.
//
// @param info       of INFO ALL
// @param before_us  our wall clock when it was asked, and
// @param after_us   when it had answered
void facts_info(struct server_facts *s, struct span info, int64_t before_us, int64_t after_us);

// Take what a cluster says of itself.
void facts_cluster(struct server_facts *s, const struct cluster_map *map);

// Add what the next master of a cluster answered to INFO.
void facts_add(struct server_facts *sum, const struct server_facts *one);

// Take the rate of writes from a later look at the source.
//
// @param ms  between the two
void facts_rate(struct facts *k, const struct server_facts *later, uint64_t ms);

// The reply to CONFIG GET of the i-th name of config_names(). An error counts as a refusal.
void facts_config(struct server_facts *s, unsigned i, const struct resp_value *v, unsigned n);
const char *const *config_names(unsigned *n);

// The reply to MODULE LIST.
void facts_modules(struct server_facts *s, const struct resp_value *v, unsigned n);

// A number in front of a text. @return UNKNOWN when there is none
int64_t number_read(const char *text);
