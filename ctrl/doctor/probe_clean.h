// SPDX-License-Identifier: BSD-3-Clause
// A probe leaves nothing behind.
#pragma once

#include "ctrl/check/pair.h"
#include "ctrl/doctor/probe_words.h"

// Delete the keys that a case names, on both sides, in the selected databases and the other one.
//
// @return 0, or -1 with f when a connection failed
int probe_clean_case(struct pair *p, const struct probe_names *names,
		     const struct probe_list *setup, const struct probe_list *command,
		     struct failure *f);

// Delete every key that any case names, and what else a probe writes, by connections of its own.
//
// @param db  of the source, of the target
// @return    0, or -1 when it is not certain that nothing is left
int probe_clean_all(const struct link_config *c, const struct probe_names *names, const int db[2]);
