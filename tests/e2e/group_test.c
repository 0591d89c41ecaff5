// SPDX-License-Identifier: BSD-3-Clause
// A cluster as the source: one stream a shard, one link for people. What befalls it while it is
// read is in matrix_test.c.
#include <glob.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/group_scene.h"

// @param option  one more, or NULL
static void job_begin_with(struct world *w, struct scene *s, const char *lanes, const char *option)
{
	const char *arguments[] = {"sync",        s->source->url, s->target->url,
				   "--json",      "--state-dir",  s->state_dir,
				   "--interval",  "50ms",         "--lanes",
				   lanes,         "--fail-fast=no", option,
				   NULL};

	s->job = job_start_argv(w, "flyover", arguments, NULL);
}

static void job_begin(struct world *w, struct scene *s, const char *lanes)
{
	job_begin_with(w, s, lanes, NULL);
}

// Three shards with two nodes each and keys in all of them, a link that streams, a writer.
static struct scene scene_with(struct world *w, const char *lanes, const char *option)
{
	struct scene s = {.source = cluster_start(w, "source", 3, 1, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	cluster_fill(s.source, "key", 3000, 40);
	cluster_fill(s.source, "big", 9, 600000); // in pieces, by all shards at once
	job_begin_with(w, &s, lanes, option);
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 200);
	return s;
}

static struct scene scene_start(struct world *w, const char *lanes)
{
	return scene_with(w, lanes, NULL);
}

struct shards {
	unsigned n;
};

static bool shards_are(const json_t *progress, const void *arg)
{
	const struct shards *goal = arg;
	const json_t *list = json_object_get(progress, "shards"), *shard;
	bool streams = true;
	long long moving = 0;
	size_t i;

	json_array_foreach((json_t *)list, i, shard)
	{
		const char *phase = json_string_value(json_object_get(shard, "phase"));
		const json_t *counters = json_object_get(shard, "counters");
		streams &= !strcmp(phase, "stream");
		moving += json_integer_value(json_object_get(counters, "slots_moving"));
	}
	return json_array_size(list) == goal->n && streams && !moving;
}

static void wait_shards(struct scene *s, unsigned n)
{
	struct shards goal = {.n = n};

	job_wait_for(s->job, shards_are, &goal, text("%u shards, and no slot on its way", n));
}

static void three_shards_become_one_server(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 3000);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
	assert_int_equal(job_number(s.job, "keys"), 3009);
}

struct followed {
	struct servers servers;
	long long n; // replicas of each
};

static bool are_followed(void *arg)
{
	struct followed *f = arg;

	for (unsigned i = 0; i < f->servers.n; i++)
		if (info_number(f->servers.list[i], "replication", "connected_slaves") != f->n)
			return false;
	return true;
}

static struct servers replicas_of(const struct cluster *c)
{
	struct servers replicas = {.n = 0};

	for (unsigned i = c->n_masters; i < c->nodes.n; i++)
		replicas.list[replicas.n++] = c->nodes.list[i];
	return replicas;
}

// Replicas give their snapshots, masters no more than the rest.
static void full_syncs_are_taken_from_replicas_and_go_on_at_masters(struct world *w)
{
	struct scene s = scene_start(w, "1");
	struct followed masters = {cluster_masters(s.source), 2};
	struct followed replicas = {replicas_of(s.source), 0};

	wait_until(are_followed, &masters, "the streams to be read at the masters");
	wait_until(are_followed, &replicas, "no stream to be read at a replica");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(info_number(masters.servers.list[i], "stats", "sync_full"), 1);
		assert_true(info_number(masters.servers.list[i], "stats", "sync_partial_ok") > 0);
	}
	wait_applied(&s, 500);
	server_kill(replicas.servers.list[0]);
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
}

// Offsets are asked of the masters, so slots may move.
static void streams_are_read_at_replicas_where_that_is_asked_for(struct world *w)
{
	struct scene s = scene_with(w, "1", "--prefer-replica=yes");
	struct followed replicas = {replicas_of(s.source), 1};
	struct server **nodes = s.source->nodes.list;

	wait_until(are_followed, &replicas, "the streams to be read at the replicas");
	slots_move(s.source, 0, 49, nodes[1]);
	wait_shards(&s, 3);
	wait_applied(&s, 500);
	assert_true(are_followed(&replicas));
	unsigned syncs = full_syncs(&s);
	server_kill(cluster_replica(s.source, nodes[0]));
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), syncs);
}

