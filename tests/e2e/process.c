// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// In the child: output to files, an end that comes with the parent's, and never back. Allocates
// nothing: a thread of ours may have held the allocator's lock when we forked.
//
// @param mask  signals that were blocked before the fork; until then ours stay blocked, since the
//              handlers of a test program must not run here
static void process_become(const struct process *p, const char *const *argv, char **environment,
			   pid_t parent, const sigset_t *mask)
{
	int in = open("/dev/null", O_RDONLY);
	int out = open(p->out_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int err = open(p->err_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvpe(argv[0], (char *const *)argv, environment);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

// Our environment with the texts added, which win over ours. @return to free()
static char **environment_with(const char *const *added)
{
	unsigned n = 0, n_ours = 0, n_added = 0;

	while (environ[n_ours])
		n_ours++;
	while (added && added[n_added])
		n_added++;
	char **all = calloc(n_ours + n_added + 1, sizeof(*all));
	assert_non_null(all);
	for (unsigned i = 0; i < n_added; i++)
		all[n++] = (char *)added[i];
	for (unsigned i = 0; i < n_ours; i++) {
		bool replaced = false;
		for (unsigned k = 0; k < n_added && !replaced; k++)
			replaced = !strncmp(environ[i], added[k], strcspn(added[k], "=") + 1);
		if (!replaced)
			all[n++] = environ[i];
	}
	return all;
}

struct process *process_start(struct world *w, const char *name, const char *const *argv,
			      const char *const *environment)
{
	struct process *p = calloc(1, sizeof(*p));
	char **environment_all = environment_with(environment);
	pid_t parent = getpid();
	sigset_t all, mask;

	assert_non_null(p);
	snprintf(p->name, sizeof(p->name), "%s", name);
	unsigned n = w->n_processes++;
	snprintf(p->out_path, sizeof(p->out_path), "%s/%u-%s.out", w->dir, n, name);
	snprintf(p->err_path, sizeof(p->err_path), "%s/%u-%s.err", w->dir, n, name);
	p->next = w->processes;
	w->processes = p;
	fflush(NULL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	p->pid = fork();
	if (!p->pid)
		process_become(p, argv, environment_all, parent, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	assert_true(p->pid > 0);
	free(environment_all);
	return p;
}

bool process_has_ended(struct process *p)
{
	if (!p->ended && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
		p->ended = true;
	return p->ended;
}

static bool has_ended(void *arg)
{
	return process_has_ended(arg);
}

int process_wait(struct process *p)
{
	wait_until(has_ended, p, text("the end of %s", p->name));
	return WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 128 + WTERMSIG(p->status);
}

void process_signal(struct process *p, int signal_number)
{
	if (!process_has_ended(p))
		kill(p->pid, signal_number);
}

void process_kill(struct process *p)
{
	if (process_has_ended(p))
		return;
	kill(p->pid, SIGKILL);
	if (waitpid(p->pid, &p->status, 0) == p->pid)
		p->ended = true;
}

char *process_stdout(const struct process *p)
{
	char *bytes = file_read(p->out_path, NULL);
	return bytes ? bytes : calloc(1, 1);
}

char *process_stderr(const struct process *p)
{
	char *bytes = file_read(p->err_path, NULL);
	return bytes ? bytes : calloc(1, 1);
}

// @return the parent, or 0 when the process has gone
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512];
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	// The name in brackets may itself hold brackets and spaces: the last bracket ends it.
	char *end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		parent = 0;
	fclose(f);
	return parent;
}

static bool is_below(pid_t pid, pid_t ancestor)
{
	for (int depth = 0; pid > 1 && depth < 32; depth++) {
		pid = parent_of(pid);
		if (pid == ancestor)
			return true;
	}
	return false;
}

// Call f for every process below ancestor until it returns true. @return that pid, or 0
static pid_t descendants_each(pid_t ancestor, bool (*f)(pid_t pid, const void *arg),
			      const void *arg)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (proc && !found && (entry = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid > 1 && is_below(pid, ancestor) && f(pid, arg))
			found = pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

static bool runs_program(pid_t pid, const void *base_name)
{
	char path[64], target[4096];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	return !strcmp(basename(target), base_name);
}

pid_t descendant_find(const char *base_name, pid_t ancestor)
{
	return descendants_each(ancestor ? ancestor : getpid(), runs_program, base_name);
}

static bool end_one(pid_t pid, const void *arg)
{
	kill(pid, SIGKILL);
	return false;
}

void processes_end_descendants(void)
{
	for (int round = 0; round < 100; round++) {
		descendants_each(getpid(), end_one, NULL);
		pid_t pid;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return; // no child is left
		nap_ms(10);
	}
}

static void file_show(const char *name, const char *what, const char *path)
{
	size_t len, most = 3000;
	char *bytes = file_read(path, &len);

	if (bytes && len)
		fprintf(stderr, "---- %s, %s%s\n%s\n", name, what, len > most ? " (its end)" : "",
			len > most ? bytes + len - most : bytes);
	free(bytes);
}

// A job or a server keeps a pointer to the process that ran last.
static bool process_is_used(const struct world *w, const struct process *p)
{
	for (const struct job *j = w->jobs; j; j = j->next)
		if (j->process == p)
			return true;
	for (const struct server *s = w->servers; s; s = s->next)
		if (s->process == p)
			return true;
	return false;
}

void processes_forget(struct world *w)
{
	for (struct process **at = &w->processes; *at;) {
		struct process *p = *at;
		if (!p->ended || process_is_used(w, p)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		unlink(p->out_path);
		unlink(p->err_path);
		free(p);
	}
}

void processes_show(struct world *w)
{
	for (struct process *p = w->processes; p; p = p->next) {
		file_show(p->name, "stdout", p->out_path);
		file_show(p->name, "stderr", p->err_path);
	}
}

void processes_free(struct world *w)
{
	while (w->processes) {
		struct process *p = w->processes;
		w->processes = p->next;
		process_kill(p);
		free(p);
	}
}
