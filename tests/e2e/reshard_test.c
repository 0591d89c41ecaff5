// SPDX-License-Identifier: BSD-3-Clause
// Slots move between the shards of a source cluster while it is written to: nothing is lost, and
// nothing comes twice.
#include <signal.h>

#include "tests/e2e/group_scene.h"

#define MOVED 150 // slots, the first of the first shard

static void job_begin(struct world *w, struct scene *s)
{
	const char *arguments[] = {"sync",       s->source->url,   s->target->url,
				   "--json",     "--state-dir",    s->state_dir,
				   "--interval", "50ms",           "--lanes",
				   "2",          "--fail-fast=no", NULL};

	s->job = job_start_argv(w, "flyover", arguments, NULL);
}

// Keys in all slots that will move, a link that streams, a writer that follows redirects.
static struct scene scene_start(struct world *w, unsigned masters)
{
	struct scene s = {.source = cluster_start(w, "source", masters, 0, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	cluster_fill(s.source, "key", 20000, 40);
	job_begin(w, &s);
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 20000);
	job_wait_number(s.job, "applied", 1000);
	return s;
}

// Of what was written since, too.
static void scene_moved(struct scene *s)
{
	wait_applied(s, 500);
	scene_end(s);
}

static void slots_move_to_and_fro(struct world *w)
{
	struct scene s = scene_start(w, 2);
	struct server *a = s.source->nodes.list[0], *b = s.source->nodes.list[1];

	slots_move(s.source, 0, MOVED - 1, b);
	slots_move(s.source, MOVED / 3, 2 * MOVED / 3, a);
	slots_move(s.source, MOVED / 3, MOVED / 2, b);
	scene_moved(&s);
}

static void slots_wander_over_three_shards(struct world *w)
{
	struct scene s = scene_start(w, 3);
	struct server **nodes = s.source->nodes.list;

	slots_move(s.source, 0, MOVED - 1, nodes[1]);
	slots_move(s.source, 0, MOVED / 2, nodes[2]);
	slots_move(s.source, 0, MOVED / 3, nodes[0]);
	scene_moved(&s);
}

// Some keys of some slots are at the new owner, and clients are sent to and fro.
static void slots_open_half_way(struct scene *s, uint16_t first, uint16_t last)
{
	for (uint16_t slot = first; slot <= last; slot++) {
		slot_move_begin(s->source, slot, s->source->nodes.list[1]);
		slot_move_keys(s->source, slot, s->source->nodes.list[1], 2);
	}
}

static void moves_are_given_up_half_way(struct world *w)
{
	struct scene s = scene_start(w, 2);
	struct server *b = s.source->nodes.list[1];

	slots_open_half_way(&s, 0, 9);
	wait_applied(&s, 500);
	for (uint16_t slot = 0; slot < 10; slot++)
		slot_move_undo(s.source, slot, b);
	scene_moved(&s);
}

static void a_dataplane_is_killed_while_slots_move(struct world *w)
{
	struct scene s = scene_start(w, 2);
	struct server *b = s.source->nodes.list[1];

	for (uint16_t slot = 0; slot < 60; slot++) {
		slot_move_begin(s.source, slot, b);
		slot_move_keys(s.source, slot, b, 2);
		if (slot % 20 == 10) {
			kill(job_dataplane(s.job), SIGKILL);
			job_wait_phase(s.job, "connecting");
		}
		slot_move_keys(s.source, slot, b, UINT32_MAX);
		slot_move_end(s.source, slot, b);
	}
	scene_moved(&s);
}

// What one shard forgets, the others keep.
static void a_shard_is_emptied(struct world *w)
{
	struct scene s = scene_start(w, 2);

	run(s.source->nodes.list[0], "FLUSHALL");
	scene_moved(&s);
	assert_int_equal(full_syncs(&s), 3);
}

// ---- redis-cli

static void redis_cli(struct world *w, const char *const *more)
{
	const char *argv[16] = {"redis-cli", "--cluster"};
	unsigned n = 2;

	for (; *more && n < 14; more++)
		argv[n++] = *more;
	argv[n++] = "--cluster-yes";
	struct process *p = process_start(w, "redis-cli", argv, NULL);
	if (process_wait(p))
		fail_msg("redis-cli --cluster %s: %s", argv[2], process_stdout(p));
}

static void redis_cli_reshard(struct world *w, struct scene *s, struct server *from,
			      struct server *to, unsigned slots)
{
	const char *arguments[] = {"reshard",
				   text("%s:%d", here(), from->port),
				   "--cluster-from",
				   cluster_id(from),
				   "--cluster-to",
				   cluster_id(to),
				   "--cluster-slots",
				   text("%u", slots),
				   NULL};

	redis_cli(w, arguments);
	cluster_settle(s->source);
}

static void redis_cli_fix(struct world *w, struct scene *s)
{
	const char *arguments[] = {"fix", text("%s:%d", here(), s->source->nodes.list[0]->port),
				   NULL};

	redis_cli(w, arguments);
	cluster_settle(s->source);
}

static void redis_cli_reshards_to_and_fro(struct world *w)
{
	struct scene s = scene_start(w, 2);
	struct server *a = s.source->nodes.list[0], *b = s.source->nodes.list[1];

	redis_cli_reshard(w, &s, a, b, 400);
	redis_cli_reshard(w, &s, b, a, 300);
	redis_cli_reshard(w, &s, a, b, 200);
	scene_moved(&s);
	print_message("%u full syncs\n", full_syncs(&s));
}

static void migrations_that_stay_half_way_are_finished(struct world *w)
{
	struct scene s = scene_start(w, 2);

	slots_open_half_way(&s, 0, 19);
	wait_applied(&s, 4000);
	redis_cli_fix(w, &s);
	assert_ptr_equal(cluster_owner(s.source, 19), s.source->nodes.list[1]);
	scene_moved(&s);
	print_message("%u full syncs\n", full_syncs(&s));
}

// Nobody writes meanwhile: a key that is made anew where it came from could not be taken back.
static void migrations_that_stay_half_way_are_taken_back(struct world *w)
{
	struct scene s = scene_start(w, 2);

	slots_open_half_way(&s, 0, 19);
	wait_applied(&s, 4000);
	writer_stop(s.writer);
	for (uint16_t slot = 0; slot < 20; slot++)
		run(s.source->nodes.list[0], "CLUSTER SETSLOT %d STABLE", slot);
	redis_cli_fix(w, &s); // of a slot that is empty where it belongs, who has keys is the owner
	for (unsigned i = 0; i < 2; i++)
		assert_null(strchr(ask_text(s.source->nodes.list[i], "CLUSTER NODES"), '['));
	s.writer = cluster_writer_start(s.source, 2, 20000);
	scene_moved(&s);
	print_message("%u full syncs\n", full_syncs(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(slots_move_to_and_fro),
		E2E_TEST(slots_wander_over_three_shards),
		E2E_TEST(moves_are_given_up_half_way),
		E2E_TEST(a_dataplane_is_killed_while_slots_move),
		E2E_TEST(a_shard_is_emptied),
		E2E_TEST(redis_cli_reshards_to_and_fro),
		E2E_TEST(migrations_that_stay_half_way_are_finished),
		E2E_TEST(migrations_that_stay_half_way_are_taken_back),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
