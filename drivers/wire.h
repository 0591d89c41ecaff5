// SPDX-License-Identifier: BSD-3-Clause
// A model of one direction of a link, with the faults of a long path. Pure: time is an argument,
// and what is drawn follows from the seed, so the same calls give the same frames at the same
// times.
//
//   wire_put(): down -> MTU -> loss -> rate and queue -> policer -> delay -> reorder -> duplicate
//               -> corrupt -> bunch                                            -> wire_take()
//
// Every stage is off when its settings are 0. The rate server is computed, not stepped: what a
// frame meets depends only on frames before it, so wire_put() decides its whole fate. The same
// model serves the simulation in virtual time (tests/sim) and the emulator in real time
// (tools/wan).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define WIRE_NO_DEADLINE UINT64_MAX
#define WIRE_STEPS_MAX   16
#define WIRE_DOWNS_MAX   8
#define WIRE_LOSE_MAX    32
#define WIRE_HELD_MAX    16 // most frames held back by positions at a time

// Bytes on an Ethernet beyond those of the frame: preamble, FCS, gap between frames.
#define WIRE_OVERHEAD 24

// What became of a frame beside being delivered in its turn. The first lot dropped it.
#define WIRE_FATES(X)                                                                              \
	X(DOWN, down)           /* put while the link was down */                                  \
	X(TOO_BIG, too_big)     /* longer than the MTU */                                          \
	X(LOSS, loss)           /* at random, each for itself */                                   \
	X(BURST, burst)         /* at random, in bursts */                                         \
	X(PERIOD, period)       /* every n-th */                                                   \
	X(LISTED, listed)       /* by its number */                                                \
	X(MATCHED, matched)     /* by the match function */                                        \
	X(TAIL, tail)           /* the queue was full */                                           \
	X(EARLY, early)         /* by RED or CoDel */                                              \
	X(POLICED, policed)     /* the policer had no tokens */                                    \
	X(MEMORY, memory)       /* memory_max was reached: the model is wrong from here on */      \
	X(REORDERED, reordered) /* comes later than its turn */                                    \
	X(DUPLICATED, duplicated)                                                                  \
	X(CORRUPTED, corrupted)

enum wire_fate {
#define X(NAME, name) WIRE_##NAME,
	WIRE_FATES(X)
#undef X
		WIRE_N_FATES,
	WIRE_N_DROPS = WIRE_REORDERED,
};

// What the path is like from some time on.
struct wire_path {
	uint64_t rate;     // bits/s; 0: without limit
	uint64_t delay_ns; // one way, beside queueing
	uint16_t mtu;      // bytes of an IP packet; 0: without limit
};

struct wire_step {
	uint64_t at_ns; // ascending
	struct wire_path path;
};

enum wire_queue { WIRE_DROP_TAIL, WIRE_RED, WIRE_CODEL };

enum wire_verdict {
	WIRE_PASS,
	WIRE_DROP,  // counted as MATCHED
	WIRE_SPARE, // deliver it, and do not corrupt it: nothing above would notice (ARP)
};

struct wire_settings {
	struct wire_path path; // until the first step
	unsigned n_steps;
	struct wire_step steps[WIRE_STEPS_MAX];
	unsigned n_downs;
	struct {
		uint64_t from_ns, to_ns;
	} downs[WIRE_DOWNS_MAX];

	// Told of a frame over the MTU; NULL: a black hole.
	void (*too_big)(void *owner, const uint8_t *frame, uint32_t len, uint16_t mtu);
	// Looks at each frame in its order. NULL: passes all.
	enum wire_verdict (*match)(void *owner, const uint8_t *frame, uint32_t len,
				   uint64_t now_ns);
	// Sees each frame as it is put, and again as it is taken: for captures. NULL: nobody does.
	void (*tap)(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns,
		    bool is_taken);
	void *owner;

	double loss; // probability
	// Gilbert-Elliott: two states, each with its loss, left with these probabilities a frame.
	double burst_enter, burst_leave, burst_loss_bad, burst_loss_good;
	uint64_t lose_every; // each n-th frame
	unsigned n_lose;
	uint64_t lose[WIRE_LOSE_MAX]; // numbers of frames, the first is 1

	uint64_t queue_max; // bytes on the wire that may wait for the rate; 0: without limit
	enum wire_queue queue;

	uint64_t police_rate;  // bits/s
	uint64_t police_burst; // bytes

	uint64_t jitter_ns;   // uniform, added to the delay
	bool jitter_reorders; // else it keeps the order

	double reorder;           // probability
	uint64_t reorder_ns;      // such a frame comes so much later,
	unsigned reorder_by;      // or after so many frames that came after it,
	uint64_t reorder_hold_ns; // though no later than this
	double duplicate,
		corrupt;   // probabilities; corrupt turns one bit behind the Ethernet header
	uint64_t bunch_ns; // let out only at multiples of this time: compressed ACKs

	uint64_t memory_max; // bytes of frames held; 0: 256 MiB
	unsigned log_max;    // entries of the log of fates; 0: none
};

// The ground truth of one frame.
struct wire_entry {
	uint64_t number; // of the frame, the first is 1
	uint64_t at_ns;  // when it was put
	uint32_t len;
	enum wire_fate fate;
};

struct wire_counters {
	uint64_t put, put_bytes, taken, taken_bytes; // bytes of frames
	uint64_t fates[WIRE_N_FATES];
	uint64_t queue_peak; // most bytes that waited for the rate
};

// A frame that has come through. The taker's to free, and to change.
struct wire_frame {
	struct wire_frame *next, *before; // the wire's
	uint64_t at_ns;                   // when it arrives
	uint32_t len;
	uint8_t bytes[]; // Ethernet header first
};

struct wire;

// @param set  copied
// @return 0; -EINVAL: steps not ascending, a probability out of [0, 1]; -ENOMEM
int wire_new(const struct wire_settings *set, uint64_t seed, struct wire **out);
void wire_free(struct wire *w);

// Put a frame in, in one or several pieces, which are copied. Time does not go back between calls.
void wire_put(struct wire *w, const void *frame, uint32_t len, uint64_t now_ns);
void wire_putv(struct wire *w, const struct iovec *pieces, int n, uint64_t now_ns);

// The next frame that has arrived. @return NULL: none; else free it with wire_frame_free()
struct wire_frame *wire_take(struct wire *w, uint64_t now_ns);
void wire_frame_free(struct wire_frame *f);

// When the next frame arrives. WIRE_NO_DEADLINE: the wire is empty
uint64_t wire_deadline(const struct wire *w);

// Bytes that wait for the rate now.
uint64_t wire_backlog(const struct wire *w, uint64_t now_ns);

const struct wire_counters *wire_counters(const struct wire *w);
uint64_t wire_drops(const struct wire *w); // of all kinds
const char *wire_fate_name(enum wire_fate fate);

// The newest entries of the log, oldest first.
//
// @param out  `max` entries
// @return entries written
unsigned wire_log(const struct wire *w, struct wire_entry *out, unsigned max);
