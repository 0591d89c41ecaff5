// SPDX-License-Identifier: BSD-3-Clause
// What scripts rely on: the progress objects, the plain output, the verbs of a running daemon, and
// that either process may die.
#include "tests/e2e/harness.h"

#include <signal.h>

static const char *const number_fields[] = {
	"percent",   "keys",   "commands", "bytes",    "received_offset", "frontier_offset",
	"lag_bytes", "lag_ms", "applied",  "filtered", "parked",          "in_flight",
};

static const char *const phases[] = {"connecting", "snapshot", "stream", "draining", "done"};

static unsigned phase_rank(const char *phase)
{
	for (unsigned i = 0; i < 5; i++)
		if (!strcmp(phase, phases[i]))
			return i;
	fail_msg("a phase that the contract does not have: %s", phase);
	return 0;
}

// One object by itself. @return rank of its phase
static unsigned assert_progress(const json_t *o)
{
	for (unsigned i = 0; i < sizeof(number_fields) / sizeof(*number_fields); i++)
		if (!json_is_number(json_object_get(o, number_fields[i])))
			fail_msg("%s is missing, or no number", number_fields[i]);
	double percent = json_number_value(json_object_get(o, "percent"));
	assert_true(percent >= 0 && percent <= 100);
	const json_t *latency = json_object_get(o, "latency_us");
	double p50 = json_number_value(json_object_get(latency, "p50"));
	double p99 = json_number_value(json_object_get(latency, "p99"));
	double p999 = json_number_value(json_object_get(latency, "p999"));
	assert_true(json_is_number(json_object_get(latency, "p50")));
	assert_true(json_is_number(json_object_get(latency, "p999")));
	assert_true(p50 <= p99 && p99 <= p999);
	long long commands = json_integer_value(json_object_get(o, "commands"));
	long long fates = json_integer_value(json_object_get(o, "applied")) +
			  json_integer_value(json_object_get(o, "filtered")) +
			  json_integer_value(json_object_get(o, "parked")) +
			  json_integer_value(json_object_get(o, "in_flight"));
	assert_int_equal(commands, fates);
	return phase_rank(json_string_value(json_object_get(o, "phase")));
}

// All objects of a job that was synced once and drained. @return how many
static unsigned assert_objects_in_order(const char *out)
{
	unsigned n = 0, rank = 0;
	double percent = 0;

	for (const char *end; (end = strchr(out, '\n')); out = end + 1, n++) {
		json_t *o = json_loadb(out, (size_t)(end - out), 0, NULL);
		assert_non_null(o);
		unsigned now = assert_progress(o);
		double percent_now = json_number_value(json_object_get(o, "percent"));
		assert_true(now >= rank);
		assert_true(percent_now >= percent);
		assert_int_equal(json_object_get(o, "result") != NULL, !end[1]);
		rank = now;
		percent = percent_now;
		json_decref(o);
	}
	assert_int_equal(*out, 0);
	assert_int_equal(rank, 4);
	assert_true(percent == 100);
	return n;
}

static void progress_objects_have_the_fields_and_the_order_of_the_contract(struct world *w)
{
	struct server *source = server_start(w, "source", "--rdb-key-save-delay", "300", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	select_db(source, 0);
	dataset_load_strings(source, "key", 8000, 20);
	struct job *j = sync_start(w, source->url, target->url, NULL);
	job_wait_phase(j, "stream");
	struct process *writer = writer_start(source);
	job_wait_number(j, "applied", 5000);
	writer_stop(writer);
	job_wait_applied(j, source);
	assert_true(job_number(j, "keys") >= 8000);
	assert_true(job_number(j, "bytes") > 100000);
	assert_true(json_integer_value(
			    json_object_get(json_object_get(j->last, "latency_us"), "p50")) > 0);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	char *out = process_stdout(j->process);
	assert_true(assert_objects_in_order(out) >= 4);
	free(out);
}

static void plain_output_is_lines_without_control_characters(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	struct job *j = job_start(w, "sync", source->url, target->url, "--until=caught-up",
				  "--state-dir", text("%s/state", w->dir), NULL);
	assert_int_equal(process_wait(j->process), 0);
	char *out = process_stdout(j->process), *said = process_stderr(j->process);
	assert_true(strlen(out) > 0);
	assert_string_equal(said, "");
	for (const char *c = out; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= 32);
	free(out);
	free(said);
	assert_same_data(source, target);
}

static void help_and_version_are_there(struct world *w)
{
	static const char *const lines[][4] = {
		{"help"},           {"--help"},  {"help", "sync"},
		{"sync", "--help"}, {"version"}, {"--version"},
	};
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct job *j = job_start_argv(w, "flyover", lines[i], NULL);
		int code = process_wait(j->process);
		char *out = process_stdout(j->process);
		if (code || !strstr(out, "flyover"))
			fail_msg("line %u of the table: exit code %d, '%s'", i, code, out);
		free(out);
	}
}

