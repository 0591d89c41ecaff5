// SPDX-License-Identifier: BSD-3-Clause
// Certificates and keys of the links, which every new connection reads from their files.
#pragma once

struct daemon;

// Read those of all links now and log what new connections will use, or what is wrong with them.
// Connections that are open stay as they are.
void credentials_look(struct daemon *d);
