// SPDX-License-Identifier: BSD-3-Clause
// `flyover sync`: verb_sync() -> job_config() -> sync_run() -> sync_begin(), sync_watch()
//   -> sync_leave(), sync_finish()
#include "ctrl/cli/sync.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ctrl/cli/amount.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/link_config.h"

#define POLL_MS         50
#define PREFLIGHT_WAITS 20 // times POLL_MS
#define INTERVAL_MAX_MS 86400000
#define DAEMONS_MAX     3 // how often a flyoverd that died is replaced

int sync_init(struct sync *s, const struct options *o, struct failure *f)
{
	uint64_t ms = 0;
	int rc = amount_read(o->interval, "interval", AMOUNT_TIME, INTERVAL_MAX_MS, &ms, f);
	*s = (struct sync){.options = o, .signal_fd = -1, .daemon = {.session = {.fd = -1}}};
	progress_init(&s->progress, o->json, stdout, ms, mono_ms());
	s->poll_ms = (int)(s->progress.interval_ms < POLL_MS ? s->progress.interval_ms : POLL_MS);
	return rc;
}

int sync_signals_take(struct sync *s, struct failure *f)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? failure_set(f, ERROR_INTERNAL, "no signal descriptor") : 0;
}

unsigned sync_signals(struct sync *s, int wait_ms)
{
	struct signalfd_siginfo info;
	struct pollfd p = {.fd = s->signal_fd, .events = POLLIN};
	if (poll(&p, 1, wait_ms) > 0 && read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
		s->n_signals++;
	return s->n_signals;
}

static int sync_begin(struct sync *s, struct failure *f)
{
	const struct options *o = s->options;
	int rc;
	do { // it may die before it has said a word
		s->n_daemons++;
		rc = private_daemon_start(&s->daemon, s->state_dir, o, f);
		if (!rc && s->opened)
			rc = s->opened(s->arg, f);
		if (rc)
			continue;
		rc = session_ask(&s->daemon.session, job_request(&s->config, true), NULL, f);
		if (rc == SESSION_GONE)
			private_daemon_end(&s->daemon);
	} while (rc == SESSION_GONE && s->n_daemons < DAEMONS_MAX);
	return rc ? -1 : 0;
}

static json_t *request_of(const struct sync *s, const char *verb)
{
	return json_pack("{s:s, s:s}", "verb", verb, "name", s->config.name);
}

// The first signal drains, the second one ends all at once. @return 0, or -1 to leave
static int signal_handle(struct sync *s, struct failure *f)
{
	unsigned before = s->n_signals, n = sync_signals(s, s->poll_ms);
	if (n == before)
		return 0;
	if (n == 1)
		return session_ask(&s->daemon.session, request_of(s, "link-drain"), NULL, f) ==
				       SESSION_REFUSED
			       ? -1
			       : 0;
	session_tell(&s->daemon.session, json_pack("{s:s, s:b}", "verb", "shutdown", "now", 1));
	return failure_set(f, ERROR_INTERRUPTED, "ended at once by a second signal");
}

static bool phase_is(const struct sync *s, const char *phase)
{
	const char *now = json_string_value(json_object_get(s->link, "phase"));
	return now && !strcmp(now, phase);
}

// @return 0, SESSION_REFUSED or SESSION_GONE
static int link_ask(struct sync *s, struct failure *f)
{
	json_t *answer = NULL;
	int rc = session_ask(&s->daemon.session, request_of(s, "link-show"), &answer, f);
	if (rc)
		return rc;
	json_decref(s->link);
	s->link = json_incref(json_object_get(answer, "link"));
	json_decref(answer);
	return 0;
}

// flyoverd died under us. Its dataplane goes on: another flyoverd takes it over.
static int daemon_again(struct sync *s, struct failure *f)
{
	private_daemon_end(&s->daemon);
	if (s->n_daemons == DAEMONS_MAX)
		return failure_set(f, ERROR_INTERNAL,
				   "flyoverd ended by itself %d times; its log is %s/%s",
				   DAEMONS_MAX, s->state_dir, "flyoverd.log");
	if (sync_begin(s, f))
		return -1;
	if (s->n_signals)
		session_tell(&s->daemon.session, request_of(s, "link-drain"));
	return 0;
}

// What the pre-flight found. Not before the link has got somewhere: one that is refused says why by
// itself, in one sentence. With --json the warnings are in the objects.
static void warnings_print(struct sync *s)
{
	const json_t *warnings = json_object_get(s->link, "warnings");
	if (s->options->json || phase_is(s, "connecting") || phase_is(s, "failed"))
		return;
	for (; s->n_warned < json_array_size(warnings); s->n_warned++) {
		const json_t *o = json_array_get(warnings, s->n_warned);
		const char *sentence = json_string_value(json_object_get(o, "sentence"));
		const char *mend = json_string_value(json_object_get(o, "mend"));
		progress_clear(&s->progress);
		fprintf(stderr, "warning: %s%s%s\n", sentence ? sentence : "",
			mend ? "; to mend it: " : "", mend ? mend : "");
	}
}

// A link that is over may be quicker than its pre-flight, which is about to say more.
//
// @return false when that was waited for long enough
static bool preflight_is_near(struct sync *s)
{
	const char *preflight = json_string_value(json_object_get(s->link, "preflight"));
	return preflight && !strcmp(preflight, "asking") &&
	       s->n_preflight_waits++ < PREFLIGHT_WAITS;
}

// Who lacks rights wants to know the line that gives them all, not only the first that was missed.
//
// @return true when the pre-flight is about to find it
static bool rights_add(struct sync *s, struct failure *f)
{
	const json_t *o;
	size_t i, len = strlen(f->sentence);
	if (preflight_is_near(s))
		return true;
	json_array_foreach(json_object_get(s->link, "warnings"), i, o)
	{
		const char *check = json_string_value(json_object_get(o, "check"));
		const char *mend = json_string_value(json_object_get(o, "mend"));
		bool fits = mend && len + strlen(mend) + 20 < sizeof(f->sentence);
		if (fits && check && strstr(check, "-rights"))
			len += (size_t)snprintf(f->sentence + len, sizeof(f->sentence) - len,
						"; to mend it: %s", mend);
	}
	return false;
}

// Until the link has ended. @return 0 done, or -1 with f
static int sync_watch(struct sync *s, struct failure *f)
{
	for (;;) {
		int rc = link_ask(s, f);
		if (rc == SESSION_GONE)
			rc = daemon_again(s, f);
		else if (rc == 0)
			progress_show(&s->progress, s->link, mono_ms());
		if (rc)
			return -1;
		warnings_print(s);
		if (phase_is(s, "done") && !preflight_is_near(s))
			return 0;
		if (s->check && s->check(s->arg, f))
			return -1;
		if (phase_is(s, "failed")) {
			session_failure(json_object_get(s->link, "error"), f);
			if (f->id != ERROR_NOPERM || !rights_add(s, f))
				return -1; // else a moment later, with more to say
		}
		if (signal_handle(s, f))
			return -1;
	}
}

static json_t *failure_object(const struct failure *f)
{
	const struct error_row *row = error_row(f->id);
	return json_pack("{s:s, s:i, s:s, s:s}", "name", row->name, "exit_code", row->exit_code,
			 "sentence", f->sentence, "advice", row->advice);
}

// What the dataplane said before it died stands only in flyoverd's log.
static void last_words_print(struct sync *s)
{
	json_t *answer = NULL, *line;
	struct failure f;
	size_t i;
	if (s->options->verbose ||
	    session_ask(&s->daemon.session, json_pack("{s:s}", "verb", "status"), &answer, &f))
		return;
	json_array_foreach(json_object_get(answer, "events"), i, line)
	{
		const char *level = json_string_value(json_object_get(line, "level"));
		const char *text = json_string_value(json_object_get(line, "text"));
		if (level && text && !strcmp(level, "error"))
			fprintf(stderr, "%s\n", text);
	}
	json_decref(answer);
}

// A device that nobody uses is as wrong as none that is wanted; the user hears it before anything
// starts.
static int network_check(const struct sync *s, struct failure *f)
{
	struct network n;
	char why[200];
	bool wanted = s->config.settings.net == NET_DPDK;
	if (network_read(&s->options->network, &n, why, sizeof(why)))
		return failure_set(f, ERROR_CONFIG, "%s", why);
	if (wanted && !n.present)
		return failure_set(f, ERROR_CONFIG,
				   "net: dpdk needs a device and our address on it: give nic and "
				   "addr, such as --nic=net_tap0,iface=fly0 --addr=10.99.0.2/24");
	if (!wanted && n.present)
		return failure_set(f, ERROR_CONFIG,
				   "nic: it is for --net=dpdk, which is not asked for");
	return 0;
}

int sync_run(struct sync *s, struct failure *f)
{
	return network_check(s, f) || sync_begin(s, f) || sync_watch(s, f) ? -1 : 0;
}

void sync_leave(struct sync *s, int rc, const struct failure *f)
{
	if (rc && f->id == ERROR_DATAPLANE_DIED && s->daemon.pid > 0)
		last_words_print(s);
	if (s->daemon.pid > 0 && s->n_signals < 2)
		private_daemon_end(&s->daemon);
	else
		session_close(&s->daemon.session);
}

void sync_finish(struct sync *s, int rc, const struct failure *f)
{
	json_t *error = rc ? failure_object(f) : NULL;
	progress_end(&s->progress, s->link, rc ? "failed" : "done", error, mono_ms());
	json_decref(error);
	json_decref(s->link);
	explicit_bzero(&s->config, sizeof(s->config));
	if (s->signal_fd >= 0)
		close(s->signal_fd);
}

int sync_state_dir(struct sync *s, struct failure *f)
{
	const char *named = s->options->state_dir;
	if (!named)
		return private_state_dir(s->config.name, s->state_dir, sizeof(s->state_dir), f);
	if (strlen(named) >= sizeof(s->state_dir))
		return failure_set(f, ERROR_STATE_DIR, "the path of the state folder is too long");
	strcpy(s->state_dir, named);
	return 0;
}

int verb_sync(const struct options *o, struct failure *f)
{
	struct options watched = *o;
	struct sync s;
	watched.watched = true;
	int rc = sync_init(&s, &watched, f);
	rc = rc ? rc : job_config(&watched, NULL, o->args[0], o->args[1], &s.config, f);
	rc = rc ? rc : sync_state_dir(&s, f);
	rc = rc ? rc : sync_signals_take(&s, f);
	rc = rc ? rc : sync_run(&s, f);
	sync_leave(&s, rc, f);
	sync_finish(&s, rc, f);
	return rc;
}