// A daemon with two links between two pairs of servers.
struct house {
	struct world *world;
	struct server *source[2], *target[2];
	const char *socket;
	struct job *daemon;
};

static void house_daemon(struct house *h)
{
	const char *arguments[] = {"--config", text("%s/flyover.yaml", h->world->dir), NULL};

	h->daemon = job_start_argv(h->world, "flyoverd", arguments, NULL);
}

static struct house house_start(struct world *w)
{
	struct house h = {.world = w, .socket = text("%s/flyoverd.sock", w->dir)};

	for (unsigned i = 0; i < 2; i++) {
		h.source[i] = server_start(w, text("source%u", i), NULL);
		h.target[i] = server_start(w, text("target%u", i), NULL);
		dataset_load(h.source[i]);
	}
	const char *yaml = text("listen: %s\n"
				"state-dir: %s/state\n"
				"site: paris\n"
				"links:\n"
				"  - name: orders\n"
				"    source: %s\n"
				"    target: %s\n"
				"    lanes: 2\n"
				"  - name: carts\n"
				"    source: %s\n"
				"    target: %s\n",
				h.socket, w->dir, h.source[0]->url, h.target[0]->url,
				h.source[1]->url, h.target[1]->url);
	file_write(text("%s/flyover.yaml", w->dir), yaml, strlen(yaml));
	house_daemon(&h);
	return h;
}

// `flyover WORDS... --socket SOCKET`, words parted by blanks.
static struct job *house_run(struct house *h, const char *words)
{
	const char *arguments[10];
	unsigned n = 0;
	char *copy = (char *)text("%s", words);

	for (char *word = strtok(copy, " "); word && n < 7; word = strtok(NULL, " "))
		arguments[n++] = word;
	arguments[n++] = "--socket";
	arguments[n++] = h->socket;
	arguments[n] = NULL;
	struct job *j = job_start_argv(h->world, "flyover", arguments, NULL);
	process_wait(j->process);
	return j;
}

// @return exit code
static int house_ask(struct house *h, const char *words)
{
	return process_wait(house_run(h, words)->process);
}

// The same with --json. @return the answer, or NULL when the exit code is not 0
static json_t *house_json(struct house *h, const char *words)
{
	struct job *j = house_run(h, text("%s --json", words));

	if (process_wait(j->process))
		return NULL;
	char *out = process_stdout(j->process);
	json_t *answer = json_loads(out, 0, NULL);
	free(out);
	assert_non_null(answer);
	return answer;
}

struct link_goal {
	struct house *house;
	const char *name, *phase;
	long long frontier;
};

static bool link_is_there(void *arg)
{
	struct link_goal *goal = arg;
	json_t *answer = house_json(goal->house, text("link show %s", goal->name));

	if (!answer)
		return false;
	const json_t *link = json_object_get(answer, "link");
	link = link ? link : answer;
	const char *phase = json_string_value(json_object_get(link, "phase"));
	bool there = phase && !strcmp(phase, goal->phase) &&
		     json_integer_value(json_object_get(link, "frontier_offset")) >= goal->frontier;
	json_decref(answer);
	return there;
}

// Wait until a link is in a phase with its frontier at the source's offset of now.
static void house_wait(struct house *h, unsigned i, const char *phase)
{
	struct link_goal goal = {h, i ? "carts" : "orders", phase, server_offset(h->source[i])};

	wait_until(link_is_there, &goal, text("link %s to be in phase %s", goal.name, phase));
}

