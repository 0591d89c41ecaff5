// SPDX-License-Identifier: BSD-3-Clause
// Streams without sockets: what is written lies in `out`, what the test puts into `in` is read. One
// stream at a time, with partial writes, lost connections and a clock that the test moves.
#pragma once

#include "drivers/clock.h"
#include "drivers/stream.h"

#define FAKE_STREAM_LEN (1 << 20)

struct fake_loop {
	struct stream_loop base;
	struct stream stream;
	char out[FAKE_STREAM_LEN], in[FAKE_STREAM_LEN];
	size_t n_out, n_in;
	size_t write_max; // bytes one write takes, 0: all
	bool stuck;       // writes say -EAGAIN
	bool refuse;      // connects fail
	bool lost;        // reads say the end once `in` is empty
	unsigned n_connects, n_closes;
	char host[64]; // of the last connect
	uint16_t port;
};

// The loop; `base` is what a core is given.
void fake_loop_init(struct fake_loop *l);

// Bytes for the stream to read.
void fake_reply(struct fake_loop *l, const char *p, size_t len);

// The connection goes; what was not read is gone too.
void fake_lose(struct fake_loop *l);

// Virtual time of all fakes.
extern struct clock_reading fake_now;
extern const struct clock_ops fake_clock;
