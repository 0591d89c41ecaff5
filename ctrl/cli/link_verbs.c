// SPDX-License-Identifier: BSD-3-Clause
// `flyover link ...`: one request each to a running flyoverd.
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/job.h"
#include "ctrl/cli/session.h"
#include "ctrl/cli/table.h"
#include "ctrl/cli/verbs.h"

// @param request  taken over. @param answer  out, may be NULL
static int daemon_ask(const struct options *o, json_t *request, json_t **answer, struct failure *f)
{
	struct session s;
	if (session_open(&s, o->socket, f)) {
		json_decref(request);
		return -1;
	}
	int rc = session_ask(&s, request, answer, f);
	session_close(&s);
	return rc ? -1 : 0;
}

static int named_ask(const struct options *o, const char *verb, json_t **answer, struct failure *f)
{
	return daemon_ask(o, json_pack("{s:s, s:s}", "verb", verb, "name", o->args[0]), answer, f);
}

static void line_print(const json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
}

int verb_link_create(const struct options *o, struct failure *f)
{
	struct link_config c;
	json_t *answer = NULL;
	int rc = job_config(o, o->args[0], o->args[1], o->args[2], &c, f);
	rc = rc ? rc : daemon_ask(o, job_request(&c, false), &answer, f);
	explicit_bzero(&c, sizeof(c));
	if (rc)
		return -1;
	if (o->json)
		line_print(json_object_get(answer, "link"));
	json_decref(answer);
	return 0;
}

int verb_link_list(const struct options *o, struct failure *f)
{
	json_t *answer = NULL;
	if (daemon_ask(o, json_pack("{s:s}", "verb", "link-list"), &answer, f))
		return -1;
	json_object_del(answer, "ok");
	if (o->json)
		line_print(answer);
	else
		table_print(stdout, json_object_get(answer, "links"), "\n");
	json_decref(answer);
	return 0;
}

int verb_link_show(const struct options *o, struct failure *f)
{
	json_t *answer = NULL;
	if (named_ask(o, "link-show", &answer, f))
		return -1;
	if (o->json)
		line_print(json_object_get(answer, "link"));
	else
		link_print(stdout, json_object_get(answer, "link"));
	json_decref(answer);
	return 0;
}

int verb_link_pause(const struct options *o, struct failure *f)
{
	return named_ask(o, "link-pause", NULL, f);
}

int verb_link_resume(const struct options *o, struct failure *f)
{
	return named_ask(o, "link-resume", NULL, f);
}

int verb_link_drain(const struct options *o, struct failure *f)
{
	return named_ask(o, "link-drain", NULL, f);
}

int verb_link_delete(const struct options *o, struct failure *f)
{
	return named_ask(o, "link-delete", NULL, f);
}
