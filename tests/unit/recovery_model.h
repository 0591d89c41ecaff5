// SPDX-License-Identifier: BSD-3-Clause
// RFC 8985's pseudo-code word by word over a plain array, to hold dataplane/tcp/recovery.c against.
// It takes from there only what other tests look at: round trips, and whether a recovery was
// undone.
#pragma once

#include "dataplane/tcp/recovery_priv.h"

#define MODEL_SEGMENTS_MAX 256

struct model_segment {
	uint32_t from, to; // bytes since the beginning of the connection
	uint64_t sent_ns;
	bool sacked, lost, was_resent;
	bool is_due;    // lost, and not wholly sent again
	uint32_t again; // bytes
};

struct model {
	struct model_segment segments[MODEL_SEGMENTS_MAX];
	unsigned n;
	uint32_t una, nxt, high;
	enum recovery_phase phase;
	// RACK.xmit_ts, end_seq, fack, rtt, reordering_seen ...
	uint64_t xmit_ns, rtt_ns, reorder_ns;
	uint32_t end, fack, dsack_round;
	bool reordering_seen, has_dsack_round;
	unsigned reo_wnd_mult, reo_wnd_persist;
};

struct model_block {
	uint32_t from, to;
};

struct model_ack {
	uint32_t ack;
	struct model_block blocks[TCP_SACK_MAX]; // without a DSACK, which comes first
	unsigned n;
	bool has_dsack; // not of a probe
	bool is_undone;
	uint64_t ts_rtt_ns, now_ns;
	uint64_t min_rtt_before_ns, min_rtt_ns, srtt_ns;
};

void model_init(struct model *m);
void model_sent(struct model *m, uint32_t len, uint64_t now_ns);
void model_resent(struct model *m, uint32_t from, uint32_t to, uint64_t now_ns);
void model_take(struct model *m, const struct model_ack *a);
void model_reorder(struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns, uint64_t now_ns);
void model_timeout(struct model *m, uint64_t min_rtt_ns, uint64_t srtt_ns, uint64_t now_ns);

// Whether something is to be sent again, and from there.
bool model_has_due(const struct model *m);
bool model_is_due(const struct model *m, uint32_t from);

// @return NULL, or what is not the same
const char *model_compare(const struct model *m, const struct recovery *r, struct seq iss);
