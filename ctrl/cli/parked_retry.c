// SPDX-License-Identifier: BSD-3-Clause
// `flyover link parked retry`: by the flyoverd that knows the target, or from here.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctrl/cli/job.h"
#include "ctrl/cli/parked_ids.h"
#include "ctrl/cli/parked_place.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/endpoint.h"
#include "ctrl/parked/retry.h"

#define POLL_NS 20000000

struct tally {
	bool as_json;
	uint64_t n[RETRY_SKIPPED + 1];
};

static void answer_print(struct tally *t, uint64_t id, enum retry_result result, const char *reason)
{
	t->n[result]++;
	if (t->as_json) {
		json_t *o = json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "result",
				      retry_result_word(result), "reason", reason);
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else {
		printf("%" PRIu64 " %s%s%s\n", id, retry_result_word(result), *reason ? ": " : "",
		       reason);
	}
}

// The end: 0 when the target has them all.
static int tally_print(const struct tally *t, struct failure *f)
{
	uint64_t others = t->n[RETRY_REFUSED] + t->n[RETRY_UNSURE];
	printf(t->as_json
		       ? "{\"applied\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"unsure\":%" PRIu64
			 ",\"skipped\":%" PRIu64 "}\n"
		       : "applied %" PRIu64 ", refused %" PRIu64 ", unsure %" PRIu64
			 ", skipped %" PRIu64 "\n",
	       t->n[RETRY_APPLIED], t->n[RETRY_REFUSED], t->n[RETRY_UNSURE], t->n[RETRY_SKIPPED]);
	return others ? failure_set(f, ERROR_LINK_STATE,
				    "%" PRIu64 " of the commands stay parked", others)
		      : 0;
}

// ---- By flyoverd --------------------------------------------------------------------------------

static enum retry_result result_of(const char *word)
{
	unsigned i = 0;
	while (i < RETRY_SKIPPED && strcmp(retry_result_word((enum retry_result)i), word))
		i++;
	return (enum retry_result)i;
}

// @param seen  results that were printed before
static void answers_print(struct tally *t, const json_t *answer, size_t *seen)
{
	const json_t *o;
	size_t i;
	json_array_foreach(json_object_get(answer, "results"), i, o)
	{
		const char *word = json_string_value(json_object_get(o, "result"));
		const char *reason = json_string_value(json_object_get(o, "reason"));
		answer_print(t, (uint64_t)json_integer_value(json_object_get(o, "id")),
			     result_of(word ? word : ""), reason ? reason : "");
		++*seen;
	}
}

static int daemon_watch(struct parked_place *p, struct tally *t, struct failure *f)
{
	size_t seen = 0;
	for (bool done = false; !done;) {
		json_t *answer = NULL;
		if (session_ask(&p->session,
				json_pack("{s:s, s:s, s:I}", "verb", "link-parked-retried", "name",
					  p->link, "from", (json_int_t)seen),
				&answer, f))
			return -1;
		size_t before = seen;
		answers_print(t, answer, &seen);
		done = json_is_true(json_object_get(answer, "done")) && seen == before;
		const json_t *error = json_object_get(answer, "error");
		bool failed = done && json_is_object(error);
		if (failed)
			session_failure(error, f);
		json_decref(answer);
		if (failed)
			return -1;
		if (!done && seen == before)
			nanosleep(&(struct timespec){0, POLL_NS}, NULL);
	}
	return 0;
}

static int daemon_retry(struct parked_place *p, const struct parked_ids *ids,
			const struct options *o, struct tally *t, struct failure *f)
{
	if (o->target)
		return failure_set(f, ERROR_USAGE, "--target is not needed: flyoverd has link %s",
				   p->link);
	json_t *list = json_array();
	for (size_t i = 0; i < ids->n; i++)
		json_array_append_new(list, json_integer((json_int_t)ids->ids[i]));
	json_t *request = json_pack("{s:s, s:s, s:b, s:b, s:o}", "verb", "link-parked-retry",
				    "name", p->link, "all", ids->all, "again", o->again, "ids",
				    list);
	return session_ask(&p->session, request, NULL, f) ? -1 : daemon_watch(p, t, f);
}

// ---- From here ----------------------------------------------------------------------------------

static void local_tell(void *arg, const struct retry_answer *a)
{
	answer_print(arg, a->id, a->result, a->reason);
}

static int local_retry(struct parked_place *p, struct parked_ids *ids, const struct options *o,
		       struct tally *t, struct failure *f)
{
	struct link_config c = {0};
	struct retry r = {.again = o->again, .tell = local_tell, .arg = t};
	if (!o->target)
		return failure_set(f, ERROR_USAGE,
				   "no flyoverd runs that has link %s; name its target by --target",
				   p->link);
	snprintf(r.link, sizeof(r.link), "%s", p->link);
	if (snprintf(r.folder, sizeof(r.folder), "%s", p->folder) >= (int)sizeof(r.folder))
		return failure_set(f, ERROR_STATE_DIR, "the path of the state folder is too long");
	r.ids = ids->all ? NULL : ids->ids;
	r.n_ids = ids->n;
	int rc = endpoint_set(&c.target, o->target, f);
	rc = rc ? rc : job_credentials(o, &c, f);
	r.target = c.target;
	rc = rc ? rc : retry_run(&r, f);
	explicit_bzero(&c, sizeof(c));
	explicit_bzero(&r, sizeof(r));
	return rc;
}

int verb_parked_retry(const struct options *o, struct failure *f)
{
	struct parked_place p;
	struct parked_ids ids;
	struct tally t = {.as_json = o->json};
	if (parked_place_find(&p, o, f))
		return -1;
	int rc = parked_ids_read(&ids, o, p.args_taken, f);
	if (rc == 0)
		rc = p.has_session ? daemon_retry(&p, &ids, o, &t, f)
				   : local_retry(&p, &ids, o, &t, f);
	parked_place_close(&p);
	return rc ? rc : tally_print(&t, f);
}
