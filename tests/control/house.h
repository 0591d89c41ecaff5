// SPDX-License-Identifier: BSD-3-Clause
// A flyoverd with its socket, and the commands that are said to it.
#pragma once

#include "tests/e2e/harness.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static inline struct job *daemon_start(struct world *w, const char *yaml)
{
	const char *file = text("%s/flyover.yaml", w->dir);
	const char *arguments[] = {"--config", file, NULL};

	file_write(file, yaml, strlen(yaml));
	return job_start_argv(w, "flyoverd", arguments, NULL);
}

static inline const char *places(struct world *w)
{
	return text("listen: %s/api.sock\nstate-dir: %s/state\n", w->dir, w->dir);
}

// @return a descriptor, or -1 when nobody listens
static inline int api_connect(struct world *w)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text("%s/api.sock", w->dir));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline bool socket_is_there(void *world)
{
	int fd = api_connect(world);

	close(fd);
	return fd >= 0;
}

// @return exit code of `flyover WORDS... --socket SOCKET`
static inline int house_ask(struct world *w, const char *words)
{
	const char *arguments[12];
	unsigned n = 0;
	char *copy = (char *)text("%s", words);

	for (char *word = strtok(copy, " "); word && n < 9; word = strtok(NULL, " "))
		arguments[n++] = word;
	arguments[n++] = "--socket";
	arguments[n++] = text("%s/api.sock", w->dir);
	arguments[n] = NULL;
	return process_wait(job_start_argv(w, "flyover", arguments, NULL)->process);
}

static inline char *house_said(struct world *w)
{
	return process_stdout(w->jobs->process);
}

static inline void house_open(struct world *w, const char *links)
{
	daemon_start(w, text("%s%s", places(w), links));
	wait_until(socket_is_there, w, "flyoverd to listen");
}

struct line_goal {
	struct world *world;
	const char *name, *word;
};

static inline bool link_says(void *arg)
{
	struct line_goal *goal = arg;

	if (house_ask(goal->world, text("link show %s --json", goal->name)))
		return false;
	char *said = house_said(goal->world);
	bool says = strstr(said, goal->word) != NULL;
	free(said);
	return says;
}

static inline void link_wait(struct world *w, const char *name, const char *word)
{
	struct line_goal goal = {w, name, word};

	wait_until(link_says, &goal, text("link %s to say %s", name, word));
}
