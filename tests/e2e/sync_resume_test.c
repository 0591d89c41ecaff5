// SPDX-License-Identifier: BSD-3-Clause
// Where a link goes on: markers and checkpoint as two witnesses, targets that come back older or
// empty, sources that fail over while we are away. Counters, appends and moves show a repeat or a
// loss at once.
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

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

static struct scene scene_servers(struct world *w, const char *lanes)
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

static void scene_link(struct scene *s)
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

static bool job_is_caught_up(void *arg)
{
	job_poll(arg);
	return job_flag(arg, "caught_up");
}

// A link that streams, with a checkpoint that knows it.
static void scene_begin(struct scene *s)
{
	dataset_load_strings(s->source, "key", 300, 20);
	scene_link(s);
	job_wait_phase(s->job, "stream");
	run(s->source, "INCR first");
	job_wait_applied(s->job, s->source);
}

static struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene s = scene_servers(w, lanes);

	scene_begin(&s);
	return s;
}

static void scene_drain(struct scene *s)
{
	assert_int_equal(job_drain(s->job), 0);
	assert_books_balance(s->job);
}

// Everything has to be in the target, and the books have to balance.
static void scene_end(struct scene *s)
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

static void assert_full_syncs(struct server *source, long long n)
{
	assert_int_equal(info_number(source, "stats", "sync_full"), n);
}

struct telling {
	const char *field, *words;
};

static bool tells(const json_t *progress, const void *arg)
{
	const struct telling *telling = arg;
	const char *said = json_string_value(json_object_get(progress, telling->field));
	return said && strcasestr(said, telling->words);
}

static void wait_told(struct job *j, const char *field, const char *words)
{
	struct telling telling = {field, words};
	job_wait_for(j, tells, &telling, text("%s to speak of '%s'", field, words));
}

static void assert_tells(struct job *j, const char *field, const char *words)
{
	if (!strcasestr(job_text(j, field), words))
		fail_msg("%s does not speak of '%s': %s", field, words, job_text(j, field));
}

// The folder of the one link under the state folder of a job.
static const char *link_folder(const struct scene *s)
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
static void job_crash(struct job *j)
{
	pid_t daemon = job_daemon(j), dataplane = job_dataplane(j);

	process_kill(j->process);
	kill(daemon, SIGKILL);
	kill(dataplane, SIGKILL);
}

struct passing {
	struct proxy *proxy;
	uint64_t goal;
};

static bool has_passed(void *arg)
{
	struct passing *passing = arg;
	return proxy_bytes(passing->proxy, TO_SERVER) >= passing->goal;
}

// Let the link write some more to the target.
static void carry(struct scene *s, uint64_t n_bytes)
{
	struct passing passing = {s->near_target, proxy_bytes(s->near_target, TO_SERVER) + n_bytes};

	wait_until(has_passed, &passing, "the link to carry bytes");
}

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
		job_crash(s.job);
		scene_link(&s);
		job_wait_phase(s.job, "stream");
		wait_until(job_is_caught_up, s.job, "the job to have caught up");
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

// The target forgets all that came after its last save.
static void target_rolls_back(struct scene *s)
{
	server_kill(s->target);
	server_start_again(s->target);
}

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

// Enough to push everything older out of a small backlog and a small window.
static void write_much(struct scene *s)
{
	for (unsigned i = 0; i < 60000; i++)
		queue(s->source, "APPEND text:%u %s", i % 300, "pushes what is older out");
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

// ---- Our log on disk

// A log that keeps what is behind the frontier, and a source that keeps next to nothing.
static struct scene scene_with_log(struct world *w, const char *lanes)
{
	struct scene s = scene_servers(w, lanes);

	s.window = "1MB";
	s.keep = "256MB";
	scene_begin(&s);
	run(s.source, "CONFIG SET repl-backlog-size 16kb");
	return s;
}

static void an_older_target_is_fed_from_our_log_on_disk(struct world *w)
{
	struct scene s = scene_with_log(w, "3");

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 2; i++) {
		carry(&s, 100000);
		run(s.target, "SAVE");
		write_much(&s);
		job_wait_applied(s.job, s.source);
		target_rolls_back(&s);
	}
	wait_told(s.job, "resumed", "from our log");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	assert_int_equal(info_number(s.source, "stats", "sync_partial_ok"), 0);
}

