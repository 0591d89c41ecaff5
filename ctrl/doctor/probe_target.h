// SPDX-License-Identifier: BSD-3-Clause
// The target's part of a probe: it is sent what a link would send, in a transaction with a marker,
// and is then compared with the source.
#pragma once

#include "ctrl/check/subject.h"
#include "ctrl/doctor/probe_report.h"

// Send commands of the stream, rewritten as a link rewrites them.
//
// @param parts    up to two lists, in order
// @param verdict  in: OK; out: OK, UNKNOWN (sent all the same), or TARGET_REFUSES
// @param why      out: what the target said, or the unknown name; PROBE_TEXT_LEN bytes
// @return 0, or -1 when the connection failed, or the target takes no writes at all
int probe_target_send(struct client *target, const struct probe_names *names,
		      const struct probe_list *const parts[2], enum probe_verdict *verdict,
		      char *why, struct failure *f);

// Compare the scratch keys that the commands name, in the selected databases.
//
// @param verdict  out: VALUE_DIFFERS, or left
int probe_target_compare(struct compare *c, const struct probe_names *names,
			 const struct probe_list *const parts[2], enum probe_verdict *verdict,
			 char *why);
