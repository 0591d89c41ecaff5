// SPDX-License-Identifier: BSD-3-Clause
// probe_run() -> probe_begin(), cases_run() -> case_run() -> case_play() -> fence_put(),
// replies_take() ; case_judge() -> value_judge()
#include "ctrl/doctor/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/doctor/probe_clean.h"
#include "ctrl/doctor/probe_match.h"
#include "ctrl/doctor/probe_priv.h"
#include "ctrl/doctor/probe_since.h"
#include "ctrl/doctor/probe_target.h"
#include "ctrl/rights.h"

// ---- A case -----------------------------------------------------------------------------------

static void fence_put(struct probe *p)
{
	char key[PROBE_PREFIX_LEN + 8];
	snprintf(key, sizeof(key), "%sfence", p->report->names.prefix);
	client_ask(&p->pair.client[SOURCE], "SET %b %d", span_of(key), (long long)++p->fence);
}

static void list_put(struct client *source, const struct probe_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		client_put(source, l->list[i].argc, l->list[i].argv);
}

// Take so many answers. @param error  out: the first that is one; room for PROBE_TEXT_LEN
static int replies_take(struct probe *p, unsigned n, char *error)
{
	struct client *source = &p->pair.client[SOURCE];
	for (unsigned i = 0; i < n; i++) {
		const struct resp_value *v = client_next(source, NULL);
		if (!v) {
			*p->failure = source->failure;
			return -1;
		}
		if (v->type == RESP_ERROR && !error[0])
			snprintf(error, PROBE_TEXT_LEN, "%.*s",
				 (int)(v->text.len < 200 ? v->text.len : 200), v->text.p);
	}
	return 0;
}

static int fence_reply(struct probe *p)
{
	struct client *source = &p->pair.client[SOURCE];
	const struct resp_value *v = client_next(source, NULL);
	if (v && v->type == RESP_ERROR)
		return client_refused(source, "a write", v->text, p->failure);
	if (!v)
		*p->failure = source->failure;
	return v ? 0 : -1;
}

// Setup and command between fences, and what the stream has between them.
//
// @param error  out: what the source refused
static int case_play(struct probe *p, char *error)
{
	struct client *source = &p->pair.client[SOURCE];
	unsigned fence = p->fence + 1;
	fence_put(p);
	list_put(source, &p->setup);
	fence_put(p);
	list_put(source, &p->command);
	fence_put(p);
	if (fence_reply(p) || replies_take(p, p->setup.n, error) || fence_reply(p) ||
	    replies_take(p, p->command.n, error) || fence_reply(p))
		return -1;
	if (probe_link_gather(&p->link, fence, &p->came, p->failure) || // what was cleaned up
	    probe_link_gather(&p->link, fence + 1, &p->came_setup, p->failure))
		return -1;
	return probe_link_gather(&p->link, fence + 2, &p->came, p->failure);
}

static int other_database_compare(struct probe *p, enum probe_verdict *verdict, char *why)
{
	const struct probe_list *asked[2] = {&p->setup, &p->command};
	int db[2] = {p->report->names.other_db, p->report->names.other_db};
	if (pair_select(&p->pair, db, p->failure) ||
	    probe_target_compare(&p->compare, &p->report->names, asked, verdict, why))
		return -1;
	return pair_select(&p->pair, p->db, p->failure);
}

static int value_judge(struct probe *p, const struct probe_case *row, enum probe_verdict *verdict,
		       char *why)
{
	const struct probe_list *came[2] = {&p->came_setup, &p->came};
	const struct probe_list *asked[2] = {&p->setup, &p->command};
	struct client *target = &p->pair.client[TARGET];
	const struct probe_names *names = &p->report->names;
	if (probe_target_send(target, names, came, verdict, why, p->failure))
		return -1;
	if (*verdict == PROBE_TARGET_REFUSES)
		return 0;
	if (probe_target_compare(&p->compare, names, asked, verdict, why))
		return -1;
	bool both = strchr(row->command, '&') && names->other_db >= 0;
	return both && *verdict != PROBE_VALUE_DIFFERS ? other_database_compare(p, verdict, why)
						       : 0;
}

