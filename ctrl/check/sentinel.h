// SPDX-License-Identifier: BSD-3-Clause
// Who the master is, by its sentinels: for jobs that connect once and then read.
#pragma once

#include "ctrl/endpoint.h"
#include "ctrl/failure.h"

struct client;
struct resp_value;

// Connect to one of the sentinels of a URL, or to one that they know of.
//
// @return 0, or -1 as client_open()
int sentinel_open(struct client *c, const struct endpoint *e, const struct url_node *at,
		  struct failure *f);

// Add those of SENTINEL SENTINELS that are not on the list. @param list  URL_NODES_MAX
void sentinels_learn(struct url_node *list, unsigned *n, const struct resp_value *v,
		     unsigned n_values);

// Ask the sentinels of a URL, and those that they know of, one after the other until a majority has
// answered. The highest configuration epoch is right.
//
// @param e    of kind URL_SENTINEL
// @param who  "the source", for sentences
// @param out  that server, of kind URL_STANDALONE, with the user, password and database of e
// @return     0, or -1: SENTINEL it is known to none of them; AUTH, NOPERM, CONNECT, RESOLVE
int sentinel_find(const struct endpoint *e, const char *who, struct endpoint *out,
		  struct failure *f);

// Replace an endpoint of sentinels by the master that they name now. Others are left as they are.
//
// @return 0, or -1 as sentinel_find()
int sentinel_settle(struct endpoint *e, const char *who, struct failure *f);
