// SPDX-License-Identifier: BSD-3-Clause
// Values and transactions many times larger than the window for the stream: they arrive exactly,
// and our memory stays within the window and 64 MB.
#include "tests/e2e/harness.h"

#include <glob.h>
#include <signal.h>
#include <unistd.h>

#define MB         (1024ll * 1024)
#define OTHERS_KB  (64 * 1024) // what everything but the window may take

// The shadow memory of a sanitizer counts as ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURES_MEMORY false
#else
#define MEASURES_MEMORY true
#endif

struct scene {
	struct world *world;
	struct server *source, *target;
	struct proxy *near_source, *near_target;
	struct job *job;
	unsigned window_mb;
	long long anon_kb; // most memory of its own that the dataplane was seen with
};

// A line of /proc/PID/status, in KB; 0 when the process is gone.
static long long status_kb(pid_t pid, const char *field)
{
	char line[256];
	long long kb = 0;
	FILE *f = fopen(text("/proc/%d/status", (int)pid), "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
			kb = atoll(line + strlen(field) + 1);
	if (f)
		fclose(f);
	return kb;
}

static struct scene scene_with(struct world *w, const char *lanes, unsigned window_mb)
{
	struct scene s = {.world = w,
			  .window_mb = window_mb,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	// A write of half a GB must not cost the source its replica.
	run(s.source, "CONFIG SET client-output-buffer-limit %s", "replica 0 0 0");
	run(s.source, "CONFIG SET repl-backlog-size 1gb");
	s.near_source = proxy_start(w, s.source->port);
	s.near_target = proxy_start(w, s.target->port);
	s.job = sync_start(w, s.near_source->url, s.near_target->url, "--memory-window",
			   text("%uMB", window_mb), "--fail-fast=no", "--lanes", lanes, "--cores",
			   cores(strcmp(lanes, "1") ? 2 : 1), NULL);
	job_wait_phase(s.job, "stream");
	return s;
}

static struct scene scene_start(struct world *w, const char *lanes)
{
	return scene_with(w, lanes, 1);
}

// Wait until everything is in the target, with an eye on the memory that this takes.
static void scene_settle(struct scene *s)
{
	long long offset = server_offset(s->source), deadline = now_ms() + 4 * DEADLINE_MS;
	pid_t pid = job_dataplane(s->job);

	for (long long reached = 0; reached < offset; nap_ms(2)) {
		long long kb = status_kb(pid, "RssAnon");
		if (!kb)
			pid = job_dataplane(s->job);
		s->anon_kb = kb > s->anon_kb ? kb : s->anon_kb;
		if (job_poll(s->job) && !strcmp(job_text(s->job, "phase"), "stream"))
			reached = job_number(s->job, "frontier_offset");
		if (process_has_ended(s->job->process) || now_ms() > deadline)
			fail_msg("the stream stands at %lld of %lld", reached, offset);
	}
	printf("  RssAnon %lld KB, VmHWM %lld KB\n", s->anon_kb, status_kb(pid, "VmHWM"));
	if (MEASURES_MEMORY)
		assert_true(s->anon_kb < s->window_mb * 1024 + OTHERS_KB);
}

static void scene_end(struct scene *s)
{
	scene_settle(s);
	struct job *check =
		job_start(s->world, "check", server_default_url(s->source),
			  server_default_url(s->target), "--ttl-slack", "1s", "--json", NULL);
	assert_int_equal(job_wait(check), 0);
	assert_int_equal(job_drain(s->job), 0);
	assert_books_balance(s->job);
	assert_int_equal(info_number(s->source, "stats", "sync_full"), 1);
	run(s->source, "FLUSHALL"); // the memory of a test is the next one's
	run(s->target, "FLUSHALL");
}

static void write_big(struct scene *s, const char *command, const char *key, long long len)
{
	char *value = malloc((size_t)len);

	assert_non_null(value);
	for (long long i = 0; i < len; i++)
		value[i] = (char)(i * 31 + (i >> 12));
	run(s->source, "%s %s %b", command, key, value, (size_t)len);
	free(value);
}

static void values_pass(struct world *w, long long len, unsigned window_mb)
{
	struct scene s = scene_with(w, "1", window_mb);

	run(s.source, "INCR before");
	write_big(&s, "SET", "set", len);
	run(s.source, "INCR between");
	scene_settle(&s);
	run(s.source, "DEL set");
	run(s.source, "SET append x");
	write_big(&s, "APPEND", "append", len - 1);
	run(s.source, "RPUSH after a b");
	scene_end(&s);
}

static void values_of_64_mb_pass(struct world *w)
{
	values_pass(w, 64 * MB, 1);
}

static void values_of_512_mb_pass(struct world *w)
{
	values_pass(w, 512 * MB, 1);
}

// In such a window the log has a small ring, too.
static void values_of_64_mb_pass_a_window_of_16_mb(struct world *w)
{
	values_pass(w, 64 * MB, 16);
}

static void transaction_write(struct scene *s, long long len)
{
	run(s->source, "MULTI");
	run(s->source, "INCR count");
	for (int i = 0; i < 3; i++)
		write_big(s, i ? "APPEND" : "SET", text("value-%d", i), len);
	run(s->source, "RPUSH list a b c");
	run(s->source, "EXEC");
	run(s->source, "INCR count");
}

static void transaction_passes(struct world *w, const char *lanes)
{
	struct scene s = scene_start(w, lanes);

	for (int i = 0; i < 3; i++)
		transaction_write(&s, 20 * MB);
	select_db(s.source, 3);
	transaction_write(&s, 20 * MB);
	scene_end(&s);
}

static void transactions_of_60_mb_pass_over_one_lane(struct world *w)
{
	transaction_passes(w, "1");
}

static void transactions_of_60_mb_pass_over_four_lanes(struct world *w)
{
	transaction_passes(w, "4");
}

// Neither does the source hold so many words nor do we.
static void command_of_a_million_words_passes(struct world *w)
{
	struct scene s = scene_start(w, "2");
	unsigned n = 1000000;
	const char **argv = malloc((n + 2) * sizeof(*argv));
	size_t *lens = malloc((n + 2) * sizeof(*lens));
	char *words = malloc(8ull * n);

	argv[0] = "SADD";
	argv[1] = "set";
	for (unsigned i = 0; i < n; i++)
		argv[i + 2] = words + 8 * i;
	for (unsigned i = 0; i < n; i++)
		snprintf(words + 8 * i, 8, "%u", i);
	for (unsigned i = 0; i < n + 2; i++)
		lens[i] = strlen(argv[i]);
	queue_argv(s.source, (int)n + 2, argv, lens);
	queue_flush(s.source);
	run(s.source, "INCR after");
	free(argv);
	free(lens);
	free(words);
	scene_end(&s);
}

static void target_lost_in_the_middle(struct world *w)
{
	struct scene s = scene_start(w, "1");

	for (int i = 1; i <= 3; i++) {
		proxy_cut_after(s.near_target, TO_SERVER, (uint64_t)(i * 11 * MB), END_RST);
		transaction_write(&s, 15 * MB);
		proxy_wait_cut(s.near_target);
		scene_settle(&s);
		proxy_cut_after(s.near_target, TO_SERVER, (uint64_t)(i * 9 * MB), END_FIN);
		write_big(&s, "APPEND", "value-0", 30 * MB);
		proxy_wait_cut(s.near_target);
		scene_settle(&s);
	}
	scene_end(&s);
}

static void source_lost_in_the_middle(struct world *w)
{
	struct scene s = scene_start(w, "1");

	for (int i = 1; i <= 3; i++) {
		proxy_cut_after(s.near_source, FROM_SERVER, (uint64_t)(i * 9 * MB), END_RST);
		transaction_write(&s, 15 * MB);
		proxy_wait_cut(s.near_source);
		scene_settle(&s);
	}
	scene_end(&s);
}

static void dataplane_killed_in_the_middle(struct world *w)
{
	struct scene s = scene_start(w, "1");

	for (int i = 1; i <= 3; i++) {
		pid_t pid = job_dataplane(s.job);
		proxy_cut_after(s.near_target, TO_SERVER, (uint64_t)(i * 11 * MB), END_RST);
		transaction_write(&s, 15 * MB);
		proxy_wait_cut(s.near_target);
		assert_int_equal(kill(pid, SIGKILL), 0);
		scene_settle(&s);
	}
	scene_settle(&s);
	job_drain(s.job); // its counters began anew with the dataplane
	assert_same_data(s.source, s.target);
	assert_int_equal(info_number(s.source, "stats", "sync_full"), 1);
}

// What the target refuses of that size is parked as anything else is.
static void refused_value_is_parked(struct world *w)
{
	struct scene s = scene_start(w, "1");

	run(s.target, "RPUSH wrong x");
	write_big(&s, "APPEND", "wrong", 50 * MB);
	run(s.source, "INCR after");
	scene_settle(&s);
	job_wait_number(s.job, "parked", 1);
	size_t len;
	glob_t found;
	assert_int_equal(glob(text("%s/state-*/links/*/parked.jsonl", w->dir), 0, NULL, &found), 0);
	char *line = file_read(found.gl_pathv[0], &len);
	globfree(&found);
	assert_non_null(line);
	assert_in_range(len, 50 * MB / 3 * 4, 50 * MB / 3 * 4 + 1000);
	assert_int_equal(strchr(line, '\n') - line, len - 1);
	assert_non_null(strstr(line, "\"key\":\"wrong\""));
	free(line);
	assert_int_equal(job_drain(s.job), 0);
	assert_books_balance(s.job);
}

static bool waits_for_bulk_limit(const json_t *progress, const void *arg)
{
	const char *waiting = json_string_value(json_object_get(progress, "waiting"));
	return waiting && strstr(waiting, "bulk");
}

// A target that takes no value of that size says so, or at least we do; nothing is lost meanwhile.
static void target_that_allows_less_is_waited_for(struct world *w)
{
	struct scene s = scene_start(w, "1");

	run(s.target, "CONFIG SET proto-max-bulk-len 1mb");
	run(s.source, "INCR before");
	write_big(&s, "SET", "large", 20 * MB);
	run(s.source, "INCR after");
	job_wait_for(s.job, waits_for_bulk_limit, NULL, "the limit of the target to be named");
	run(s.target, "CONFIG SET proto-max-bulk-len 512mb");
	scene_end(&s);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(values_of_64_mb_pass),
		E2E_TEST(values_of_512_mb_pass),
		E2E_TEST(values_of_64_mb_pass_a_window_of_16_mb),
		E2E_TEST(transactions_of_60_mb_pass_over_one_lane),
		E2E_TEST(transactions_of_60_mb_pass_over_four_lanes),
		E2E_TEST(command_of_a_million_words_passes),
		E2E_TEST(target_lost_in_the_middle),
		E2E_TEST(source_lost_in_the_middle),
		E2E_TEST(dataplane_killed_in_the_middle),
		E2E_TEST(refused_value_is_parked),
		E2E_TEST(target_that_allows_less_is_waited_for),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
