// SPDX-License-Identifier: BSD-3-Clause
// Slots move in source clusters of servers that are not here: their recorded streams are played by
// stand-ins of their masters, and the target must hold what clients of the real ones read at the
// end, whatever the pace and whichever stream comes late.
//
// The recording in tests/e2e/recordings is always played, the others where the corpora are present
// (FLYOVER_CORPORA, or the folder shared/corpora beside the source tree). FLYOVER_TEST_LONG plays
// all.
//
// Where a stream lags, or more is sent at once than was then, there are moves of which nothing that
// is said tells the order. They cost another full sync, which the player can give there: at most
// `more` of them.
#include "tests/corpora.h"
#include "tests/e2e/harness.h"
#include "tests/e2e/player.h"

#define FAST    5
#define AT_ONCE 0
#define MORE    3 // where the streams do not always tell the order of what they say

struct round {
	const char *name; // of the recording
	double pace;      // see struct play
	char late;        // the node whose stream lags, 0: none
	int lag_ms;
	unsigned masters; // of the target, 0: it is no cluster
	unsigned more;    // full syncs at most, beside the first ones
};

struct scene {
	const struct recording *recording;
	struct player *player;
	struct cluster *cluster;
	struct servers target;
	struct job *job;
	const char *state_dir;
};

static const char *recording_folder(const char *name)
{
	if (!strncmp(name, "own/", 4))
		return text("%s/%s", RECORDINGS_DIR, name + 4);
	return text("%s/streams/%s", corpora_folder(), name);
}

static struct server *owner_of(void *arg, const char *key)
{
	return cluster_owner_of(arg, key);
}

static unsigned differences(const struct scene *s, bool tell)
{
	return recording_differences(s->recording, &s->target, s->cluster ? owner_of : NULL,
				     s->cluster, tell);
}

// How many full syncs the link has told of.
static unsigned full_syncs(const struct scene *s, bool tell)
{
	char *log = file_read(text("%s/flyoverd.log", s->state_dir), NULL);
	unsigned n = 0;

	assert_non_null(log);
	// "full sync: why" as it begins, "why: a full sync follows" before.
	for (const char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "full sync")) {
			if (tell)
				print_message("%s\n", line);
			n++;
		}
	free(log);
	return n;
}

static void scene_start(struct world *w, struct scene *s, const struct round *round)
{
	struct play play = {.recording = s->recording, .pace = round->pace, .again = round->more};
	const char *url;

	for (unsigned i = 0; i < s->recording->n_nodes; i++)
		if (s->recording->nodes[i].name == round->late)
			play.lag_ms[i] = round->lag_ms;
	if (round->masters) {
		s->cluster = cluster_start(w, "target", round->masters, 0, NULL);
		s->target = cluster_masters(s->cluster);
		url = s->cluster->url;
	} else {
		s->target = just(server_start(w, "target", NULL));
		url = s->target.list[0]->url;
	}
	s->player = player_start(w, &play);
	s->state_dir = text("%s/state", w->dir);
	const char *arguments[] = {"sync",
				   player_url(s->player),
				   url,
				   "--json",
				   "--state-dir",
				   s->state_dir,
				   "--lanes",
				   "2",
				   "--interval",
				   "50ms",
				   "--fail-fast=no",
				   NULL};
	s->job = job_start_argv(w, "flyover", arguments, NULL);
}

static void wrong(const struct scene *s)
{
	unsigned n = differences(s, true), m = full_syncs(s, true);

	fail_msg("%u of %zu keys of %s differ; %u full syncs, %u more were asked for", n,
		 json_object_size(s->recording->expected), s->recording->folder, m,
		 player_refused(s->player));
}

// All of the streams has been answered, all slots are where they belong, and no full sync is wanted
// or on.
static bool is_settled(const struct scene *s)
{
	json_int_t end = 0, moving = 0;
	const json_t *shard;
	size_t i;

	job_poll(s->job);
	for (i = 0; i < s->recording->n_nodes; i++) {
		const struct recorded_node *n = &s->recording->nodes[i];
		end += (json_int_t)(n->offset + n->len - n->stream_at);
	}
	json_array_foreach(json_object_get(s->job->last, "shards"), i, shard)
	{
		const json_t *counters = json_object_get(shard, "counters");
		moving += json_integer_value(json_object_get(counters, "slots_moving"));
	}
	const json_t *phase = json_object_get(s->job->last, "phase");
	return phase && !strcmp(json_string_value(phase), "stream") && !moving &&
	       job_number(s->job, "frontier_offset") >= end;
}

