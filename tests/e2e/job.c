// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <sched.h>
#include <signal.h>

const char *cores(unsigned n)
{
	const char *list = "";
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int core = 0; core < CPU_SETSIZE && n; core++)
		if (CPU_ISSET(core, &set)) {
			list = text("%s%s%d", list, *list ? "," : "", core);
			n--;
		}
	return list;
}

// Sanitizers write to files of the test's folder, see world.c.
static const char *sanitizer_option(struct world *w, const char *name)
{
	const char *given = getenv(name);
	return text("%s=%s%slog_path=%s/sanitizer", name, given ? given : "", given ? ":" : "",
		    w->dir);
}

struct job *job_start_argv(struct world *w, const char *program, const char *const *arguments,
			   const char *const *environment)
{
	struct job *j = calloc(1, sizeof(*j));
	const char *argv[64] = {text("%s/%s", build_dir(), program)};
	const char *env[16] = {
		sanitizer_option(w, "ASAN_OPTIONS"),
		sanitizer_option(w, "UBSAN_OPTIONS"),
		sanitizer_option(w, "TSAN_OPTIONS"),
	};

	assert_non_null(j);
	unsigned n_argv = 1;
	for (unsigned n = 0; arguments[n] && n_argv < 63 - NET_ARGUMENTS_MAX; n++)
		argv[n_argv++] = arguments[n];
	net_arguments(w, program, arguments, &argv[n_argv]);
	for (unsigned n = 3; environment && *environment && n < 15; n++)
		env[n] = *environment++;
	j->next = w->jobs;
	w->jobs = j;
	j->process = process_start(w, program, argv, env);
	return j;
}

struct job *job_start(struct world *w, ...)
{
	const char *arguments[60];
	unsigned n = 0;
	va_list args;

	va_start(args, w);
	while (n < 59 && (arguments[n] = va_arg(args, const char *)))
		n++;
	va_end(args);
	arguments[n] = NULL;
	return job_start_argv(w, "flyover", arguments, NULL);
}

static struct job *sync_start_va(struct world *w, const char *source_url, const char *target_url,
				 va_list args)
{
	const char *arguments[60] = {
		"sync",       source_url,    target_url,
		"--json",     "--state-dir", text("%s/state-%u", w->dir, w->n_processes),
		"--interval", "50ms",
	};
	unsigned n = 8;

	while (n < 59 && (arguments[n] = va_arg(args, const char *)))
		n++;
	arguments[n] = NULL;
	return job_start_argv(w, "flyover", arguments, NULL);
}

struct job *sync_start(struct world *w, const char *source_url, const char *target_url, ...)
{
	va_list args;

	va_start(args, target_url);
	struct job *j = sync_start_va(w, source_url, target_url, args);
	va_end(args);
	return j;
}

int sync_run(struct world *w, const char *source_url, const char *target_url, ...)
{
	va_list args;

	va_start(args, target_url);
	struct job *j = sync_start_va(w, source_url, target_url, args);
	va_end(args);
	return job_wait(j);
}

static void job_take_line(struct job *j, const char *line, size_t len)
{
	json_error_t error;
	json_t *object = json_loadb(line, len, 0, &error);

	if (!json_is_object(object)) {
		json_decref(object);
		fail_msg("not a JSON object on stdout: %.*s", (int)len, line);
	}
	json_decref(j->last);
	j->last = object;
	j->n_objects++;
}

bool job_poll(struct job *j)
{
	char *all = process_stdout(j->process);
	unsigned before = j->n_objects;
	char *line = all + j->read_from;

	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		j->read_from = end + 1 - all;
		job_take_line(j, line, (size_t)(end - line));
	}
	free(all);
	return j->n_objects != before;
}

void job_wait_for(struct job *j, bool (*likes)(const json_t *progress, const void *arg),
		  const void *arg, const char *what)
{
	long long deadline = now_ms() + DEADLINE_MS;

	for (;;) {
		bool ended = process_has_ended(j->process); // before the poll: nothing comes after
		if (job_poll(j) && likes(j->last, arg))
			return;
		if (ended)
			fail_msg("the job ended before: %s", what);
		if (now_ms() > deadline)
			fail_msg("waited %d s for: %s", DEADLINE_MS / 1000, what);
		nap_ms(5);
	}
}

static bool phase_is(const json_t *progress, const void *phase)
{
	const char *now = json_string_value(json_object_get(progress, "phase"));
	return now && !strcmp(now, phase);
}

