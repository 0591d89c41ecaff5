// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/endpoint.h"

#include <stdio.h>
#include <string.h>

int endpoint_set(struct endpoint *e, const char *text, struct failure *f)
{
	struct url u;
	char why[200];
	if (url_parse(span_of(text), &u, why, sizeof(why)))
		return failure_set(f, ERROR_URL, "%s", why);
	snprintf(e->host, sizeof(e->host), "%s", u.nodes[0].host);
	snprintf(e->path, sizeof(e->path), "%s", u.path);
	snprintf(e->user, sizeof(e->user), "%s", u.user);
	snprintf(e->master, sizeof(e->master), "%s", u.master);
	memcpy(e->nodes, u.nodes, sizeof(e->nodes));
	if (u.has_password) {
		memcpy(e->password, u.password, sizeof(e->password));
		e->has_password = 1;
	}
	e->kind = u.kind;
	e->n_nodes = u.n_nodes;
	e->port = u.nodes[0].port;
	e->db = u.db;
	e->tls = u.tls;
	explicit_bzero(&u, sizeof(u));
	return 0;
}

void endpoint_text(const struct endpoint *e, char *out)
{
	struct url u = {.kind = e->kind, .tls = e->tls, .db = e->db, .n_nodes = e->n_nodes};
	snprintf(u.user, sizeof(u.user), "%s", e->user);
	snprintf(u.path, sizeof(u.path), "%s", e->path);
	snprintf(u.master, sizeof(u.master), "%s", e->master);
	memcpy(u.nodes, e->nodes, sizeof(u.nodes));
	url_print(&u, out, ENDPOINT_TEXT_LEN);
}

_Static_assert(URL_NODES_MAX *(URL_HOST_LEN + 10) + 3 * URL_USER_LEN + URL_MASTER_LEN + 64 <
		       ENDPOINT_TEXT_LEN,
	       "a list of nodes is never cut");

static int node_same(const struct url_node *a, const struct url_node *b)
{
	return a->port == b->port && !strcmp(a->host, b->host);
}

int endpoint_meet(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind == URL_UNIX || b->kind == URL_UNIX)
		return a->kind == b->kind && !strcmp(a->path, b->path);
	// One set of sentinels may watch both.
	if ((a->kind == URL_SENTINEL) != (b->kind == URL_SENTINEL) || strcmp(a->master, b->master))
		return 0;
	for (unsigned i = 0; i < a->n_nodes; i++)
		for (unsigned k = 0; k < b->n_nodes; k++)
			if (node_same(&a->nodes[i], &b->nodes[k]))
				return 1;
	return 0;
}

int endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind || a->n_nodes != b->n_nodes || a->db != b->db || a->tls != b->tls)
		return 0;
	for (unsigned i = 0; i < a->n_nodes; i++)
		if (!node_same(&a->nodes[i], &b->nodes[i]))
			return 0;
	return !strcmp(a->path, b->path) && !strcmp(a->user, b->user) &&
	       !strcmp(a->master, b->master) && !strcmp(a->sentinel.user, b->sentinel.user) &&
	       !memcmp(&a->trust, &b->trust, sizeof(a->trust));
}

void endpoint_at(struct endpoint *e, const struct url_node *at)
{
	const struct url_node node = *at; // it may be one of its own
	e->kind = URL_STANDALONE;
	e->n_nodes = 1;
	e->nodes[0] = node;
	memcpy(e->host, node.host, sizeof(e->host));
	e->port = node.port;
	e->master[0] = 0;
}
