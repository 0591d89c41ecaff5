// SPDX-License-Identifier: BSD-3-Clause
// Which parked commands a user means.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ctrl/cli/options.h"

struct parked_ids {
	bool all;
	size_t n;
	uint64_t ids[ARGS_MAX];
};

// @return 0, or -1: not a number above 0
int parked_id_read(const char *text, uint64_t *id);

// The ids from o->args[first] on, or --all. @return 0, or -1: USAGE
int parked_ids_read(struct parked_ids *p, const struct options *o, unsigned first,
		    struct failure *f);
