// SPDX-License-Identifier: BSD-3-Clause
// The pre-flight of a link: the doctor's examination of its two servers as it begins. The start
// waits for the first answers of both, not longer than a moment; the rest comes while the link
// runs. Findings go into the log and into the status of the link; only one that says that to go on
// would do damage ends it.
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct daemon;
struct preflight;

// Begin, in the place of the one before.
void preflight_start(struct daemon *d, unsigned i);

// Whether the start of the link has to wait for it.
bool preflight_holds(const struct daemon *d, unsigned i);

// Take what is new. Called in every turn of the loop.
void preflight_tick(struct daemon *d, unsigned i);

void preflight_end(struct daemon *d, unsigned i);

// "preflight": how far it is; "warnings": findings that are warnings or errors.
void preflight_status(const struct daemon *d, unsigned i, json_t *o);
