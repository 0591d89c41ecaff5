// SPDX-License-Identifier: BSD-3-Clause
// examination_start() -> thread: examine() -> gather_open(), gather_ask(), gather_rate(), each
// followed by the rows of its stage
#include "ctrl/doctor/examination.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ctrl/check/sentinel.h"
#include "ctrl/doctor/gather.h"
#include "ctrl/doctor/rows.h"
#include "ctrl/doctor/sentinels.h"
#include "drivers/tls/tls.h"

struct examination {
	_Atomic unsigned holders; // the one who started it, and the thread
	_Atomic unsigned stage;   // enum examination_stage; the thread writes
	int event_fd;
	struct link_config config;
	struct endpoint sentinels[2]; // of the source and the target, where there are any
	struct findings findings;     // the thread writes
	struct failure failure;       // the thread writes, before EXAMINATION_FAILED
	struct facts facts;           // the thread's
};

static void passwords_wipe(struct link_config *config)
{
	explicit_bzero(config->source.password, sizeof(config->source.password));
	explicit_bzero(config->target.password, sizeof(config->target.password));
}

// Who has sentinels is asked for its master, and settled on it.
static int side_settle(struct endpoint *side, struct endpoint *sentinels, const char *who,
		       enum rights_kind *kind, struct failure *f)
{
	bool is_watched = side->kind == URL_SENTINEL;
	if (is_watched)
		*sentinels = *side;
	*kind = is_watched ? RIGHTS_WATCHED : RIGHTS_SINGLE;
	return sentinel_settle(side, who, f);
}

static void let_go(struct examination *e)
{
	if (atomic_fetch_sub(&e->holders, 1) > 1)
		return;
	close(e->event_fd);
	passwords_wipe(&e->config);
	free(e);
}

static void stage_reach(struct examination *e, enum examination_stage stage)
{
	atomic_store_explicit(&e->stage, stage, memory_order_release);
	eventfd_write(e->event_fd, 1);
}

static int examine(struct examination *e, struct gather *g)
{
	struct facts *k = &e->facts;
	struct link_config *c = &e->config;
	enum rights_kind source, target;
	gather_init(g, k);
	if (side_settle(&c->source, &e->sentinels[0], "the source", &source, &e->failure) ||
	    side_settle(&c->target, &e->sentinels[1], "the target", &target, &e->failure))
		return -1;
	facts_init(k, c);
	k->source.kind = source;
	k->target.kind = target;
	if (gather_open(g, c, &e->failure))
		return -1;
	rows_run(STAGE_INFO, k, &e->findings);
	stage_reach(e, EXAMINATION_ASKS);
	if (gather_ask(g, c, &e->failure))
		return -1;
	sentinels_ask(&e->sentinels[0], c->settings.prefer_replica, &k->source);
	sentinels_ask(&e->sentinels[1], false, &k->target);
	rows_run(STAGE_ASKED, k, &e->findings);
	stage_reach(e, EXAMINATION_WATCHES);
	if (gather_rate(g, &e->failure))
		return -1;
	rows_run(STAGE_RATE, k, &e->findings);
	return 0;
}

static void *examination_thread(void *arg)
{
	struct examination *e = arg;
	struct gather *g = malloc(sizeof(*g));
	int rc = g ? examine(e, g) : failure_set(&e->failure, ERROR_MEMORY, "no memory");
	if (g)
		gather_close(g);
	free(g);
	passwords_wipe(&e->config);
	explicit_bzero(e->sentinels, sizeof(e->sentinels));
	tls_thread_end();
	stage_reach(e, rc ? EXAMINATION_FAILED : EXAMINATION_DONE);
	let_go(e);
	return NULL;
}

// Signals are for the thread that has always had them.
static int thread_start(struct examination *e)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int rc = pthread_create(&thread, &attr, examination_thread, e);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct examination *examination_start(const struct link_config *c)
{
	struct examination *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e->config = *c;
	atomic_store(&e->holders, 2);
	if (e->event_fd >= 0 && !thread_start(e))
		return e;
	atomic_store(&e->holders, 1);
	let_go(e);
	return NULL;
}

int examination_fd(const struct examination *e)
{
	return e->event_fd;
}

enum examination_stage examination_stage(const struct examination *e)
{
	return (enum examination_stage)atomic_load_explicit(&e->stage, memory_order_acquire);
}

const struct findings *examination_findings(const struct examination *e)
{
	return &e->findings;
}

const struct failure *examination_failure(const struct examination *e)
{
	return &e->failure;
}

static void place_take(struct endpoint *e, const struct endpoint *found)
{
	if (e->kind == URL_SENTINEL)
		endpoint_at(e, &found->nodes[0]);
}

void examination_settle(const struct examination *e, struct link_config *c)
{
	place_take(&c->source, &e->config.source);
	place_take(&c->target, &e->config.target);
}

void examination_leave(struct examination *e)
{
	if (e)
		let_go(e);
}