static void right_wait(const struct scene *s)
{
	long long deadline_ms = now_ms() + DEADLINE_MS;

	while (!player_is_over(s->player) || !is_settled(s) || differences(s, false)) {
		if (process_has_ended(s->job->process) || player_refused(s->player) ||
		    now_ms() > deadline_ms)
			wrong(s);
		nap_ms(50);
	}
}

// All that was recorded has been taken, and what it says is there, once it is over and for good.
static void scene_end(const struct scene *s, unsigned more)
{
	right_wait(s);
	if (job_drain(s->job))
		wrong(s);
	assert_books_balance(s->job);
	assert_int_equal(job_number(s->job, "parked"), 0);
	// One that is given is told of as it is asked for and as it begins.
	if (differences(s, false) || player_given(s->player) > more ||
	    full_syncs(s, more) != s->recording->n_nodes + 2 * player_given(s->player))
		wrong(s);
}

static void replay(struct world *w, const struct round *round)
{
	struct scene s = {.recording = recording_load(recording_folder(round->name))};
	long long began_ms = now_ms();

	scene_start(w, &s, round);
	scene_end(&s, round->more);
	print_message(
		"%s, %s%s, into %s: %zu keys right after %lld ms, %u full syncs more\n",
		round->name, round->pace > 0 ? text("%g times as fast", round->pace) : "at once",
		round->late ? text(", %c %d ms late", round->late, round->lag_ms) : "",
		round->masters ? "a cluster" : "a server", json_object_size(s.recording->expected),
		now_ms() - began_ms, player_given(s.player));
}

#define REPLAY(test, ...)                                                                          \
	static void test(struct world *w)                                                          \
	{                                                                                          \
		replay(w, &(struct round){__VA_ARGS__});                                           \
	}

#define OWN     "own/redis-7.0.15-three-shards"
#define CLASSIC "redis-7.0.15-classic"
#define TASKS   "redis-8.4.0-asm"
#define VALKEY  "valkey-9.1.0-migrateslots"

REPLAY(own_quickly, OWN, FAST, .more = MORE)
REPLAY(own_at_once, OWN, AT_ONCE, 0, 0, 2, .more = MORE)
REPLAY(own_a_late, OWN, FAST, 'a', 1500, .more = MORE)
REPLAY(own_b_late, OWN, FAST, 'b', 1500, 2, .more = MORE)
REPLAY(own_c_late, OWN, FAST, 'c', 1500, .more = MORE)
REPLAY(classic_quickly, CLASSIC, FAST, .more = MORE)
REPLAY(classic_at_once, CLASSIC, AT_ONCE, 0, 0, 3, .more = MORE)
REPLAY(classic_a_late, CLASSIC, FAST, 'a', 1500, 2, .more = MORE)
REPLAY(classic_b_late, CLASSIC, FAST, 'b', 1500, .more = MORE)
REPLAY(tasks_quickly, TASKS, FAST)
REPLAY(tasks_at_once, TASKS, AT_ONCE, 0, 0, 3, .more = MORE)
REPLAY(tasks_a_late, TASKS, FAST, 'a', 1500, 2)
REPLAY(tasks_b_late, TASKS, FAST, 'b', 1500)
REPLAY(valkey_quickly, VALKEY, FAST, .more = MORE)
REPLAY(valkey_at_once, VALKEY, AT_ONCE, 0, 0, 3, .more = MORE)
REPLAY(valkey_a_late, VALKEY, FAST, 'a', 1500, 2, .more = MORE)
REPLAY(valkey_b_late, VALKEY, FAST, 'b', 1500, .more = MORE)

