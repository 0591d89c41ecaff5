// SPDX-License-Identifier: BSD-3-Clause
// `flyover check`: verb_check() -> request_read() -> check_run() -> result_print() | result_json()
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>

#include "ctrl/check/check.h"
#include "ctrl/cli/escape.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/job.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/endpoint.h"

#define SHOW_DEFAULT      20
#define SHOW_MAX          1000000
#define TTL_SLACK_DEFAULT 1000

struct live {
	bool on, open;
	uint64_t started_ms, shown_ms;
};

static int mode_read(const char *text, enum check_mode *mode, struct failure *f)
{
	static const char *const words[] = {"full", "length", "keys"};
	*mode = CHECK_FULL;
	for (unsigned i = 0; text && i < 3; i++)
		if (!strcmp(text, words[i])) {
			*mode = (enum check_mode)i;
			return 0;
		}
	return text ? failure_set(f, ERROR_USAGE, "--mode is full, length or keys, not '%s'", text)
		    : 0;
}

static int number_read(const char *text, const char *name, const char *unit, uint64_t max,
		       uint64_t *v, struct failure *f)
{
	char *end;
	if (!text)
		return 0;
	*v = strtoull(text, &end, 10);
	bool seconds = *unit && !strcasecmp(end, "s");
	if (seconds)
		*v *= 1000;
	if (*text < '0' || *text > '9' || (*end && !seconds && strcasecmp(end, unit)) || *v > max)
		return failure_set(f, ERROR_USAGE, "--%s: '%s' is not a number up to %llu%s", name,
				   text, (unsigned long long)max, unit);
	return 0;
}

static int request_read(const struct options *o, struct check_options *c, struct link_config *link,
			struct failure *f)
{
	uint64_t show = SHOW_DEFAULT;
	c->ttl_slack_ms = TTL_SLACK_DEFAULT;
	if (mode_read(o->mode, &c->mode, f) ||
	    number_read(o->show, "show", "", SHOW_MAX, &show, f) ||
	    number_read(o->ttl_slack, "ttl-slack", "ms", 86400000, &c->ttl_slack_ms, f))
		return -1;
	c->show = (unsigned)show;
	memset(link, 0, sizeof(*link));
	if (endpoint_set(&link->source, o->args[0], f)) {
		failure_prefix(f, "the source");
		return -1;
	}
	if (endpoint_set(&link->target, o->args[1], f)) {
		failure_prefix(f, "the target");
		return -1;
	}
	return job_passwords(o, link, f);
}

static void live_show(void *arg, int db, uint64_t keys)
{
	struct live *l = arg;
	uint64_t now = mono_ms(), ms = now - l->started_ms;
	char count[24], rate[24];
	if (!l->on || now - l->shown_ms < 250)
		return;
	l->shown_ms = now;
	l->open = true;
	printf("\r\033[Kchecking db%d  %s keys  %s keys/s", db, figure_count(keys, count),
	       figure_short((double)keys * 1000.0 / (double)(ms ? ms : 1), rate));
	fflush(stdout);
}

static void summary_print(const struct check_result *r)
{
	char keys[24], count[24];
	const char *comma = "";
	if (r->differences == 0) {
		printf("equal: %s keys in %u database%s\n", figure_count(r->keys, keys),
		       r->databases, r->databases == 1 ? "" : "s");
		return;
	}
	printf("different: %s of %s keys:", figure_count(r->differences, count),
	       figure_count(r->keys, keys));
	for (unsigned i = 1; i < DIFFERENCE_COUNT; i++) {
		if (!r->count[i])
			continue;
		printf("%s %s %s", comma, figure_count(r->count[i], count),
		       difference_word((enum difference)i));
		comma = ",";
	}
	putchar('\n');
}

static void result_print(const struct check_result *r)
{
	for (unsigned i = 0; i < r->n_found; i++) {
		const struct found *found = &r->found[i];
		char *key = escape_text(found->key, found->key_len);
		printf("db%d \"%s\" %s\n", found->db, key ? key : "?",
		       difference_sentence(found->difference));
		free(key);
	}
	if (r->count[DIFF_FUNCTIONS])
		printf("%s\n", difference_sentence(DIFF_FUNCTIONS));
	if (r->differences > r->n_found + r->count[DIFF_FUNCTIONS])
		printf("(%llu more)\n", (unsigned long long)(r->differences - r->n_found -
							     r->count[DIFF_FUNCTIONS]));
	summary_print(r);
}

static void result_json(const struct check_result *r, uint64_t ms)
{
	json_t *list = json_array();
	json_t *o = json_pack("{s:s, s:b, s:I, s:i, s:I, s:I, s:I}", "result",
			      r->differences ? "different" : "equal", "equal", r->differences == 0,
			      "keys", (json_int_t)r->keys, "databases", (int)r->databases,
			      "differences", (json_int_t)r->differences, "rechecked",
			      (json_int_t)r->rechecked, "ms", (json_int_t)ms);
	for (unsigned i = 1; i < DIFFERENCE_COUNT; i++)
		json_object_set_new(o, difference_word((enum difference)i),
				    json_integer((json_int_t)r->count[i]));
	for (unsigned i = 0; i < r->n_found; i++) {
		const struct found *found = &r->found[i];
		char *key = escape_text(found->key, found->key_len);
		json_array_append_new(list, json_pack("{s:i, s:s, s:s}", "db", found->db, "key",
						      key ? key : "", "reason",
						      difference_word(found->difference)));
		free(key);
	}
	json_object_set_new(o, "found", list);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

int verb_check(const struct options *o, struct failure *f)
{
	struct live live = {.on = !o->json && isatty(STDOUT_FILENO), .started_ms = mono_ms()};
	struct check_options c = {.progress = live_show, .progress_arg = &live};
	struct check_result r = {0};
	struct link_config link;
	int rc = request_read(o, &c, &link, f);
	rc = rc ? rc : check_run(&link.source, &link.target, &c, &r, f);
	explicit_bzero(&link, sizeof(link));
	if (live.open)
		printf("\r\033[K");
	if (rc == 0 && o->json)
		result_json(&r, mono_ms() - live.started_ms);
	else if (rc == 0)
		result_print(&r);
	fflush(stdout);
	if (rc == 0 && r.differences) {
		f->id = ERROR_DIFFERENT; // it was told already
		f->sentence[0] = 0;
		rc = -1;
	}
	check_result_free(&r);
	return rc;
}
