// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/probe_report.h"

#include <stdio.h>
#include <string.h>

#define TOLD_MAX 8 // findings of one verdict; the rest is counted

static const char *const words[] = {
#define X(name, word) word,
	PROBE_VERDICTS(X)
#undef X
};

unsigned probe_report_count(const struct probe_report *r, enum probe_verdict v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->n; i++)
		n += r->found[i].verdict == v;
	return n;
}

// ---- Sentences --------------------------------------------------------------------------------

static void target_tell(const struct probe_found *one, struct findings *f)
{
	bool refused = one->verdict == PROBE_TARGET_REFUSES;
	// Nobody has seen such a server yet, so nothing was promised.
	bool open = !strcmp(one->row->expected, "?");
	finding_put(f, open ? SEVERITY_WARNING : SEVERITY_ERROR, NULL,
		    "%s comes as `%s`, %s: %s; %s", one->row->command, one->came,
		    refused ? "which the target does not take" : "after which the target differs",
		    one->why,
		    refused ? "keep the source from using it, or take a target that has it"
			    : "compare both sides by `flyover check` after a sync, and report it");
}

static void stream_tell(const struct probe_found *one, struct findings *f)
{
	finding_put(f, SEVERITY_WARNING, NULL,
		    "%s comes as `%s` where `%s` was expected; the target has the same value all "
		    "the same: compare by `flyover check` after a sync, and report it",
		    one->row->command, one->came, one->row->expected);
}

static void unknown_tell(const struct probe_found *one, struct findings *f)
{
	finding_put(f, SEVERITY_WARNING, NULL,
		    "%s comes as `%s`, of which Flyover does not know %s: it is forwarded as it "
		    "came, behind a barrier over all lanes",
		    one->row->command, one->came, one->why);
}

static void refused_tell(const struct probe_found *one, struct findings *f)
{
	finding_put(f, SEVERITY_WARNING, NULL,
		    "the source should have %s by its version, and refuses it: %s; whether it was "
		    "renamed or switched off is seen in its configuration",
		    one->row->command, one->why);
}

static const struct {
	enum probe_verdict verdict;
	const char *check, *more; // more: "N more commands ..."
	enum severity severity;
	void (*tell)(const struct probe_found *one, struct findings *f);
} tellers[] = {
	{PROBE_VALUE_DIFFERS, "probe-value", "leave another value in the target", SEVERITY_ERROR,
	 target_tell},
	{PROBE_TARGET_REFUSES, "probe-target", "are not taken by the target", SEVERITY_ERROR,
	 target_tell},
	{PROBE_DIFFERS, "probe-stream", "come in another form than expected", SEVERITY_WARNING,
	 stream_tell},
	{PROBE_UNKNOWN, "probe-unknown", "come as what Flyover does not know", SEVERITY_WARNING,
	 unknown_tell},
	{PROBE_REFUSED, "probe-refused", "are refused by the source", SEVERITY_WARNING,
	 refused_tell},
};

static void kind_tell(const struct probe_report *r, unsigned kind, struct findings *f)
{
	unsigned told = 0;
	f->check = tellers[kind].check;
	for (unsigned i = 0; i < r->n; i++)
		if (r->found[i].verdict == tellers[kind].verdict && told++ < TOLD_MAX)
			tellers[kind].tell(&r->found[i], f);
	if (told > TOLD_MAX)
		finding_put(f, tellers[kind].severity, NULL,
			    "%u more commands %s: `--json` lists them", told - TOLD_MAX,
			    tellers[kind].more);
}

void probe_report_tell(const struct probe_report *r, const char *source, const char *target,
		       struct findings *f)
{
	unsigned skipped = probe_report_count(r, PROBE_SKIPPED);
	char databases[60];
	int n = snprintf(databases, sizeof(databases), "database %d", r->db);
	if (r->names.other_db >= 0)
		snprintf(databases + n, sizeof(databases) - (size_t)n, " (MOVE and COPY also %d)",
			 r->names.other_db);
	for (unsigned i = 0; i < sizeof(tellers) / sizeof(tellers[0]); i++)
		kind_tell(r, i, f);
	f->check = "probe-leftovers";
	if (r->leftovers)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "keys that begin with %s may be left on either side, which could not "
			    "be reached to delete them: look for them by `redis-cli --scan "
			    "--pattern '" PROBE_PREFIX "*'`",
			    r->names.prefix);
	f->check = "probe";
	finding_put(f, SEVERITY_INFO, NULL,
		    "%u commands were tried on scratch keys (%s*%s), in %s of the source (%s) and "
		    "on the target (%s), by %s: %u as expected, %u skipped for want of them, %u "
		    "not as expected",
		    r->n, r->names.prefix, r->leftovers ? "" : ", deleted again", databases, source,
		    target,
		    r->full ? "a full sync (BGSAVE)" : "a link from the source's backlog",
		    probe_report_count(r, PROBE_OK), skipped,
		    r->n - skipped - probe_report_count(r, PROBE_OK));
}

// ---- JSON -------------------------------------------------------------------------------------

json_t *probe_report_json(const struct probe_report *r)
{
	json_t *list = json_array();
	json_t *o = json_pack("{s:i, s:i, s:s, s:s, s:i}", "database", r->db, "other_database",
			      r->names.other_db, "prefix", r->names.prefix, "way",
			      r->full ? "full" : "backlog", "cases", (int)r->n);
	for (unsigned v = 0; v < PROBE_VERDICT_COUNT; v++)
		json_object_set_new(o, words[v],
				    json_integer(probe_report_count(r, (enum probe_verdict)v)));
	for (unsigned i = 0; i < r->n; i++) {
		const struct probe_found *one = &r->found[i];
		if (one->verdict == PROBE_OK)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "result",
					words[one->verdict], "setup", one->row->setup, "command",
					one->row->command, "expected", one->row->expected, "came",
					one->came, "why", one->why));
	}
	json_object_set_new(o, "list", list);
	return o;
}
