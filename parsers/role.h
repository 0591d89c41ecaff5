// SPDX-License-Identifier: BSD-3-Clause
// The answer to ROLE (2.8.12 and later).
#pragma once

#include "parsers/resp.h"

enum role_kind { ROLE_UNKNOWN, ROLE_MASTER, ROLE_REPLICA, ROLE_SENTINEL };

struct role {
	enum role_kind kind;
	bool is_connected; // of a replica: it follows its master, bytes and all
	uint64_t offset;   // of the stream, there
};

// An error, or anything else that is not known, gives ROLE_UNKNOWN.
struct role role_read(const struct resp_value *v, unsigned n);
