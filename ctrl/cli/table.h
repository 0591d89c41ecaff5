// SPDX-License-Identifier: BSD-3-Clause
// Links as lines for a person: the table of `status` and `top`, and one link in full.
#pragma once

#include <jansson.h>
#include <stdio.h>

// @param end  of each line: "\n", or with an escape that clears the rest of it
void table_print(FILE *out, const json_t *links, const char *end);

void link_print(FILE *out, const json_t *link);

// "flyoverd 0.1.0 running, dataplane running (pid 7)"
void daemon_print(FILE *out, const json_t *status, const char *end);
