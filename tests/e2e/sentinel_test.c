// SPDX-License-Identifier: BSD-3-Clause
// Deployments that sentinels watch: who is asked, whom we believe, and an old master that comes
// back. Failovers under load are in matrix_test.c.
#include "tests/e2e/harness.h"
#include "tests/e2e/sentinels.h"

struct scene {
	struct ensemble source, target;
	struct sentinels s;
	struct job *job;
};

static bool has_first(void *arg)
{
	return ask_number(arg, "EXISTS first") == 1;
}

// Both sides are watched by the same sentinels; the link streams.
static struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene c = {.source = ensemble_start(w, "source", ""),
			  .target = ensemble_start(w, "target", "")};

	c.s = sentinels_start(w, &c.source, &c.target, "");
	run(c.source.members[0], "SET first 1");
	c.job = sync_start(w, sentinels_url(&c.s, &c.source, ""),
			   sentinels_url(&c.s, &c.target, ""), "--fail-fast=no", "--lanes", lanes,
			   NULL);
	job_wait_phase(c.job, "stream");
	for (unsigned i = 0; i < MEMBERS; i++)
		wait_until(has_first, c.target.members[i],
			   "the target's replicas to have the snapshot");
	return c;
}

// Full syncs, of a job that has ended.
static long long snapshots_of(const struct job *j)
{
	const json_t *counters = json_object_get(j->last, "counters");
	return json_integer_value(json_object_get(counters, "snapshots"));
}

static const char *place_told(const struct job *j, const char *side)
{
	return json_string_value(json_object_get(json_object_get(j->last, "at"), side));
}

static void connection_renew(struct server *t)
{
	if (t->redis)
		redisFree(t->redis);
	t->redis = NULL;
}

// Everything is in the target, counters and lists as often as they were written, and the link ends
// well.
static void scene_end(struct scene *c)
{
	struct server *source = sentinels_master(&c->s, &c->source);
	struct server *target = sentinels_master(&c->s, &c->target);

	connection_renew(source); // sentinels close them as they promote
	connection_renew(target);
	run(source, "SET last 1");
	job_wait_applied(c->job, source);
	assert_same_data(source, target);
	assert_int_equal(job_drain(c->job), 0);
	assert_string_equal(place_told(c->job, "source"), text("%s:%d", here(), source->port));
	assert_string_equal(place_told(c->job, "target"), text("%s:%d", here(), target->port));
	assert_int_equal(job_number(c->job, "parked"), 0);
	assert_same_data(source, target);
}

// ---- Two masters

static bool old_has_no_writer(void *arg)
{
	struct server *old = arg;

	connection_renew(old);
	redisReply *r = ask(old, "CLIENT LIST");
	bool none = r->type == REDIS_REPLY_STRING && !strstr(r->str, "name=flyover:");
	freeReplyObject(r);
	return none;
}

// The master is away for a while, another takes its place, and it comes back as it was: it takes
// itself for the master, and there is no sentinel that would tell it otherwise.
static void an_old_master_that_comes_back_is_not_written_to(struct world *w)
{
	struct scene c = scene_start(w, "1");
	struct server *source = c.source.members[0];
	struct server *old = sentinels_master(&c.s, &c.target);

	run(source, "SET before 1");
	job_wait_applied(c.job, source);
	server_freeze(old);
	struct server *now = sentinels_await_other(&c.s, &c.target, old);
	run(source, "SET between 1");
	job_wait_applied(c.job, source);
	connection_renew(now);
	assert_string_equal(ask_text(now, "GET between"), "1");
	sentinels_freeze(&c.s);
	server_thaw(old);
	wait_until(old_has_no_writer, old, "the old master to lose its writer");
	run(old, "SET other 1");
	run(source, "SET after 1");
	job_wait_applied(c.job, source);
	assert_int_equal(ask_number(old, "EXISTS between after"), 0);
	assert_int_equal(ask_number(old, "EXISTS before other"), 2);
	// The link looks for its target, and nobody is there who could name it: it does not guess.
	run(now, "CLIENT KILL TYPE normal SKIPME yes");
	run(source, "SET later 1");
	job_wait_phase(c.job, "stream");
	assert_int_equal(ask_number(old, "EXISTS between after later"), 0);
	assert_true(old_has_no_writer(old));
	sentinels_thaw(&c.s);
	job_wait_applied(c.job, source);
	scene_end(&c);
	assert_int_equal(snapshots_of(c.job), 1);
}

// ---- Who is asked, and how

static int caught_up(struct world *w, const char *source, const char *target, const char *option,
		     const char *value)
{
	return sync_run(w, source, target, "--until=caught-up", option, value, NULL);
}

