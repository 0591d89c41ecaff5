// SPDX-License-Identifier: BSD-3-Clause
// survey_run() -> snapshot_survey() -> walk_snapshot() ; stream_survey() -> walk_stream() ;
//   replid_derive()
#include "ctrl/restore/survey.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/clock.h"
#include "ctrl/restore/walk.h"

#define TELL_EVERY (8u * 1024 * 1024)

struct run {
	const struct survey *survey;
	struct plan *plan;
	struct walk walk;
	XXH3_state_t *digest;
	uint64_t passed, told_at; // bytes
};

static int go_on(struct run *r, size_t len, struct failure *f)
{
	const struct survey *s = r->survey;
	r->passed += len;
	if (r->passed - r->told_at < TELL_EVERY || !s->progress)
		return 0;
	r->told_at = r->passed;
	if (s->progress(s->arg, r->passed, r->plan->file_len))
		return 0;
	return failure_set(f, ERROR_INTERRUPTED, "interrupted before anything was restored");
}

static void snapshot_tell(struct run *r)
{
	const struct walk *w = &r->walk;
	struct plan *p = r->plan;
	p->snapshot_len = w->snapshot_pos;
	p->snapshot_digest = XXH3_128bits_digest(r->digest);
	p->rdb_version = w->rdb_version;
	p->unsummed = w->unsummed;
	p->ctime_at = w->ctime_at;
	p->server = w->server;
	p->n_keys = w->n_keys;
	p->n_expired = w->n_expired;
	p->n_modules = w->n_modules;
	p->module_len_max = w->module_len_max;
	p->n_functions = w->n_functions;
}

static int snapshot_survey(struct run *r, struct failure *f)
{
	struct span run;
	int rc;
	XXH3_128bits_reset(r->digest);
	while ((rc = walk_snapshot(&r->walk, &run, f)) > 0) {
		XXH3_128bits_update(r->digest, run.p, run.len);
		if (go_on(r, run.len, f))
			return -1;
	}
	snapshot_tell(r);
	return rc;
}

static void stream_tell(struct run *r)
{
	const struct walk *w = &r->walk;
	struct plan *p = r->plan;
	p->stream_len = w->good_pos;
	p->stream_digest = XXH3_128bits_digest(r->digest);
	p->n_commands = w->n_commands;
	p->frame_max = w->frame_max;
	p->timed = w->timed;
	memcpy(p->cut, w->cut, sizeof(p->cut));
}

static int stream_pass(struct run *r, struct failure *f)
{
	struct span run;
	int rc;
	XXH3_128bits_reset(r->digest);
	while ((rc = walk_stream(&r->walk, &run, f)) > 0) {
		XXH3_128bits_update(r->digest, run.p, run.len);
		if (go_on(r, run.len, f))
			return -1;
	}
	return rc;
}

// A file that ends within a command or a transaction is served up to the last good point, which is
// known only now: once more, for the digest.
static int stream_again(struct run *r, struct failure *f)
{
	char cut[sizeof(r->plan->cut)];
	struct walk_settings set = r->walk.set;
	memcpy(cut, r->walk.cut, sizeof(cut));
	set.stream_limit = r->walk.good_pos;
	set.snapshot_len = r->plan->snapshot_len;
	walk_close(&r->walk);
	if (walk_open(&r->walk, &set, f) || walk_snapshot_pass(&r->walk, f) || stream_pass(r, f))
		return -1;
	memcpy(r->walk.cut, cut, sizeof(cut));
	return 0;
}

static int stream_survey(struct run *r, struct failure *f)
{
	int rc = stream_pass(r, f);
	if (!rc && r->walk.good_pos < r->walk.stream_pos)
		rc = stream_again(r, f);
	if (!rc)
		stream_tell(r);
	return rc;
}

// The 40 digits of an id from the digests of both halves.
static void replid_derive(struct plan *p)
{
	const uint64_t of[] = {p->snapshot_digest.low64, p->snapshot_digest.high64,
			       p->stream_digest.low64, p->stream_digest.high64,
			       p->snapshot_len, p->stream_len};
	XXH128_hash_t id = XXH3_128bits(of, sizeof(of));
	snprintf(p->replid, sizeof(p->replid), "%016" PRIx64 "%016" PRIx64 "%08" PRIx32,
		 (uint64_t)id.high64, (uint64_t)id.low64,
		 (uint32_t)XXH3_64bits_withSeed(of, sizeof(of), 1));
}

int survey_run(const struct survey *s, const struct aof_files *files, struct plan *plan,
	       struct failure *f)
{
	const struct walk_settings set = {.files = files,
					  .stream_limit = UINT64_MAX,
					  .until_s = s->until_s,
					  .strict = s->strict,
					  .big_value = s->big_value,
					  .run_items = UINT_MAX,
					  .run_len = WALK_RUN_MAX};
	struct run r = {.survey = s,
			.plan = plan,
			.digest = XXH3_createState(),
			.walk = {.in = {.fd = -1}}};
	*plan = (struct plan){.name = s->name,
			      .files = files,
			      .file_len = files->len,
			      .until_s = s->until_s};
	if (!r.digest)
		return failure_set(f, ERROR_MEMORY, "no memory for a digest");
	bool empty = !files->len && !aof_file_is_aof(files, &files->v[0]);
	int rc = empty ? failure_set(f, ERROR_RESTORE_DAMAGED, "%s is empty", s->name)
		       : walk_open(&r.walk, &set, f);
	r.walk.now_ms = wall_ms();
	rc = rc ? rc : snapshot_survey(&r, f);
	rc = rc ? rc : stream_survey(&r, f);
	if (!rc)
		replid_derive(plan);
	walk_close(&r.walk);
	XXH3_freeState(r.digest);
	return rc;
}
