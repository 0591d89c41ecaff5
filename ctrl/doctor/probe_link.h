// SPDX-License-Identifier: BSD-3-Clause
// A replication link of a probe's own: it reads what the source sends its replicas. Foreign writes
// pass by unseen.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/probe_words.h"

struct probe_link {
	struct client client;
	const struct probe_names *names;
	uint64_t acked_ms;
	bool (*go_on)(void *arg);
	void *arg;
};

// Attach to the source's stream where it is now: from its backlog, or with `full` by a full sync,
// of which the data are left out where the source can do that (7.0), and dropped elsewhere.
//
// @param l     names, go_on and arg set by the caller; to be closed in any case
// @param info  of the source, fresh: replid and offset
// @return      0, or -1: CONNECT..., PSYNC_REFUSED; LINK_STATE when it would take a full sync
int probe_link_open(struct probe_link *l, const struct endpoint *source,
		    const struct server_facts *info, bool full, struct failure *f);

// Gather our commands up to the fence with this number, which is SET PREFIXfence NUMBER.
//
// @param came  out: with the frames of transactions of ours; no SELECT, PING, REPLCONF
// @return      0, or -1: CONNECT, DEADLINE, LINK_STATE when the caller does not go on
int probe_link_gather(struct probe_link *l, unsigned fence, struct probe_list *came,
		      struct failure *f);

void probe_link_close(struct probe_link *l);
