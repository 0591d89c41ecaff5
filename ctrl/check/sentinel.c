// SPDX-License-Identifier: BSD-3-Clause
// sentinel_find() -> one_ask() -> sentinel_open(), answers_take() -> sentinels_learn()
#include "ctrl/check/sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/check/client.h"
#include "parsers/sentinel.h"

struct round {
	const struct endpoint *endpoint;
	struct url_node list[URL_NODES_MAX]; // of the URL, then those that were learned
	unsigned n, n_answers, n_ignorant;
	struct url_node master;
	uint64_t epoch;
	struct failure failure; // of the last that did not answer
};

// @param ours  log in as at the servers
static void one_endpoint(const struct endpoint *e, const struct url_node *at, bool ours,
			 struct endpoint *out)
{
	*out = *e;
	endpoint_at(out, at);
	out->db = -1;
	if (ours)
		return;
	memcpy(out->user, e->sentinel.user, sizeof(out->user));
	memcpy(out->password, e->sentinel.password, sizeof(out->password));
	out->has_password = (uint16_t)e->sentinel.has_password;
}

// A sentinel that wants a password, and that we have none for, gets the one of the servers.
int sentinel_open(struct client *c, const struct endpoint *e, const struct url_node *at,
		  struct failure *f)
{
	struct endpoint one;
	one_endpoint(e, at, false, &one);
	int rc = client_open(c, &one, "the sentinel", f);
	if (rc && f->id == ERROR_AUTH && !e->sentinel.has_password && e->has_password) {
		one_endpoint(e, at, true, &one);
		rc = client_open(c, &one, "the sentinel", f);
	}
	explicit_bzero(&one, sizeof(one));
	return rc;
}

void sentinels_learn(struct url_node *list, unsigned *n, const struct resp_value *v,
		     unsigned n_values)
{
	struct sentinel_row rows[URL_NODES_MAX];
	unsigned n_rows = sentinel_rows(v, n_values, rows, URL_NODES_MAX);
	for (unsigned i = 0; i < n_rows; i++) {
		bool known = !rows[i].at.port || *n == URL_NODES_MAX;
		for (unsigned k = 0; k < *n && !known; k++)
			known = list[k].port == rows[i].at.port &&
				!strcmp(list[k].host, rows[i].at.host);
		if (!known)
			list[(*n)++] = rows[i].at;
	}
}

// @return 0, or -1 with f: the connection was lost, or the question refused
static int answers_take(struct client *c, struct round *r, struct failure *f)
{
	struct url_node at;
	struct sentinel_row row;
	unsigned n;
	const struct resp_value *v = client_next(c, &n);
	int rc = v ? sentinel_address(v, n, &at) : -EIO;
	if (rc == -EBADMSG && v->type == RESP_ERROR)
		return client_refused(c, "SENTINEL", v->text, f);
	if (rc == -EBADMSG)
		return failure_set(f, ERROR_NOT_REDIS, "%s is no sentinel", c->url);
	v = v ? client_next(c, &n) : NULL;
	uint64_t epoch = v && !sentinel_master(v, n, &row) ? row.config_epoch : 0;
	v = v ? client_next(c, &n) : NULL;
	if (!v) {
		*f = c->failure;
		return -1;
	}
	sentinels_learn(r->list, &r->n, v, n);
	r->n_ignorant += rc == -ENOENT;
	if (rc)
		return 0;
	if (!r->n_answers || epoch > r->epoch) {
		r->master = at;
		r->epoch = epoch;
	}
	r->n_answers++;
	return 0;
}

static void one_ask(struct round *r, const struct url_node *at)
{
	struct client *c = malloc(sizeof(*c));
	struct span name = span_of(r->endpoint->master);
	int rc = c ? sentinel_open(c, r->endpoint, at, &r->failure)
		   : failure_set(&r->failure, ERROR_MEMORY, "no memory for a connection");
	if (!rc) {
		client_ask(c, "SENTINEL GET-MASTER-ADDR-BY-NAME %b", name);
		client_ask(c, "SENTINEL MASTER %b", name);
		client_ask(c, "SENTINEL SENTINELS %b", name);
		answers_take(c, r, &r->failure);
		client_close(c);
	}
	free(c);
}

int sentinel_find(const struct endpoint *e, const char *who, struct endpoint *out,
		  struct failure *f)
{
	struct round *r = calloc(1, sizeof(*r));
	if (!r)
		return failure_set(f, ERROR_MEMORY, "no memory for a connection");
	r->endpoint = e;
	r->n = e->n_nodes;
	memcpy(r->list, e->nodes, r->n * sizeof(r->list[0]));
	for (unsigned i = 0; i < r->n && r->n_answers < r->n / 2 + 1; i++)
		one_ask(r, &r->list[i]);
	int rc = 0;
	if (r->n_answers) {
		*out = *e;
		endpoint_at(out, &r->master);
	} else if (r->n_ignorant) {
		rc = failure_set(f, ERROR_SENTINEL, "%s: its sentinels know no master named %s",
				 who, e->master);
	} else {
		*f = r->failure;
		failure_prefix(f, who);
		rc = -1;
	}
	free(r);
	return rc;
}

int sentinel_settle(struct endpoint *e, const char *who, struct failure *f)
{
	struct endpoint at;
	if (e->kind != URL_SENTINEL)
		return 0;
	if (sentinel_find(e, who, &at, f))
		return -1;
	*e = at;
	explicit_bzero(&at, sizeof(at));
	return 0;
}
