// SPDX-License-Identifier: BSD-3-Clause
// Where a server finds the keys of what a probe tries, against parsers/commands.tsv.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/doctor/findings.h"
#include "ctrl/doctor/probe_words.h"

// Ask COMMAND GETKEYS for the command of every case, and put a finding for each verb whose keys it
// tells otherwise than our table. What the server does not know, or does not want to tell, is left
// out.
//
// @return 0, or -1 with failure when the connection failed
int probe_keys_judge(struct client *source, const struct probe_names *names, struct findings *f,
		     struct failure *failure);
