// SPDX-License-Identifier: BSD-3-Clause
// Markers in a cluster, where a transaction covers one slot. Two kinds of keys of one form:
//
//   __flyover:{TAG}:LINK        the slot marker, written in the transaction of each command that
//                               must not run twice: what begins before OFFSET is held here
//   __flyover:{TAG}:LINK:low    a claim, written now and then into one slot of each node
//
// TAG is cluster_tag() of a slot, so a key lies with the data and moves with it. The value:
//
//   2 EPOCH SITE REPLID PHASE OFFSET DB RUN SEQ LOW FIRST-LAST NODE
//
// All but the last three as in marker.h; of a claim OFFSET is LOW, and DB is selected there. LOW of
// either kind claims: of the slots FIRST to LAST everything before LOW had been answered, by
// whatever node, when this was written, 0: nothing is claimed. So the node that holds the key holds
// what it owns of these slots up to LOW. That stays true of slots that come to it later, since
// their keys had been written where they were; and of a replica that takes over, since it had the
// data before the claim. It is not true of a node to which the key has moved with its slot while
// the one that it was written to lives on elsewhere: NODE, an id, tells them apart.
#pragma once

#include "dataplane/apply/marker.h"
#include "parsers/cluster.h"

#define SLOT_MARKER_SET_LEN (MARKER_SET_LEN + 128)

struct slot_marker {
	struct marker marker; // its client is not used
	uint64_t low;
	uint16_t first_slot, last_slot; // that LOW speaks of
	char node[CLUSTER_ID_LEN + 1];  // that it was written to
};

// @param out  MARKER_KEY_LEN bytes; @return its length
size_t slot_marker_key(char *out, const char *link, uint16_t slot);
size_t slot_claim_key(char *out, const char *link, uint16_t slot);

// Compose "SET key value" in RESP. @param out  SLOT_MARKER_SET_LEN bytes; @return its length
size_t slot_marker_set(char *out, struct span key, const struct slot_marker *m);

// @return 0, or -EINVAL: not one of these
int slot_marker_parse(struct slot_marker *m, struct span text);
