// SPDX-License-Identifier: BSD-3-Clause
// Our programs, in both forms: `flyover sync` with its private flyoverd, or a flyoverd with a file.
// Both keep the same state and know the link by the same name, so the one goes on where the other
// ended.
#include "tests/e2e/torture.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void orphans_reap(struct torture *t)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		struct process *p = t->world->processes;
		while (p && (p->ended || p->pid != info.si_pid))
			p = p->next;
		if (!p)
			waitpid(info.si_pid, NULL, 0);
		else if (!process_has_ended(p))
			return;
	}
}

// ---- Start

static const char *settings_text(const struct torture *t, const char *indent)
{
	const struct link_plan *l = &t->link;

	return text("%sname: torture\n%ssource: %s\n%starget: %s\n%slanes: %u\n"
		    "%smemory-window: %s\n%slog-keep: %s\n%sextra-keys: %s\n%sack: %s\n"
		    "%sbatch-commands: %s\n%sbig-value: %s\n%sdelivery: %s\n%sfail-fast: no\n",
		    indent, indent, t->source.url, indent, t->target.url, indent, l->lanes, indent,
		    l->memory_window, indent, l->log_keep, indent, l->extra_keys, indent, l->ack,
		    indent, l->batch, indent, l->big_value, indent,
		    l->at_least_once ? "at-least-once" : "exactly-once", indent);
}

static void daemon_start(struct torture *t)
{
	const char *path = text("%s/flyoverd.yaml", t->world->dir);
	const char *yaml = text("listen: %s\nstate-dir: %s\nio: %s\nlinks:\n  -\n%s", t->socket,
				t->state_dir, t->link.io, settings_text(t, "    "));
	const char *arguments[] = {"--config", path, NULL};

	file_write(path, yaml, strlen(yaml));
	t->job = job_start_argv(t->world, "flyoverd", arguments, NULL);
	t->dataplane_kills = 0;
}

void link_start(struct torture *t)
{
	t->tally.links++;
	t->may_fail = false;
	t->dataplane_kills = t->daemon_kills = 0;
	if (t->link.daemon) {
		daemon_start(t);
		return;
	}
	const char *path = text("%s/link.yaml", t->world->dir);
	const char *yaml = settings_text(t, "");
	file_write(path, yaml, strlen(yaml));
	t->job = job_start(t->world, "sync", t->source.url, t->target.url, "--json",
			   "--interval=50ms", "--state-dir", t->state_dir, "--config", path, "--io",
			   t->link.io, "--fail-fast=no", NULL);
}

bool link_has_ended(struct torture *t)
{
	orphans_reap(t);
	return !t->job || process_has_ended(t->job->process);
}

// ---- Talk

static int socket_open(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

// One line in, one line out. @return NULL when nobody answers
static json_t *api_ask(struct torture *t, const char *line)
{
	static char answer[1 << 20];
	size_t n = 0;
	int fd = socket_open(t->socket);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return NULL;
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		goto out;
	while (n < sizeof(answer) && !memchr(answer, '\n', n) && poll(&p, 1, 5000) > 0) {
		ssize_t got = recv(fd, answer + n, sizeof(answer) - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
out:
	close(fd);
	return json_loadb(answer, n, JSON_DISABLE_EOF_CHECK, NULL);
}

static json_t *daemon_status(struct torture *t)
{
	return api_ask(t, "{\"verb\":\"status\"}\n");
}

json_t *link_status(struct torture *t)
{
	json_t *all = daemon_status(t);
	json_t *link = json_incref(json_array_get(json_object_get(all, "links"), 0));

	json_decref(all);
	return link;
}

bool link_verb(struct torture *t, const char *verb)
{
	json_t *answer = api_ask(t, text("{\"verb\":\"%s\",\"name\":\"torture\"}\n", verb));
	bool ok = json_is_true(json_object_get(answer, "ok"));

	json_decref(answer);
	return ok;
}

pid_t dataplane_pid(struct torture *t)
{
	return descendant_find("flyover-dataplane", 0);
}

// ---- Ends

// How many keys a later link finds at its start does not matter here: what it has loaded counts.
static void syncs_count(struct torture *t)
{
	json_t *status = link_status(t);
	const json_t *counters = json_object_get(status, "counters");

	t->tally.full_syncs += (unsigned)json_integer_value(json_object_get(counters, "snapshots"));
	json_decref(status);
}

void link_end(struct torture *t)
{
	syncs_count(t);
	process_signal(t->job->process, SIGTERM);
}

static bool nothing_runs(void *arg)
{
	orphans_reap(arg);
	return !descendant_find("flyoverd", 0) && !descendant_find("flyover-dataplane", 0);
}

static void descendant_kill(struct torture *t, const char *base_name)
{
	pid_t pid = descendant_find(base_name, 0);

	if (pid)
		kill(pid, SIGKILL);
	orphans_reap(t);
}

static bool all_killed(void *arg)
{
	descendant_kill(arg, "flyoverd");
	descendant_kill(arg, "flyover-dataplane");
	return nothing_runs(arg);
}

void link_ended(struct torture *t)
{
	int code = process_wait(t->job->process);

	// Who was told to end before he could hear it has died of it, and what he would have taken
	// over lives on.
	if (code == 128 + SIGTERM)
		wait_until(all_killed, t, "the killed programs to be gone");
	else if (code && !t->may_fail)
		torture_fail(t, "the link ends with %d", code);
	long long deadline = now_ms() + DEADLINE_MS;
	while (!nothing_runs(t)) {
		if (now_ms() > deadline)
			torture_fail(t, "waited %d s for %s to leave", DEADLINE_MS / 1000,
				     descendant_find("flyoverd", 0) ? "flyoverd" : "the dataplane");
		nap_ms(5);
	}
	t->job = NULL;
}

void link_kill(struct torture *t)
{
	syncs_count(t);
	process_kill(t->job->process);
	wait_until(all_killed, t, "the killed programs to be gone");
	t->job = NULL;
}

static bool daemon_is_gone(void *arg)
{
	pid_t *pid = arg;
	return kill(*pid, 0) != 0;
}

void daemon_kill(struct torture *t)
{
	if (t->link.daemon) {
		syncs_count(t);
		process_kill(t->job->process);
		daemon_start(t);
		return;
	}
	pid_t pid = descendant_find("flyoverd", t->job->process->pid);
	if (!pid)
		return;
	t->daemon_kills++;
	kill(pid, SIGKILL);
	wait_until(daemon_is_gone, &pid, "`flyover sync` to notice that flyoverd has died");
}

void dataplane_kill(struct torture *t)
{
	pid_t pid = dataplane_pid(t);

	if (!pid)
		return;
	t->dataplane_kills++;
	kill(pid, SIGKILL);
	orphans_reap(t);
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return ftw->level ? remove(path) : 0;
}

void link_forget(struct torture *t)
{
	struct servers target = side_servers(&t->target);

	nftw(t->state_dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	for (unsigned i = 0; i < target.n; i++) {
		run(target.list[i], "FLUSHALL");
		run(target.list[i], "FUNCTION FLUSH");
	}
}
