// SPDX-License-Identifier: BSD-3-Clause
// What a job is asked to do: a link's configuration from the command line, its file and its
// passwords.
#pragma once

#include <jansson.h>

#include "ctrl/cli/options.h"
#include "dataplane/contract/contract.h"

// Fill c from o: the file first, then passwords, source and target, then the settings.
//
// @param name    of the link; NULL: derived from source and target, the same whenever they are
// @param source, target  URLs; NULL: those of the file
// @return 0, or -1: CONFIG, URL
int job_config(const struct options *o, const char *name, const char *source, const char *target,
	       struct link_config *c, struct failure *f);

// The same without a look at whether it makes sense as a whole.
int job_read(const struct options *o, const char *name, const char *source, const char *target,
	     struct link_config *c, struct failure *f);

// Take the passwords from their files or the environment, for endpoints that have none yet, who we
// are at sentinels, and what was said of TLS.
//
// @return 0, or -1: CONFIG
int job_credentials(const struct options *o, struct link_config *c, struct failure *f);

// The request that creates the link; it holds the passwords.
json_t *job_request(const struct link_config *c, bool replace);
