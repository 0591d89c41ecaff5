// SPDX-License-Identifier: BSD-3-Clause
// What flyoverd knows of the parked commands of its links: how many are open, and the retries that
// it carries out, each in a thread of its own, since a target may take its time.
#pragma once

#include "ctrl/daemon/api.h"
#include "ctrl/parked/retry.h"

struct parked_desk;

// @return NULL without memory
struct parked_desk *parked_desk_new(void);

// Retries end after the command at hand; those that wait for a target are left to the end of the
// process, and what they did is on disk.
void parked_desk_free(struct parked_desk *desk);

// How many commands of link i are open and how many were settled, from its folder's files. When
// reading them takes long, the answer may be a little old.
void parked_desk_count(struct parked_desk *desk, unsigned i, const char *folder, uint64_t *open,
		       uint64_t *settled);

// Verbs of the API: where the files are and how many commands; begin a retry; what came of it.
json_t *verb_link_parked(struct daemon *d, const json_t *request, struct failure *f);
json_t *verb_link_parked_retry(struct daemon *d, const json_t *request, struct failure *f);
json_t *verb_link_parked_retried(struct daemon *d, const json_t *request, struct failure *f);
