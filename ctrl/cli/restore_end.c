// SPDX-License-Identifier: BSD-3-Clause
// The end of a restore: restore_judge() -> traces_remove() ; restore_describe(), restore_tell()
#include <stdio.h>

#include "ctrl/cli/figures.h"
#include "ctrl/cli/restore.h"
#include "ctrl/restore/clear.h"

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

// What the target refused stays in the state folder, for it to be looked at and tried again.
static int parked_tell(const struct restore *r, struct failure *f)
{
	uint64_t open = number(r->sync.link, "parked_open"), here = number(r->sync.link, "parked");
	open = open > here ? open : here;
	if (!open)
		return 0;
	return failure_set(f, ERROR_TARGET_REFUSES,
			   "all is restored but %llu commands, which `flyover link parked list "
			   "--state-dir %.200s` shows",
			   (unsigned long long)open, r->sync.state_dir);
}

// Nobody goes on behind the end of a file: neither target nor host keep anything of the link.
static int traces_remove(const struct restore *r, struct failure *f)
{
	const struct link_config *c = &r->sync.config;
	if (target_clean(&c->target, c->name, f)) {
		failure_prefix(f, "everything is restored, but the markers in the target stay");
		return -1;
	}
	if (parked_tell(r, f))
		return -1;
	return state_clear(r->sync.state_dir, c->name, !r->options->state_dir, f);
}

int restore_judge(const struct restore *r, struct failure *f)
{
	if (!json_is_true(json_object_get(r->sync.link, "caught_up")))
		return failure_set(f, ERROR_INTERRUPTED,
				   "interrupted before all of %s was restored", r->plan.name);
	return traces_remove(r, f);
}

void restore_describe(struct restore *r)
{
	const struct plan *p = &r->plan;
	r->n_expired = number(json_object_get(r->sync.link, "counters"), "snapshot_expired");
	if (r->sync.link)
		json_object_set_new(
			r->sync.link, "file",
			json_pack("{s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:s}", "name", p->name,
				  "bytes", (json_int_t)p->file_len, "rdb_version", p->rdb_version,
				  "keys", (json_int_t)p->n_keys, "functions",
				  (json_int_t)p->n_functions, "modules", (json_int_t)p->n_modules,
				  "commands", (json_int_t)p->n_commands, "cut", p->cut));
}

void restore_tell(const struct restore *r)
{
	char count[24];
	if (r->n_expired && !r->options->json)
		printf("%s keys had expired and were not made\n",
		       figure_count(r->n_expired, count));
}

void restore_warn(const struct restore *r)
{
	const struct plan *p = &r->plan;
	if (r->options->json)
		return;
	if (p->cut[0])
		fprintf(stderr, "warning: %s: %s, which are left out\n", p->name, p->cut);
	if (r->options->until_time && !p->timed)
		fprintf(stderr,
			"warning: no times stand in %s (aof-timestamp-enabled was off), so "
			"--until-time takes all of it\n", p->name);
}
