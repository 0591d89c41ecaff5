// SPDX-License-Identifier: BSD-3-Clause
// Rows about the source: will it let us in, keep us, and take us back?
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/figures.h"
#include "ctrl/doctor/rows.h"

#define OUTAGE_GOAL_S        600 // what a backlog should bridge
#define OUTAGE_LEAST_S       60
#define TRANSFER_BYTES_S     (100 * MB) // of a full sync, when the source has no figure of its own
#define REPL_TIMEOUT_LEAST_S 10
#define BACKLOG_TTL_LEAST_S  600
#define DISKLESS_DELAY_MAX_S 5

void row_source_role(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	if (strcmp(s->role, "slave"))
		return;
	if (!strcmp(s->master_link, "up"))
		finding_put(f, SEVERITY_INFO, NULL,
			    "the source is a replica of %s:%s: that spares the master, and a link "
			    "waits whenever the two have lost each other",
			    s->master_host, s->master_port);
	else
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the source is a replica that has lost its master %s:%s: it lets "
			    "nobody in until it has found it again",
			    s->master_host, s->master_port);
}

void row_source_save(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	bool by_disk = !strcmp(s->diskless, "no");
	struct mend m;
	if (strcmp(s->bgsave_status, "err"))
		return;
	finding_put(f, by_disk ? SEVERITY_ERROR : SEVERITY_WARNING,
		    mend_cli(&m, s, by_disk ? "CONFIG SET repl-diskless-sync yes" : "BGSAVE"),
		    "the last BGSAVE of the source failed%s: look at the space on its disk",
		    by_disk ? ", and a full sync begins with one" : "");
}

void row_diskless_delay(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	struct mend m;
	if (s->diskless_delay_s > DISKLESS_DELAY_MAX_S && strcmp(s->diskless, "no"))
		finding_put(f, SEVERITY_INFO,
			    mend_cli(&m, s, "CONFIG SET repl-diskless-sync-delay 0"),
			    "the source waits %lld s for more replicas before a full sync begins",
			    (long long)s->diskless_delay_s);
}

// We acknowledge every second, if only a frozen offset, and that is what is counted.
void row_min_replicas(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	struct mend m;
	if (s->min_replicas > 0)
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, s, "CONFIG SET min-replicas-to-write %lld",
				     (long long)s->min_replicas + 1),
			    "min-replicas-to-write %lld of the source counts a link as a replica: "
			    "it would take writes that one replica fewer holds",
			    (long long)s->min_replicas);
}

void row_repl_timeout(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	int64_t ours = (int64_t)k->settings.repl_timeout / 1000;
	struct mend m;
	if (s->repl_timeout_s > 0 && s->repl_timeout_s < REPL_TIMEOUT_LEAST_S)
		finding_put(f, SEVERITY_WARNING, mend_cli(&m, s, "CONFIG SET repl-timeout 60"),
			    "the source lets a replica go after %lld s of silence, which a "
			    "short outage exceeds",
			    (long long)s->repl_timeout_s);
	if (s->ping_period_s >= ours && ours > 0)
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, s, "CONFIG SET repl-ping-replica-period 10"),
			    "the source speaks only every %lld s when idle, and a link takes %lld "
			    "s of silence for a lost connection",
			    (long long)s->ping_period_s, (long long)ours);
}

void row_backlog_ttl(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	struct mend m;
	if (s->backlog_ttl_s > 0 && s->backlog_ttl_s < BACKLOG_TTL_LEAST_S)
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, s, "CONFIG SET repl-backlog-ttl 3600"),
			    "the source forgets its backlog %lld s after its last replica has "
			    "left: a later link needs a full sync",
			    (long long)s->backlog_ttl_s);
}

void row_source_config(const struct facts *k, struct findings *f)
{
	if (k->source.config_refused)
		finding_put(f, SEVERITY_INFO, NULL,
			    "the source refuses CONFIG GET: its backlog, output-buffer limit and "
			    "timeouts were not checked");
}

// ---- By the rate of its writes ----------------------------------------------------------------

static unsigned long long mb_up(int64_t bytes)
{
	return ((unsigned long long)bytes + MB - 1) / MB;
}

void row_backlog(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	const char *about = k->rate_is_guess ? "about " : "";
	char size[24], rate[24];
	struct mend m;
	if (s->backlog_size <= 0 || k->write_rate == UNKNOWN)
		return;
	long long seconds = s->backlog_size / (k->write_rate > 0 ? k->write_rate : 1);
	figure_bytes((double)s->backlog_size, size);
	figure_bytes((double)k->write_rate, rate);
	mend_cli(&m, s, "CONFIG SET repl-backlog-size %llumb",
		 mb_up(k->write_rate * OUTAGE_GOAL_S));
	if (seconds < OUTAGE_LEAST_S)
		finding_put(f, SEVERITY_WARNING, m.text,
			    "the backlog of the source (%s) bridges an outage of %lld s at its "
			    "%s%s/s: a longer one costs a full sync",
			    size, seconds, about, rate);
	else if (seconds < OUTAGE_GOAL_S)
		finding_put(f, SEVERITY_INFO, m.text,
			    "the backlog of the source (%s) bridges an outage of %lld s at its "
			    "%s%s/s",
			    size, seconds, about, rate);
}

// Seconds for which the source keeps its stream back for us: while it saves and sends.
static int64_t snapshot_s(const struct server_facts *s)
{
	int64_t by_size = s->used_memory_dataset > 0
				  ? s->used_memory_dataset / (int64_t)TRANSFER_BYTES_S
				  : 0;
	int64_t longest = s->bgsave_s > by_size ? s->bgsave_s : by_size;
	return longest > 0 ? longest : 1;
}

void row_output_buffer(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	int64_t seconds = snapshot_s(s);
	char rate[24], limit[24];
	struct mend m;
	if (k->write_rate <= 0 || s->output_hard == UNKNOWN)
		return;
	int64_t need = k->write_rate * seconds;
	bool hard = s->output_hard > 0 && need > s->output_hard;
	bool soft = s->output_soft > 0 && need > s->output_soft && seconds > s->output_soft_s;
	if (!hard && !soft)
		return;
	figure_bytes((double)k->write_rate, rate);
	figure_bytes((double)(hard ? s->output_hard : s->output_soft), limit);
	finding_put(f, SEVERITY_WARNING,
		    mend_cli(&m, s,
			     "CONFIG SET client-output-buffer-limit \"replica %llumb %llumb 60\"",
			     mb_up(need * 4), mb_up(need * 2)),
		    "a full sync takes the source about %lld s, in which its %s%s/s exceed its "
		    "output-buffer limit for replicas (%s): it would cut the link off",
		    (long long)seconds, k->rate_is_guess ? "about " : "", rate, limit);
}
