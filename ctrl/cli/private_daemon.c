// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/private_daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/program.h"

#define END_WAIT_MS 8000

int private_state_dir(const char *name, char *out, size_t out_len, struct failure *f)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int len = 0;
	if (xdg && xdg[0] == '/')
		len = snprintf(out, out_len, "%s/flyover/%s", xdg, name);
	else if (geteuid() == 0)
		len = snprintf(out, out_len, "/var/lib/flyover/%s", name);
	else if (home && home[0] == '/')
		len = snprintf(out, out_len, "%s/.local/state/flyover/%s", home, name);
	if (len <= 0 || (size_t)len >= out_len)
		return failure_set(f, ERROR_STATE_DIR,
				   "there is no HOME to keep the state of this job in");
	return 0;
}

#define FLAGS_MAX 10 // rows of NETWORK_SETTINGS, at most

// @param text  NULL or "": leave it out
static void argument_add(char **argv, unsigned *n, const char *flag, const char *text)
{
	if (!text || !*text)
		return;
	argv[(*n)++] = (char *)flag;
	argv[(*n)++] = (char *)text;
}

static int daemon_spawn(struct private_daemon *p, int fd, const char *state_dir,
			const struct options *o, struct failure *f)
{
	char path[4096], flags[FLAGS_MAX][16];
	char *argv[10 + 2 * FLAGS_MAX] = {path, "--private", "--state-dir", (char *)state_dir};
	unsigned n = 4, n_rows;
	const struct network_row *rows = network_rows(&n_rows);
	argument_add(argv, &n, "--cores", o->cores);
	argument_add(argv, &n, "--io", o->io);
	for (unsigned i = 0; i < n_rows && i < FLAGS_MAX; i++) {
		snprintf(flags[i], sizeof(flags[i]), "--%s", rows[i].name);
		argument_add(argv, &n, flags[i], network_text(&o->network, &rows[i]));
	}
	if (o->verbose)
		argv[n++] = "--verbose";
	int rc = program_find("flyoverd", path, sizeof(path));
	if (rc)
		return failure_set(f, ERROR_INTERNAL,
				   "flyoverd is neither beside flyover nor in PATH");
	struct program_start start = {
		.path = path,
		.argv = argv,
		.fd_from = -1,
		.stdin_fd = fd,
		.stderr_fd = -1,
	};
	rc = program_spawn(&start, &p->pid);
	return rc ? failure_set(f, ERROR_INTERNAL, "%s cannot be started: %s", path, strerror(-rc))
		  : 0;
}

int private_daemon_start(struct private_daemon *p, const char *state_dir, const struct options *o,
			 struct failure *f)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return failure_set(f, ERROR_INTERNAL, "no socket pair: %s", strerror(errno));
	int rc = daemon_spawn(p, pair[1], state_dir, o, f);
	close(pair[1]);
	session_init(&p->session, pair[0]);
	// It answers, or it says why it ended, on the same line.
	rc = rc ? rc : session_ask(&p->session, json_pack("{s:s}", "verb", "ping"), NULL, f);
	if (rc) {
		if (p->pid > 0)
			private_daemon_end(p);
		else
			session_close(&p->session);
	}
	return rc;
}

void private_daemon_end(struct private_daemon *p)
{
	uint64_t end_ms = mono_ms() + END_WAIT_MS;
	session_tell(&p->session, json_pack("{s:s}", "verb", "shutdown"));
	session_close(&p->session);
	while (waitpid(p->pid, NULL, WNOHANG) == 0) {
		if (mono_ms() >= end_ms)
			kill(p->pid, SIGKILL); // our child, not waited for yet
		nanosleep(&(struct timespec){0, 2000000}, NULL);
	}
	p->pid = 0;
}
