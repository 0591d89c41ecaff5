// SPDX-License-Identifier: BSD-3-Clause
// preflight_start() ; preflight_tick() -> findings_log(), end_log() ; link_forbid() on damage
#include "ctrl/daemon/preflight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/doctor/examination.h"

#define HOLD_MS    1000 // longest wait of a start for the first answers
#define GIVE_UP_MS 5000 // from then on it is late

struct preflight {
	struct watch news;
	struct examination *examination;
	uint64_t started_ms;
	unsigned n_logged;
	bool late, ended; // said so
};

static struct preflight *preflight_of(const struct daemon *d, unsigned i)
{
	return d->links.links[i].preflight;
}

static const struct link_config *config_of(const struct daemon *d, unsigned i)
{
	return &d->supervisor.shared.contract->links[i].config;
}

// Only to wake the loop: what is new is looked up in the tick.
static void news_ready(struct watch *w, uint32_t events)
{
	eventfd_t n;
	eventfd_read(w->fd, &n);
}

static struct preflight *preflight_new(struct daemon *d, unsigned i)
{
	struct preflight *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->news = (struct watch){.fd = -1, .ready = news_ready};
	p->started_ms = mono_ms();
	p->examination = examination_start(config_of(d, i));
	if (p->examination)
		p->news.fd = dup(examination_fd(p->examination));
	if (p->news.fd < 0 || loop_add(&d->loop, &p->news, EPOLLIN)) {
		examination_leave(p->examination);
		if (p->news.fd >= 0)
			close(p->news.fd);
		free(p);
		return NULL;
	}
	return p;
}

void preflight_start(struct daemon *d, unsigned i)
{
	preflight_end(d, i);
	if (!config_of(d, i)->settings.preflight)
		return;
	d->links.links[i].preflight = preflight_new(d, i);
	if (!preflight_of(d, i))
		log_put(&d->log, EVENT_WARN, config_of(d, i)->name,
			"pre-flight: left out, there is no memory or no thread for it");
}

void preflight_end(struct daemon *d, unsigned i)
{
	struct preflight *p = preflight_of(d, i);
	if (!p)
		return;
	loop_close(&d->loop, &p->news);
	examination_leave(p->examination);
	free(p);
	d->links.links[i].preflight = NULL;
}

bool preflight_holds(const struct daemon *d, unsigned i)
{
	const struct preflight *p = preflight_of(d, i);
	return p && examination_stage(p->examination) == EXAMINATION_CONNECTS &&
	       mono_ms() - p->started_ms < HOLD_MS;
}

static void findings_log(struct daemon *d, struct preflight *p, const char *link)
{
	const struct findings *list = examination_findings(p->examination);
	unsigned n = atomic_load_explicit(&list->n, memory_order_acquire);
	for (; p->n_logged < n; p->n_logged++) {
		const struct finding *found = &list->list[p->n_logged];
		enum event_level level = found->severity == SEVERITY_INFO ? EVENT_INFO : EVENT_WARN;
		log_put(&d->log, level, link, "pre-flight: %s", found->sentence);
		if (found->mend[0])
			log_put(&d->log, level, link, "to mend it: %s",
				strlen(found->mend) < TEXT_LEN - 20 ? found->mend
								    : "see `flyover link show`");
	}
}

static void end_log(struct daemon *d, struct preflight *p, const char *link)
{
	enum examination_stage stage = examination_stage(p->examination);
	p->ended = stage >= EXAMINATION_DONE;
	if (stage == EXAMINATION_FAILED) // the link meets the same, and says so by itself
		log_put(&d->log, EVENT_INFO, link, "pre-flight: not finished: %s",
			examination_failure(p->examination)->sentence);
	if (p->ended || p->late || mono_ms() - p->started_ms < GIVE_UP_MS)
		return;
	p->late = true;
	log_put(&d->log, EVENT_WARN, link, "pre-flight: not finished after %d s, the link goes on",
		GIVE_UP_MS / 1000);
}

void preflight_tick(struct daemon *d, unsigned i)
{
	struct preflight *p = preflight_of(d, i);
	if (!p || p->ended)
		return;
	const char *name = config_of(d, i)->name;
	end_log(d, p, name); // looks at the stage first: all its findings are there then
	findings_log(d, p, name);
	const struct finding *damage = findings_damage(examination_findings(p->examination));
	if (damage)
		link_forbid(d, i,
			    !strcmp(damage->check, "target-follows") ? ERROR_TARGET_READONLY
								     : ERROR_CONFIG,
			    damage->sentence);
}

static const char *state_text(const struct preflight *p)
{
	if (!p)
		return "";
	switch (examination_stage(p->examination)) {
	case EXAMINATION_DONE:
		return "done";
	case EXAMINATION_FAILED:
		return examination_failure(p->examination)->sentence;
	case EXAMINATION_WATCHES:
		return "watching the rate of writes";
	default:
		return p->late ? "not finished after 5 s" : "asking";
	}
}

void preflight_status(const struct daemon *d, unsigned i, json_t *o)
{
	const struct preflight *p = preflight_of(d, i);
	const struct findings *list = p ? examination_findings(p->examination) : NULL;
	unsigned n = p ? atomic_load_explicit(&list->n, memory_order_acquire) : 0;
	json_t *warnings = json_array();
	for (unsigned at = 0; at < n; at++)
		if (list->list[at].severity >= SEVERITY_WARNING)
			json_array_append_new(warnings, finding_json(&list->list[at]));
	json_object_set_new(o, "preflight", json_string(state_text(p)));
	json_object_set_new(o, "warnings", warnings);
}
