// SPDX-License-Identifier: BSD-3-Clause
// A link as a user describes it, field by field: the same names in the API, in the configuration
// file and on the command line.
#pragma once

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

// Every field at its default; no name, no source, no target.
void link_config_init(struct link_config *c);

// Set one field: name, site, source, target, source-password, target-password,
// source-password-file, target-password-file, one of tls_rows(), or a setting of LINK_SETTINGS. A
// password in a URL goes before one from elsewhere.
//
// @return 0, or -1: CONFIG or URL
int link_config_set(struct link_config *c, const char *key, const char *text, struct failure *f);

// Whether nothing that a link must have is missing. @return 0, or -1: CONFIG
int link_config_check(const struct link_config *c, struct failure *f);

// Whether both describe the same work.
int link_config_same(const struct link_config *a, const struct link_config *b);
