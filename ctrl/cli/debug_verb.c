// SPDX-License-Identifier: BSD-3-Clause
// `flyover debug trace`: what has last happened on the connections of our own TCP.
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/session.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/trace_time.h"

static const char *text(const json_t *o, const char *key)
{
	const char *z = json_string_value(json_object_get(o, key));
	return z ? z : "-";
}

static void flow_print(const json_t *flow)
{
	const json_t *line, *lines = json_object_get(flow, "lines");
	char when[TRACE_TIME_LEN];
	size_t i;
	printf("%s > %s  link %s, %s, %lld records, the last %zu lines (UTC):\n",
	       text(flow, "local"), text(flow, "remote"), text(flow, "link"),
	       json_is_true(json_object_get(flow, "open")) ? "open" : "closed",
	       (long long)json_integer_value(json_object_get(flow, "records")),
	       json_array_size(lines));
	json_array_foreach((json_t *)lines, i, line)
	{
		uint64_t us = (uint64_t)json_integer_value(json_object_get(line, "time_us"));
		printf("  %s %s\n", trace_time(us, when), text(line, "text"));
	}
}

static void flows_print(const json_t *flows, bool json)
{
	const json_t *flow;
	size_t i;
	json_array_foreach((json_t *)flows, i, flow)
	{
		if (json) {
			json_dumpf(flow, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			flow_print(flow);
		}
	}
	if (!json && json_array_size(flows) == 0)
		puts("(no connections of our own TCP; those over kernel sockets have no trace)");
}

// @return a number of lines, or -1 with f
static long long limit_read(const char *limit, struct failure *f)
{
	char *end;
	long long n = strtoll(limit, &end, 10);
	if (*end || end == limit || n < 1 || n > 1000000)
		return failure_set(f, ERROR_USAGE, "--limit takes a number of lines, not '%s'",
				   limit);
	return n;
}

int verb_debug_trace(const struct options *o, struct failure *f)
{
	struct session s;
	json_t *answer = NULL;
	long long limit = o->limit ? limit_read(o->limit, f) : 100;
	if (limit < 0 || session_open(&s, o->socket, f))
		return -1;
	json_t *request = json_pack("{s:s, s:s, s:I}", "verb", "trace", "link",
				    o->n_args ? o->args[0] : "all", "limit", (json_int_t)limit);
	int rc = session_ask(&s, request, &answer, f);
	session_close(&s);
	if (rc)
		return -1;
	flows_print(json_object_get(answer, "flows"), o->json);
	json_decref(answer);
	return 0;
}
