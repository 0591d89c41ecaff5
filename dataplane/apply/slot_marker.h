// SPDX-License-Identifier: BSD-3-Clause
// Markers in a cluster, where a transaction covers one slot. Two kinds of keys of one form:
//
//   __flyover:{TAG}:LINK        the slot marker, written in the transaction of each command that
//                               must not run twice: what begins before OFFSET is held here
//   __flyover:{TAG}:LINK:low    a claim, written now and then into one slot of each node
//
// TAG is cluster_tag() of a slot, so a key lies with the data and moves with it. The value:
//
//   4 EPOCH SITE REPLID PHASE OFFSET DB RUN SEQ LOW FIRST-LAST NODE OWNED LOOKS
//
// All but the last five as in marker.h; of a claim OFFSET is LOW, and DB is selected there. LOW of
// either kind claims: of the slots FIRST to LAST everything before LOW had been answered, by
// whatever node, when this was written, 0: nothing is claimed. So the node that holds the key holds
// what it owned of these slots then, up to LOW; and so does a replica that takes over, since it had
// the data before the claim. OWNED, a digest of the slots that the node owned, tells whether it
// owns the same ones still. Of slots that came to it since it holds what they had where they were,
// and that may be less: a replica that lacked writes took over there first. It is not true at all
// of a node to which the key has moved with its slot while the one that it was written to lives on
// elsewhere: NODE, an id, tells them apart. LOOKS, times that the epoch's life went back to what
// the markers say, tells with EPOCH and LOW which claim is the later one.
#pragma once

#include "dataplane/apply/marker.h"
#include "parsers/cluster.h"

#define SLOT_MARKER_SET_LEN (MARKER_SET_LEN + 160)

struct slot_marker {
	struct marker marker; // its client is not used
	uint64_t low;
	uint16_t first_slot, last_slot; // that LOW speaks of
	char node[CLUSTER_ID_LEN + 1];  // that it was written to
	uint64_t owned; // digest of what that owned
};

// Of one slot; that of a set is those of its members, combined by exclusive or.
uint64_t slot_digest(uint16_t slot);

// @param out  MARKER_KEY_LEN bytes; @return its length
size_t slot_marker_key(char *out, const char *link, uint16_t slot);
size_t slot_claim_key(char *out, const char *link, uint16_t slot);

// Compose "SET key value" in RESP. @param out  SLOT_MARKER_SET_LEN bytes; @return its length
size_t slot_marker_set(char *out, struct span key, const struct slot_marker *m);

// @return 0, or -EINVAL: not one of these
int slot_marker_parse(struct slot_marker *m, struct span text);
