// SPDX-License-Identifier: BSD-3-Clause
// Rows about clusters.
#include <stdio.h>
#include <string.h>

#include "ctrl/doctor/rows.h"

static void coverage_judge(const struct server_facts *s, bool source, struct findings *f)
{
	const struct cluster_facts *c = &s->cluster;
	struct mend m;
	if (!c->n_uncovered)
		return;
	snprintf(m.text, sizeof(m.text), "redis-cli --cluster check %.256s:%u", s->host, s->port);
	finding_put(f, SEVERITY_ERROR, m.text,
		    "%s has %u slot%s without a master (the first is %u): what belongs there %s",
		    s->who, c->n_uncovered, c->n_uncovered == 1 ? "" : "s", c->first_uncovered,
		    source ? "is not copied" : "has to wait");
}

static void nodes_judge(const struct server_facts *s, bool source, struct findings *f)
{
	const struct cluster_facts *c = &s->cluster;
	if (c->n_failing)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "%s has %u node%s that cannot be reached: %s", s->who, c->n_failing,
			    c->n_failing == 1 ? "" : "s", c->failing);
	if (c->n_moving)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "%u slot%s of %s move%s at its node with port %u: transactions there "
			    "wait until that is done",
			    c->n_moving, c->n_moving == 1 ? "" : "s", s->who,
			    c->n_moving == 1 ? "s" : "", c->moving_port);
	if (c->n_lonely && !source)
		finding_put(f, SEVERITY_INFO, NULL,
			    "%u of %u masters of %s have no replica: nobody takes over from them",
			    c->n_lonely, c->n_masters, s->who);
}

// A URL of one server leads to a node, which holds a part of the keys.
static void node_judge(const struct server_facts *s, struct findings *f)
{
	struct mend m;
	snprintf(m.text, sizeof(m.text), "redis+cluster://%.256s:%u", s->host, s->port);
	finding_put(f, SEVERITY_ERROR, m.text,
		    "%s is a node of a cluster and holds a part of the keys: name the cluster by "
		    "redis+cluster://",
		    s->who);
}

void row_cluster(const struct facts *k, struct findings *f)
{
	const struct server_facts *both[] = {&k->source, &k->target};
	for (unsigned i = 0; i < 2; i++) {
		const struct server_facts *s = both[i];
		if (!s->cluster.present && !strcmp(s->mode, "cluster"))
			node_judge(s, f);
		if (!s->cluster.present)
			continue;
		coverage_judge(s, i == 0, f);
		nodes_judge(s, i == 0, f);
	}
}

// With the default, one slot that nobody serves stops all of them.
void row_full_coverage(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	struct mend m;
	if (t->cluster.present && !strcmp(t->full_coverage, "yes"))
		finding_put(f, t->cluster.n_uncovered ? SEVERITY_WARNING : SEVERITY_INFO,
			    mend_cli(&m, t, "CONFIG SET cluster-require-full-coverage no"),
			    "the target cluster stops wholly while one of its slots is not served, "
			    "and so does a link to it");
}
