// SPDX-License-Identifier: BSD-3-Clause
// Compare two servers, or clusters, without any help of Flyover: every database, every key, its
// type, its absolute expiry and its value by type, and the functions. Keys of Flyover's own
// (`__flyover:`) are left out.
#pragma once

#include <stdbool.h>

struct server;
struct servers;

// Fails the test, and names the first differences, unless both hold the same.
void assert_same_data(struct server *source, struct server *target);

// @param entries_read  also compare how far consumer groups have read; a stream of commands from
//                      Redis 7.0 does not carry it, a snapshot does
void assert_same_data_with(struct server *source, struct server *target, bool entries_read);

// The same without failing: for waiting. @return number of differing keys
unsigned data_differences(struct server *source, struct server *target);

// The same of sides that are several servers, see just() and cluster_masters(). A key that two
// masters of a cluster hold counts as a difference, one that its slot's owner has sent on does not.
void assert_same_data_of(const struct servers *source, const struct servers *target,
			 bool entries_read);
unsigned data_differences_of(const struct servers *source, const struct servers *target);

// The same where MIGRATE has moved keys of the target, by which expiries come to be a little later.
//
// @param slack_ms  by which the expiries of a key may differ
// @param show      name the first differences
unsigned data_differences_within(const struct servers *source, const struct servers *target,
				 long long slack_ms, bool show);
