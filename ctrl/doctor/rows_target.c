// SPDX-License-Identifier: BSD-3-Clause
// Rows about the target: will it take everything, and keep it?
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/figures.h"
#include "ctrl/doctor/rows.h"

void row_target_role(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	// One that follows the source is said by target-follows.
	if (!strcmp(t->role, "slave") && !findings_damage(f))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the target is a replica of %s:%s: only a master can be written to",
			    t->master_host, t->master_port);
}

// ---- Memory -----------------------------------------------------------------------------------

// What the target would use once it holds the source's data.
static int64_t memory_after(const struct facts *k)
{
	const struct server_facts *t = &k->target;
	int64_t fresh = t->used_memory_startup > 0 ? t->used_memory_startup : 0;
	fresh += k->source.used_memory_dataset;
	if (!k->ours)
		return t->used_memory + k->source.used_memory_dataset;
	return t->used_memory > fresh ? t->used_memory : fresh;
}

void row_target_memory(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	bool limited = t->maxmemory > 0;
	int64_t limit = limited ? t->maxmemory : t->total_system_memory;
	char need[24], have[24];
	struct mend m;
	if (t->used_memory == UNKNOWN || k->source.used_memory_dataset == UNKNOWN || limit <= 0)
		return;
	int64_t after = memory_after(k);
	if (after <= limit / 10 * 9)
		return;
	figure_bytes((double)after, need);
	figure_bytes((double)limit, have);
	mend_cli(&m, t, "CONFIG SET maxmemory %llumb",
		 (unsigned long long)after / (unsigned long long)MB * 5 / 4 + 1);
	bool full = after > limit;
	finding_put(f, full ? SEVERITY_ERROR : SEVERITY_WARNING, limited ? m.text : NULL,
		    "with the source's data the target would use about %s of %s %s%s", need, have,
		    limited ? "(maxmemory)" : "(all memory of its host)",
		    !full                                ? ""
		    : !limited                           ? ""
		    : !strcmp(t->policy, "noeviction")   ? ": it would refuse the rest"
							 : ": it would evict what was synced");
}

void row_eviction(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	struct mend m;
	if (t->maxmemory > 0 && !strncmp(t->policy, "allkeys-", 8))
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, t, "CONFIG SET maxmemory-policy noeviction"),
			    "the target evicts any key when it is full (%s): also markers of a "
			    "link, which then needs a full sync",
			    t->policy);
}

// ---- What it holds, and how -------------------------------------------------------------------

void row_databases(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	if (t->cluster.present && s->db < 0 && s->top_db > 0)
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the source has keys in database %lld, and a cluster has only database "
			    "0: name in the URL of the source the database that is to be synced",
			    (long long)s->top_db);
	if (t->databases == UNKNOWN || t->cluster.present)
		return;
	int64_t top = t->db >= 0 ? t->db : s->top_db;
	if (top >= t->databases)
		finding_put(f, SEVERITY_ERROR, NULL,
			    "database %lld is to be synced, the target has %lld: set `databases "
			    "%lld` in its redis.conf and start it again",
			    (long long)top, (long long)t->databases, (long long)top + 1);
	else if (t->db < 0 && s->databases > t->databases)
		finding_put(f, SEVERITY_INFO, NULL,
			    "the source has %lld databases, the target %lld: that suffices for "
			    "those in use",
			    (long long)s->databases, (long long)t->databases);
}

void row_target_keys(const struct facts *k, struct findings *f)
{
	char keys[24];
	if (k->ours || k->target.keys <= k->reserved)
		return;
	bool deleted = k->settings.extra_keys == EXTRA_KEYS_DELETE;
	finding_put(f, SEVERITY_WARNING, NULL,
		    "the target has %s keys that this link did not write: those that the source "
		    "has too are overwritten, the others %s",
		    figure_count(k->target.keys - k->reserved, keys),
		    deleted ? "deleted (--extra-keys=delete)"
			    : "stay (--extra-keys=delete would remove them)");
}

void row_bulk_length(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	struct mend m;
	if (t->bulk_max > 0 && s->bulk_max > t->bulk_max)
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, t, "CONFIG SET proto-max-bulk-len %lld",
				     (long long)s->bulk_max),
			    "the source takes longer values (proto-max-bulk-len %lld) than the "
			    "target (%lld)",
			    (long long)s->bulk_max, (long long)t->bulk_max);
}

// Servers refuse writes while what they persist by does not work.
void row_target_save(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	struct mend m;
	if (!strcmp(t->aof_status, "err"))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the target cannot write its append-only file and refuses writes: look "
			    "at the space on its disk");
	if (strcmp(t->bgsave_status, "err") || !strcmp(t->stop_writes, "no"))
		return;
	bool sure = !strcmp(t->stop_writes, "yes") && t->save[0];
	finding_put(f, sure ? SEVERITY_ERROR : SEVERITY_WARNING,
		    mend_cli(&m, t, "CONFIG SET stop-writes-on-bgsave-error no"),
		    "the last BGSAVE of the target failed, and it %s writes until one succeeds: "
		    "look at the space on its disk",
		    sure ? "refuses" : "may refuse");
}

void row_target_config(const struct facts *k, struct findings *f)
{
	if (k->target.config_refused)
		finding_put(f, SEVERITY_INFO, NULL,
			    "the target refuses CONFIG GET: its databases and limits were not "
			    "checked");
}
