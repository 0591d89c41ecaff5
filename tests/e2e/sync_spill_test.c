// SPDX-License-Identifier: BSD-3-Clause
// A target that takes nothing for a while: what the window in memory does not hold goes to the
// disk, the source is neither held back nor asked for a full sync, and everything arrives in order.
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#define VALUE_LEN 10000

struct scene {
	struct server *source, *target;
	struct job *job;
	const char *state_dir;
};

// The source cuts a replica off that is behind by more than these bytes and its socket's buffers.
static struct scene scene_start(struct world *w, const char *disk_limit, const char *more)
{
	struct scene s = {.source = server_start(w, "source", "--save", "",
						 "--client-output-buffer-limit",
						 "replica 96mb 0 0", "--repl-backlog-size", "1mb",
						 NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};
	s.job = job_start(w, "sync", s.source->url, s.target->url, "--json", "--interval=50ms",
			  "--memory-window=1MB", "--state-dir", s.state_dir, disk_limit, more,
			  NULL);
	job_wait_phase(s.job, "stream");
	run(s.source, "SET first 1");
	job_wait_applied(s.job, s.source); // the source begins to send only when it is asked to
	return s;
}

// Commands that show any loss, repeat or reorder, n_bytes of them about.
static void write_much(struct server *s, long long n_bytes)
{
	static char value[VALUE_LEN];
	memset(value, 'v', sizeof(value));
	for (long long i = 0; i < n_bytes / (VALUE_LEN + 100); i++) {
		queue(s, "SET key:%lld %b", i % 5000, value, sizeof(value));
		queue(s, "APPEND log:%lld %lld,", i % 7, i);
		queue(s, "INCR counter");
	}
	queue_flush(s);
}

static long long counter(const struct scene *s, const char *name)
{
	json_t *counters = json_object_get(s->job->last, "counters");
	json_t *n = json_object_get(counters, name);
	if (!n)
		fail_msg("no %s in %s", name, json_dumps(s->job->last, 0));
	return json_integer_value(n);
}

static void scene_end(struct scene *s)
{
	job_wait_applied(s->job, s->source);
	assert_int_equal(job_drain(s->job), 0);
	assert_same_data(s->source, s->target);
	assert_books_balance(s->job);
	assert_int_equal(info_number(s->source, "stats", "sync_full"), 1);
	assert_int_equal(counter(s, "source_disconnects"), 0);
	assert_int_equal(job_number(s->job, "parked"), 0);
}

// Bytes of the link's "log" or "snapshot" on disk.
static long long disk_used(const struct scene *s, const char *what)
{
	long long used = 0;
	const char *name = job_text(s->job, "name");
	DIR *dir = opendir(text("%s/links/%s/%s", s->state_dir, name, what));
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;
		if (!fstatat(dirfd(dir), e->d_name, &st, 0) && S_ISREG(st.st_mode))
			used += st.st_blocks * 512;
	}
	closedir(dir);
	return used;
}

static bool log_is_gone(void *scene)
{
	return disk_used(scene, "log") < 100000;
}

static bool snapshot_is_gone(void *scene)
{
	return disk_used(scene, "snapshot") < 100000;
}

// What is not needed any more goes file by file, beside all else.
static void wait_disk_empty(struct scene *s, bool (*is_gone)(void *scene))
{
	job_wait_applied(s->job, s->source);
	wait_until(is_gone, s, "the files that nobody needs to go");
}

static void frozen_target_does_not_hold_the_source_back(struct world *w)
{
	struct scene s = scene_start(w, "--disk-limit=1GB", NULL);
	server_freeze(s.target);
	write_much(s.source, 250000000);
	job_wait_number(s.job, "received_offset", server_offset(s.source));
	server_thaw(s.target);
	wait_disk_empty(&s, log_is_gone);
	scene_end(&s);
	assert_true(counter(&s, "log_written_bytes") > 100000000);
	assert_true(counter(&s, "log_read_bytes") > 100000000);
	assert_true(disk_used(&s, "log") < 100000);
}

// ---- The snapshot

#define SNAPSHOT_LEN 150000000ll

