// SPDX-License-Identifier: BSD-3-Clause
// A deployment as the contract holds it, from and to a URL.
#pragma once

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

#define ENDPOINT_TEXT_LEN 5120

// Set kind, nodes, path, master, db, tls, user and, where the URL has one, the password. A password
// that e holds already stays when the URL has none.
//
// @return 0, or -1: URL
int endpoint_set(struct endpoint *e, const char *url, struct failure *f);

// The URL again, without the password. @param out  ENDPOINT_TEXT_LEN bytes
void endpoint_text(const struct endpoint *e, char *out);

// Whether two name the same place: one server, or a server or sentinel that both know.
int endpoint_meet(const struct endpoint *a, const struct endpoint *b);

// Whether two say the same, but for passwords.
int endpoint_same(const struct endpoint *a, const struct endpoint *b);

// Make it one server: of kind URL_STANDALONE, with the rest as it is.
void endpoint_at(struct endpoint *e, const struct url_node *at);
