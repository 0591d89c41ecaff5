// SPDX-License-Identifier: BSD-3-Clause
// supervisor_init() -> dataplane_take() ; supervisor_tick() -> dataplane_start() ->
// dataplane_spawn()
// -> events_take(), stage_check() ; process_ended() -> death_handle()
#include "ctrl/daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/last_words.h"
#include "ctrl/program.h"

#define START_WAIT_MS      10000
#define LEAVE_WAIT_MS      5000
#define SILENCE_WARN_TICKS (2000 / TICK_MS)
#define SILENCE_KILL_TICKS (30000 / TICK_MS)
#define BACKOFF_FIRST_MS   100

static struct contract *contract_of(struct daemon *d)
{
	return d->supervisor.shared.contract;
}

// Only for a process that is ours: a child, or the holder of the contract behind the pidfd.
static void process_kill(struct supervisor *s, int signal)
{
	if (s->process.fd >= 0)
		pidfd_send_signal(s->process.fd, signal, NULL, 0);
}

static void events_take(struct daemon *d)
{
	struct contract *c = contract_of(d);
	struct event_record e;
	while (contract_event_pop(c, &e)) {
		bool known = e.link < LINKS_MAX && d->links.links[e.link].used;
		log_put_event(&d->log, &e, known ? c->links[e.link].config.name : NULL);
	}
	uint64_t dropped = counter_get(&c->events.dropped);
	if (dropped > d->supervisor.events_dropped)
		log_put(&d->log, EVENT_WARN, NULL,
			"%llu events were lost because there were too many",
			(unsigned long long)(dropped - d->supervisor.events_dropped));
	d->supervisor.events_dropped = dropped;
}

static void stage_set(struct supervisor *s, enum supervisor_stage stage, uint64_t deadline_ms)
{
	s->stage = stage;
	s->deadline_ms = deadline_ms;
}

static void give_up(struct daemon *d, enum error_id id, const char *sentence)
{
	d->supervisor.wanted = false;
	d->supervisor.quick_deaths = 0;
	links_fail(d, id, sentence);
}

static void death_text(int status, char *out, size_t out_len)
{
	if (WIFSIGNALED(status))
		snprintf(out, out_len, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(out, out_len, "exit code %d", WEXITSTATUS(status));
}

// It has no device. One that never ran will not run the next time either; else the device may come
// back, and it is tried as after any death.
static bool device_is_missing(struct daemon *d, int status)
{
	char sentence[TEXT_LEN];
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DEVICE || d->supervisor.has_run)
		return false;
	last_words_line(&d->state, sentence, sizeof(sentence));
	links_orphaned(d);
	give_up(d, ERROR_DEVICE, sentence);
	return true;
}

// It ended although nobody asked it to.
static void death_handle(struct daemon *d, const char *how)
{
	struct supervisor *s = &d->supervisor;
	uint64_t now = mono_ms();
	log_put(&d->log, EVENT_ERROR, NULL, "the dataplane ended by itself: %s", how);
	last_words_log(&d->state, &d->log);
	links_orphaned(d);
	s->wanted = !links_all_ended(d);
	s->quick_deaths = now - s->started_ms < QUICK_DEATH_MS ? s->quick_deaths + 1 : 1;
	if (s->quick_deaths >= QUICK_DEATHS_MAX) {
		char sentence[TEXT_LEN];
		snprintf(sentence, sizeof(sentence), "the dataplane died %u times in a row (%s)",
			 s->quick_deaths, how);
		give_up(d, ERROR_DATAPLANE_DIED, sentence);
	}
	s->deadline_ms = now + ((uint64_t)BACKOFF_FIRST_MS << s->quick_deaths) / 2;
}

static void process_ended(struct watch *w, uint32_t events)
{
	struct supervisor *s = container_of(w, struct supervisor, process);
	struct daemon *d = container_of(s, struct daemon, supervisor);
	char how[80] = "it was started by an earlier flyoverd";
	int status = 0;
	if (s->is_child && waitpid(s->pid, &status, WNOHANG) == s->pid)
		death_text(status, how, sizeof(how));
	events_take(d);
	traces_tick(d);
	bool asked = s->stage == DATAPLANE_LEAVES;
	stage_set(s, DATAPLANE_DOWN, 0);
	s->pid = 0;
	loop_close(&d->loop, w);
	if (!asked && !device_is_missing(d, status))
		death_handle(d, how);
}

static int process_watch(struct daemon *d, pid_t pid)
{
	struct supervisor *s = &d->supervisor;
	s->process = (struct watch){.fd = pidfd_open(pid, 0), .ready = process_ended};
	if (s->process.fd < 0)
		return -errno;
	s->pid = pid;
	return loop_add(&d->loop, &s->process, EPOLLIN);
}