static void a_dead_first_sentinel_is_passed_over(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");

	run(source.members[0], "SET k v");
	server_kill(s.list[0]);
	assert_int_equal(caught_up(w, sentinels_url(&s, &source, ""), target->url, NULL, NULL), 0);
	assert_string_equal(ask_text(target, "GET k"), "v");
}

// One is enough of a URL: it names the others.
static void the_other_sentinels_are_learned(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");
	const char *one = text("redis+sentinel://%s:%d/source", here(), s.list[0]->port);
	struct job *j = sync_start(w, one, target->url, "--fail-fast=no", NULL);

	job_wait_phase(j, "stream");
	server_kill(s.list[0]);
	server_kill(source.members[0]);
	// The two others elect, and only they can tell.
	struct sentinels rest = s;
	rest.list[0] = s.list[1];
	struct server *now = sentinels_await_other(&rest, &source, source.members[0]);
	connection_renew(now);
	run(now, "SET after 1");
	job_wait_applied(j, now);
	assert_string_equal(ask_text(target, "GET after"), "1");
	assert_int_equal(job_drain(j), 0);
}

static void a_name_that_no_sentinel_knows_is_said(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");
	struct ensemble other = {.name = "elsewhere"};
	struct job *j = sync_start(w, sentinels_url(&s, &other, ""), target->url, NULL);

	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "no master named elsewhere");
}

static void sentinels_may_want_a_password(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "watchword");
	const char *url = sentinels_url(&s, &source, ""), *file = text("%s/secret", w->dir);

	run(source.members[0], "SET k v");
	file_write(file, "watchword\n", 10);
	assert_int_equal(caught_up(w, url, target->url, "--source-sentinel-password-file", file),
			 0);
	assert_string_equal(ask_text(target, "GET k"), "v");
	file_write(file, "wrong\n", 6);
	struct job *j =
		sync_start(w, url, target->url, "--source-sentinel-password-file", file, NULL);
	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "WRONGPASS");
	j = sync_start(w, url, target->url, NULL);
	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "NOAUTH");
}

// One password for all is the usual case: that of the URL serves where sentinels ask for one, and
// does no harm where they do not.
static void the_urls_password_serves_for_the_sentinels(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "common");
	struct ensemble target = ensemble_start(w, "target", "other");
	struct sentinels s = sentinels_start(w, &source, &target, "common");
	struct sentinels open = s;

	run(source.members[0], "SET k v");
	struct job *j =
		sync_start(w, sentinels_url(&s, &source, ":common@"),
			   sentinels_url(&open, &target, ":other@"), "--until=caught-up", NULL);
	assert_int_equal(job_wait(j), 4); // the target's sentinels do not take the target's
	assert_one_sentence(j, "WRONGPASS");
	const char *file = text("%s/secret", w->dir);
	file_write(file, "common", 6);
	assert_int_equal(caught_up(w, sentinels_url(&s, &source, ":common@"),
				   sentinels_url(&open, &target, ":other@"),
				   "--target-sentinel-password-file", file),
			 0);
	assert_string_equal(ask_text(target.members[0], "GET k"), "v");
}

// ---- A replica as the source

static struct server *read_from(struct ensemble *e)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		redisReply *r = ask(e->members[i], "CLIENT LIST TYPE replica");
		bool ours = r->type == REDIS_REPLY_STRING && strstr(r->str, "cmd=replconf") &&
			    ask_number(e->members[i], "EXISTS nothing") == 0 && i > 0;
		freeReplyObject(r);
		if (ours)
			return e->members[i];
	}
	return e->members[0];
}

static void a_replica_is_read_where_that_is_preferred(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");
	struct job *j = sync_start(w, sentinels_url(&s, &source, ""), target->url,
				   "--prefer-replica=yes", "--fail-fast=no", NULL);

	run(source.members[0], "SET k v");
	job_wait_applied(j, source.members[0]);
	struct server *replica = read_from(&source);
	assert_true(replica != source.members[0]);
	assert_int_equal(info_number(source.members[0], "replication", "connected_slaves"), 2);
	// It goes, and another one, which is in step, takes over.
	server_kill(replica);
	run(source.members[0], "SET after 1");
	job_wait_applied(j, source.members[0]);
	assert_string_equal(ask_text(target, "GET after"), "1");
	assert_int_equal(job_drain(j), 0);
	assert_int_equal(snapshots_of(j), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(an_old_master_that_comes_back_is_not_written_to),
		E2E_TEST(a_dead_first_sentinel_is_passed_over),
		E2E_TEST(the_other_sentinels_are_learned),
		E2E_TEST(a_name_that_no_sentinel_knows_is_said),
		E2E_TEST(sentinels_may_want_a_password),
		E2E_TEST(the_urls_password_serves_for_the_sentinels),
		E2E_TEST(a_replica_is_read_where_that_is_preferred),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
