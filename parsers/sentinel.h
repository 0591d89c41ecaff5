// SPDX-License-Identifier: BSD-3-Clause
// What sentinels answer (Redis documentation, "High availability with Redis Sentinel").
#pragma once

#include "parsers/resp.h"
#include "parsers/url.h"

// One master, replica or sentinel, as SENTINEL MASTER, REPLICAS and SENTINELS tell of it.
struct sentinel_row {
	struct url_node at;    // port 0: not known
	bool is_well;          // not down, not disconnected, and its link to the master stands
	uint64_t config_epoch; // of a master: higher is newer
	uint64_t offset;       // of a replica, some seconds old
	unsigned n_others;     // of a master: sentinels beside the one that was asked
	unsigned quorum;
};

// SENTINEL GET-MASTER-ADDR-BY-NAME.
//
// @return 0; -ENOENT: it knows no master of that name; -EBADMSG: something else came
int sentinel_address(const struct resp_value *v, unsigned n, struct url_node *out);

// SENTINEL MASTER. @return 0, or -EBADMSG
int sentinel_master(const struct resp_value *v, unsigned n, struct sentinel_row *out);

// SENTINEL REPLICAS, SENTINEL SENTINELS. @return how many rows were filled, max at most
unsigned sentinel_rows(const struct resp_value *v, unsigned n, struct sentinel_row *out,
		       unsigned max);

// A message of the channel +switch-master: "name old-host old-port new-host new-port".
//
// @param name  of the master that is of interest
// @return whether it speaks of that one; out is where the master is said to be now
bool sentinel_switch(struct span message, const char *name, struct url_node *out);