static void a_daemon_runs_the_links_of_its_file(struct world *w)
{
	struct house h = house_start(w);

	for (unsigned i = 0; i < 2; i++) {
		house_wait(&h, i, "stream");
		run(h.source[i], "INCR live");
		house_wait(&h, i, "stream");
		assert_same_data(h.source[i], h.target[i]);
	}
	json_t *status = house_json(&h, "status");
	assert_non_null(status);
	const json_t *links = json_object_get(status, "links");
	assert_int_equal(json_array_size(links), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(assert_progress(json_array_get(links, i)), 2);
	json_decref(status);
	json_t *list = house_json(&h, "link list");
	assert_non_null(list);
	json_decref(list);
	assert_int_equal(house_ask(&h, "status"), 0);
	assert_int_equal(house_ask(&h, "link list"), 0);
	assert_int_equal(house_ask(&h, "link show carts"), 0);
	assert_true(house_ask(&h, "link show nobody") != 0);
}

static void a_link_is_paused_resumed_drained_and_started_again(struct world *w)
{
	struct house h = house_start(w);

	house_wait(&h, 0, "stream");
	house_wait(&h, 1, "stream");
	assert_int_equal(house_ask(&h, "link pause orders"), 0);
	struct link_goal paused = {&h, "orders", "paused", 0};
	wait_until(link_is_there, &paused, "link orders to be paused");
	run(h.source[0], "SET while-paused 1");
	run(h.source[1], "SET other-link 1");
	house_wait(&h, 1, "stream");
	assert_int_equal(ask_number(h.target[1], "EXISTS other-link"), 1);
	assert_int_equal(ask_number(h.target[0], "EXISTS while-paused"), 0);
	assert_int_equal(house_ask(&h, "link resume orders"), 0);
	house_wait(&h, 0, "stream");
	assert_int_equal(ask_number(h.target[0], "EXISTS while-paused"), 1);

	assert_int_equal(house_ask(&h, "link drain orders"), 0);
	house_wait(&h, 0, "done");
	assert_same_data(h.source[0], h.target[0]);
	run(h.source[0], "SET while-drained 1");
	assert_int_equal(house_ask(&h, "link resume orders"), 0);
	house_wait(&h, 0, "stream");
	assert_same_data(h.source[0], h.target[0]);
	assert_int_equal(info_number(h.source[0], "stats", "sync_full"), 1);
}

static void a_daemon_that_is_told_to_end_drains_its_links(struct world *w)
{
	struct house h = house_start(w);

	house_wait(&h, 0, "stream");
	house_wait(&h, 1, "stream");
	run(h.source[1], "SET last 1");
	house_wait(&h, 1, "stream");
	process_signal(h.daemon->process, SIGTERM);
	assert_int_equal(process_wait(h.daemon->process), 0);
	assert_same_data(h.source[1], h.target[1]);
	assert_int_equal(descendant_find("flyover-dataplane", 0), 0);
	assert_int_equal(house_ask(&h, "status"), 4);
}

static void a_dead_dataplane_is_started_again_and_the_link_is_exact(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "3", NULL);
	job_wait_phase(j, "stream");
	struct process *writer = writer_start(source);
	for (unsigned i = 0; i < 3; i++) {
		job_wait_number(j, "applied", 1000);
		pid_t pid = job_dataplane(j);
		long long offset = job_number(j, "frontier_offset");
		kill(pid, SIGKILL);
		job_wait_number(j, "frontier_offset", offset + 100000);
		assert_true(job_dataplane(j) != pid);
	}
	writer_stop(writer);
	job_wait_applied(j, source);
	assert_same_data(source, target);
	assert_int_equal(info_number(source, "stats", "sync_full"), 1);
	assert_int_equal(job_drain(j), 0);
	assert_same_data(source, target);
}

static bool unwatched_arrived(void *arg)
{
	return ask_number(arg, "EXISTS unwatched") == 1;
}

static void a_dead_daemon_leaves_the_dataplane_running(struct world *w)
{
	struct house h = house_start(w);

	house_wait(&h, 0, "stream");
	house_wait(&h, 1, "stream");
	struct process *writer = writer_start(h.source[0]);
	pid_t dataplane = job_dataplane(h.daemon);
	process_kill(h.daemon->process);
	// Nobody watches it, and it goes on.
	writer_stop(writer);
	run(h.source[0], "SET unwatched 1");
	wait_until(unwatched_arrived, h.target[0], "the dataplane to go on by itself");
	house_daemon(&h);
	house_wait(&h, 0, "stream");
	house_wait(&h, 1, "stream");
	assert_int_equal(job_dataplane(h.daemon), dataplane);
	assert_same_data(h.source[0], h.target[0]);
	assert_same_data(h.source[1], h.target[1]);
	assert_int_equal(info_number(h.source[0], "stats", "sync_full"), 1);
	assert_int_equal(info_number(h.source[0], "stats", "sync_partial_ok"), 0);
}

static void a_dead_private_daemon_is_replaced(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "2", NULL);

	job_wait_phase(j, "stream");
	struct process *writer = writer_start(source);
	job_wait_number(j, "applied", 1000);
	pid_t dataplane = job_dataplane(j);
	kill(job_daemon(j), SIGKILL);
	job_wait_number(j, "applied", job_number(j, "applied") + 20000);
	assert_int_equal(job_dataplane(j), dataplane);
	writer_stop(writer);
	job_wait_applied(j, source);
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(progress_objects_have_the_fields_and_the_order_of_the_contract),
		E2E_TEST(plain_output_is_lines_without_control_characters),
		E2E_TEST(help_and_version_are_there),
		E2E_TEST(a_daemon_runs_the_links_of_its_file),
		E2E_TEST(a_link_is_paused_resumed_drained_and_started_again),
		E2E_TEST(a_daemon_that_is_told_to_end_drains_its_links),
		E2E_TEST(a_dead_dataplane_is_started_again_and_the_link_is_exact),
		E2E_TEST(a_dead_daemon_leaves_the_dataplane_running),
		E2E_TEST(a_dead_private_daemon_is_replaced),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
