// SPDX-License-Identifier: BSD-3-Clause
// probe_begin() -> facts_ask(), connections_open() -> side_judge() ; databases_choose(),
// payload_take(), commands_ask(), compare_prepare()
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/doctor/gather.h"
#include "ctrl/doctor/probe_commands.h"
#include "ctrl/doctor/probe_keys.h"
#include "ctrl/doctor/probe_priv.h"

#define TTL_SLACK_MS 2000

static int facts_ask(struct probe *p)
{
	struct gather *g = malloc(sizeof(*g));
	if (!g)
		return failure_set(p->failure, ERROR_MEMORY, "no memory for a probe");
	facts_init(&p->facts, p->config);
	gather_init(g, &p->facts);
	int rc = gather_open(g, p->config, p->failure);
	gather_close(g);
	free(g);
	return rc;
}

static int side_judge(const struct server_facts *s, struct failure *f)
{
	if (!strcmp(s->role, "slave"))
		return failure_set(f, ERROR_TARGET_READONLY,
				   "%s is a replica of %s:%s, and a probe writes", s->who,
				   s->master_host, s->master_port);
	if (s->mode[0] && strcmp(s->mode, "standalone"))
		return failure_set(f, ERROR_LINK_STATE,
				   "%s is in %s mode, in which a probe cannot write its keys",
				   s->who, s->mode);
	return 0;
}

static int connections_open(struct probe *p)
{
	struct failure *f = p->failure;
	if (side_judge(&p->facts.source, f) || side_judge(&p->facts.target, f))
		return -1;
	if (client_open(&p->pair.client[SOURCE], &p->config->source, "the source", f) ||
	    client_open(&p->pair.client[TARGET], &p->config->target, "the target", f))
		return -1;
	p->link.names = &p->report->names;
	p->link.go_on = p->options->go_on;
	p->link.arg = p->options->arg;
	p->report->full = p->options->full;
	return probe_link_open(&p->link, &p->config->source, &p->facts.source, p->report->full, f);
}

// The databases that a link would sync; with all of them, a second one for MOVE.
static int databases_choose(struct probe *p)
{
	struct pair_reply r;
	int from = p->config->source.db, to = p->facts.target.db, other = 1;
	if (from < 0) {
		for (int i = 0; i < 2; i++)
			client_ask(&p->pair.client[i], "SELECT %d", (long long)other);
		if (pair_next_any(&p->pair, &r, p->failure))
			return -1;
		bool both = r.v[SOURCE]->type == RESP_STATUS && r.v[TARGET]->type == RESP_STATUS;
		p->report->names.other_db = both && to < 0 ? other : -1;
	}
	p->db[SOURCE] = from < 0 ? 0 : from;
	p->db[TARGET] = to < 0 ? p->db[SOURCE] : to;
	p->report->db = p->db[SOURCE];
	return pair_select(&p->pair, p->db, p->failure);
}

// What a source would have one RESTORE: its own dump of a string.
static int payload_take(struct probe *p)
{
	struct client *source = &p->pair.client[SOURCE];
	struct probe_names *names = &p->report->names;
	char key[PROBE_PREFIX_LEN + 8];
	snprintf(key, sizeof(key), "%sfence", names->prefix);
	client_ask(source, "SET %b 0", span_of(key));
	client_ask(source, "DUMP %b", span_of(key));
	const struct resp_value *v = client_next(source, NULL);
	if (v && v->type == RESP_ERROR)
		return client_refused(source, "a write", v->text, p->failure);
	v = v ? client_next(source, NULL) : NULL;
	if (!v) {
		*p->failure = source->failure;
		return -1;
	}
	if (v->type == RESP_STRING && v->text.len <= PROBE_DUMP_MAX) {
		names->dump_len = v->text.len;
		memcpy(names->dump, v->text.p, v->text.len);
	}
	return 0;
}

static int commands_ask(struct probe *p)
{
	struct client *source = &p->pair.client[SOURCE];
	unsigned n;
	client_ask(source, "COMMAND");
	const struct resp_value *v = client_next(source, &n);
	if (!v) {
		*p->failure = source->failure;
		return -1;
	}
	probe_commands_judge(v, n, p->facts.source.version, p->findings);
	return probe_keys_judge(source, &p->report->names, p->findings, p->failure);
}

static int compare_prepare(struct probe *p)
{
	struct pair_reply r;
	pair_ask(&p->pair, "PEXPIRETIME %b", span_of(p->report->names.prefix));
	if (pair_next_any(&p->pair, &r, p->failure))
		return -1;
	p->compare = (struct compare){
		.pair = &p->pair,
		.mode = CHECK_FULL,
		.ttl_slack_ms = TTL_SLACK_MS,
		.failure = p->failure,
		.absolute_expiry =
			r.v[SOURCE]->type == RESP_INTEGER && r.v[TARGET]->type == RESP_INTEGER,
	};
	return 0;
}

int probe_begin(struct probe *p)
{
	static int (*const steps[])(struct probe *) = {facts_ask,        connections_open,
						       databases_choose, payload_take,
						       commands_ask,     compare_prepare};
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i](p))
			return -1;
	return 0;
}
