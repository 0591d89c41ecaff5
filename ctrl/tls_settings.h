// SPDX-License-Identifier: BSD-3-Clause
// How the two servers of a link are spoken to in TLS: rows from which the command line, the
// configuration file, the API and the help follow.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"
#include "drivers/tls/tls.h"

struct tls_row {
	const char *name; // "source-tls-ca"
	const char *arg, *help;
	bool target;
	size_t at, len; // of the text in struct endpoint_trust; len 0: yes or no
};

// All rows, those of the source first. @param n  out: how many
const struct tls_row *tls_rows(unsigned *n);

// @return NULL: no such row
const struct tls_row *tls_row_find(const char *name, size_t len);

// Set one. A path that is not absolute is taken from where this process stands.
//
// @return 0, or -1: CONFIG
int tls_row_set(struct link_config *c, const struct tls_row *row, const char *text,
		struct failure *f);

// The text that sets it to what it is; NULL: it is at its default.
const char *tls_row_text(const struct link_config *c, const struct tls_row *row);

// Nobody shall believe in TLS that the URL does not ask for. @return 0, or -1: CONFIG
int tls_rows_check(const struct link_config *c, struct failure *f);

// What a session with this server wants to know; borrowed from e.
struct tls_settings endpoint_tls_settings(const struct endpoint *e);
