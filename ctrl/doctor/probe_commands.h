// SPDX-License-Identifier: BSD-3-Clause
// A server's own list of commands against parsers/commands.tsv.
#pragma once

#include "ctrl/doctor/findings.h"
#include "parsers/resp.h"

// Put a finding for each command that writes, or may be in a stream, and has no row; and for each
// whose keys lie elsewhere than its row says, or that writes where its row says it does not.
//
// @param v, n     the reply to COMMAND
// @param version  of the server, major << 8 | minor; 0 unknown
void probe_commands_judge(const struct resp_value *v, unsigned n, unsigned version,
			  struct findings *f);
