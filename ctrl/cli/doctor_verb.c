// SPDX-License-Identifier: BSD-3-Clause
// `flyover doctor`: verb_doctor() -> host_examine() | servers_examine() -> findings_print() |
// findings_json()
#include <poll.h>
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

#define PATIENCE_MS 20000

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

static void findings_json(const struct findings *f)
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
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static int findings_tell(const struct findings *list, bool json, struct failure *f)
{
	if (json)
		findings_json(list);
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
	struct findings list = {0};
	host_gather(&host, o->state_dir ? o->state_dir : DAEMON_STATE_DIR);
	host_judge(&host, &list);
	return findings_tell(&list, o->json, f);
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

static int servers_examine(const struct options *o, struct failure *f)
{
	struct link_config c;
	if (job_read(o, NULL, o->args[0], o->args[1], &c, f))
		return -1;
	struct examination *e = examination_start(&c);
	explicit_bzero(&c, sizeof(c));
	if (!e)
		return failure_set(f, ERROR_MEMORY, "no memory for an examination");
	int rc = examination_wait(e, f);
	rc = rc ? rc : findings_tell(examination_findings(e), o->json, f);
	examination_leave(e);
	return rc;
}

int verb_doctor(const struct options *o, struct failure *f)
{
	if (o->n_args == 1)
		return failure_set(f, ERROR_USAGE,
				   "`flyover doctor` takes SOURCE and TARGET, or neither");
	return o->n_args ? servers_examine(o, f) : host_examine(o, f);
}
