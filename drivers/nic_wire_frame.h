// SPDX-License-Identifier: BSD-3-Clause
// The work of a device on frames that carry TCP: sums and cutting. For drivers/nic_wire.c alone.
#pragma once

#include "drivers/nic.h"

// What a segment to be cut becomes: one head for each piece.
struct nic_piece {
	uint8_t head[NIC_HEAD_MAX];
	uint32_t from, len; // of the payload
};

// Make the head of the piece of a long segment that begins at `from`: length, identification,
// sequence number and flags are its own, and the pseudo-header's sum has the length in it.
void nic_frame_cut(const struct nic_packet *p, uint32_t total, uint32_t from,
		   struct nic_piece *piece);

// Fill in what was left to the device.
//
// @param p      says where the headers begin, and which sums are asked for
// @param frame  the whole frame, without padding
void nic_frame_fill(const struct nic_packet *p, uint8_t *frame, uint32_t len, bool fill_tcp);

// Look at the sums of a received frame.
void nic_frame_look(struct nic_frame *f);
