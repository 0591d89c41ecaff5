// SPDX-License-Identifier: BSD-3-Clause
// The verbs of the API, one row each.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/daemon/api.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/metrics.h"
#include "ctrl/daemon/status.h"
#include "ctrl/link_config.h"

static json_t *verb_ping(struct daemon *d, const json_t *request, struct failure *f)
{
	return json_pack("{s:s, s:i}", "version", FLYOVER_VERSION, "pid", (int)getpid());
}

static json_t *verb_help(struct daemon *d, const json_t *request, struct failure *f)
{
	unsigned n;
	const struct api_verb *verbs = api_verbs(&n);
	json_t *o = json_object();
	for (unsigned i = 0; i < n; i++)
		json_object_set_new(o, verbs[i].name, json_string(verbs[i].help));
	return json_pack("{s:o}", "verbs", o);
}

static json_t *verb_status(struct daemon *d, const json_t *request, struct failure *f)
{
	return daemon_status(d);
}

static json_t *verb_metrics(struct daemon *d, const json_t *request, struct failure *f)
{
	size_t len;
	char *text = metrics_text(d, &len);
	json_t *o = text ? json_pack("{s:s}", "text", text) : NULL;
	free(text);
	if (!o)
		failure_set(f, ERROR_MEMORY, "no memory for the metrics");
	return o;
}

// A value of a request as the text that a user would write.
static const char *value_text(const json_t *v, char *number, size_t number_len)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	if (!json_is_integer(v))
		return NULL;
	snprintf(number, number_len, "%lld", (long long)json_integer_value(v));
	return number;
}

static int config_from_request(const json_t *request, struct link_config *c, struct failure *f)
{
	const char *key;
	json_t *v;
	link_config_init(c);
	json_object_foreach((json_t *)request, key, v)
	{
		char number[32];
		const char *text = value_text(v, number, sizeof(number));
		if (!strcmp(key, "verb") || !strcmp(key, "replace"))
			continue;
		if (!text)
			return failure_set(f, ERROR_CONFIG, "'%.64s' takes a text or a number",
					   key);
		if (link_config_set(c, key, text, f))
			return -1;
	}
	return link_config_check(c, f);
}

static json_t *verb_link_create(struct daemon *d, const json_t *request, struct failure *f)
{
	struct link_config c;
	bool replace = json_is_true(json_object_get(request, "replace"));
	int i = config_from_request(request, &c, f);
	i = i ? i : link_create(d, &c, replace, f);
	explicit_bzero(&c, sizeof(c));
	return i < 0 ? NULL : json_pack("{s:o}", "link", link_status(d, (unsigned)i));
}

static int link_named(struct daemon *d, const json_t *request, struct failure *f)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	if (!name)
		return failure_set(f, ERROR_USAGE, "this verb needs a \"name\"");
	return link_find(d, name, f);
}

static json_t *verb_link_show(struct daemon *d, const json_t *request, struct failure *f)
{
	int i = link_named(d, request, f);
	return i < 0 ? NULL : json_pack("{s:o}", "link", link_status(d, (unsigned)i));
}

static json_t *verb_link_list(struct daemon *d, const json_t *request, struct failure *f)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used)
			json_array_append_new(list, link_status(d, i));
	return json_pack("{s:o}", "links", list);
}

typedef int link_change(struct daemon *d, unsigned i, struct failure *f);

static json_t *link_do(struct daemon *d, const json_t *request, link_change *change,
		       const char *word, struct failure *f)
{
	int i = link_named(d, request, f);
	if (i < 0)
		return NULL;
	log_put(&d->log, EVENT_INFO, d->supervisor.shared.contract->links[i].config.name, "to %s",
		word);
	return change(d, (unsigned)i, f) ? NULL : json_object();
}

#define LINK_VERB(word)                                                                            \
	static json_t *verb_link_##word(struct daemon *d, const json_t *request,                   \
					struct failure *f)                                         \
	{                                                                                          \
		return link_do(d, request, link_##word, #word, f);                                 \
	}
LINK_VERB(pause)
LINK_VERB(resume)
LINK_VERB(drain)
LINK_VERB(stop)
LINK_VERB(delete)

static json_t *verb_shutdown(struct daemon *d, const json_t *request, struct failure *f)
{
	daemon_end(d, json_is_true(json_object_get(request, "now")));
	return json_object();
}

const struct api_verb *api_verbs(unsigned *n)
{
	static const struct api_verb verbs[] = {
		{"ping", "version and pid of flyoverd", verb_ping},
		{"help", "the verbs", verb_help},
		{"status", "flyoverd, its dataplane, all links, the last lines of the log",
		 verb_status},
		{"metrics", "all counters in Prometheus' text format", verb_metrics},
		{"link-create",
		 "create and start a link: name, source, target, settings; replace: true "
		 "to put it in the place of another",
		 verb_link_create},
		{"link-list", "all links", verb_link_list},
		{"link-show", "one link, by its name", verb_link_show},
		{"link-pause", "stop applying, stay connected", verb_link_pause},
		{"link-resume", "go on, or start again what has ended", verb_link_resume},
		{"link-drain", "apply what was received, then end", verb_link_drain},
		{"link-stop", "end at once", verb_link_stop},
		{"link-delete", "forget a link that has ended", verb_link_delete},
		{"link-parked", "where the parked commands of a link lie, and how many there are",
		 verb_link_parked},
		{"link-parked-retry",
		 "send parked commands to the target now: ids, or all: true; again: true for "
		 "those whose answer got lost",
		 verb_link_parked_retry},
		{"link-parked-retried", "what came of the last retry, from result number `from` on",
		 verb_link_parked_retried},
		{"trace",
		 "what has last happened on the connections of our own TCP: link (all), limit "
		 "(100 lines of each)",
		 verb_trace},
		{"shutdown", "drain all links and leave; now: true to leave at once",
		 verb_shutdown},
	};
	*n = sizeof(verbs) / sizeof(verbs[0]);
	return verbs;
}