// What was not applied when we ended, and what the target has lost since, is in no backlog.
static void a_next_life_resumes_from_the_log_on_disk(struct world *w)
{
	struct scene s = scene_with_log(w, "2");

	run(s.target, "SAVE");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	target_rolls_back(&s);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "from our log on disk");
	assert_tells(s.job, "resumed", "older");
	run(s.source, "INCR afterwards");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void the_log_outlives_crashes(struct world *w)
{
	struct scene s = scene_with_log(w, "2");

	run(s.source, "CONFIG SET repl-backlog-size 64mb");
	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		run(s.target, "SAVE");
		carry(&s, 1500000);
		job_crash(s.job);
		if (i)
			target_rolls_back(&s);
		scene_link(&s);
		job_wait_phase(s.job, "stream");
		wait_told(s.job, "resumed", i ? "from our log on disk" : "the rest comes from");
		wait_until(job_is_caught_up, s.job, "the job to have caught up");
	}
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

// The source has forgotten what comes after our log: what the log holds is applied all the same.
static void what_the_log_holds_is_applied_before_a_full_sync(struct world *w)
{
	struct scene s = scene_with_log(w, "1");

	run(s.target, "SAVE");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	target_rolls_back(&s);
	run(s.source, "INCR unheard");
	write_much(&s);
	queue_flush(s.source);
	scene_link(&s);
	wait_told(s.job, "full_sync", "no longer holds its stream");
	job_wait_applied(s.job, s.source);
	assert_true(job_number(s.job, "applied") >= 60000); // of which the snapshot has none
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

static struct scene scene_with_snapshot(struct world *w, const char *keep)
{
	struct scene s = scene_servers(w, "2");

	s.window = "1MB";
	s.keep = keep;
	s.keep_snapshot = "yes";
	dataset_load(s.source);
	dataset_load_big(s.source);
	select_db(s.source, 0);
	scene_begin(&s);
	run(s.source, "CONFIG SET repl-backlog-size 16kb");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	return s;
}

static void an_empty_target_is_filled_from_our_disk(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "256MB");

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 2; i++) {
		target_rolls_back(&s);
		wait_told(s.job, "full_sync", "filled from our disk");
		job_wait_phase(s.job, "stream");
		carry(&s, 100000);
	}
	assert_tells(s.job, "full_sync", "the target is empty");
	assert_tells(s.job, "resumed", "with the snapshot on disk");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	assert_int_equal(info_number(s.source, "stats", "sync_partial_ok"), 0);
}

static void a_next_life_fills_an_empty_target_from_disk(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "256MB");

	scene_drain(&s);
	target_rolls_back(&s);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "filled from our disk");
	assert_tells(s.job, "resumed", "from our log on disk");
	run(s.source, "INCR afterwards");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	// And what was filled so goes on like any other.
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "agree");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void a_snapshot_that_the_log_does_not_reach_is_no_help(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "0");

	target_rolls_back(&s);
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "the target is empty");
	assert_null(strstr(job_text(s.job, "full_sync"), "from our disk"));
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

// ---- Held expiries

static bool stream_marker_stands(void *arg)
{
	struct server *target = arg;
	redisReply *keys = ask(target, "KEYS __flyover:*:0-*");
	bool stands = keys->elements == 1 &&
		      strstr(ask_text(target, "GET %s", keys->element[0]->str), " stream ");

	freeReplyObject(keys);
	return stands;
}

