// SPDX-License-Identifier: BSD-3-Clause
// can_probe() -> can_probe_source() -> server_read(), source_ask() ; target_ask(). Every question
// is about a key of ours that does not exist, so that none of them changes anything.
#include "ctrl/scan/can.h"

#include <stdio.h>

#include "ctrl/clock.h"
#include "parsers/info.h"

bool error_is_busy(const struct resp_value *v)
{
	return value_is_error(v, "BUSY ") || value_is_error(v, "LOADING");
}

bool error_is_command(const struct resp_value *v)
{
	if (v->type != RESP_ERROR)
		return false;
	// NOPERM for a key speaks of keys alone.
	const char *said = value_is_error(v, "NOPERM") ? "command" : "unknown command";
	return memmem(v->text.p, v->text.len, said, strlen(said)) != NULL;
}

static int cluster_refused(const struct client *c, struct failure *f)
{
	return failure_set(f, ERROR_URL,
			   "%s %s is a node of a cluster, which this version cannot scan or write",
			   c->who, c->url);
}

static int server_read(struct can *can, struct pair *p, enum side side, struct failure *f)
{
	struct client *c = &p->client[side];
	char policy[32], role[16] = "", cluster[4] = "0";
	client_ask(c, "INFO");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return pair_failed(p, f);
	if (v->type != RESP_STRING)
		return 0; // not permitted: what can be done shows itself
	info_field(v->text, "cluster_enabled", cluster, sizeof(cluster));
	if (!strcmp(cluster, "1"))
		return cluster_refused(c, f);
	info_field(v->text, "role", role, sizeof(role));
	if (side == TARGET) {
		can->target_is_replica = !strcmp(role, "slave");
		return 0;
	}
	info_field(v->text, "run_id", can->run_id, sizeof(can->run_id));
	if (info_field(v->text, "maxmemory_policy", policy, sizeof(policy)))
		can->lfu = strstr(policy, "lfu") != NULL;
	return 0;
}

// One question after the other, all sent at once; each answer goes to one flag.
struct question {
	const char *command;
	bool *yes;
	const char *because; // the answer that means yes: NULL any but an error, else this error
};

static int questions_ask(struct pair *p, enum side side, const struct question *q, unsigned n,
			 struct failure *f)
{
	struct client *c = &p->client[side];
	for (unsigned i = 0; i < n; i++)
		client_ask(c, q[i].command);
	for (unsigned i = 0; i < n; i++) {
		const struct resp_value *v = client_next(c, NULL);
		if (!v)
			return pair_failed(p, f);
		if (!q[i].yes)
			continue;
		// A key that the user may not touch says nothing about the command.
		bool refused = v->type == RESP_ERROR &&
			       (error_is_command(v) || !value_is_error(v, "NOPERM"));
		bool expected = v->type == RESP_ERROR && q[i].because &&
				memmem(v->text.p, v->text.len, q[i].because, strlen(q[i].because));
		*q[i].yes = expected || !refused;
	}
	return 0;
}

static int source_ask(struct can *can, struct pair *p, struct failure *f)
{
	const struct question questions[] = {
		{"CLIENT NO-TOUCH ON", NULL, NULL}, // 7.2: our reading keeps nothing warm
		{"DUMP __flyover:probe", &can->dump, NULL},
		{"MEMORY USAGE __flyover:probe", &can->memory_usage, NULL},
		{"PEXPIRETIME __flyover:probe", &can->expire_time, NULL},
		{"HPEXPIRETIME __flyover:probe FIELDS 1 x", &can->field_ttl_read, NULL},
	};
	return questions_ask(p, SOURCE, questions, sizeof(questions) / sizeof(questions[0]), f);
}

// Only who reads a value in pieces has to know whether it changed meanwhile.
static int watch_ask(struct can *can, struct pair *p, struct failure *f)
{
	bool multi = false, exec = false, unwatch = false;
	const struct question questions[] = {
		{"WATCH __flyover:probe", &can->watch, NULL},
		{"UNWATCH", &unwatch, NULL},
		{"MULTI", &multi, NULL},
		{"EXEC", &exec, NULL},
	};
	if (questions_ask(p, SOURCE, questions, sizeof(questions) / sizeof(questions[0]), f))
		return -1;
	can->watch = can->watch && unwatch && multi && exec;
	return 0;
}

static int target_ask(struct can *can, struct pair *p, struct failure *f)
{
	bool exec = false;
	const struct question questions[] = {
		{"RESTORE __flyover:probe 0 x REPLACE", &can->restore, "payload"},
		{"RESTORE __flyover:probe 1 x REPLACE ABSTTL", &can->absolute_ttl, "payload"},
		{"MULTI", &can->multi, NULL},
		{"EXEC", &exec, NULL},
		{"XSETID __flyover:probe 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0", &can->stream_facts,
		 "no such key"},
		{"HPEXPIREAT __flyover:probe 1 FIELDS 1 x", &can->field_ttl_write, NULL},
	};
	if (questions_ask(p, TARGET, questions, sizeof(questions) / sizeof(questions[0]), f))
		return -1;
	can->multi = can->multi && exec;
	return 0;
}

static int clock_read_source(struct can *can, struct pair *p, struct failure *f)
{
	struct client *c = &p->client[SOURCE];
	uint64_t before = wall_ms();
	unsigned n;
	client_ask(c, "TIME");
	const struct resp_value *v = client_next(c, &n);
	if (!v)
		return pair_failed(p, f);
	uint64_t middle = before + (wall_ms() - before) / 2;
	if (v->type != RESP_ARRAY || n < 3)
		return 0;
	uint64_t theirs = span_digits(v[1].text) * 1000 + span_digits(v[2].text) / 1000;
	can->source_ahead_ms = (int64_t)theirs - (int64_t)middle;
	return 0;
}

int can_probe_source(struct can *c, struct pair *p, struct failure *f)
{
	*c = (struct can){0};
	if (server_read(c, p, SOURCE, f) || source_ask(c, p, f))
		return -1;
	return c->expire_time ? 0 : clock_read_source(c, p, f); // PTTL counts by that clock
}

int can_probe(struct can *c, struct pair *p, struct failure *f)
{
	if (can_probe_source(c, p, f) || watch_ask(c, p, f) || server_read(c, p, TARGET, f))
		return -1;
	if (c->target_is_replica)
		return failure_set(f, ERROR_TARGET_READONLY, "the target %s is a replica",
				   p->client[TARGET].url);
	if (target_ask(c, p, f))
		return -1;
	return c->expire_time && !c->absolute_ttl ? clock_read_source(c, p, f) : 0;
}
