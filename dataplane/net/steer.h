// SPDX-License-Identifier: BSD-3-Clause
// What the stacks of several cores hand to each other: copies of frames that came to the wrong
// queue. Between each two cores lies a ring for each direction; full: the frame is dropped and
// counted, TCP sends it again.
//
//   sender:   steer_put() ... -> steer_wake() once a turn
//   receiver: steer_take() until there is none
//
// A connection that we opened belongs to the core of its local port, one that was accepted to the
// core that its SYN was handed to: of those that listen, one with the fewest connections.
#pragma once

#include "dataplane/core/ring.h"
#include "drivers/nic.h"

#define STEER_CORES_MAX  32
#define STEER_FRAMES     128 // that may lie between two cores
#define STEER_LISTEN_MAX 32

enum steer_why {
	STEER_YOURS, // it is your flow's
	STEER_OPENS, // it begins a flow of yours, which is counted as such already
	STEER_ASKED, // is it your flow's? Else ask the next core that listens; the last refuses
	STEER_COPY,  // learn from it, do not answer: everybody gets one
};

struct steer_frame {
	struct nic_frame frame; // its bytes lie behind it
	enum steer_why why;
	unsigned origin; // the core that it came to
};

struct steer;

// Shared by all cores. Made before the stacks, freed after them.
//
// @param frame_max  bytes of the longest frame that can be handed on
// @return NULL: no memory, or more cores than STEER_CORES_MAX
struct steer *steer_new(unsigned n_cores, uint32_t frame_max);
void steer_free(struct steer *s);

// How to have a sleeping core look at its rings soon. Before the cores run.
//
// @param wake  may be called from any core; cheap when the core is awake
void steer_on_wake(struct steer *s, unsigned core, void (*wake)(void *arg), void *arg);

// @param origin  `from`, or the core that had it before
// @return false: the ring is full, or the frame too long
bool steer_put(struct steer *s, unsigned from, unsigned to, const struct nic_frame *f,
	       enum steer_why why, unsigned origin);

// Wake all that were put to since the last call. By the sender, at the end of its turn.
void steer_wake(struct steer *s, unsigned from);

// The next frame for `core`. It is good until the next call.
// @return NULL: none
struct steer_frame *steer_take(struct steer *s, unsigned core);

bool steer_is_empty(const struct steer *s, unsigned core);

// `core` takes connections to `port`. @return 0, or -ENOBUFS: too many ports
int steer_listen(struct steer *s, unsigned core, uint16_t port);

// The core has so many connections more, or less.
void steer_count(struct steer *s, unsigned core, int by);

// The core that takes the next connection to `port`: one with the fewest, `self` if it is among
// them, so that nothing is copied without need; else by hash. @return -1: nobody listens
int steer_listener(const struct steer *s, unsigned self, uint16_t port, uint64_t hash);

// The next core to be asked for a flow to `port` that came to `origin`: each that listens has its
// turn once, `origin` none. @return -1: all were asked
int steer_next(const struct steer *s, unsigned self, uint16_t port, unsigned origin);
