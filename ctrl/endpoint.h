// SPDX-License-Identifier: BSD-3-Clause
// One server as the contract holds it, from and to a URL.
#pragma once

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

#define ENDPOINT_TEXT_LEN 640

// Set host, port, path, db, tls and, where the URL has them, user and password. A password that e
// holds already stays when the URL has none.
//
// @return 0, or -1: URL, also for a kind of deployment that links cannot take yet
int endpoint_set(struct endpoint *e, const char *url, struct failure *f);

// The URL again, without the password. @param out  ENDPOINT_TEXT_LEN bytes
void endpoint_text(const struct endpoint *e, char *out);
