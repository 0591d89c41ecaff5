// SPDX-License-Identifier: BSD-3-Clause
// What is particular to links over our own TCP: what the user is told of the network, and that no
// peer is left with a connection that nobody has any more.
#include <signal.h>

#include "tests/e2e/harness.h"

struct two {
	struct server *source, *target;
};

static struct two two_start(struct world *w)
{
	return (struct two){server_start(w, "source", NULL), server_start(w, "target", NULL)};
}

static bool io_is_dpdk(const json_t *progress, const void *arg)
{
	const char *io = json_string_value(json_object_get(progress, "io"));
	return io && !strncmp(io, "dpdk net_tap0", 13);
}

static void a_link_says_its_network(struct world *w)
{
	struct two t = two_start(w);
	struct job *j = sync_start(w, t.source->url, t.target->url, NULL);

	dataset_load(t.source);
	job_wait_caught_up(j);
	job_wait_applied(j, t.source);
	job_wait_for(j, io_is_dpdk, NULL, "the link to name its device");
	assert_non_null(strstr(job_text(j, "io"), "10.99.1.2/24"));
	assert_int_equal(job_drain(j), 0);
	assert_same_data(t.source, t.target);
	assert_books_balance(j);
}

// Connections that came over a device, as the server has them.
static long long clients_of(struct server *s)
{
	const char *list = ask_text(s, "CLIENT LIST");
	long long n = 0;

	for (const char *at = list; (at = strstr(at, " addr=10.99.")); at++)
		n++;
	return n;
}

struct place {
	struct world *w;
	const char *socket;
};

// What a verb prints when it asks the job's flyoverd. @return caller frees
static char *said(const struct place *at, const char *verb, const char *flag)
{
	struct job *j = job_start(at->w, verb, "--socket", at->socket, flag, NULL);
	assert_int_equal(process_wait(j->process), 0);
	return process_stdout(j->process);
}

static json_t *network_of(const struct place *at)
{
	char *text = said(at, "status", "--json");
	json_t *all = json_loads(text, 0, NULL);
	json_t *network = json_object_get(json_object_get(all, "dataplane"), "network");

	free(text);
	json_incref(network);
	json_decref(all);
	return network;
}

static bool gateway_answers(void *arg)
{
	json_t *network = network_of(arg);
	const char *text = json_string_value(json_object_get(network, "text"));
	bool answers = text && strstr(text, "10.99.1.2/24, gateway answers");

	json_decref(network);
	return answers;
}

// They are published now and then.
static bool frames_are_counted(void *arg)
{
	json_t *network = network_of(arg), *counters = json_object_get(network, "counters");
	bool counted = json_integer_value(json_object_get(counters, "frames_in")) > 5;

	json_decref(network);
	return counted;
}

