// SPDX-License-Identifier: BSD-3-Clause
// verb_link_parked_retry() -> job_new() -> job_main() -> retry_run() -> job_tell()
#include "ctrl/daemon/parked_desk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/status.h"

#define RESULTS_A_PAGE 200
#define END_WAIT_S     2
#define COUNT_SHARE    10 // reading files takes at most one in so many parts of the time

// A retry. The thread writes results, n_results, failure and done, under the lock.
struct job {
	pthread_t thread;
	pthread_mutex_t lock;
	struct retry retry;
	struct retry_answer *results;
	size_t n_results, results_max;
	struct failure failure;
	bool failed, done;
};

struct parked_desk {
	struct journal journals[LINKS_MAX]; // folder "": not opened yet
	uint64_t count_after_ms[LINKS_MAX]; // mono
	struct job *jobs[LINKS_MAX];        // the last one of each link
};

struct parked_desk *parked_desk_new(void)
{
	return calloc(1, sizeof(struct parked_desk));
}

// ---- Counts -------------------------------------------------------------------------------------

void parked_desk_count(struct parked_desk *desk, unsigned i, const char *folder, uint64_t *open,
		       uint64_t *settled)
{
	struct journal *j = &desk->journals[i];
	struct failure none;
	uint64_t begun = mono_ms();
	if (strcmp(j->folder, folder)) {
		if (j->folder[0])
			journal_close(j);
		if (journal_open(j, folder, &none))
			j->folder[0] = 0;
		desk->count_after_ms[i] = 0;
	} else if (begun >= desk->count_after_ms[i]) {
		journal_refresh(j, &none);
	}
	uint64_t now = mono_ms();
	if (now > begun)
		desk->count_after_ms[i] = now + COUNT_SHARE * (now - begun);
	*open = j->folder[0] ? j->n_open : 0;
	*settled = j->folder[0] ? j->n_settled : 0;
}

// ---- Retries ------------------------------------------------------------------------------------

static void job_tell(void *arg, const struct retry_answer *a)
{
	struct job *job = arg;
	pthread_mutex_lock(&job->lock);
	if (job->n_results == job->results_max) {
		size_t max = job->results_max ? 2 * job->results_max : 64;
		struct retry_answer *more = realloc(job->results, max * sizeof(*more));
		if (more) {
			job->results = more;
			job->results_max = max;
		}
	}
	if (job->n_results < job->results_max)
		job->results[job->n_results++] = *a;
	else
		atomic_store(&job->retry.cancel, true); // the rest stays parked
	pthread_mutex_unlock(&job->lock);
}

static void *job_main(void *arg)
{
	struct job *job = arg;
	struct failure f = {0};
	int rc = retry_run(&job->retry, &f);
	explicit_bzero(&job->retry.target, sizeof(job->retry.target));
	pthread_mutex_lock(&job->lock);
	job->failed = rc != 0;
	job->failure = f;
	job->done = true;
	pthread_mutex_unlock(&job->lock);
	return NULL;
}

static bool job_done(struct job *job)
{
	pthread_mutex_lock(&job->lock);
	bool done = job->done;
	pthread_mutex_unlock(&job->lock);
	return done;
}

// A job whose thread has ended.
static void job_free(struct job *job)
{
	pthread_mutex_destroy(&job->lock);
	explicit_bzero(&job->retry.target, sizeof(job->retry.target));
	free(job->retry.ids);
	free(job->results);
	free(job);
}

static void job_end(struct job *job)
{
	struct timespec end;
	atomic_store(&job->retry.cancel, true);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += END_WAIT_S;
	if (pthread_timedjoin_np(job->thread, NULL, &end) == 0)
		job_free(job);
	else
		pthread_detach(job->thread);
}

void parked_desk_free(struct parked_desk *desk)
{
	for (unsigned i = 0; desk && i < LINKS_MAX; i++) {
		if (desk->jobs[i])
			job_end(desk->jobs[i]);
		if (desk->journals[i].folder[0])
			journal_close(&desk->journals[i]);
	}
	free(desk);
}

