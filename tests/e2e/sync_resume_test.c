// SPDX-License-Identifier: BSD-3-Clause
// Where a link goes on: markers and checkpoint as two witnesses, targets that come back older or
// empty, sources that fail over while we are away. Counters, appends and moves show a repeat or a
// loss at once.
#include "tests/e2e/resume_scene.h"

#include <sys/stat.h>
#include <unistd.h>

// ---- Two witnesses

static void both_witnesses_agree_after_a_drain(struct world *w)
{
	struct scene s = scene_start(w, "2");

	scene_drain(&s);
	assert_tells(s.job, "full_sync", "the link begins");
	assert_tells(s.job, "delivery", "exactly-once");
	run(s.source, "INCR meanwhile");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "agree");
	assert_tells(s.job, "resumed", "from the source's backlog");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void both_witnesses_agree_after_a_crash(struct world *w)
{
	struct scene s = scene_start(w, "3");

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		carry(&s, 300000);
		wait_checkpoint(&s);
		job_crash(s.job);
		scene_link(&s);
		job_wait_phase(s.job, "stream");
		job_wait_caught_up(s.job);
	}
	assert_tells(s.job, "resumed", "agree");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void markers_alone_are_enough(struct world *w)
{
	struct scene s = scene_start(w, "2");

	scene_drain(&s);
	s.state = text("%s/another-state", w->dir);
	run(s.source, "INCR meanwhile");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "no checkpoint");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void a_damaged_checkpoint_is_named_and_left_out(struct world *w)
{
	struct scene s = scene_start(w, "1");
	size_t len;

	scene_drain(&s);
	const char *path = text("%s/checkpoint", link_folder(&s));
	char *bytes = file_read(path, &len);
	assert_non_null(bytes);
	bytes[len / 2] ^= 4;
	file_write(path, bytes, len);
	free(bytes);
	run(s.source, "INCR meanwhile");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "no checkpoint");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	// Replaced by a good one meanwhile.
	scene_link(&s);
	job_wait_phase(s.job, "stream");
	assert_tells(s.job, "resumed", "agree");
	scene_end(&s);
}

static void a_flushed_target_is_explained_and_filled_again(struct world *w)
{
	struct scene s = scene_start(w, "2");

	scene_drain(&s);
	run(s.target, "FLUSHALL");
	run(s.target, "SET of-somebody-else 1");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "FLUSHALL");
	// It was ours from the start, so what the source does not have goes.
	assert_int_equal(ask_number(s.target, "EXISTS of-somebody-else"), 0);
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

static void keys_of_others_stay_though_the_markers_are_lost(struct world *w)
{
	struct scene s = scene_servers(w, "1");

	run(s.target, "SET of-somebody-else 1");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	scene_link(&s);
	job_wait_phase(s.job, "stream");
	scene_drain(&s);
	redisReply *markers = ask(s.target, "KEYS __flyover:*");
	for (size_t i = 0; i < markers->elements; i++)
		run(s.target, "DEL %s", markers->element[i]->str);
	freeReplyObject(markers);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "markers are gone");
	assert_int_equal(ask_number(s.target, "EXISTS of-somebody-else"), 1);
	scene_drain(&s);
}

static void a_later_epoch_of_another_appliance_counts(struct world *w)
{
	struct scene s = scene_start(w, "1");
	const char *ours = s.state;

	scene_drain(&s);
	s.state = text("%s/of-another", w->dir);
	run(s.source, "INCR meanwhile");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	s.state = ours;
	run(s.source, "INCR meanwhile");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "epoch");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

// ---- Older targets

static void an_older_target_is_fed_again(struct world *w, const char *lanes)
{
	struct scene s = scene_start(w, lanes);

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		carry(&s, 200000);
		run(s.target, "SAVE");
		carry(&s, 400000);
		target_rolls_back(&s);
	}
	wait_told(s.job, "resumed", "older");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void an_older_target_is_fed_again_over_one_lane(struct world *w)
{
	an_older_target_is_fed_again(w, "1");
}

static void an_older_target_is_fed_again_over_three_lanes(struct world *w)
{
	an_older_target_is_fed_again(w, "3");
}

static void a_target_that_got_older_while_we_were_away_is_fed_again(struct world *w)
{
	struct scene s = scene_start(w, "2");

	run(s.target, "SAVE");
	s.writer = writer_start(s.source);
	carry(&s, 400000);
	writer_stop(s.writer);
	s.writer = NULL;
	scene_drain(&s);
	target_rolls_back(&s);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "older");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void an_older_target_behind_the_backlog_gets_a_full_sync(struct world *w)
{
	struct scene s = scene_servers(w, "2");

	s.window = "1MB";
	scene_begin(&s);
	run(s.source, "CONFIG SET repl-backlog-size 16kb");
	run(s.target, "SAVE");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	target_rolls_back(&s);
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "no longer holds its stream");
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

static void a_target_flushed_while_we_stream_is_noticed_when_it_comes_back(struct world *w)
{
	struct scene s = scene_start(w, "1");

	proxy_refuse(s.near_target, true);
	proxy_cut(s.near_target, END_RST);
	run(s.target, "FLUSHALL");
	run(s.source, "INCR afterwards");
	proxy_refuse(s.near_target, false);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "the target is empty");
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

// ---- Sources that fail over

static bool replica_follows(void *arg)
{
	struct server **pair = arg;
	return !strcmp(info_text(pair[1], "replication", "master_link_status"), "up") &&
	       server_offset(pair[0]) == server_offset(pair[1]);
}

