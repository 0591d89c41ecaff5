// SPDX-License-Identifier: BSD-3-Clause
// What every connection of ours to a target says first, and what it reads of the answers.
#pragma once

#include "dataplane/contract/contract.h"
#include "parsers/span.h"

#define CLIENT_NAME_LEN (NAME_LEN + 64)

// The name of a connection. No two have the same, so that CLIENT LIST can tell which one is ours.
void hello_name(char name[CLIENT_NAME_LEN], const char *link, uint64_t run, unsigned index,
		unsigned count);

// [AUTH] CLIENT SETNAME, CLIENT ID, INFO, MULTI, EXEC. @return bytes
size_t hello_compose(char *out, size_t out_len, const struct endpoint *e, const char *name);

// The id of the connection of this name, 0: none. @param list  of CLIENT LIST
uint64_t hello_own_id(struct span list, const char *name);

// Connections of former lives have our name but another run: whatever of them the server still
// holds must not run any more.
//
// @param each  NULL: only count
// @return how many there are
unsigned hello_strangers(struct span list, const char *link, uint64_t run,
			 void (*each)(void *of, uint64_t id), void *of);

// Keys of a server, by its INFO, in the databases that the link fills.
uint64_t hello_keys(struct span info, const struct link_config *config);
