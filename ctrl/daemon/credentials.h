// SPDX-License-Identifier: BSD-3-Clause
// Passwords, certificates and keys of the links that stand in files, and may change there while
// the links run. Connections that are open stay as they are.
#pragma once

#include <stdint.h>

#define CREDENTIALS_TICK_MS 1000

struct daemon;

// On SIGHUP: read all of them now, and log what new connections will use, or what is wrong with
// them. Certificates are read by each new connection anyhow.
void credentials_look(struct daemon *d);

// Every CREDENTIALS_TICK_MS: take the passwords of files that have changed.
void credentials_tick(struct daemon *d, uint64_t now_ms);
