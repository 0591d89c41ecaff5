// SPDX-License-Identifier: BSD-3-Clause
// How a flyoverd is set up: its command line and its configuration file.
//
//   listen: /run/flyover/flyoverd.sock     the API
//   state-dir: /var/lib/flyover
//   io: epoll                              how sockets are waited for; default: auto
//   cores: 0-3                             which cores the dataplane may use; default: it chooses
//   net: dpdk                              network of the links that name none; default: kernel
//   nic: net_tap0,iface=fly0               the device of our own TCP, for net: dpdk
//   addr: [10.99.0.2/24, fd00::2/64]       our addresses on it
//   gw: 10.99.0.1                          and vlan, idle, congestion: see NETWORK_SETTINGS
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
#include "dataplane/contract/network.h"

#define DAEMON_CONFIG_PATH "/etc/flyover/flyover.yaml"
#define DAEMON_SOCKET_PATH "/run/flyover/flyoverd.sock"
#define DAEMON_STATE_DIR   "/var/lib/flyover"

struct daemon_config {
	bool private_job; // started by a CLI, whose connection is our stdin
	bool verbose;     // log to stderr although private_job
	char listen[4096];
	char state_dir[4096];
	char cores[128];
	char io[16];  // auto, epoll, io_uring; "": auto
	char net[16]; // of links that say auto: kernel, dpdk; "": kernel
	struct network_texts network;
	unsigned n_links;
	struct link_config links[LINKS_MAX];
};

// Everything at its default.
void daemon_config_init(struct daemon_config *c);

// Read a configuration file.
//
// @return 0, or -1: CONFIG with path and line
int daemon_config_read(struct daemon_config *c, const char *path, struct failure *f);

// Set one of listen, state-dir, cores, io, net and the NETWORK_SETTINGS.
//
// @return 0, or -1: CONFIG
int daemon_config_set(struct daemon_config *c, const char *key, const char *text,
		      struct failure *f);

// Whether all of it fits together, once everything is set.
//
// @return 0, or -1: CONFIG
int daemon_config_check(const struct daemon_config *c, struct failure *f);

// Give a link the network that it is to use: the host's if it says auto.
//
// @return 0, or -1: CONFIG, it wants a device that this host does not have
int daemon_config_net(const struct daemon_config *c, struct link_config *link, struct failure *f);
