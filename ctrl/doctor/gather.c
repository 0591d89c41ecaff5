// SPDX-License-Identifier: BSD-3-Clause
// gather_open() -> info_take() ; gather_ask() -> settings_put(), settings_take(), rights_ask() ;
// gather_rate()
#include "ctrl/doctor/gather.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctrl/check/client_cluster.h"
#include "ctrl/clock.h"
#include "ctrl/doctor/rights.h"
#include "ctrl/rights.h"

#define SCAN_COUNT "2000"

static int64_t wall_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int side_failed(const struct client *c, struct failure *f)
{
	*f = c->failure;
	return -1;
}

// A refusal is no failure: what INFO would tell stays unknown.
static int info_take(struct client *c, struct server_facts *s, int64_t before_us, struct failure *f)
{
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return side_failed(c, f);
	if (v->type == RESP_ERROR)
		rights_judge(&s->rights, verb_find("INFO"), false, v);
	if (v->type == RESP_STRING)
		facts_info(s, v->text, before_us, wall_us());
	return 0;
}

static int side_open(struct client *c, const struct endpoint *e, struct server_facts *s,
		     enum rights_user user, struct failure *f)
{
	char words[RIGHTS_LEN];
	if (e->kind == URL_CLUSTER)
		s->kind = RIGHTS_CLUSTER;
	if (!client_open_any(c, e, s->who, f))
		return 0;
	size_t len = strlen(f->sentence);
	if (f->id == ERROR_NOPERM)
		snprintf(f->sentence + len, sizeof(f->sentence) - len,
			 ", and in all: %s", rights_text(user, s->kind, words));
	return -1;
}

// What the other masters of a cluster answer counts too.
static int masters_take(struct client *c, struct server_facts *s, struct failure *f)
{
	struct server_facts one = *s;
	if (!client_is_cluster(c))
		return 0;
	facts_cluster(s, client_map(c));
	for (unsigned i = 1; client_master_choose(c, i); i++) {
		int64_t before_us = wall_us();
		client_ask(c, "INFO all");
		if (info_take(c, &one, before_us, f))
			return -1;
		facts_add(s, &one);
	}
	client_master_choose(c, 0);
	return 0;
}

void gather_init(struct gather *g, struct facts *k)
{
	memset(g, 0, sizeof(*g));
	g->facts = k;
	g->source.fd = g->target.fd = -1;
}

int gather_open(struct gather *g, const struct link_config *c, struct failure *f)
{
	struct facts *k = g->facts;
	if (side_open(&g->source, &c->source, &k->source, RIGHTS_SYNC_SOURCE, f) ||
	    side_open(&g->target, &c->target, &k->target, RIGHTS_SYNC_TARGET, f))
		return -1;
	int64_t before_us = wall_us();
	client_ask(&g->source, "INFO all");
	client_ask(&g->target, "INFO all");
	client_flush(&g->source);
	client_flush(&g->target);
	g->sampled_ms = mono_ms();
	if (info_take(&g->source, &k->source, before_us, f) ||
	    info_take(&g->target, &k->target, before_us, f) ||
	    masters_take(&g->source, &k->source, f))
		return -1;
	return masters_take(&g->target, &k->target, f);
}

// ---- Settings, modules, markers ---------------------------------------------------------------

static void settings_put(struct client *c)
{
	unsigned n;
	const char *const *names = config_names(&n);
	for (unsigned i = 0; i < n; i++)
		client_ask(c, "CONFIG GET %b", span_of(names[i]));
	client_ask(c, "MODULE LIST");
}

static int settings_take(struct client *c, struct server_facts *s, struct failure *f)
{
	unsigned n, n_nodes;
	const struct resp_value *v;
	config_names(&n);
	for (unsigned i = 0; i < n; i++) {
		v = client_next(c, &n_nodes);
		if (!v)
			return side_failed(c, f);
		facts_config(s, i, v, n_nodes);
	}
	v = client_next(c, &n_nodes);
	if (!v)
		return side_failed(c, f);
	facts_modules(s, v, n_nodes);
	return 0;
}

static void markers_put(struct client *c, const char *link)
{
	char key[NAME_LEN + 32];
	snprintf(key, sizeof(key), "__flyover:{%.64s}:epoch", link);
	client_ask(c, "GET %b", span_of(key));
	client_ask(c, "SCAN 0 MATCH __flyover:* COUNT " SCAN_COUNT);
}

// The epoch of a link stands in the target from its first batch on. Among many keys the few of
// other links make no difference, so one SCAN suffices.
static int markers_take(struct gather *g, struct failure *f)
{
	const struct resp_value *v = client_next(&g->target, NULL);
	unsigned n;
	if (!v)
		return side_failed(&g->target, f);
	g->facts->ours = v->type == RESP_STRING;
	v = client_next(&g->target, &n);
	if (!v)
		return side_failed(&g->target, f);
	if (v->type == RESP_ARRAY && n >= 3 && v[2].type == RESP_ARRAY)
		g->facts->reserved = v[2].elements;
	return 0;
}

int gather_ask(struct gather *g, const struct link_config *c, struct failure *f)
{
	struct facts *k = g->facts;
	settings_put(&g->source);
	settings_put(&g->target);
	markers_put(&g->target, k->link);
	client_flush(&g->source);
	client_flush(&g->target);
	if (settings_take(&g->source, &k->source, f) || settings_take(&g->target, &k->target, f) ||
	    markers_take(g, f))
		return -1;
	if (rights_ask(&g->source, &c->source, &k->source, false))
		return side_failed(&g->source, f);
	return rights_ask(&g->target, &c->target, &k->target, true) ? side_failed(&g->target, f)
								     : 0;
}

// ---- Rate of the stream -----------------------------------------------------------------------

int gather_rate(struct gather *g, struct failure *f)
{
	uint64_t end_ms = g->sampled_ms + RATE_SAMPLE_MS, now = mono_ms();
	if (now < end_ms) {
		uint64_t ms = end_ms - now;
		struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
		nanosleep(&t, NULL);
	}
	client_ask(&g->source, "INFO all");
	const struct resp_value *v = client_next(&g->source, NULL);
	if (!v)
		return side_failed(&g->source, f);
	struct server_facts later = g->facts->source;
	if (v->type == RESP_STRING) {
		facts_info(&later, v->text, 0, INT64_MAX);
		facts_rate(g->facts, &later, mono_ms() - g->sampled_ms);
	}
	return 0;
}

void gather_close(struct gather *g)
{
	client_close(&g->source);
	client_close(&g->target);
}
