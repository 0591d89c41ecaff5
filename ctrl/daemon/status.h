// SPDX-License-Identifier: BSD-3-Clause
// What flyoverd and its links are doing, as JSON; the fields are part of the user's contract.
#pragma once

#include <jansson.h>

struct daemon;

// One link. Secrets are not in it.
json_t *link_status(const struct daemon *d, unsigned i);

// flyoverd itself, its dataplane, all links and the last lines of the log.
json_t *daemon_status(const struct daemon *d);

// A text that may hold bytes of a server; what is not UTF-8 becomes '?'.
json_t *text_json(const char *text);
