// SPDX-License-Identifier: BSD-3-Clause
// `flyover status` and `flyover metrics`: one question to a running flyoverd.
#include <stdio.h>

#include "ctrl/cli/session.h"
#include "ctrl/cli/table.h"
#include "ctrl/cli/verbs.h"

// @param answer  out: to json_decref()
static int daemon_ask(const struct options *o, const char *verb, json_t **answer, struct failure *f)
{
	struct session s;
	if (session_open(&s, o->socket, f))
		return -1;
	int rc = session_ask(&s, json_pack("{s:s}", "verb", verb), answer, f);
	session_close(&s);
	return rc ? -1 : 0;
}

int verb_status(const struct options *o, struct failure *f)
{
	json_t *answer = NULL;
	if (daemon_ask(o, "status", &answer, f))
		return -1;
	json_object_del(answer, "ok");
	if (o->json) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		daemon_print(stdout, answer, "\n");
		table_print(stdout, json_object_get(answer, "links"), "\n");
	}
	json_decref(answer);
	return 0;
}

int verb_metrics(const struct options *o, struct failure *f)
{
	json_t *answer = NULL;
	if (daemon_ask(o, "metrics", &answer, f))
		return -1;
	fputs(json_string_value(json_object_get(answer, "text")), stdout);
	json_decref(answer);
	return 0;
}