static int case_judge(struct probe *p, struct probe_found *one, const char *error)
{
	const struct probe_names *names = &p->report->names;
	const struct server_facts *s = &p->facts.source;
	bool inside = !strncmp(one->row->command, "MULTI ", 6); // where EXEC tells of errors
	if (error[0] && !inside) {
		bool lacks = probe_is_open(one->row->expected) ||
			     !probe_case_since(one->row, names, s->valkey, s->version);
		one->verdict = lacks ? PROBE_SKIPPED : PROBE_REFUSED;
		snprintf(one->why, sizeof(one->why), "%s", error);
		return 0;
	}
	probe_list_text(&p->came, names, one->came, sizeof(one->came));
	if (value_judge(p, one->row, &one->verdict, one->why))
		return -1;
	if (one->verdict == PROBE_OK && !probe_match(one->row->expected, names, &p->came))
		one->verdict = PROBE_DIFFERS;
	return 0;
}

// There may be one database only, and DUMP may be refused.
static bool can_be_asked(const struct probe_case *row, const struct probe_names *names)
{
	return (names->other_db >= 0 || !strchr(row->command, '&')) &&
	       (names->dump_len || !strstr(row->command, "<dump>"));
}

static int case_run(struct probe *p, const struct probe_case *row)
{
	const struct probe_names *names = &p->report->names;
	char error[PROBE_TEXT_LEN] = "";
	if (!can_be_asked(row, names))
		return 0;
	if (probe_list_read(&p->setup, span_of(row->setup), names) ||
	    probe_list_read(&p->command, span_of(row->command), names))
		return failure_set(p->failure, ERROR_INTERNAL, "too long: %s", row->command);
	struct probe_found *one = &p->report->found[p->report->n];
	*one = (struct probe_found){.row = row};
	if (case_play(p, error) || case_judge(p, one, error))
		return -1;
	p->report->n++;
	return probe_clean_case(&p->pair, names, &p->setup, &p->command, p->failure);
}

static int cases_run(struct probe *p)
{
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	int rc = 0;
	for (unsigned i = 0; i < n && i < PROBE_FOUND_MAX && rc == 0; i++) {
		if (!p->options->go_on(p->options->arg))
			return failure_set(p->failure, ERROR_LINK_STATE,
					   "the probe was interrupted");
		rc = case_run(p, &rows[i]);
	}
	return rc;
}

// ---- The whole --------------------------------------------------------------------------------

// The advice for a link does not fit a probe.
static void advice_tell(const struct probe *p)
{
	struct failure *f = p->failure;
	char words[RIGHTS_LEN];
	size_t len = strlen(f->sentence);
	if (f->id == ERROR_TARGET_REFUSES)
		f->id = ERROR_LINK_STATE;
	if (f->id == ERROR_NOPERM && !strncmp(f->sentence, "the source ", 11))
		snprintf(f->sentence + len, sizeof(f->sentence) - len,
			 "; a probe wants `ACL SETUSER %.64s %s`", p->facts.source.user,
			 rights_text(RIGHTS_PROBE_SOURCE, RIGHTS_SINGLE, words));
}

int probe_run(const struct link_config *c, const struct probe_options *o, struct probe_report *r,
	      struct findings *f, struct failure *failure)
{
	struct probe *p = calloc(1, sizeof(*p));
	memset(r, 0, sizeof(*r));
	if (!p)
		return failure_set(failure, ERROR_MEMORY, "no memory for a probe");
	p->config = c;
	p->options = o;
	p->report = r;
	p->findings = f;
	p->failure = failure;
	p->pair.client[SOURCE].fd = p->pair.client[TARGET].fd = p->link.client.fd = -1;
	probe_names_init(&r->names, wall_ms() ^ (uint64_t)getpid() << 40);
	int rc = probe_begin(p) || cases_run(p) ? -1 : 0;
	if (rc)
		advice_tell(p);
	bool wrote = p->pair.client[TARGET].replies != NULL;
	probe_link_close(&p->link);
	for (int i = 0; i < 2; i++)
		if (p->pair.client[i].replies)
			client_close(&p->pair.client[i]);
	if (wrote)
		r->leftovers = probe_clean_all(c, &r->names, p->db) != 0;
	if (r->n || r->leftovers)
		probe_report_tell(r, p->facts.source.version_text, p->facts.target.version_text, f);
	free(p);
	return rc;
}
