// SPDX-License-Identifier: BSD-3-Clause
// `flyover top`: the table of links once a second, until q or Ctrl-C. Not on a terminal: once.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "ctrl/cli/session.h"
#include "ctrl/cli/table.h"
#include "ctrl/cli/verbs.h"

#define REFRESH_MS 1000

struct screen {
	struct termios before;
	int signal_fd;
};

// Single keys without echo; the other screen of the terminal, so that nothing is lost on this one.
static void screen_open(struct screen *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	tcgetattr(STDIN_FILENO, &s->before);
	struct termios raw = s->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l\033[2J", stdout);
}

static void screen_close(struct screen *s)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
	close(s->signal_fd);
}

// @return 1 when the user wants to leave
static int key_wait(const struct screen *s)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
			      {.fd = s->signal_fd, .events = POLLIN}};
	char key = 0;
	if (poll(p, 2, REFRESH_MS) <= 0)
		return 0;
	if (p[1].revents)
		return 1;
	return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q';
}

static int frame_draw(struct session *session, struct failure *f)
{
	static const char end[] = "\033[K\n";
	json_t *answer = NULL;
	if (session_ask(session, json_pack("{s:s}", "verb", "status"), &answer, f))
		return -1;
	fputs("\033[H", stdout);
	daemon_print(stdout, answer, end);
	table_print(stdout, json_object_get(answer, "links"), end);
	fputs("\033[J\nq leaves", stdout);
	fflush(stdout);
	json_decref(answer);
	return 0;
}

int verb_top(const struct options *o, struct failure *f)
{
	struct session session;
	struct screen screen;
	if (o->json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return verb_status(o, f);
	if (session_open(&session, o->socket, f))
		return -1;
	screen_open(&screen);
	int rc = frame_draw(&session, f);
	while (rc == 0 && !key_wait(&screen))
		rc = frame_draw(&session, f);
	screen_close(&screen);
	session_close(&session);
	return rc;
}
