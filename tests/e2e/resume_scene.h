// SPDX-License-Identifier: BSD-3-Clause
// What the tests of resuming share: two servers behind proxies, a link with a state folder that
// outlives it, ways to end it, and words that status has to say.
#pragma once

#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>

struct scene {
	struct world *world;
	struct server *source, *target;
	struct proxy *near_source, *near_target;
	struct job *job;
	struct process *writer;
	const char *state, *lanes;
	const char *keep;   // of the log on disk, behind the frontier
	const char *window; // of the log in memory
	const char *keep_snapshot;
};

static inline struct scene scene_servers(struct world *w, const char *lanes)
{
	return (struct scene){
		.world = w,
		.source = server_start(w, "source", "--repl-backlog-size", "64mb", NULL),
		.target = server_start(w, "target", NULL),
		.state = text("%s/state", w->dir),
		.lanes = lanes,
		.keep = "0",
		.window = "64MB",
		.keep_snapshot = "no",
	};
}

static inline void scene_link(struct scene *s)
{
	if (!s->near_source) {
		s->near_source = proxy_start(s->world, s->source->port);
		s->near_target = proxy_start(s->world, s->target->port);
	}
	s->job = sync_start(s->world, s->near_source->url, s->near_target->url, "--lanes", s->lanes,
			    "--state-dir", s->state, "--fail-fast=no", "--log-keep", s->keep,
			    "--memory-window", s->window,
			    text("--keep-snapshot=%s", s->keep_snapshot), NULL);
}

// A link that streams, with a checkpoint that knows it.
static inline void scene_begin(struct scene *s)
{
	dataset_load_strings(s->source, "key", 300, 20);
	scene_link(s);
	job_wait_phase(s->job, "stream");
	run(s->source, "INCR first");
	job_wait_applied(s->job, s->source);
}

static inline struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene s = scene_servers(w, lanes);

	scene_begin(&s);
	return s;
}

static inline void scene_drain(struct scene *s)
{
	assert_int_equal(job_drain(s->job), 0);
	assert_books_balance(s->job);
}

// Everything has to be in the target, and the books have to balance.
static inline void scene_end(struct scene *s)
{
	if (s->writer)
		writer_stop(s->writer);
	s->writer = NULL;
	job_wait_applied(s->job, s->source);
	assert_same_data(s->source, s->target);
	scene_drain(s);
	assert_int_equal(job_number(s->job, "parked"), 0);
	assert_same_data(s->source, s->target);
}

static inline void assert_full_syncs(struct server *source, long long n)
{
	assert_int_equal(info_number(source, "stats", "sync_full"), n);
}

struct telling {
	const char *field, *words;
};

static inline bool tells(const json_t *progress, const void *arg)
{
	const struct telling *telling = arg;
	const char *said = json_string_value(json_object_get(progress, telling->field));
	return said && strcasestr(said, telling->words);
}

static inline void wait_told(struct job *j, const char *field, const char *words)
{
	struct telling telling = {field, words};
	job_wait_for(j, tells, &telling, text("%s to speak of '%s'", field, words));
}

static inline void assert_tells(struct job *j, const char *field, const char *words)
{
	if (!strcasestr(job_text(j, field), words))
		fail_msg("%s does not speak of '%s': %s", field, words, job_text(j, field));
}

// The folder of the one link under the state folder of a job.
static inline const char *link_folder(const struct scene *s)
{
	const char *links = text("%s/links", s->state), *found = NULL;
	DIR *dir = opendir(links);

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			found = text("%s/%s", links, e->d_name);
	closedir(dir);
	assert_non_null(found);
	return found;
}

// End job, daemon and fast path as a power cut would.
static inline void job_crash(struct job *j)
{
	pid_t daemon = job_daemon(j), dataplane = job_dataplane(j);

	process_kill(j->process);
	kill(daemon, SIGKILL);
	kill(dataplane, SIGKILL);
}

// Whether the checkpoint on disk says that every lane has its marker.
static inline bool checkpoint_stands(void *arg)
{
	char *found = file_read(text("%s/checkpoint", link_folder(arg)), NULL);
	bool stands = found && strstr(found, "\nmarked 1\n");

	free(found);
	return stands;
}

static inline void wait_checkpoint(struct scene *s)
{
	wait_until(checkpoint_stands, s, "a checkpoint that counts on the markers");
}

struct passing {
	struct proxy *proxy;
	uint64_t goal;
};

static inline bool has_passed(void *arg)
{
	struct passing *passing = arg;
	return proxy_bytes(passing->proxy, TO_SERVER) >= passing->goal;
}

// Let the link write some more to the target.
static inline void carry(struct scene *s, uint64_t n_bytes)
{
	struct passing passing = {s->near_target, proxy_bytes(s->near_target, TO_SERVER) + n_bytes};

	wait_until(has_passed, &passing, "the link to carry bytes");
}

// The target forgets all that came after its last save.
static inline void target_rolls_back(struct scene *s)
{
	server_kill(s->target);
	server_start_again(s->target);
}

// Enough to push everything older out of a small backlog and a small window.
static inline void write_much(struct scene *s)
{
	for (unsigned i = 0; i < 60000; i++)
		queue(s->source, "APPEND text:%u %s", i % 300, "pushes what is older out");
}