// Volatile keys, and a link that dies between the first marker of the stream and the moment at
// which it would know that it has caught up.
static struct scene scene_with_holds(struct world *w)
{
	struct scene s = scene_servers(w, "2");

	dataset_load_strings(s.source, "key", 60000, 30);
	for (unsigned i = 0; i < 1200; i++)
		queue(s.source, "SET v:%u value PX 500000", i);
	select_db(s.source, 3);
	queue(s.source, "SET v:other-db value PX 500000");
	select_db(s.source, 0);
	scene_link(&s);
	job_wait_number(s.job, "keys", 1);
	proxy_delay(s.near_target, 1000);
	run(s.source, "PEXPIRE v:6 900000"); // applied before the end
	run(s.source, "PERSIST v:7");
	wait_until(stream_marker_stands, s.target, "the first marker of the stream");
	job_crash(s.job);
	proxy_delay(s.near_target, 0);
	assert_true(ask_number(s.target, "PTTL v:0") > 80000000);
	return s;
}

static void holds_end(struct scene *s)
{
	job_wait_applied(s->job, s->source);
	wait_until(job_is_caught_up, s->job, "the job to have caught up");
	run(s->source, "INCR afterwards");
	scene_end(s);
	assert_full_syncs(s->source, 1);
	assert_true(ask_number(s->target, "PTTL v:0") <= 500000);
	assert_true(ask_number(s->target, "PTTL v:6") > 500000);
	assert_int_equal(ask_number(s->target, "PTTL v:7"), -1);
}

static void held_expiries_are_given_back_after_a_crash(struct world *w)
{
	struct scene s = scene_with_holds(w);

	run(s.source, "PERSIST v:1");
	run(s.source, "PEXPIRE v:2 800000");
	run(s.source, "RENAME v:3 v:three");
	run(s.source, "DEL v:4");
	run(s.source, "APPEND v:5 more");
	run(s.source, "COPY v:8 v:eight");
	scene_link(&s);
	holds_end(&s);
}

// Another life dies as well before it has caught up.
static void held_expiries_survive_two_crashes(struct world *w)
{
	struct scene s = scene_with_holds(w);

	server_freeze(s.target);
	scene_link(&s);
	job_wait_phase(s.job, "connecting");
	job_crash(s.job);
	server_thaw(s.target);
	scene_link(&s);
	holds_end(&s);
}

// The target forgets that they were given back.
static void held_expiries_are_given_back_again_to_an_older_target(struct world *w)
{
	struct scene s = scene_with_holds(w);

	run(s.target, "SAVE");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	wait_until(job_is_caught_up, s.job, "the job to have caught up");
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_true(ask_number(s.target, "PTTL v:0") <= 500000);
	target_rolls_back(&s);
	assert_true(ask_number(s.target, "PTTL v:0") > 80000000);
	wait_told(s.job, "resumed", "older");
	holds_end(&s);
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
		E2E_TEST(an_older_target_is_fed_from_our_log_on_disk),
		E2E_TEST(a_next_life_resumes_from_the_log_on_disk),
		E2E_TEST(the_log_outlives_crashes),
		E2E_TEST(what_the_log_holds_is_applied_before_a_full_sync),
		E2E_TEST(an_empty_target_is_filled_from_our_disk),
		E2E_TEST(a_next_life_fills_an_empty_target_from_disk),
		E2E_TEST(a_snapshot_that_the_log_does_not_reach_is_no_help),
		E2E_TEST(a_marker_of_the_old_id_resumes_at_the_new_source),
		E2E_TEST(two_failovers_are_bridged_by_the_recorded_chain),
		E2E_TEST(a_new_id_is_on_disk_before_its_bytes_are_taken),
		E2E_TEST(a_fork_before_the_highest_marker_is_a_full_sync),
		E2E_TEST(held_expiries_are_given_back_after_a_crash),
		E2E_TEST(held_expiries_survive_two_crashes),
		E2E_TEST(held_expiries_are_given_back_again_to_an_older_target),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