// @return NULL with f
static struct job *job_new(const struct link_config *c, const json_t *request, struct failure *f)
{
	const json_t *ids = json_object_get(request, "ids");
	bool all = json_is_true(json_object_get(request, "all"));
	struct job *job = calloc(1, sizeof(*job));
	size_t n = json_array_size(ids);
	if (!job || (!all && !(job->retry.ids = calloc(n + 1, sizeof(uint64_t))))) {
		free(job);
		failure_set(f, ERROR_MEMORY, "no memory for a retry");
		return NULL;
	}
	for (size_t i = 0; !all && i < n; i++)
		job->retry.ids[job->retry.n_ids++] =
			(uint64_t)json_integer_value(json_array_get(ids, i));
	memcpy(job->retry.folder, c->state_dir, sizeof(job->retry.folder));
	memcpy(job->retry.link, c->name, sizeof(job->retry.link));
	job->retry.target = c->target;
	job->retry.again = json_is_true(json_object_get(request, "again"));
	job->retry.tell = job_tell;
	job->retry.arg = job;
	pthread_mutex_init(&job->lock, NULL);
	int rc = pthread_create(&job->thread, NULL, job_main, job);
	if (!rc)
		return job;
	job_free(job);
	failure_set(f, ERROR_INTERNAL, "no thread for a retry: %s", strerror(rc));
	return NULL;
}

// ---- The verbs ----------------------------------------------------------------------------------

static int link_named(struct daemon *d, const json_t *request, struct failure *f)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	if (!name)
		return failure_set(f, ERROR_USAGE, "this verb needs a \"name\"");
	return link_find(d, name, f);
}

json_t *verb_link_parked(struct daemon *d, const json_t *request, struct failure *f)
{
	int i = link_named(d, request, f);
	uint64_t open, settled;
	if (i < 0)
		return NULL;
	const char *folder = d->supervisor.shared.contract->links[i].config.state_dir;
	parked_desk_count(d->parked, (unsigned)i, folder, &open, &settled);
	return json_pack("{s:s, s:I, s:I}", "folder", folder, "open", (json_int_t)open, "settled",
			 (json_int_t)settled);
}

json_t *verb_link_parked_retry(struct daemon *d, const json_t *request, struct failure *f)
{
	int i = link_named(d, request, f);
	if (i < 0)
		return NULL;
	struct job **job = &d->parked->jobs[i];
	const struct link_config *c = &d->supervisor.shared.contract->links[i].config;
	if (*job && !job_done(*job)) {
		failure_set(f, ERROR_LINK_STATE, "a retry of link %s is under way", c->name);
		return NULL;
	}
	struct job *fresh = job_new(c, request, f);
	if (!fresh)
		return NULL;
	if (*job)
		job_end(*job);
	*job = fresh;
	log_put(&d->log, EVENT_INFO, c->name, "parked commands are retried");
	return json_object();
}

// A page of what has come so far, from result number `from` on.
json_t *verb_link_parked_retried(struct daemon *d, const json_t *request, struct failure *f)
{
	int i = link_named(d, request, f);
	struct job *job = i < 0 ? NULL : d->parked->jobs[i];
	// The place may have been that of another link, which is gone.
	if (job && strcmp(job->retry.link, d->supervisor.shared.contract->links[i].config.name))
		job = NULL;
	if (!job) {
		if (i >= 0)
			failure_set(f, ERROR_LINK_STATE, "nothing of this link was retried");
		return NULL;
	}
	json_int_t from = json_integer_value(json_object_get(request, "from"));
	json_t *list = json_array(), *o = json_pack("{s:o}", "results", list);
	pthread_mutex_lock(&job->lock);
	size_t at = from < 0 ? 0 : (size_t)from, end = at + RESULTS_A_PAGE;
	for (; at < job->n_results && at < end; at++) {
		const struct retry_answer *a = &job->results[at];
		json_array_append_new(list, json_pack("{s:I, s:s, s:o}", "id", (json_int_t)a->id,
						      "result", retry_result_word(a->result),
						      "reason", text_json(a->reason)));
	}
	json_object_set_new(o, "done", json_boolean(job->done));
	if (job->done && job->failed)
		json_object_set_new(o, "error", failure_json(&job->failure));
	pthread_mutex_unlock(&job->lock);
	return o;
}