void job_wait_phase(struct job *j, const char *phase)
{
	job_wait_for(j, phase_is, phase, text("phase %s", phase));
}

struct number_goal {
	const char *field;
	long long at_least;
};

static bool number_reached(const json_t *progress, const void *arg)
{
	const struct number_goal *goal = arg;
	const json_t *number = json_object_get(progress, goal->field);
	return json_is_number(number) && json_number_value(number) >= (double)goal->at_least;
}

void job_wait_number(struct job *j, const char *field, long long at_least)
{
	struct number_goal goal = {field, at_least};

	job_wait_for(j, number_reached, &goal, text("%s to reach %lld", field, at_least));
}

struct place {
	struct server *source;
	long long offset; // -1: not known yet
};

// A server begins a history of its own with its first replica, so it is asked again and again.
static bool place_reached(const json_t *progress, const void *arg)
{
	struct place *place = *(struct place *const *)arg;
	const char *replid = json_string_value(json_object_get(progress, "replid"));

	if (!phase_is(progress, "stream") || !replid ||
	    strcmp(replid, info_text(place->source, "replication", "master_replid")) != 0)
		return false;
	if (place->offset < 0)
		place->offset = server_offset(place->source);
	struct number_goal goal = {"frontier_offset", place->offset};
	return number_reached(progress, &goal);
}

void job_wait_applied(struct job *j, struct server *source)
{
	struct place place = {source, -1}, *arg = &place;

	queue_flush(source);
	job_wait_for(j, place_reached, &arg, "all that the source wrote to be applied");
}

static bool is_caught_up(const json_t *progress, const void *arg)
{
	return json_is_true(json_object_get(progress, "caught_up"));
}

void job_wait_caught_up(struct job *j)
{
	job_wait_for(j, is_caught_up, NULL, "the job to have caught up");
}

int job_wait(struct job *j)
{
	int code = process_wait(j->process);

	job_poll(j);
	return code;
}

int job_drain(struct job *j)
{
	process_signal(j->process, SIGINT);
	return job_wait(j);
}

static const json_t *job_field(const struct job *j, const char *field)
{
	const json_t *value = j->last ? json_object_get(j->last, field) : NULL;

	if (!value)
		fail_msg("the progress has no field %s", field);
	return value;
}

long long job_number(const struct job *j, const char *field)
{
	const json_t *value = job_field(j, field);

	if (!json_is_number(value))
		fail_msg("%s is not a number", field);
	return (long long)json_number_value(value);
}

bool job_flag(const struct job *j, const char *field)
{
	return json_is_true(job_field(j, field));
}

const char *job_text(const struct job *j, const char *field)
{
	const json_t *value = job_field(j, field);

	if (!json_is_string(value))
		fail_msg("%s is not a text", field);
	return json_string_value(value);
}

void assert_books_balance(const struct job *j)
{
	assert_int_equal(job_number(j, "in_flight"), 0);
	assert_int_equal(job_number(j, "commands"), job_number(j, "applied") +
							    job_number(j, "filtered") +
							    job_number(j, "parked"));
	assert_int_equal(job_number(j, "received_offset"), job_number(j, "frontier_offset"));
}

void assert_one_sentence(struct job *j, const char *word)
{
	char *said = process_stderr(j->process);
	size_t len = strlen(said);

	if (!len || said[len - 1] != '\n' || strchr(said, '\n') != said + len - 1)
		fail_msg("not one sentence on stderr: %s", said);
	if (!strcasestr(said, word))
		fail_msg("stderr does not speak of '%s': %s", word, said);
	free(said);
}

struct wanted {
	const char *base_name;
	pid_t ancestor, found;
};

static bool descendant_runs(void *arg)
{
	struct wanted *wanted = arg;

	wanted->found = descendant_find(wanted->base_name, wanted->ancestor);
	return wanted->found != 0;
}

pid_t job_daemon(struct job *j)
{
	struct wanted wanted = {"flyoverd", j->process->pid, 0};

	wait_until(descendant_runs, &wanted, "flyoverd to run");
	return wanted.found;
}

pid_t job_dataplane(struct job *j)
{
	struct wanted wanted = {"flyover-dataplane", 0, 0};

	wait_until(descendant_runs, &wanted, "flyover-dataplane to run");
	return wanted.found;
}

void jobs_free(struct world *w)
{
	while (w->jobs) {
		struct job *j = w->jobs;
		w->jobs = j->next;
		process_kill(j->process);
		json_decref(j->last);
		free(j);
	}
}
