// SPDX-License-Identifier: BSD-3-Clause
// Addresses as people write them, for tests.
#pragma once

#include <arpa/inet.h>

#include "dataplane/net/address.h"
#include "tests/unit/test.h"

static inline struct net_address at(const char *text)
{
	struct net_address a = {.family = strchr(text, ':') ? 6 : 4};
	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.bytes), 1);
	return a;
}

static inline struct net_prefix prefix(const char *text, uint8_t len)
{
	return (struct net_prefix){at(text), len};
}
