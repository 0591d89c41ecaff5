// SPDX-License-Identifier: BSD-3-Clause
// `flyover restore`: verb_restore() -> request_read() -> survey_run() -> config_fit() -> sync_run()
//   -> source_open() when flyoverd is there -> restore_judge()
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "ctrl/aof/extent.h"
#include "ctrl/aof/instant.h"
#include "ctrl/cli/amount.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/restore.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/endpoint.h"
#include "ctrl/link_config.h"
#include "ctrl/restore/parts.h"
#include "ctrl/restore/survey.h"

#define RATE_MAX    (1ull << 50)
#define MODULE_ROOM (64 * KB) // beside a module's value in its window

// ---- The request ------------------------------------------------------------------------------

static bool is_given(const struct options *o, const char *name)
{
	for (unsigned i = 0; i < o->n_settings; i++)
		if (!strcmp(o->settings[i].name, name))
			return true;
	return false;
}

// Whoever restores the same file into the same target again finds the same state and markers.
static int name_derive(const char *file, const char *target, char *out, struct failure *f)
{
	struct endpoint e = {0};
	char url[ENDPOINT_TEXT_LEN], *whole = realpath(file, NULL);
	if (endpoint_set(&e, target, f)) {
		failure_prefix(f, "the target");
		free(whole);
		return -1;
	}
	endpoint_text(&e, url);
	explicit_bzero(&e, sizeof(e));
	const char *path = whole ? whole : file;
	uint64_t id = XXH3_64bits_withSeed(path, strlen(path), XXH3_64bits(url, strlen(url)));
	snprintf(out, NAME_LEN, "restore-%012llx", (unsigned long long)(id >> 16));
	free(whole);
	return 0;
}

static int db_read(const char *text, int32_t *db, struct failure *f)
{
	char *end = "";
	long v = text ? strtol(text, &end, 10) : -1;
	if (text && (*text < '0' || *text > '9' || *end || v > INT32_MAX))
		return failure_set(f, ERROR_USAGE, "--db is the number of a database, not '%s'",
				   text);
	*db = (int32_t)v;
	return 0;
}

static int request_read(struct restore *r, struct failure *f)
{
	const struct options *o = r->options;
	struct link_config *c = &r->sync.config;
	char name[NAME_LEN];
	int32_t db = -1;
	if (amount_read(o->max_keys_per_s, "max-keys-per-s", AMOUNT_COUNT, RATE_MAX,
			&r->serve.keys_per_s, f) ||
	    amount_read(o->max_bytes_per_s, "max-bytes-per-s", AMOUNT_BYTES, RATE_MAX,
			&r->serve.bytes_per_s, f) ||
	    db_read(o->db, &db, f) || name_derive(o->args[0], o->args[1], name, f) ||
	    job_read(o, name, NULL, o->args[1], c, f))
		return -1;
	memset(&c->source, 0, sizeof(c->source));
	c->source.kind = URL_UNIX;
	c->source.db = db;
	return 0;
}

// ---- The survey -------------------------------------------------------------------------------

static bool survey_show(void *arg, uint64_t passed, uint64_t total)
{
	struct restore *r = arg;
	struct progress *p = &r->sync.progress;
	uint64_t now = mono_ms();
	unsigned percent = total ? (unsigned)(passed * 100 / total) : 100;
	if (sync_signals(&r->sync, 0))
		return false;
	if (now - r->shown_ms < p->interval_ms)
		return true;
	r->shown_ms = now;
	if (p->style == PROGRESS_JSON)
		printf("{\"phase\":\"connecting\",\"note\":\"looking through the file\","
		       "\"percent\":%u}\n", percent);
	else
		printf("%slooking through the file %2u%%%s",
		       p->style == PROGRESS_LIVE ? "\r\033[K" : "", percent,
		       p->style == PROGRESS_LIVE ? "" : "\n");
	p->line_open = p->style == PROGRESS_LIVE;
	fflush(stdout);
	return true;
}

static int survey(struct restore *r, struct failure *f)
{
	const struct options *o = r->options;
	struct survey s = {.name = o->args[0],
			   .until_s = AOF_UNTIL_NONE,
			   .strict = o->strict,
			   .big_value = r->sync.config.settings.big_value,
			   .progress = survey_show,
			   .arg = r};
	r->shown_ms = mono_ms();
	int rc = instant_read(o->until_time, "until-time", &s.until_s, f);
	rc = rc ? rc : parts_open(&r->files, o->args[0], f);
	rc = rc ? rc : survey_run(&s, &r->files, &r->plan, f);
	progress_clear(&r->sync.progress);
	return rc;
}

// ---- The link ---------------------------------------------------------------------------------

static int target_facts(void *arg, struct target_facts *facts, struct failure *f)
{
	const struct restore *r = arg;
	const struct link_config *c = &r->sync.config;
	int db = c->target.db >= 0 ? c->target.db : c->source.db;
	return target_look(&c->target, c->name, db, facts, f);
}

