// SPDX-License-Identifier: BSD-3-Clause
// A deployment of any kind, for tests to which all are alike: how it is reached, who writes to it,
// and what befalls it.
#pragma once

#include "tests/e2e/cluster.h"
#include "tests/e2e/sentinels.h"

enum deployment_kind {
	SERVER,   // alone
	SENTINEL, // a master and two replicas, watched by three sentinels
	CLUSTER,  // each master has a replica
};

enum deployment_way {
	PLAIN,
	RIGHTS, // as a user with the rights of `flyover help rights sync` and no others
	TLS,    // nodes speak nothing else, and want certificates
	IPV6,
	NAMES, // nodes announce themselves as localhost
};

// What befalls it, while it is written to and read from.
enum misfortune {
	STEPS_DOWN, // a replica takes over from its master, as ordered
	LOSES_NODE, // kill -9 of a master, and its replica takes over
	IS_OUSTED,  // a master stops, its replica takes over, and then it goes on
	IS_SLOW,    // a master stops for a second, and nobody takes over
	RESHARDS,   // slots move between masters; one is half moved for a while
};

struct deployment {
	struct world *world;
	const char *name;
	enum deployment_kind kind;
	enum deployment_way way;
	struct server *server;
	struct cluster *cluster;
	struct ensemble ensemble;
	struct sentinels sentinels;
	unsigned pause_ms; // of who writes to it, see writer.h; 0: as fast as usual
	struct process *writer;
	unsigned n_misfortunes; // so far; each meets another master where there are several
	const char *url;        // for flyover
};

// Start one, empty.
//
// @param d        stays where it is as long as the test
// @param masters  of a cluster
void deployment_start(struct deployment *d, struct world *w, const char *name,
		      enum deployment_kind kind, unsigned masters, enum deployment_way way);

// Strings, a few big ones among them.
void deployment_fill(struct deployment *d);

// Clients write, and go to the new master when it changes, until they have to end. What they write
// shows whatever is lost, repeated or in another order.
void deployment_write(struct deployment *d);
void deployment_rest(struct deployment *d);

// Those who hold the data now.
struct servers deployment_masters(struct deployment *d);

// Let something happen, and return when it is over.
//
// @param pause  whatever is to last lasts as long as this does
void deployment_suffer(struct deployment *d, enum misfortune m, void (*pause)(void *arg),
		       void *arg);

// Fails the test where the user of RIGHTS was denied anything.
void deployment_judge_rights(struct deployment *d);