static void a_link_that_was_drained_goes_on_though_masters_changed(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 500);
	assert_int_equal(job_drain(s.job), 0);
	cluster_failover(s.source, cluster_replica(s.source, s.source->nodes.list[2]));
	job_begin(w, &s, "2");
	job_wait_phase(s.job, "stream");
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
}

static void keys_that_are_gone_meanwhile_go_from_the_target(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 300);
	assert_int_equal(job_drain(s.job), 0);
	for (unsigned i = 0; i < 3000; i += 3)
		run(cluster_owner_of(s.source, text("key:%u", i)), "DEL key:%u", i);
	// Without its markers only a full sync helps; one of its keys is no longer a key of the
	// source.
	run(s.target, "FLUSHALL");
	run(s.target, "SET key:0 old");
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 6);
}

// ---- Shards that come and go

// Two shards, and a third of a few slots.
static struct scene scene_of_three(struct world *w, struct server **third)
{
	struct scene s = {.source = cluster_start(w, "source", 2, 0, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	*third = cluster_join(s.source);
	slots_move(s.source, 0, 99, *third);
	cluster_fill(s.source, "key", 20000, 40);
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 20000);
	wait_applied(&s, 1000);
	return s;
}

static void shards_come_and_go(struct world *w)
{
	struct server *third, *fourth;
	struct scene s = scene_of_three(w, &third);

	slots_move(s.source, 0, 99, s.source->nodes.list[1]);
	wait_shards(&s, 3);
	unsigned syncs = full_syncs(&s);
	long long applied = job_number(s.job, "applied");
	cluster_leave(s.source, third);
	wait_shards(&s, 2);
	assert_true(job_number(s.job, "applied") >= applied);
	wait_applied(&s, 500);
	assert_int_equal(full_syncs(&s), syncs);
	fourth = cluster_join(s.source);
	slots_move(s.source, 100, 199, fourth);
	wait_shards(&s, 3);
	wait_applied(&s, 500);
	scene_end(&s);
	// Of the new shard, and once more for a slot that moved as its snapshot was taken.
	assert_in_range(full_syncs(&s), syncs + 1, syncs + 2);
}

// It has nothing that could be waited for, and wait-timeout is not for it.
static void a_shard_without_slots_that_is_shut_down_is_let_go(struct world *w)
{
	struct server *third;
	struct scene s = scene_of_three(w, &third);

	slots_move(s.source, 0, 99, s.source->nodes.list[1]);
	wait_shards(&s, 3);
	server_kill(third);
	wait_shards(&s, 2);
	wait_applied(&s, 500);
	scene_end(&s);
}

static bool is_replica(void *arg)
{
	return !strcmp(info_text(arg, "replication", "role"), "slave");
}

// What Redis 7 has a master do that lost its last slot.
static void a_master_without_slots_becomes_a_replica_of_another_shard(struct world *w)
{
	struct server *third, *second;
	struct scene s = scene_of_three(w, &third);

	second = s.source->nodes.list[1];
	run(third, "CONFIG SET cluster-allow-replica-migration yes");
	slots_move(s.source, 1, 99, second);
	slot_move_begin(s.source, 0, second);
	slot_move_keys(s.source, 0, second, UINT32_MAX);
	run(second, "CLUSTER SETSLOT 0 NODE %s", cluster_id(second));
	wait_until(is_replica, third, "the master to become a replica");
	cluster_settle(s.source);
	wait_shards(&s, 2);
	wait_applied(&s, 500);
	scene_end(&s);
	full_syncs(&s);
}

static bool knows_of_failure(void *arg)
{
	const struct cluster_map *map = cluster_look(arg);

	for (unsigned i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].flags & CLUSTER_FAIL)
			return true;
	return false;
}

static bool objects_came(const json_t *progress, const void *arg)
{
	unsigned *n = *(unsigned *const *)arg;

	return ++*n >= 40; // of 50 ms: the map is told more than once meanwhile
}

static void a_shard_that_is_away_is_waited_for(struct world *w)
{
	struct scene s = scene_start(w, "1");
	struct server *second = s.source->nodes.list[1];
	unsigned n = 0, *counted = &n;

	server_kill(cluster_replica(s.source, second));
	server_freeze(second);
	wait_until(knows_of_failure, s.source, "the cluster to miss a shard");
	job_wait_for(s.job, objects_came, &counted, "some seconds");
	assert_int_equal(json_array_size(json_object_get(s.job->last, "shards")), 3);
	server_thaw(second);
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
}

