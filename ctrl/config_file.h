// SPDX-License-Identifier: BSD-3-Clause
// Configuration files: reading one, and the part of it that describes a link.
#pragma once

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"
#include "parsers/config.h"

// Read and parse a file. @param root  out: to free by config_free()
//
// @return 0, or -1: CONFIG, with the path and the line
int config_file_read(const char *path, struct config_node **root, struct failure *f);

// Say what is wrong at a node: "FILE, line N: <sentence>". @return -1
__attribute__((format(printf, 4, 5))) int config_file_wrong(const char *path,
							    const struct config_node *at,
							    struct failure *f, const char *format,
							    ...);

// The text of a node that must be a scalar. @return NULL with f when it is not
const char *config_file_text(const char *path, const struct config_node *n, struct failure *f);

// Set the fields of a link from a mapping.
//
// @return 0, or -1: CONFIG or URL
int config_file_link(const char *path, const struct config_node *mapping, struct link_config *c,
		     struct failure *f);
