// SPDX-License-Identifier: BSD-3-Clause
// The command line of `flyover`: verbs and options are rows, and the help follows from them.
#pragma once

#include <stdbool.h>

#include "ctrl/failure.h"
#include "dataplane/contract/network.h"

#define ARGS_MAX     64
#define SETTINGS_MAX 64
#define TLS_OPTIONS_MAX 16

// Which options a verb takes, or'ed.
enum option_group {
	OPTIONS_JSON = 1,          // --json
	OPTIONS_SOCKET = 2,        // --socket
	OPTIONS_JOB = 4,           // --state-dir, --cores, --io, --verbose, NETWORK_SETTINGS
	OPTIONS_LINK = 8,          // --config and every setting of a link
	OPTIONS_PASSWORD = 16,     // --source-password-file, --source-tls-ca and the like
	OPTIONS_CHECK = 32,        // --mode, --show
	OPTIONS_DOCTOR = 64,       // --state-dir, --probe, --nic
	OPTIONS_PARKED = 128,      // --state-dir of a job that does not run
	OPTIONS_PAGE = 256,        // --limit, --after
	OPTIONS_RAW = 512,         // --raw
	OPTIONS_ALL = 1024,        // --all
	OPTIONS_RETRY = 2048,      // --target, --target-password-file, --target-tls-ca..., --again
	OPTIONS_YES = 4096,        // --yes
	OPTIONS_DECODE = 8192,     // --format, --out, --report, --db, --match, --type, --limit
	OPTIONS_SCAN = 16384,      // --follow and the like
	OPTIONS_PACE = 32768,      // --max-keys-per-s, --max-bytes-per-s
	OPTIONS_STATE = 65536,     // --state-dir
	OPTIONS_AOF = 131072,      // --until-time, --strict
	OPTIONS_DUMP = 262144,     // --out, --force, --by-scan, what is dumped and how fast
	OPTIONS_RESTORE = 1 << 20, // --db
	OPTIONS_TRACE = 1 << 21,   // --limit of lines
};

struct option_setting {
	const char *name, *text;
};

// What the user said; texts belong to the caller of options_read().
struct options {
	bool json, verbose, help;
	bool watched; // someone waits for it: a refusal ends it, unless fail-fast says otherwise
	const char *socket, *state_dir, *cores, *io, *config;
	struct network_texts network;
	const char *source_password_file, *target_password_file;
	struct option_setting tls[TLS_OPTIONS_MAX]; // by the names of tls_rows()
	unsigned n_tls;
	const char *source_sentinel_user, *target_sentinel_user;
	const char *source_sentinel_password_file, *target_sentinel_password_file;
	const char *mode, *show, *ttl_slack;
	bool raw, all, again, yes;
	const char *limit, *after, *target;
	const char *format, *out, *report, *db, *match, *type; // report: "" without a file
	const char *until_time;
	bool strict;
	bool follow, trust_notifications, by_type, keep_idle, repair, repair_extra, continuous;
	const char *max_keys_per_s, *max_bytes_per_s, *big_value, *wait_timeout, *extra_keys;
	const char *interval;
	bool force, by_scan;
	const char *probe; // "" without a value
	const char *nic;   // a device, of the doctor
	unsigned n_settings;
	struct option_setting settings[SETTINGS_MAX]; // by the names of LINK_SETTINGS
	unsigned n_args;
	const char *args[ARGS_MAX];
};

struct verb {
	const char *word; // one to three words: "sync", "link create"
	const char *args; // for the help: "SOURCE TARGET"
	const char *help;
	unsigned options; // enum option_group
	unsigned args_min, args_max;
	// @return 0, or -1 with f; a failure without sentence was told already
	int (*run)(const struct options *o, struct failure *f);
	const char *notes; // more help, lines of its own; may be NULL
};

// Read the words after the verb's own.
//
// @return 0, or -1: USAGE or CONFIG
int options_read(const struct verb *v, int argc, char **argv, struct options *o, struct failure *f);

// Print what a verb takes to stdout.
void options_help(const struct verb *v);
