// SPDX-License-Identifier: BSD-3-Clause
// `flyover doctor`: verb_doctor() -> host_examine() | servers_examine() -> probe() ;
// findings_tell() -> findings_print() | findings_json()
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <jansson.h>

#include "ctrl/cli/job.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/daemon/daemon_config.h"
#include "ctrl/doctor/examination.h"
#include "ctrl/doctor/host.h"
#include "ctrl/doctor/nic.h"
#include "ctrl/doctor/probe.h"

#define PATIENCE_MS 20000

// What is told in the end.
struct told {
	struct findings findings;
	struct probe_report probe;
	bool probed;
};

static void findings_print(const struct findings *f)
{
	unsigned errors = findings_count(f, SEVERITY_ERROR);
	unsigned warnings = findings_count(f, SEVERITY_WARNING);
	for (unsigned i = 0; i < f->n; i++) {
		const struct finding *found = &f->list[i];
		printf("%-8s %s\n", severity_text(found->severity), found->sentence);
		if (found->mend[0])
			printf("         $ %s\n", found->mend);
	}
	printf("%u error%s, %u warning%s\n", errors, errors == 1 ? "" : "s", warnings,
	       warnings == 1 ? "" : "s");
}

// @param probe  NULL: there was none
static void findings_json(const struct findings *f, const struct probe_report *probe)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < f->n; i++)
		json_array_append_new(list, finding_json(&f->list[i]));
	unsigned errors = findings_count(f, SEVERITY_ERROR);
	unsigned warnings = findings_count(f, SEVERITY_WARNING);
	json_t *o = json_pack("{s:s, s:i, s:i, s:o}", "result",
			      errors     ? "errors"
			      : warnings ? "warnings"
					 : "ok",
			      "errors", (int)errors, "warnings", (int)warnings, "findings", list);
	if (probe)
		json_object_set_new(o, "probe", probe_report_json(probe));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static int findings_tell(const struct findings *list, const struct probe_report *probe, bool json,
			 struct failure *f)
{
	if (json)
		findings_json(list, probe);
	else
		findings_print(list);
	fflush(stdout);
	if (!findings_count(list, SEVERITY_ERROR))
		return 0;
	f->id = ERROR_DIFFERENT; // exit code 1, and it was told already
	f->sentence[0] = 0;
	return -1;
}

static int host_examine(const struct options *o, struct failure *f)
{
	struct host_facts host;
	struct dpdk_facts dpdk;
	struct nic_plan plan;
	struct findings list = {0};
	host_gather(&host, o->state_dir ? o->state_dir : DAEMON_STATE_DIR);
	host_judge(&host, &list);
	dpdk_gather(&dpdk, "");
	if (o->nic) {
		nic_gather(&plan, &dpdk, "", o->nic);
		nic_judge(&plan, &dpdk, &list);
	} else {
		dpdk_judge(&dpdk, &list);
	}
	return findings_tell(&list, NULL, o->json, f);
}

// @return 0, or -1 with f
static int examination_wait(struct examination *e, struct failure *f)
{
	uint64_t now = mono_ms(), end_ms = now + PATIENCE_MS;
	while (examination_stage(e) < EXAMINATION_DONE && now < end_ms) {
		struct pollfd p = {.fd = examination_fd(e), .events = POLLIN};
		eventfd_t news;
		if (poll(&p, 1, (int)(end_ms - now)) == 1)
			eventfd_read(p.fd, &news);
		now = mono_ms();
	}
	switch (examination_stage(e)) {
	case EXAMINATION_DONE:
		return 0;
	case EXAMINATION_FAILED:
		*f = *examination_failure(e);
		return -1;
	default:
		return failure_set(f, ERROR_DEADLINE, "the two servers have not answered for %d s",
				   PATIENCE_MS / 1000);
	}
}

// ---- Probe ------------------------------------------------------------------------------------

// The signals are blocked, so that a probe can clean up; they end the process no sooner than that.
static bool goes_on(void *arg)
{
	sigset_t pending;
	sigpending(&pending);
	return !sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM);
}

static int probe(const struct options *o, const struct link_config *c, struct told *t,
		 struct failure *f)
{
	struct probe_options options = {.full = !strcmp(o->probe, "full"), .go_on = goes_on};
	const struct finding *damage = findings_damage(&t->findings);
	sigset_t set;
	if (damage)
		return failure_set(f, ERROR_LINK_STATE, "no probe, since it writes to both: %s",
				   damage->sentence);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	t->probed = true;
	return probe_run(c, &options, &t->probe, &t->findings, f);
}

// ---- The verb ---------------------------------------------------------------------------------

// What a probe writes to then is what was looked at.
static int examination_run(struct link_config *c, struct findings *found, struct failure *f)
{
	struct examination *e = examination_start(c);
	if (!e)
		return failure_set(f, ERROR_MEMORY, "no memory for an examination");
	int rc = examination_wait(e, f);
	if (rc == 0)
		*found = *examination_findings(e);
	if (rc == 0)
		examination_settle(e, c);
	examination_leave(e);
	return rc;
}

// A probe that fails has its sentence on stderr, behind what was found before.
static int servers_examine(const struct options *o, struct failure *f)
{
	struct link_config c;
	struct failure failure = {0};
	struct told *t = calloc(1, sizeof(*t));
	if (!t)
		return failure_set(f, ERROR_MEMORY, "no memory for an examination");
	int rc = job_read(o, NULL, o->args[0], o->args[1], &c, f);
	rc = rc ? rc : examination_run(&c, &t->findings, f);
	if (rc == 0) {
		int probe_rc = o->probe ? probe(o, &c, t, &failure) : 0;
		rc = findings_tell(&t->findings, t->probed ? &t->probe : NULL, o->json, f);
		if (probe_rc)
			*f = failure;
		rc = probe_rc ? probe_rc : rc;
	}
	explicit_bzero(&c, sizeof(c));
	free(t);
	return rc;
}

static int usage_check(const struct options *o, struct failure *f)
{
	if (o->n_args == 1)
		return failure_set(f, ERROR_USAGE,
				   "`flyover doctor` takes SOURCE and TARGET, or neither");
	if (o->nic && o->n_args)
		return failure_set(f, ERROR_USAGE, "--nic is looked at without servers");
	if (o->probe && !o->n_args)
		return failure_set(f, ERROR_USAGE, "--probe needs SOURCE and TARGET");
	if (o->probe && o->probe[0] && strcmp(o->probe, "full"))
		return failure_set(f, ERROR_USAGE, "--probe takes nothing, or =full, not '%s'",
				   o->probe);
	return 0;
}

int verb_doctor(const struct options *o, struct failure *f)
{
	if (usage_check(o, f))
		return -1;
	return o->n_args ? servers_examine(o, f) : host_examine(o, f);
}
