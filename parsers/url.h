// SPDX-License-Identifier: BSD-3-Clause
// Addresses of servers as a user writes them:
//
//   redis://[user[:password]@]host[:port][/db]        rediss:// the same over TLS
//   redis+cluster://[...]host[:port][,host:port...]   rediss+cluster:// the same over TLS
//   redis+sentinel://[...]host:port[,host:port...]/master-name[/db]
//   unix://[user[:password]@]/path/of/socket[?db=N]
//
// User and password may hold %XX. An IPv6 address stands in brackets.
#pragma once

#include "parsers/span.h"

#define URL_NODES_MAX     16
#define URL_HOST_LEN      256
#define URL_PATH_LEN      108
#define URL_USER_LEN      128
#define URL_PASSWORD_LEN  512
#define URL_MASTER_LEN    128
#define URL_PORT          6379
#define URL_PORT_SENTINEL 26379

enum url_kind { URL_STANDALONE, URL_CLUSTER, URL_SENTINEL, URL_UNIX };

struct url_node {
	char host[URL_HOST_LEN]; // without brackets
	uint16_t port;           // host byte order
};

struct url {
	enum url_kind kind;
	bool tls;
	bool has_password;
	int db; // -1 when the URL names none
	char user[URL_USER_LEN];
	char password[URL_PASSWORD_LEN];
	char path[URL_PATH_LEN];     // unix
	char master[URL_MASTER_LEN]; // sentinel
	unsigned n_nodes;            // 0 for unix, else 1 .. URL_NODES_MAX
	struct url_node nodes[URL_NODES_MAX];
};

// Take a URL apart.
//
// @param out  filled on success; holds the password in clear
// @param why  out, on error: a sentence that never repeats a password
// @return 0, or -EINVAL
int url_parse(struct span text, struct url *out, char *why, size_t why_len);

// The URL in its canonical form, without the password.
//
// @return bytes as snprintf()
int url_print(const struct url *u, char *out, size_t out_len);

// Where the password lies in a text that is, or tries to be, a URL; also in one that url_parse()
// refuses.
//
// @return part of text; len 0 when there is none
struct span url_secret(struct span text);
