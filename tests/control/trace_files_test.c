// SPDX-License-Identifier: BSD-3-Clause
// What flyoverd tells and keeps of the connections of our own TCP, see fake_dataplane.c.
#include "tests/control/house.h"

#include <dirent.h>
#include <time.h>

static void said_is(struct world *w, const char *words, bool there)
{
	char *said = house_said(w);
	if (!strstr(said, words) == there)
		fail_msg("%s '%s' in:\n%s", there ? "no" : "there is", words, said);
	free(said);
}

static void a_trace_reads_as_lines(struct world *w)
{
	house_open(w, "links:\n  - {name: t, source: redis://trace.test, target: redis://b}\n"
		      "  - {name: other, source: redis://ok.test, target: redis://c}\n");
	link_wait(w, "t", "\"phase\":\"snapshot\"");
	assert_int_equal(house_ask(w, "debug trace"), 0);
	said_is(w, "10.99.0.2:40000 > 10.99.0.1:7005  link t, open, 5 records, the last 4 lines",
		true);
	said_is(w, " out [S] seq 0+0 ack 0 win 65535\n", true);
	said_is(w, " state SYN-SENT -> ESTABLISHED\n", true);
	said_is(w, " out [P.] seq 1+1448 ack 1 win 512\n", true);
	assert_int_equal(house_ask(w, "debug trace t --limit 1"), 0);
	said_is(w, " state SYN-SENT", false);
	said_is(w, " out [P.] seq 1+1448 ack 1 win 512\n", true);
	assert_int_equal(house_ask(w, "debug trace other"), 0);
	said_is(w, "(no connections of our own TCP", true);
	assert_int_equal(house_ask(w, "debug trace nobody"), 3);
	assert_int_equal(house_ask(w, "debug trace t --limit none"), 2);
}

// The times are those of the wall, however the clock of the records counts.
static void as_json_the_numbers_have_names(struct world *w)
{
	house_open(w, "links:\n  - {name: t, source: redis://trace.test, target: redis://b}\n");
	link_wait(w, "t", "\"phase\":\"snapshot\"");
	assert_int_equal(house_ask(w, "debug trace all --json"), 0);
	char *said = house_said(w);
	json_t *flow = json_loads(said, 0, NULL);
	free(said);
	assert_non_null(flow);
	assert_string_equal(json_string_value(json_object_get(flow, "link")), "t");
	assert_string_equal(json_string_value(json_object_get(flow, "remote")), "10.99.0.1:7005");
	const json_t *line = json_array_get(json_object_get(flow, "lines"), 3);
	assert_string_equal(json_string_value(json_object_get(line, "kind")), "out");
	assert_int_equal(json_integer_value(json_object_get(line, "len")), 1448);
	assert_int_equal(json_integer_value(json_object_get(line, "window")), 512);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	long long us = json_integer_value(json_object_get(line, "time_us"));
	long long age_us = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000 - us;
	assert_in_range(age_us, 0, DEADLINE_MS * 1000);
	json_decref(flow);
}

static unsigned files_count(const char *folder, const char *word)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;
	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += strstr(e->d_name, word) != NULL;
	closedir(dir);
	return n;
}

static bool daemon_said(void *arg)
{
	struct line_goal *goal = arg;
	assert_int_equal(house_ask(goal->world, "status --json"), 0);
	char *said = house_said(goal->world);
	bool says = strstr(said, goal->word) != NULL;
	free(said);
	return says;
}

static void a_connection_in_trouble_leaves_its_trace(struct world *w)
{
	const char *folder = text("%s/state/traces", w->dir);
	struct line_goal goal = {w, NULL, "10.99.0.1:7039: RTO 3 of 1600 ms, una 1; its trace is"};
	char name[256] = "";

	house_open(w, "links:\n  - {name: t, source: redis://trouble.test, target: redis://b}\n");
	wait_until(daemon_said, &goal, "flyoverd to tell of the timeouts");
	// 40 connections, 32 files: the newest.
	assert_int_equal(files_count(folder, ".trace"), 32);
	assert_int_equal(files_count(folder, "10.99.0.1_7039-39.trace"), 1);
	link_wait(w, "t", "\"phase\":\"stream\"");
	assert_int_equal(house_ask(w, "link pause t"), 0);
	goal.word = "10.99.0.1:7039: failed Connection timed out, 1448 unacked; its trace is";
	wait_until(daemon_said, &goal, "flyoverd to tell of the failure");
	// The later file of a flow takes the place of the earlier one.
	assert_int_equal(files_count(folder, "10.99.0.1_7039-39.trace"), 1);
	assert_int_equal(files_count(folder, ".trace"), 32);
	DIR *dir = opendir(folder);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strstr(e->d_name, "10.99.0.1_7039-39.trace"))
			snprintf(name, sizeof(name), "%s", e->d_name);
	closedir(dir);
	char *kept = file_read(text("%s/%s", folder, name), NULL);
	assert_non_null(kept);
	assert_non_null(strstr(kept, "# 10.99.0.2:40000 > 10.99.0.1:7039, link t, 9 records"));
	assert_non_null(strstr(kept, " out [S] seq 0+0 ack 0 win 65535\n"));
	assert_non_null(strstr(kept, " RTO 3 of 1600 ms, una 1\n"));
	assert_non_null(strstr(kept, " failed Connection timed out, 1448 unacked\n"));
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_trace_reads_as_lines),
		E2E_TEST(as_json_the_numbers_have_names),
		E2E_TEST(a_connection_in_trouble_leaves_its_trace),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
