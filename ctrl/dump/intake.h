// SPDX-License-Identifier: BSD-3-Clause
// The bytes of a connection as they come, for what is too large to be a reply as a whole. The
// connection was opened and logged in by its client, and no reply may be on its way to that.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/decode/input.h"
#include "ctrl/pace.h"

struct intake {
	struct client *client;
	struct input input; // the window: input_window(), input_used()
	struct pace pace;
	uint64_t heard_ms;
};

// @param bytes_per_s  0: no limit
// @return 0 or -ENOMEM
int intake_init(struct intake *in, struct client *c, uint64_t bytes_per_s);

// The connection stays the client's.
void intake_fini(struct intake *in);

// From now on we wait for bytes.
void intake_awaits(struct intake *in);

// Take what has come; else wait for it, at most ms, and send what the client has to send.
//
// @return 1 bytes came, 0 none yet, -1 with f: CONNECT, DEADLINE, MEMORY
int intake_turn(struct intake *in, unsigned ms, struct failure *f);