static bool is_empty_of(void *arg)
{
	return !ask_number(arg, "EXISTS gone:{3} first:{3}");
}

// FLUSHALL of one shard is kept to its slots, where extra keys go though they are kept otherwise:
// so would they at a target of one server's FLUSHALL.
static void a_shard_that_is_emptied_is_so_in_the_target(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 2, 0, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};
	struct server *first = cluster_owner_of(s.source, "{3}");
	struct server *second = cluster_owner_of(s.source, "{0}");

	assert_ptr_not_equal(first, second);
	run(s.target, "MSET gone:{3} 1 kept:{0} 1");
	run(first, "SET first:{3} 1");
	run(second, "SET second:{0} 1");
	job_begin_with(w, &s, "1", "--extra-keys=keep");
	job_wait_phase(s.job, "stream");
	assert_int_equal(keys_count(s.target, 0), 4);
	run(first, "FLUSHALL");
	wait_until(is_empty_of, s.target, "the slots of one shard to be empty");
	job_wait_phase(s.job, "stream");
	run(first, "SET again:{3} 1");
	run(second, "SET again:{0} 1");
	job_wait_number(s.job, "applied", 2);
	assert_int_equal(job_drain(s.job), 0);
	assert_int_equal(keys_count(s.target, 0), 4);
	assert_int_equal(ask_number(s.target, "EXISTS kept:{0} second:{0} again:{3} again:{0}"), 4);
	assert_int_equal(full_syncs(&s), 3);
}

static void a_folder_too_long_for_those_of_its_shards_is_refused(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 1, 0, NULL),
			  .target = server_start(w, "target", NULL)};
	char folder[240];

	memset(folder, 'd', sizeof(folder));
	int n = snprintf(folder, sizeof(folder), "%s/", w->dir);
	folder[n] = 'd';
	folder[222] = 0;
	s.state_dir = folder;
	job_begin(w, &s, "1");
	assert_int_not_equal(job_wait(s.job), 0);
	assert_one_sentence(s.job, "state-dir");
}

static void a_file_of_slots_that_cannot_be_read_is_left_out(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 1, 0, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};
	glob_t found;

	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	assert_int_equal(job_drain(s.job), 0);
	assert_int_equal(glob(text("%s/links/*/slots", s.state_dir), 0, NULL, &found), 0);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	assert_int_equal(mkdir(found.gl_pathv[0], 0700), 0);
	globfree(&found);
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	assert_int_equal(job_drain(s.job), 0);
	char *log = file_read(text("%s/flyoverd.log", s.state_dir), NULL);
	assert_non_null(strstr(log, "/slots is left out: Is a directory"));
	free(log);
}

static void slots_without_a_master_are_named(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 2, 0,
						  "--cluster-require-full-coverage", "no", NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	run(s.source->nodes.list[0], "CLUSTER DELSLOTS 77");
	run(s.source->nodes.list[1], "CLUSTER DELSLOTS 77");
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 50);
	wait_applied(&s, 100);
	assert_non_null(strstr(job_text(s.job, "waiting"), "1 slot"));
	process_signal(s.writer, SIGKILL);
	assert_int_equal(job_drain(s.job), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(three_shards_become_one_server),
		E2E_TEST(full_syncs_are_taken_from_replicas_and_go_on_at_masters),
		E2E_TEST(streams_are_read_at_replicas_where_that_is_asked_for),
		E2E_TEST(a_link_that_was_drained_goes_on_though_masters_changed),
		E2E_TEST(keys_that_are_gone_meanwhile_go_from_the_target),
		E2E_TEST(shards_come_and_go),
		E2E_TEST(a_master_without_slots_becomes_a_replica_of_another_shard),
		E2E_TEST(a_shard_without_slots_that_is_shut_down_is_let_go),
		E2E_TEST(a_shard_that_is_away_is_waited_for),
		E2E_TEST(a_shard_that_is_emptied_is_so_in_the_target),
		E2E_TEST(a_folder_too_long_for_those_of_its_shards_is_refused),
		E2E_TEST(a_file_of_slots_that_cannot_be_read_is_left_out),
		E2E_TEST(slots_without_a_master_are_named),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