static struct server *replica_start(struct scene *s, const char *name)
{
	struct server *replica = server_start(s->world, name, "--repl-backlog-size", "64mb", NULL);
	struct server *pair[2] = {s->source, replica};

	run(replica, "REPLICAOF 127.0.0.1 %d", s->source->port);
	wait_until(replica_follows, pair, "the replica to follow");
	return replica;
}

// The source goes, its replica takes over.
static void source_fails_over(struct scene *s, struct server *replica)
{
	run(replica, "REPLICAOF NO ONE");
	proxy_upstream(s->near_source, replica->port);
	server_kill(s->source);
	s->source = replica;
}

static void a_marker_of_the_old_id_resumes_at_the_new_source(struct world *w)
{
	struct scene s = scene_start(w, "2");

	scene_drain(&s);
	struct server *replica = replica_start(&s, "replica");
	source_fails_over(&s, replica);
	run(s.source, "INCR afterwards");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	scene_end(&s);
	assert_full_syncs(replica, 0);
}

static bool replid_is_not(void *arg)
{
	const struct scene *s = ((void **)arg)[0];
	const char *old = ((void **)arg)[1];

	job_poll(s->job);
	return strcmp(job_text(s->job, "replid"), old) != 0;
}

// The new id is on record before the target holds a marker of it; we die; the source fails over
// once more, to a server that has never heard of the old id.
static void two_failovers_are_bridged_by_the_recorded_chain(struct world *w)
{
	struct scene s = scene_start(w, "2");
	struct server *second = replica_start(&s, "second"), *third;
	const char *old = text("%s", info_text(s.source, "replication", "master_replid"));

	job_wait_applied(s.job, s.source);
	wait_checkpoint(&s);
	server_freeze(s.target);
	source_fails_over(&s, second);
	wait_until(replid_is_not, (void *[]){&s, (void *)old}, "the new id to be known");
	job_crash(s.job);
	server_thaw(s.target);
	third = replica_start(&s, "third");
	run(s.source, "INCR before-the-second-failover");
	wait_until(replica_follows, (struct server *[]){second, third}, "the third to follow");
	source_fails_over(&s, third);
	run(s.source, "INCR afterwards");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "agree");
	assert_full_syncs(third, 0);
	scene_end(&s);
}

// A folder in the way of the file that would become the checkpoint.
static void a_new_id_is_on_disk_before_its_bytes_are_taken(struct world *w)
{
	struct scene s = scene_start(w, "2");
	const char *in_the_way = text("%s/checkpoint.new", link_folder(&s));

	struct server *replica = replica_start(&s, "replica");
	job_wait_applied(s.job, s.source);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	source_fails_over(&s, replica);
	run(s.source, "INCR afterwards");
	wait_told(s.job, "waiting", "cannot be written");
	assert_int_equal(ask_number(s.target, "EXISTS afterwards"), 0);
	assert_int_equal(rmdir(in_the_way), 0);
	scene_end(&s);
	assert_full_syncs(replica, 0);
}

// One lane had applied what the new source never got: the place where both histories part is
// behind the lowest marker and before the highest.
static void a_fork_before_the_highest_marker_is_a_full_sync(struct world *w)
{
	struct scene s = scene_start(w, "2");
	char epoch[32], site[64], id[64];
	long long offset;

	scene_drain(&s);
	struct server *replica = replica_start(&s, "replica");
	source_fails_over(&s, replica);
	for (unsigned i = 0; i < 300; i++)
		queue(s.source, "RPUSH list:%u new", i);
	queue_flush(s.source);
	redisReply *keys = ask(s.target, "KEYS __flyover:*:8192-16383");
	assert_int_equal(keys->elements, 1);
	const char *value = ask_text(s.target, "GET %s", keys->element[0]->str);
	assert_int_equal(
		sscanf(value, "1 %31s %63s %63s stream %lld", epoch, site, id, &offset), 4);
	run(s.target, "SET %s %s", keys->element[0]->str,
	    text("1 %s %s %s stream %lld 0 1 1 1", epoch, site, id, offset + 500));
	freeReplyObject(keys);
	unlink(text("%s/checkpoint", link_folder(&s)));
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "left ours before");
	scene_end(&s);
	assert_full_syncs(replica, 1);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(both_witnesses_agree_after_a_drain),
		E2E_TEST(both_witnesses_agree_after_a_crash),
		E2E_TEST(markers_alone_are_enough),
		E2E_TEST(a_damaged_checkpoint_is_named_and_left_out),
		E2E_TEST(a_flushed_target_is_explained_and_filled_again),
		E2E_TEST(keys_of_others_stay_though_the_markers_are_lost),
		E2E_TEST(a_later_epoch_of_another_appliance_counts),
		E2E_TEST(an_older_target_is_fed_again_over_one_lane),
		E2E_TEST(an_older_target_is_fed_again_over_three_lanes),
		E2E_TEST(a_target_that_got_older_while_we_were_away_is_fed_again),
		E2E_TEST(an_older_target_behind_the_backlog_gets_a_full_sync),
		E2E_TEST(a_target_flushed_while_we_stream_is_noticed_when_it_comes_back),
		E2E_TEST(a_marker_of_the_old_id_resumes_at_the_new_source),
		E2E_TEST(two_failovers_are_bridged_by_the_recorded_chain),
		E2E_TEST(a_new_id_is_on_disk_before_its_bytes_are_taken),
		E2E_TEST(a_fork_before_the_highest_marker_is_a_full_sync),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