static void status_and_metrics_show_the_network(struct world *w)
{
	struct two t = two_start(w);
	const char *state = text("%s/state", w->dir);
	struct place at = {w, text("%s/flyoverd.sock", state)};
	struct job *j = sync_start(w, t.source->url, t.target->url, "--state-dir", state, NULL);

	run(t.source, "SET key value");
	job_wait_applied(j, t.source);
	wait_until(gateway_answers, &at, "the gateway to answer");
	wait_until(frames_are_counted, &at, "frames to be counted");
	json_t *network = network_of(&at), *counters = json_object_get(network, "counters");
	assert_string_equal(json_string_value(json_object_get(network, "trouble")), "");
	assert_true(json_integer_value(json_object_get(counters, "bytes_out")) > 100);
	assert_int_equal(json_integer_value(json_object_get(counters, "bad_tcp_sum")), 0);
	json_decref(network);
	char *table = said(&at, "status", NULL), *metrics = said(&at, "metrics", NULL);
	assert_non_null(strstr(table, "dpdk net_tap0"));
	assert_non_null(strstr(metrics, "\nflyover_network_frames_in_total{core=\"0\"} "));
	free(table);
	free(metrics);
	assert_int_equal(job_drain(j), 0);
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void the_trace_of_a_link_tells_of_its_connections(struct world *w)
{
	struct two t = two_start(w);
	const char *state = text("%s/state", w->dir);
	struct place at = {w, text("%s/flyoverd.sock", state)};
	struct job *j = sync_start(w, t.source->url, t.target->url, "--state-dir", state,
				   "--congestion=bbr", NULL);

	run(t.source, "SET key value");
	job_wait_applied(j, t.source);
	char *status = said(&at, "status", "--json");
	json_t *all = json_loads(status, 0, NULL);
	json_t *first = json_array_get(json_object_get(all, "links"), 0);
	const char *name = json_string_value(json_object_get(first, "name"));
	assert_non_null(name);
	struct job *asked = job_start(w, "debug", "trace", name, "--socket", at.socket, NULL);
	assert_int_equal(process_wait(asked->process), 0);
	char *trace = process_stdout(asked->process);
	assert_true(count_of(trace, text("link %s, open", name)) >= 2);
	assert_non_null(strstr(trace, " rtt "));
	free(trace);
	free(status);
	json_decref(all);
	assert_int_equal(job_drain(j), 0);
}

static void a_unix_socket_is_reached_beside_the_device(struct world *w)
{
	const char *path = text("%s/source.sock", w->dir);
	struct two t = {server_start(w, "source", "--unixsocket", path, NULL),
			server_start(w, "target", NULL)};

	dataset_load(t.source);
	struct job *j = sync_start(w, text("unix://%s", path), t.target->url, NULL);
	job_wait_caught_up(j);
	run(t.source, "SET later value");
	job_wait_applied(j, t.source);
	assert_int_equal(clients_of(t.source), 0);
	assert_int_equal(clients_of(t.target), 1);
	assert_int_equal(job_drain(j), 0);
	assert_same_data(t.source, t.target);
}

static void lanes_on_two_cores_share_a_device(struct world *w)
{
	struct two t = two_start(w);
	struct job *j =
		sync_start(w, t.source->url, t.target->url, "--lanes=4", "--cores", cores(2), NULL);

	dataset_load(t.source);
	job_wait_applied(j, t.source);
	job_wait_for(j, io_is_dpdk, NULL, "the link to name its device");
	assert_int_equal(job_drain(j), 0);
	assert_same_data(t.source, t.target);
}

// ---- Peers

struct clients {
	struct server *server;
	long long at_most;
};

static bool has_few_clients(void *arg)
{
	const struct clients *c = arg;
	return clients_of(c->server) <= c->at_most;
}

static void nobody_waits_for(struct server *s, long long at_most, const char *what)
{
	struct clients c = {s, at_most};
	wait_until(has_few_clients, &c, what);
}

static void an_end_leaves_no_connection(struct world *w)
{
	struct two t = two_start(w);
	struct job *j = sync_start(w, t.source->url, t.target->url, "--lanes=2", NULL);

	run(t.source, "SET key value");
	job_wait_applied(j, t.source);
	assert_true(clients_of(t.source) >= 1);
	assert_true(clients_of(t.target) >= 2);
	long long begin = now_ms();
	assert_int_equal(job_drain(j), 0);
	nobody_waits_for(t.source, 0, "the source to see the end");
	nobody_waits_for(t.target, 0, "the target to see the end");
	// A server that heard nothing would find out after minutes.
	assert_in_range(now_ms() - begin, 0, 20000);
}

// The peers of a process that was killed hear nothing of it, until the next life pokes them.
static void a_killed_dataplane_is_not_waited_for(struct world *w)
{
	struct two t = two_start(w);
	struct job *j = sync_start(w, t.source->url, t.target->url, "--lanes=2", NULL);

	run(t.source, "SET key 1");
	job_wait_applied(j, t.source);
	long long source = clients_of(t.source), target = clients_of(t.target);
	for (int life = 0; life < 3; life++) {
		kill(job_dataplane(j), SIGKILL);
		run(t.source, "INCR key");
		job_wait_applied(j, t.source);
		nobody_waits_for(t.source, source, "the source to let the former life go");
		nobody_waits_for(t.target, target, "the target to let the former life go");
	}
	assert_int_equal(ask_number(t.target, "GET key"), 4);
	assert_int_equal(job_drain(j), 0);
}

// ---- What is wrong is said

static void assert_refused(struct world *w, int code, const char *word, const char *const *words)
{
	const char *arguments[12] = {"sync",        "redis://10.98.0.1:1",    "redis://10.98.0.1:2",
				     "--state-dir", text("%s/state", w->dir), "--net=dpdk",
				     "--json"};
	unsigned n = 7;

	while (*words)
		arguments[n++] = *words++;
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(job_wait(j), code);
	assert_one_sentence(j, word);
}

static void wrong_settings_are_said(struct world *w)
{
	assert_refused(w, 3, "give nic and addr", (const char *[]){NULL});
	assert_refused(w, 3, "addr: missing", (const char *[]){"--nic=net_tap0", NULL});
	assert_refused(w, 3, "nic: missing", (const char *[]){"--addr=10.99.0.2/24", NULL});
	assert_refused(w, 3, "length of its prefix",
		       (const char *[]){"--nic=net_tap0", "--addr=10.99.0.2", NULL});
	assert_refused(
		w, 3, "lies in no network",
		(const char *[]){"--nic=net_tap0", "--addr=10.99.0.2/24", "--gw=10.98.0.1", NULL});
}

static void a_device_that_is_not_there_is_said(struct world *w)
{
	assert_refused(w, 4, "net_nonsense0",
		       (const char *[]){"--nic=net_nonsense0", "--addr=10.99.0.2/24", NULL});
}

static void a_gateway_that_is_not_there_is_said(struct world *w)
{
	struct two t = two_start(w);
	struct job *j = job_start(w, "sync", t.source->url, t.target->url, "--state-dir",
				  text("%s/state", w->dir), "--net=dpdk",
				  "--nic=net_tap0,iface=alone", "--addr=10.97.0.2/24",
				  "--gw=10.97.0.1", "--preflight=no", "--json", NULL);

	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "cannot connect");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_link_says_its_network),
		E2E_TEST(status_and_metrics_show_the_network),
		E2E_TEST(the_trace_of_a_link_tells_of_its_connections),
		E2E_TEST(a_unix_socket_is_reached_beside_the_device),
		E2E_TEST(lanes_on_two_cores_share_a_device),
		E2E_TEST(an_end_leaves_no_connection),
		E2E_TEST(a_killed_dataplane_is_not_waited_for),
		E2E_TEST(wrong_settings_are_said),
		E2E_TEST(a_device_that_is_not_there_is_said),
		E2E_TEST(a_gateway_that_is_not_there_is_said),
	};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