// The command line of the dataplane.
struct arguments {
	char *argv[16];
	unsigned n;
	char texts[4096];
	size_t used;
};

// --name=text, unless there is none.
static void argument_add(struct arguments *a, const char *name, const char *text)
{
	size_t room = sizeof(a->texts) - a->used;
	int len = *text ? snprintf(a->texts + a->used, room, "--%s=%s", name, text) : 0;
	if (len <= 0 || (size_t)len >= room || a->n == 15)
		return;
	a->argv[a->n++] = a->texts + a->used;
	a->used += (size_t)len + 1;
}

static int dataplane_spawn(struct daemon *d, const char *path, pid_t *pid)
{
	struct arguments a = {.argv = {(char *)path}, .n = 1};
	unsigned n;
	const struct network_row *rows = network_rows(&n);
	argument_add(&a, "cores", d->config.cores);
	argument_add(&a, "io", d->config.io);
	for (unsigned i = 0; i < n; i++)
		argument_add(&a, rows[i].name, network_text(&d->config.network, &rows[i]));
	struct program_start start = {
		.path = path,
		.argv = a.argv,
		.stdin_fd = -1,
		.fd_from = d->supervisor.shared.fd,
		.fd_to = CONTRACT_FD,
		.stderr_fd = last_words_open(&d->state),
	};
	int rc = program_spawn(&start, pid);
	if (start.stderr_fd >= 0)
		close(start.stderr_fd);
	return rc;
}

static void contract_renew(struct daemon *d)
{
	struct supervisor *s = &d->supervisor;
	struct shared fresh;
	int rc = shared_new(&fresh, d->state.identity);
	if (rc) { // the old one serves: nobody else has it any more
		log_put(&d->log, EVENT_ERROR, NULL, "no fresh shared memory: %s", strerror(-rc));
		return;
	}
	links_move(d, s->shared.contract, fresh.contract);
	memcpy(&fresh.contract->flows, &s->shared.contract->flows, sizeof(fresh.contract->flows));
	shared_free(&s->shared);
	s->shared = fresh;
	s->events_dropped = 0;
	traces_adopt(d);
}

static void dataplane_start(struct daemon *d, uint64_t now)
{
	struct supervisor *s = &d->supervisor;
	char path[4096], sentence[TEXT_LEN];
	pid_t pid = 0;
	contract_renew(d);
	int rc = program_find("flyover-dataplane", path, sizeof(path));
	rc = rc ? rc : dataplane_spawn(d, path, &pid);
	if (rc) {
		snprintf(sentence, sizeof(sentence), "flyover-dataplane cannot be started: %s",
			 rc == -ENOENT ? "it is neither beside flyoverd nor in PATH"
				       : strerror(-rc));
		give_up(d, ERROR_DATAPLANE_DIED, sentence);
		return;
	}
	s->started_ms = now;
	s->is_child = true;
	s->beat_seen_ms = s->beat_turns = 0;
	stage_set(s, DATAPLANE_STARTS, now + START_WAIT_MS);
	if (process_watch(d, pid)) {
		kill(pid, SIGKILL); // our child, not yet waited for
		waitpid(pid, NULL, 0);
		stage_set(s, DATAPLANE_DOWN, 0);
		give_up(d, ERROR_DATAPLANE_DIED,
			"flyover-dataplane cannot be watched: pidfd_open is refused");
	}
}

void dataplane_want(struct daemon *d)
{
	d->supervisor.wanted = true;
}

bool supervisor_starting(const struct daemon *d)
{
	const struct supervisor *s = &d->supervisor;
	return s->stage == DATAPLANE_STARTS || (s->stage == DATAPLANE_DOWN && s->wanted);
}

// The oldest heartbeat of its cores, 0 before the first.
static uint64_t beat_oldest(struct contract *c)
{
	uint32_t n = atomic_load(&c->n_cores);
	uint64_t oldest = UINT64_MAX;
	for (uint32_t i = 0; i < n && i < CORES_MAX; i++) {
		uint64_t beat = counter_get(&c->cores[i].heartbeat_ms);
		oldest = beat < oldest ? beat : oldest;
	}
	return n ? oldest : 0;
}