REPLAY(own_as_it_was, OWN, 1)
REPLAY(own_as_it_was_into_a_cluster, OWN, 1, 0, 0, 2)
REPLAY(own_a_later, OWN, 1, 'a', 3000, 2, .more = MORE)
REPLAY(own_b_later, OWN, 1, 'b', 3000, .more = MORE)
REPLAY(own_c_later, OWN, 1, 'c', 3000, 2, .more = MORE)
REPLAY(classic_as_it_was, CLASSIC, 1)
REPLAY(classic_as_it_was_into_a_cluster, CLASSIC, 1, 0, 0, 2)
REPLAY(classic_a_later, CLASSIC, 1, 'a', 3000, .more = MORE)
REPLAY(classic_b_later, CLASSIC, 1, 'b', 3000, 3, .more = MORE)
REPLAY(tasks_as_they_were, TASKS, 1)
REPLAY(tasks_as_they_were_into_a_cluster, TASKS, 1, 0, 0, 2)
REPLAY(tasks_a_later, TASKS, 1, 'a', 3000)
REPLAY(tasks_b_later, TASKS, 1, 'b', 3000, 3)
REPLAY(valkey_as_it_was, VALKEY, 1)
REPLAY(valkey_as_it_was_into_a_cluster, VALKEY, 1, 0, 0, 2)
REPLAY(valkey_a_later, VALKEY, 1, 'a', 3000, .more = MORE)
REPLAY(valkey_b_later, VALKEY, 1, 'b', 3000, 3, .more = MORE)

// Whom a node takes for the owner of a slot in the end.
static char owner_at_end(const struct recording *r, uint8_t node, unsigned slot)
{
	char owner = 0;

	for (uint8_t i = 0; i < r->n_nodes; i++)
		if (slot >= r->nodes[i].first && slot <= r->nodes[i].last)
			owner = r->nodes[i].name;
	for (unsigned i = 0; i < r->n_changes; i++) {
		const struct recorded_change *c = &r->changes[i];
		assert_true(!i || c->ms >= r->changes[i - 1].ms);
		if (c->node == node && slot >= c->first && slot <= c->last)
			owner = r->nodes[c->owner].name;
	}
	return owner;
}

// The moves that tests/e2e/record_program.c makes.
static void a_recording_tells_of_its_moves(struct world *w)
{
	static const struct {
		unsigned slot;
		char owner;
	} slots[] = {{0, 'b'},  {19, 'b'}, {20, 'a'}, {34, 'a'}, {35, 'c'}, {49, 'c'},
		     {50, 'a'}, {69, 'a'}, {70, 'b'}, {79, 'b'}, {80, 'a'}, {16383, 'c'}};
	const struct recording *r = recording_load(recording_folder(OWN));

	assert_int_equal(r->n_nodes, 3);
	for (uint8_t node = 0; node < r->n_nodes; node++)
		for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
			assert_int_equal(owner_at_end(r, node, slots[i].slot), slots[i].owner);
}

int main(void)
{
	const char *is_long = getenv("FLYOVER_TEST_LONG");
	const struct CMUnitTest brief[] = {
		E2E_TEST(a_recording_tells_of_its_moves),
		E2E_TEST(own_as_it_was),
		E2E_TEST(own_quickly),
		E2E_TEST(own_b_late),
		E2E_TEST(classic_b_late),
		E2E_TEST(tasks_as_they_were),
		E2E_TEST(tasks_quickly),
		E2E_TEST(valkey_as_it_was),
		E2E_TEST(valkey_at_once),
	};
	const struct CMUnitTest rest[] = {
		E2E_TEST(own_at_once),
		E2E_TEST(own_a_late),
		E2E_TEST(own_c_late),
		E2E_TEST(classic_quickly),
		E2E_TEST(classic_at_once),
		E2E_TEST(classic_a_late),
		E2E_TEST(tasks_at_once),
		E2E_TEST(tasks_a_late),
		E2E_TEST(tasks_b_late),
		E2E_TEST(valkey_quickly),
		E2E_TEST(valkey_a_late),
		E2E_TEST(valkey_b_late),
		E2E_TEST(own_as_it_was_into_a_cluster),
		E2E_TEST(own_a_later),
		E2E_TEST(own_b_later),
		E2E_TEST(own_c_later),
		E2E_TEST(classic_as_it_was),
		E2E_TEST(classic_as_it_was_into_a_cluster),
		E2E_TEST(classic_a_later),
		E2E_TEST(classic_b_later),
		E2E_TEST(tasks_as_they_were_into_a_cluster),
		E2E_TEST(tasks_a_later),
		E2E_TEST(tasks_b_later),
		E2E_TEST(valkey_as_it_was_into_a_cluster),
		E2E_TEST(valkey_a_later),
		E2E_TEST(valkey_b_later),
	};

	e2e_filter();
	int rc = cmocka_run_group_tests(brief, NULL, NULL);
	if (is_long && *is_long)
		rc += cmocka_run_group_tests(rest, NULL, NULL);
	return rc;
}
