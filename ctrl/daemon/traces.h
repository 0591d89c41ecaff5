// SPDX-License-Identifier: BSD-3-Clause
// The traces of the dataplane's own TCP connections (dataplane/contract/trace.h): told to who asks,
// and kept in a file when a connection is in trouble, before its ring is used again.
#pragma once

#include "ctrl/daemon/api.h"
#include "dataplane/contract/contract.h"

#define TRACE_FILE_NAME_LEN 128
#define TRACE_FILES_MAX     32 // in the folder `traces` of the state folder; the oldest go

struct traces {
	struct {
		uint32_t alarms;                // as seen last
		uint32_t life;                  // of the ring as its file was written
		char file[TRACE_FILE_NAME_LEN]; // "" when it has none: a flow has one file, the
						// last
	} flows[TRACE_FLOWS_MAX];
	struct trace_view view; // where a ring is copied to
};

// Of a contract that is new to us: what happened before is not ours to write.
void traces_adopt(struct daemon *d);

// Every TICK_MS: write the files of the connections that are in trouble.
void traces_tick(struct daemon *d);

// {"flows": [{"slot", "link", "local", "remote", "open", "records", "lines": [{"time_us", "kind",
// "text", its numbers}]}]}; of one link, or all; the last `limit` lines of each.
json_t *verb_trace(struct daemon *d, const json_t *request, struct failure *f);