// Silence is counted in our own ticks: a host that slept must not look like a dataplane that hangs.
static void beat_check(struct daemon *d)
{
	struct supervisor *s = &d->supervisor;
	uint64_t beat = beat_oldest(contract_of(d));
	s->beat_turns = beat == s->beat_seen_ms ? s->beat_turns + 1 : 0;
	s->beat_seen_ms = beat;
	if (s->beat_turns == SILENCE_WARN_TICKS)
		log_put(&d->log, EVENT_WARN, NULL,
			"a core of the dataplane has been silent for 2 s");
	if (s->beat_turns == SILENCE_KILL_TICKS) {
		log_put(&d->log, EVENT_ERROR, NULL, "a core of the dataplane hangs: it is killed");
		process_kill(s, SIGKILL);
	}
}

static void stage_check(struct daemon *d, uint64_t now)
{
	struct supervisor *s = &d->supervisor;
	switch (s->stage) {
	case DATAPLANE_DOWN:
		if (s->wanted && now >= s->deadline_ms)
			dataplane_start(d, now);
		break;
	case DATAPLANE_STARTS:
		if (atomic_load(&contract_of(d)->ready)) {
			log_put(&d->log, EVENT_INFO, NULL, "the dataplane runs, pid %d",
				(int)s->pid);
			s->restarts += s->quick_deaths > 0;
			s->has_run = true;
			stage_set(s, DATAPLANE_RUNS, 0);
		} else if (now >= s->deadline_ms) {
			log_put(&d->log, EVENT_ERROR, NULL,
				"the dataplane does not come up: killed");
			stage_set(s, DATAPLANE_STARTS, now + START_WAIT_MS);
			process_kill(s, SIGKILL);
		}
		break;
	case DATAPLANE_RUNS:
		beat_check(d);
		if (s->quick_deaths && now - s->started_ms > QUICK_DEATH_MS)
			s->quick_deaths = 0;
		break;
	case DATAPLANE_LEAVES:
		if (now >= s->deadline_ms)
			process_kill(s, SIGKILL);
		break;
	}
}

void supervisor_tick(struct daemon *d, uint64_t now_ms)
{
	events_take(d);
	traces_tick(d);
	stage_check(d, now_ms);
}

void dataplane_leave(struct daemon *d, bool now)
{
	struct supervisor *s = &d->supervisor;
	s->wanted = false;
	if (s->stage == DATAPLANE_DOWN)
		return;
	if (s->stage != DATAPLANE_LEAVES)
		stage_set(s, DATAPLANE_LEAVES, mono_ms() + LEAVE_WAIT_MS);
	if (now || contract_command_push(contract_of(d), (struct command_record){COMMAND_EXIT, 0}))
		process_kill(s, SIGKILL);
}

// A dataplane that we cannot use goes, and its links begin anew from markers.
static void stranger_end(struct daemon *d, pid_t pid, const char *which)
{
	int fd = pidfd_open(pid, 0);
	if (fd < 0)
		return;
	if (!shared_is_held_by(d->state.identity, pid)) { // the pid is another's by now
		close(fd);
		return;
	}
	log_put(&d->log, EVENT_WARN, NULL, "%s runs here, pid %d; it is ended", which, (int)pid);
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
	for (int i = 0; i < 100 && pidfd_send_signal(fd, 0, NULL, 0) == 0; i++)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	close(fd);
}

static int dataplane_take(struct daemon *d, pid_t pid)
{
	struct supervisor *s = &d->supervisor;
	int rc = shared_attach(&s->shared, d->state.identity, pid);
	if (rc == -EPROTO)
		stranger_end(d, pid, "a dataplane of another version");
	if (rc)
		return rc;
	rc = process_watch(d, pid);
	if (rc) {
		shared_free(&s->shared);
		return rc;
	}
	s->wanted = true;
	s->started_ms = mono_ms();
	stage_set(s, DATAPLANE_STARTS, s->started_ms + START_WAIT_MS);
	log_put(&d->log, EVENT_INFO, NULL, "took over the running dataplane, pid %d", (int)pid);
	links_adopt(d);
	traces_adopt(d);
	return 0;
}

int supervisor_init(struct daemon *d)
{
	struct supervisor *s = &d->supervisor;
	s->process.fd = -1;
	s->shared.fd = -1;
	pid_t pids[HOLDERS_MAX];
	unsigned n = shared_holders(d->state.identity, pids);
	bool taken = false;
	for (unsigned i = 0; i < n; i++) {
		if (taken) // two that carry the same links would undo each other's work
			stranger_end(d, pids[i], "a second dataplane");
		else
			taken = dataplane_take(d, pids[i]) == 0;
	}
	return taken ? 1 : shared_new(&s->shared, d->state.identity);
}

void supervisor_fini(struct daemon *d)
{
	loop_close(&d->loop, &d->supervisor.process);
	shared_free(&d->supervisor.shared);
}
