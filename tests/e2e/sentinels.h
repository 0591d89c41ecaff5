// SPDX-License-Identifier: BSD-3-Clause
// Three real sentinels, and what they watch: ensembles of a master and two
// replicas, known by name. They know each other and the replicas from the start, and notice
// within two seconds that a master is gone; less would take a busy machine for a dead one.
#pragma once

#include <stdbool.h>

struct server;
struct world;

#define SENTINELS 3
#define MEMBERS   3

struct ensemble {
	const char *name;                // by which the sentinels know its master
	struct server *members[MEMBERS]; // the first one begins as the master
};

struct sentinels {
	struct world *world;
	struct server *list[SENTINELS]; // enough of servers to be asked, killed and frozen
	struct ensemble *watched[2];
	unsigned n_watched;
};

// A master and two replicas that have its data. @param password  of all of them, "" for none
struct ensemble ensemble_start(struct world *w, const char *name, const char *password);

// The same with options of each server, see server_start_with(), in a list that ends with NULL.
struct ensemble ensemble_start_with(struct world *w, const char *name, const char *password,
				    const char *const *options);

// Sentinels for one or two ensembles, once they have found everybody well.
//
// @param second    may be NULL
// @param password  of the sentinels, "" for none
struct sentinels sentinels_start(struct world *w, struct ensemble *first, struct ensemble *second,
				 const char *password);

// redis+sentinel://[user:password@]host:port,.../name. @param login  "" or "user:password@"
const char *sentinels_url(const struct sentinels *s, const struct ensemble *e, const char *login);

// The master: the sentinels agree on it, and it says so itself. Waits until that is so.
struct server *sentinels_master(struct sentinels *s, struct ensemble *e);

// SENTINEL FAILOVER, and wait until another one is the master. @return it
struct server *sentinels_fail_over(struct sentinels *s, struct ensemble *e);

// Wait until another one than this is the master. @return it
struct server *sentinels_await_other(struct sentinels *s, struct ensemble *e,
				     const struct server *than);

// Wait until all members but the master are its replicas, in step.
void sentinels_await_whole(struct sentinels *s, struct ensemble *e);

// Wait until so many members are replicas of the master, in step, whatever the sentinels know.
void sentinels_await_replicas(struct sentinels *s, struct ensemble *e, unsigned n);

void sentinels_freeze(struct sentinels *s);
void sentinels_thaw(struct sentinels *s);
