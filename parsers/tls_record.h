// SPDX-License-Identifier: BSD-3-Clause
// What a server that wants TLS answers to plain text: an alert.
#pragma once

#include <stdbool.h>

#include "parsers/span.h"

// What to say when such a server hangs up on plain text without a word, as most do.
#define TLS_PORT_HINT "a port for TLS does that to plain text: take rediss:// for it"

// Whether bytes begin as an alert of TLS does (RFC 8446 5.1: its type, 3 as the major version).
// Nothing of RESP does.
static inline bool tls_alert_begins(struct span bytes)
{
	return bytes.len >= 2 && bytes.p[0] == 21 && bytes.p[1] == 3;
}
