// SPDX-License-Identifier: BSD-3-Clause
// Whereabouts: where a server is now. One for each side of a link, on core 0; whoever connects, on
// any core, reads its answer, and has it ask again by wanting a newer one.
//
//   address, unix socket   known, nobody is asked
//   name of a host         the name server is asked, for each connect anew
//   sentinels              they are asked for the master, and what they name says that it is one
//
//   seek_connect(): WAIT --asked--> HERE --stream_connect()-->   a connection, or the next attempt
//                        \--------> NOWHERE, why
//
// When sentinels name another master, whoever is connected to the former one is told by
// seek_is_moved().
#pragma once

#include "dataplane/core/core.h"
#include "dataplane/topology/asker.h"
#include "dataplane/topology/sentinels.h"
#include "drivers/resolve.h"
#include "parsers/role.h"

// An answer.
struct where {
	char name[URL_HOST_LEN];         // of the host, as the URL or the sentinels have it
	char host[RESOLVED_ADDRESS_LEN]; // its address; "" for a unix socket
	char text[TEXT_LEN];             // why it is not known
	uint64_t asked_ns;               // when this question began; 0: none yet
	uint32_t version;                // another place: another number
	uint32_t port;
	uint32_t error;                  // enum error_id; ERROR_NONE: it is there
	uint32_t unused;
};

#define WHERE_WORDS (sizeof(struct where) / 8)

enum whereabouts_stage {
	WHEREABOUTS_IDLE,
	WHEREABOUTS_NAMING,    // the name server is asked
	WHEREABOUTS_SENTINELS, // a round of questions
	WHEREABOUTS_PROVING,   // ROLE, of what they have named
};

// Places that sentinels have named: the replicas, if they are wanted, then the master.
#define CANDIDATES_MAX (SENTINEL_REPLICAS_MAX + 1)

struct whereabouts {
	// Constant while the link runs.
	const struct endpoint *endpoint;
	const char *who;        // "source" or "target"
	struct core *core;      // owner
	uint32_t link;          // for the log
	uint64_t patience_ns;   // of one question
	bool is_fixed;          // an address or a unix socket
	bool prefers_replica;

	// Between the cores. Writer: owner, but where it says otherwise.
	_Atomic uint32_t seq __attribute__((aligned(64)));  // odd: words are being written
	_Atomic uint64_t words[WHERE_WORDS];                // struct where
	_Atomic uint32_t version;                           // of the last place that was there
	_Atomic uint64_t wanted_ns __attribute__((aligned(64))); // all: an answer as new as this
	_Atomic uint32_t failed_version;                    // all: that place cannot be reached
	_Atomic(struct core *) users[CORES_MAX];            // all: to be woken

	// Owner.
	struct url_node place; // without sentinels
	struct where now;
	enum whereabouts_stage stage;
	uint64_t began_ns, deadline_ns;
	uint64_t poll_at_ns;
	struct resolve *resolve;
	struct sentinels *sentinels; // NULL: none are asked
	struct url_node candidates[CANDIDATES_MAX];
	unsigned n_candidates, candidate;
	struct asker prover;
	uint64_t need_offset;        // a replica that is behind it does not do
};

// @param endpoint  borrowed
// @return 0, or -ENOMEM
int whereabouts_init(struct whereabouts *w, struct core *core, uint32_t link, const char *who,
		     const struct endpoint *endpoint, const struct link_settings *settings,
		     bool prefers_replica);
void whereabouts_fini(struct whereabouts *w);

// The server is at this name or address now, as somebody else knows: no sentinels are asked. From
// core 0, where all who connect by it have to be. @return whether that is another place
bool whereabouts_locate(struct whereabouts *w, const char *host, uint16_t port);

// A turn of the owner.
void whereabouts_turn(struct whereabouts *w, const struct clock_reading *now,
		      uint64_t *deadline_ns);

// Where the sentinels say that the master is, "" before they have, and where none are asked. For
// the owner. @param out  TEXT_LEN bytes
const char *whereabouts_told(const struct whereabouts *w, char *out);

// ---- For whoever connects, on any core

// What one of them keeps from attempt to attempt.
struct seek {
	struct whereabouts *w;
	struct where at;      // of the last attempt
	uint64_t since_ns;    // when the attempt at hand began; 0: none
	enum error_id error;  // why there is no connection
	char why[TEXT_LEN];
};

void seek_init(struct seek *s, struct whereabouts *w);

// Begin to connect to where the server is. Called again until it says other than -EAGAIN.
//
// @return 0 begun: *out; -EAGAIN it is being asked where, the core will be woken; else -errno with
//         error and why filled, a whole sentence
int seek_connect(struct seek *s, struct core *core, uint64_t now_ns, struct stream **out);

// The connection did not come about: the next attempt may go to another address of the name.
void seek_failed(struct seek *s);

// Whether the server is said to be elsewhere than where this connection goes.
bool seek_is_moved(const struct seek *s);

// "db.example:6379", "/run/redis.sock", of the last attempt. @param out  TEXT_LEN bytes
const char *seek_place(const struct seek *s, char *out);
