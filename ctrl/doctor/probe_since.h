// SPDX-License-Identifier: BSD-3-Clause
// Which releases have what a case uses.
#pragma once

#include "ctrl/doctor/probe_cases.h"
#include "ctrl/doctor/probe_words.h"

// Whether a server should have everything that a case uses, by its version.
//
// @param version  major << 8 | minor; 0 unknown, which has it all
bool probe_case_since(const struct probe_case *row, const struct probe_names *names, bool valkey,
		      unsigned version);
