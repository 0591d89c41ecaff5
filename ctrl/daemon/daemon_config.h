// SPDX-License-Identifier: BSD-3-Clause
// How a flyoverd is set up: its command line and its configuration file.
//
//   listen: /run/flyover/flyoverd.sock     the API
//   state-dir: /var/lib/flyover
//   io: epoll                              how sockets are waited for; default: auto
//   cores: 0-3                             which cores the dataplane may use; default: it chooses
//   site: paris                            origin site of the links that name none
//   links:
//     - name: orders
//       source: redis://10.0.0.1
//       target: redis://10.1.0.1
//       source-password-file: /etc/flyover/orders.secret
//       lanes: 4                           any setting of a link
#pragma once

#include <stdbool.h>

#include "ctrl/daemon/state_dir.h"
#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

#define DAEMON_CONFIG_PATH "/etc/flyover/flyover.yaml"
#define DAEMON_SOCKET_PATH "/run/flyover/flyoverd.sock"
#define DAEMON_STATE_DIR   "/var/lib/flyover"

struct daemon_config {
	bool private_job; // started by a CLI, whose connection is our stdin
	bool verbose;     // log to stderr although private_job
	char listen[4096];
	char state_dir[4096];
	char cores[128];
	char io[16]; // auto, epoll, io_uring; "": auto
	unsigned n_links;
	struct link_config links[LINKS_MAX];
};

// Everything at its default.
void daemon_config_init(struct daemon_config *c);

// Read a configuration file.
//
// @return 0, or -1: CONFIG with path and line
int daemon_config_read(struct daemon_config *c, const char *path, struct failure *f);

// Set one of listen, state-dir, cores, io.
//
// @return 0, or -1: CONFIG
int daemon_config_set(struct daemon_config *c, const char *key, const char *text,
		      struct failure *f);
