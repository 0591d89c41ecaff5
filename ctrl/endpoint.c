// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/endpoint.h"

#include <stdio.h>

#include "parsers/url.h"

static int kind_check(const struct url *u, struct failure *f)
{
	if (u->kind == URL_CLUSTER)
		return failure_set(f, ERROR_URL,
				   "redis+cluster:// is understood, but clusters cannot be "
				   "synced by this version");
	if (u->kind == URL_SENTINEL)
		return failure_set(f, ERROR_URL,
				   "redis+sentinel:// is understood, but sentinels cannot "
				   "be asked by this version");
	return 0;
}

int endpoint_set(struct endpoint *e, const char *text, struct failure *f)
{
	struct url u;
	char why[200];
	if (url_parse(span_of(text), &u, why, sizeof(why)))
		return failure_set(f, ERROR_URL, "%s", why);
	int rc = kind_check(&u, f);
	if (rc == 0) {
		snprintf(e->host, sizeof(e->host), "%s", u.n_nodes ? u.nodes[0].host : "");
		snprintf(e->path, sizeof(e->path), "%s", u.path);
		snprintf(e->user, sizeof(e->user), "%s", u.user);
		if (u.has_password) {
			memcpy(e->password, u.password, sizeof(e->password));
			e->has_password = 1;
		}
		e->port = u.n_nodes ? u.nodes[0].port : 0;
		e->db = u.db;
		e->tls.on = u.tls;
	}
	explicit_bzero(&u, sizeof(u));
	return rc;
}

_Static_assert(sizeof(((struct endpoint *)0)->host) >= URL_HOST_LEN, "a host is never cut");
_Static_assert(sizeof(((struct endpoint *)0)->path) >= URL_PATH_LEN, "a path is never cut");
_Static_assert(sizeof(((struct endpoint *)0)->user) >= URL_USER_LEN, "a user is never cut");
_Static_assert(sizeof(((struct endpoint *)0)->password) == URL_PASSWORD_LEN, "copied whole");

void endpoint_text(const struct endpoint *e, char *out)
{
	struct url u = {
		.kind = e->path[0] ? URL_UNIX : URL_STANDALONE, .tls = e->tls.on, .db = e->db};
	snprintf(u.user, sizeof(u.user), "%s", e->user);
	snprintf(u.path, sizeof(u.path), "%s", e->path);
	if (u.kind == URL_STANDALONE) {
		u.n_nodes = 1;
		u.nodes[0].port = e->port;
		snprintf(u.nodes[0].host, sizeof(u.nodes[0].host), "%s", e->host);
	}
	url_print(&u, out, ENDPOINT_TEXT_LEN);
}