// Where the user did not say otherwise, a file is not treated like a server: it is never in a
// hurry, so what the target does not take yet need not go through the disk, and the silence of a
// thread of our own means nothing.
static int config_fit(struct restore *r, struct failure *f)
{
	const struct options *o = r->options;
	struct link_settings *set = &r->sync.config.settings, usual;
	settings_default(&usual);
	set->until = UNTIL_CAUGHT_UP;
	if (!is_given(o, "extra_keys") && set->extra_keys == usual.extra_keys)
		set->extra_keys = EXTRA_KEYS_KEEP;
	if (!is_given(o, "preflight") && set->preflight == usual.preflight)
		set->preflight = 0;
	if (!is_given(o, "repl_timeout") && set->repl_timeout == usual.repl_timeout)
		set->repl_timeout = 3600000;
	bool keeps = set->log_keep || set->keep_snapshot;
	if (!is_given(o, "disk_limit") && set->disk_limit == usual.disk_limit && !keeps &&
	    r->plan.frame_max < set->memory_window / 2)
		set->disk_limit = 0;
	uint64_t module_len = r->plan.module_len_max ? r->plan.module_len_max + MODULE_ROOM : 0;
	if (module_len > 1 * GB)
		return failure_set(f, ERROR_RDB_UNSUPPORTED,
				   "the file has a module's value of more than 1 GB");
	if (set->snapshot_window < module_len)
		set->snapshot_window = module_len;
	r->serve.plan = &r->plan;
	r->serve.big_value = set->big_value;
	r->serve.look = target_facts;
	r->serve.arg = r;
	r->serve.again = set->extra_keys == EXTRA_KEYS_DELETE;
	return 0;
}

// Commands go on top of what is there: what a server has kept in its file, it did to empty
// databases.
static int target_judge(struct restore *r, struct failure *f)
{
	const struct link_config *c = &r->sync.config;
	struct target_facts facts;
	char keys[24];
	if (!r->plan.stream_len || c->settings.extra_keys == EXTRA_KEYS_DELETE)
		return 0;
	if (target_facts(r, &facts, f))
		return -1;
	r->serve.resumes = facts.streamed;
	if (facts.marked || !facts.n_keys || is_given(r->options, "extra_keys"))
		return 0;
	return failure_set(f, ERROR_RESTORE_KEYS,
			   "the target holds %s keys, and the commands of %s would change these",
			   figure_count(facts.n_keys, keys), r->plan.name);
}

// The socket lies in the state folder. Where its path is too long for one, the folder is reached
// through our descriptor of it.
static int source_name(struct restore *r, struct failure *f)
{
	struct endpoint *e = &r->sync.config.source;
	char *whole = realpath(r->sync.state_dir, NULL);
	int len = snprintf(r->socket, sizeof(r->socket), "%.4095s/" RESTORE_SOCKET,
			   whole ? whole : r->sync.state_dir);
	free(whole);
	e->kind = URL_UNIX;
	if (len < (int)sizeof(e->path)) {
		memcpy(e->path, r->socket, (size_t)len + 1);
		return 0;
	}
	r->folder_fd = open(r->sync.state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->folder_fd < 0)
		return failure_set(f, ERROR_STATE_DIR, "the folder %s cannot be opened: %s",
				   r->sync.state_dir, strerror(errno));
	snprintf(e->path, sizeof(e->path), "/proc/%d/fd/%d/" RESTORE_SOCKET, (int)getpid(),
		 r->folder_fd);
	return 0;
}

static int source_open(void *arg, struct failure *f)
{
	struct restore *r = arg;
	if (r->serving)
		return 0;
	if (source_name(r, f))
		return -1;
	r->serving = true;
	return primary_start(&r->primary, &r->serve, r->socket, f);
}

static int source_check(void *arg, struct failure *f)
{
	struct restore *r = arg;
	return primary_check(&r->primary, f);
}

static void source_close(struct restore *r)
{
	if (r->serving) {
		primary_stop(&r->primary);
		unlink(r->socket);
	}
	if (r->folder_fd >= 0)
		close(r->folder_fd);
	r->serving = false;
	r->folder_fd = -1;
}

// ----

static int restore_run(struct restore *r, struct failure *f)
{
	int rc = sync_signals_take(&r->sync, f);
	rc = rc ? rc : survey(r, f);
	rc = rc ? rc : config_fit(r, f);
	rc = rc ? rc : target_judge(r, f);
	rc = rc ? rc : sync_state_dir(&r->sync, f);
	if (rc)
		return rc;
	restore_warn(r);
	r->sync.opened = source_open;
	r->sync.check = source_check;
	r->sync.arg = r;
	rc = sync_run(&r->sync, f);
	sync_leave(&r->sync, rc, f);
	source_close(r);
	rc = rc ? rc : restore_judge(r, f);
	restore_describe(r);
	return rc;
}

int verb_restore(const struct options *o, struct failure *f)
{
	struct options watched = *o;
	struct restore r = {.options = &watched, .folder_fd = -1};
	watched.watched = true;
	int rc = sync_init(&r.sync, &watched, f);
	rc = rc ? rc : request_read(&r, f);
	rc = rc ? rc : restore_run(&r, f);
	sync_finish(&r.sync, rc, f);
	if (rc == 0)
		restore_tell(&r);
	aof_files_close(&r.files);
	return rc;
}