// A source with much to save, and a job that has asked it for that.
static struct scene snapshot_scene(struct world *w, const char *diskless, const char *patience)
{
	struct scene s = {.source = server_start(w, "source", "--save", "", "--rdbcompression",
						 "no", "--repl-diskless-sync", diskless,
						 "--repl-diskless-sync-delay", "1",
						 "--rdb-key-save-delay", "-10", NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};
	dataset_load_strings(s.source, "key", SNAPSHOT_LEN / VALUE_LEN, VALUE_LEN);
	s.job = job_start(w, "sync", s.source->url, s.target->url, "--json", "--interval=50ms",
			  "--state-dir", s.state_dir, patience, NULL);
	return s;
}

static bool replica_is(const struct scene *s, const char *state)
{
	if (!info_number(s->source, "replication", "connected_slaves"))
		return false;
	return strstr(info_text(s->source, "replication", "slave0"), state);
}

static bool source_saves(void *scene)
{
	return replica_is(scene, "state=wait_bgsave");
}

static bool source_has_sent(void *scene)
{
	return replica_is(scene, "state=online");
}

// The target takes nothing from before the first byte of the snapshot until the source has sent the
// last one, and goes on with its stream.
static void freeze_while_the_source_sends(struct scene *s)
{
	wait_until(source_saves, s, "the source to save");
	server_freeze(s->target);
	wait_until(source_has_sent, s, "the source to have sent its snapshot");
	run(s->source, "SET afterwards 1");
	job_wait_number(s->job, "received_offset", server_offset(s->source));
	assert_string_equal(job_text(s->job, "phase"), "snapshot");
	assert_true(disk_used(s, "snapshot") > SNAPSHOT_LEN / 2);
	server_thaw(s->target);
}

static void snapshot_scene_end(struct scene *s)
{
	job_wait_phase(s->job, "stream");
	wait_disk_empty(s, snapshot_is_gone);
	scene_end(s);
	assert_true(counter(s, "snapshot_written_bytes") > SNAPSHOT_LEN / 2);
	assert_true(disk_used(s, "snapshot") < 100000);
}

static void frozen_target_does_not_hold_a_snapshot_back(struct world *w)
{
	struct scene s = snapshot_scene(w, "yes", "--snapshot-patience=0");
	freeze_while_the_source_sends(&s);
	snapshot_scene_end(&s);
}

static void target_is_waited_for_with_patience(struct world *w)
{
	struct scene s = snapshot_scene(w, "no", "--snapshot-patience=200ms");
	freeze_while_the_source_sends(&s);
	snapshot_scene_end(&s);
}

static void usual_snapshot_does_not_touch_the_disk(struct world *w)
{
	struct scene s = snapshot_scene(w, "yes", "--snapshot-patience=1m");
	job_wait_phase(s.job, "stream");
	scene_end(&s);
	assert_int_equal(counter(&s, "snapshot_written_bytes"), 0);
	assert_true(disk_used(&s, "snapshot") < 100000);
}

// What was on its way to the target when we died is of no use to the next life.
static void crash_leaves_nothing_of_a_snapshot(struct world *w)
{
	struct scene s = snapshot_scene(w, "yes", "--snapshot-patience=0");
	wait_until(source_saves, &s, "the source to save");
	server_freeze(s.target);
	wait_until(source_has_sent, &s, "the source to have sent its snapshot");
	job_wait_phase(s.job, "snapshot");
	pid_t daemon = job_daemon(s.job), dataplane = job_dataplane(s.job);
	process_kill(s.job->process);
	kill(daemon, SIGKILL);
	kill(dataplane, SIGKILL);
	assert_true(disk_used(&s, "snapshot") > SNAPSHOT_LEN / 2);
	server_thaw(s.target);
	s.job = job_start(w, "sync", s.source->url, s.target->url, "--json", "--interval=50ms",
			  "-v", "--state-dir", s.state_dir, NULL);
	job_wait_phase(s.job, "stream");
	job_wait_applied(s.job, s.source);
	assert_true(disk_used(&s, "snapshot") < 100000);
	assert_int_equal(job_drain(s.job), 0);
	assert_same_data(s.source, s.target);
	char *said = process_stderr(s.job->process);
	assert_non_null(strstr(said, "are removed"));
	free(said);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(frozen_target_does_not_hold_the_source_back),
		E2E_TEST(frozen_target_does_not_hold_a_snapshot_back),
		E2E_TEST(target_is_waited_for_with_patience),
		E2E_TEST(usual_snapshot_does_not_touch_the_disk),
		E2E_TEST(crash_leaves_nothing_of_a_snapshot),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
