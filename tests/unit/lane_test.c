// SPDX-License-Identifier: BSD-3-Clause
// A lane and its target: order, markers, refusals, lost connections.
#include "tests/unit/lane_scene.h"
#include "parsers/commands.h"

// ---- Tests

static void batches_are_applied_in_order_with_their_marker(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	GIVE(s, true, true, SET_K1, SET_K2);
	GIVE(s, true, false, INCR_K3);
	turns(s, 5);
	assert_int_equal(done(s), 2);
	APPLIED(s, "SET k1", "SET k2", "INCR k3");
	struct marker m;
	struct span text = {s->server.marker, strlen(s->server.marker)};
	assert_int_equal(marker_parse(&m, text), 0);
	assert_int_equal(m.offset, 299);
	assert_int_equal(m.run, 99);
	assert_int_equal(m.seq, 2);
	assert_int_equal(m.client, 5);
	assert_int_equal(counter_get(&s->counters.applied_commands), 3);
	assert_int_equal(s->server.n_kills, 1); // just the connection of a former life
	scene_free(s);
}

static void partial_writes_change_nothing(void **state)
{
	for (size_t most = 1; most < 40; most += 3) {
		struct scene *s = scene_new();
		open_lane(s);
		s->loop.write_max = most;
		GIVE(s, true, true, SET_K1, SET_K2);
		GIVE(s, true, false, INCR_K3);
		GIVE(s, false, true, SET_K1);
		for (int i = 0; i < 20; i++) {
			s->loop.stuck = i % 3 == 0;
			if (!s->loop.stuck)
				s->loop.stream.flags |= STREAM_WRITABLE;
			turns(s, 1);
		}
		assert_int_equal(done(s), 3);
		APPLIED(s, "SET k1", "SET k2", "INCR k3", "SET k1");
		scene_free(s);
	}
}

static void element_that_is_refused_is_parked(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.element_error = "-WRONGTYPE Operation against a key\r\n";
	s->server.error_key = "k1";
	GIVE(s, true, false, SET_K1, INCR_K3);
	turns(s, 5);
	assert_int_equal(done(s), 1);
	APPLIED(s, "INCR k3");
	assert_int_equal(s->n_parked, 1);
	assert_int_equal(counter_get(&s->counters.parked_commands), 1);
	assert_int_equal(counter_get(&s->counters.applied_commands), 1);
	scene_free(s);
}

static void on_error_stop_ends_the_link(void **state)
{
	struct scene *s = scene_new();
	s->config.settings.on_error = ON_ERROR_STOP;
	open_lane(s);
	s->server.element_error = "-WRONGTYPE Operation against a key\r\n";
	GIVE(s, true, false, SET_K1);
	turns(s, 5);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	assert_int_equal(s->lane->error, ERROR_TARGET_REFUSES);
	assert_non_null(strstr(s->lane->text, "SET"));
	assert_int_equal(s->n_parked, 0);
	scene_free(s);
}

// OOM, MISCONF and the like pass: nothing is lost, nothing applied twice.
static void refused_batch_is_sent_again(void **state)
{
	for (int at_exec = 0; at_exec < 2; at_exec++) {
		struct scene *s = scene_new();
		char why[TEXT_LEN];
		open_lane(s);
		s->server.queue_error = at_exec ? NULL : "-OOM command not allowed\r\n";
		s->server.exec_error = at_exec ? "-MISCONF no disk\r\n" : NULL;
		GIVE(s, true, false, INCR_K3);
		turns(s, 30);
		shared_text_get(&s->lane->waiting, why);
		assert_int_equal(done(s), 0);
		assert_non_null(strstr(why, at_exec ? "MISCONF" : "OOM"));
		assert_int_not_equal(s->lane->wait_deadline_ms, 0);
		assert_int_equal(s->server.n_applied, 0);
		s->server.queue_error = s->server.exec_error = NULL;
		turns(s, 3000);
		assert_int_equal(done(s), 1);
		APPLIED(s, "INCR k3");
		shared_text_get(&s->lane->waiting, why);
		assert_string_equal(why, "");
		assert_int_equal(s->lane->wait_deadline_ms, 0);
		scene_free(s);
	}
}

// Without its MULTI nothing of a batch may count as applied.
static void refused_multi_is_never_a_success(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.multi_error = s->server.queue_error = "-NOPERM this user has no permissions\r\n";
	GIVE(s, true, false, INCR_K3);
	turns(s, 30);
	assert_int_equal(done(s), 0);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	assert_int_equal(s->lane->error, ERROR_NOPERM);
	scene_free(s);
}

// Not even what follows it: the first error says why, and the batch goes again.
static void refused_multi_that_passes_is_waited_for(void **state)
{
	struct scene *s = scene_new();
	char why[TEXT_LEN];
	open_lane(s);
	s->server.multi_error = s->server.queue_error = "-LOADING the dataset is loaded\r\n";
	GIVE(s, true, false, INCR_K3);
	turns(s, 30);
	assert_int_equal(done(s), 0);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FINE);
	shared_text_get(&s->lane->waiting, why);
	assert_non_null(strstr(why, "LOADING"));
	s->server.multi_error = s->server.queue_error = NULL;
	turns(s, 3000);
	assert_int_equal(done(s), 1);
	APPLIED(s, "INCR k3");
	scene_free(s);
}

// Had the target run a batch without its MULTI, nobody would know what it holds.
static void commands_that_ran_without_their_multi_are_made_good(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.multi_error = "-LOADING the dataset is loaded\r\n";
	GIVE(s, true, false, INCR_K3);
	turns(s, 30);
	assert_int_equal(done(s), 0);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_RESYNC);
	assert_non_null(strstr(s->lane->text, "LOADING"));
	scene_free(s);
}

static void later_batch_behind_a_refused_one(bool idempotent)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.queue_error = "-OOM command not allowed\r\n";
	s->server.error_key = "k1";
	GIVE(s, true, idempotent, SET_K1);
	GIVE(s, true, idempotent, idempotent ? SET_K2 : INCR_K3);
	turns(s, 6);
	s->server.queue_error = NULL;
	turns(s, 3000);
	if (idempotent) {
		assert_int_equal(done(s), 2);
		APPLIED(s, "SET k2", "SET k1", "SET k2");
		assert_int_equal(atomic_load(&s->lane->verdict), LANE_FINE);
	} else {
		assert_int_equal(atomic_load(&s->lane->verdict), LANE_RESYNC);
		assert_int_equal(done(s), 0);
	}
	scene_free(s);
}

// The marker of a later batch says nothing about the refused one, and goes.
static void connection_lost_behind_a_refused_batch_loses_nothing(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	GIVE(s, true, true, SET_K2);
	turns(s, 5);
	s->server.queue_error = "-OOM command not allowed\r\n";
	s->server.error_key = "k1";
	GIVE(s, true, true, SET_K1);
	GIVE(s, true, true, SET_K2);
	turns(s, 2);
	assert_int_equal(s->lane->torn_seq, 3);
	turns(s, 2);
	assert_string_equal(s->server.marker, "");
	fake_lose(&s->loop);
	turn(s);
	s->server.queue_error = NULL;
	open_lane(s);
	assert_int_equal(done(s), 1);
	turns(s, 3000);
	assert_int_equal(done(s), 3);
	APPLIED(s, "SET k2", "SET k2", "SET k1", "SET k2");
	assert_int_equal(s->lane->torn_seq, 0);
	assert_int_equal(counter_get(&s->counters.skipped_batches), 0);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FINE);
	scene_free(s);
}

// Batches on their way while the server answers nothing.
static unsigned in_flight_when_it_tells(const char *memory)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.memory = memory;
	GIVE(s, true, true, SET_K1);
	turns(s, 5);
	assert_int_equal(done(s), 1);
	assert_int_equal(s->server.n_asked, 1);
	s->server.mute = true;
	for (int i = 0; i < 5; i++)
		GIVE(s, true, false, INCR_K3);
	turns(s, 5);
	unsigned n = s->lane->n_sent;
	assert_int_equal(s->server.n_asked, 1); // once a second
	fake_now.mono_ns += 2000 * MS_NS;
	scene_free(s);
	return n;
}

static void target_near_its_limit_gets_one_batch_at_a_time(void **state)
{
	assert_int_equal(
		in_flight_when_it_tells("used_memory:99000000\r\nmaxmemory:100000000\r\n"), 1);
	assert_int_equal(
		in_flight_when_it_tells("used_memory:10000000\r\nmaxmemory:100000000\r\n"), 5);
	assert_int_equal(in_flight_when_it_tells("used_memory:10000000\r\nmaxmemory:0\r\n"), 5);
	assert_int_equal(in_flight_when_it_tells(NULL), 5); // it does not tell
	// What it told a while ago may be wrong by now.
	struct scene *s = scene_new();
	open_lane(s);
	fake_now.mono_ns += 4000 * MS_NS;
	GIVE(s, true, true, SET_K1);
	GIVE(s, true, true, SET_K2);
	turn(s);
	assert_int_equal(s->lane->n_sent, 1);
	turns(s, 5);
	assert_int_equal(done(s), 2);
	scene_free(s);
}

static void later_batch_that_was_applied_is_repeated_or_resynced(void **state)
{
	later_batch_behind_a_refused_one(true);
	later_batch_behind_a_refused_one(false);
}

static void wait_that_is_too_long_fails(void **state)
{
	struct scene *s = scene_new();
	s->config.settings.wait_timeout = 1000;
	open_lane(s);
	s->server.queue_error = "-OOM command not allowed\r\n";
	GIVE(s, true, true, SET_K1);
	turns(s, 6000);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	assert_int_equal(s->lane->error, ERROR_DEADLINE);
	scene_free(s);
}

// The answer is lost, the marker says that the batch was applied: it is not sent again.
static void lost_answer_is_settled_by_the_marker(void **state)
{
	for (int applied = 0; applied < 2; applied++) {
		struct scene *s = scene_new();
		open_lane(s);
		GIVE(s, true, false, INCR_K3);
		turn(s);
		s->server.mute = true;
		if (applied)
			server_run(s);
		fake_lose(&s->loop);
		turn(s);
		s->server.mute = false;
		open_lane(s);
		turns(s, 10);
		assert_int_equal(done(s), 1);
		APPLIED(s, "INCR k3");
		assert_int_equal(counter_get(&s->counters.applied_commands), 1);
		assert_int_equal(counter_get(&s->counters.skipped_batches), applied);
		assert_int_equal(counter_get(&s->counters.target_disconnects), 1);
		scene_free(s);
	}
}

// A giant's bytes come from a file, pass in many writes, and again when the connection was lost.
static void giant_is_sent_again_after_a_lost_connection(void **state)
{
	static char value[400000];
	memset(value, 'v', sizeof(value));
	for (int lost = 0; lost < 2; lost++) {
		struct scene *s = scene_new();
		struct memory_file *file = malloc(sizeof(*file));
		char head[64];
		open_lane(s);
		assert_int_equal(memory_file_init(file, "/tmp"), 0);
		file->n_holders = 1;
		size_t n = (size_t)snprintf(head, sizeof(head),
					    "*3\r\n$6\r\nAPPEND\r\n$2\r\nk1\r\n$%zu\r\n",
					    sizeof(value));
		memory_file_append(file, head, n);
		memory_file_append(file, value, sizeof(value));
		memory_file_append(file, "\r\n", 2);
		assert_int_equal(memory_file_seal(file), 0);
		struct batch *b = &s->lane->pool[s->seq % LANE_BATCHES];
		batch_reset(b, ++s->seq, 100, true);
		batch_item_begin(b, 100, 0, ITEM_COMMAND);
		batch_refer(b, file->base, file->len);
		b->file = file;
		b->n_commands = 1;
		b->idempotent = false;
		b->marker = (struct marker){.epoch = 1, .site = "-", .phase = MARKER_STREAM};
		memset(b->marker.replid, 'a', 40);
		s->loop.write_max = 1000;
		lane_push(s->lane, 0);
		if (lost) {
			s->loop.stuck = true;
			turn(s);
			s->loop.stuck = false;
			for (int i = 0; i < 3; i++) {
				s->loop.stream.flags |= STREAM_WRITABLE;
				s->loop.write_max = 100000;
				turn(s);
			}
			assert_true(s->loop.n_out > 0);
			assert_int_equal(s->server.n_applied, 0);
			fake_lose(&s->loop);
			turn(s);
			open_lane(s);
		}
		turns(s, 10);
		assert_int_equal(done(s), 1);
		APPLIED(s, "APPEND k1");
		batch_release(b);
		assert_null(b->file);
		scene_free(s);
	}
}

static void target_that_lost_its_marker_is_looked_at_again(void **state)
{
	for (int older = 0; older < 2; older++) {
		struct scene *s = scene_new();
		char first[320];
		open_lane(s);
		GIVE(s, true, false, INCR_K3);
		turns(s, 5);
		memcpy(first, s->server.marker, sizeof(first));
		GIVE(s, true, false, INCR_K3);
		turns(s, 5);
		assert_int_equal(done(s), 2);
		// A restart brings back what was on disk: an older state, or nothing.
		s->server.run_id = "2222222222222222222222222222222222222222";
		strcpy(s->server.marker, older ? first : "");
		fake_lose(&s->loop);
		turns(s, 1000);
		assert_int_equal(atomic_load(&s->lane->verdict), LANE_LOOK);
		scene_free(s);
	}
}

// What is on its way was worded for the release that went.
// Until another lane's connection of before is closed, what it has sent may still move its marker.
static void markers_are_read_once_the_other_lanes_are_open(void **state)
{
	struct scene *s = scene_new();
	struct lane *lanes = aligned_alloc(64, 2 * sizeof(*lanes));
	open_lane(s);
	memcpy(lanes, s->lane, sizeof(*lanes));
	memset(lanes + 1, 0, sizeof(*lanes));
	free(s->lane);
	s->lane = lanes;
	lanes->all = lanes;
	lanes->n_lanes = 2;
	atomic_store(&lanes[1].state, LANE_READY);
	atomic_store(&lanes[1].generation, atomic_load(&lanes->generation));
	s->server.n_kills = s->server.n_mgets = 0;
	lane_wish(lanes, true);
	turns(s, 100);
	assert_int_equal(s->server.n_mgets, 0); // lane 1 has not heard of it
	atomic_store(&lanes[1].state, LANE_CLOSED);
	atomic_store(&lanes[1].generation, atomic_load(&lanes->generation));
	turns(s, 100);
	assert_int_equal(s->server.n_mgets, 0);
	assert_int_equal(s->server.n_kills, 0);
	atomic_store(&lanes[1].state, LANE_READY);
	turns(s, 1);
	assert_int_equal(s->server.n_kills_before_mget, 1); // its own of before goes first
	open_lane(s);
	assert_true(s->server.n_mgets);
	scene_free(s);
}

// One that is lost in its greeting has not closed the one before it.
static void greeting_that_is_lost_does_not_hide_the_connection_before(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.id = 7;
	fake_lose(&s->loop);
	while (atomic_load(&s->lane->state) != LANE_MARKER) // it knows its number by then
		turns(s, 1);
	fake_lose(&s->loop);
	s->server.n_kills = 0;
	s->server.id = 8;
	open_lane(s);
	assert_int_equal(s->server.n_kills, 1);
	assert_string_equal(s->server.killed, "5");
	fake_lose(&s->loop);
	turns(s, 1);
	open_lane(s);
	assert_string_equal(s->server.killed, "8");
	scene_free(s);
}

static void target_of_another_release_is_looked_at_again(void **state)
{
	for (int same = 0; same < 2; same++) {
		struct scene *s = scene_new();
		open_lane(s);
		GIVE(s, true, false, INCR_K3);
		turns(s, 5);
		s->server.version = same ? "7.0.9" : "6.2.14";
		s->server.run_id = "2222222222222222222222222222222222222222";
		fake_lose(&s->loop);
		turns(s, 1000);
		assert_int_equal(atomic_load(&s->lane->verdict), same ? LANE_FINE : LANE_LOOK);
		if (!same)
			assert_non_null(strstr(s->lane->text, "another release"));
		scene_free(s);
	}
}

static void old_release_tells_our_id_by_its_list(void **state)
{
	struct scene *s = scene_new();
	struct marker m;
	s->server.version = "2.8.24";
	open_lane(s);
	GIVE(s, true, true, SET_K1);
	turns(s, 5);
	struct span text = {s->server.marker, strlen(s->server.marker)};
	assert_int_equal(marker_parse(&m, text), 0);
	assert_int_equal(m.client, 5);
	assert_int_equal(lane_release(s->lane).at, SERVER_VERSION(2, 8));
	unsigned n_kills = s->server.n_kills;
	fake_lose(&s->loop);
	turns(s, 1000);
	assert_int_equal(s->server.n_kills, n_kills + 1); // the connection that was lost
	scene_free(s);
}

// Before its batch, and once, however often the batch is sent.
static void withheld_command_is_parked_before_its_batch(void **state)
{
	static const char lmpop[] = "*3\r\n$5\r\nLMPOP\r\n$1\r\n0\r\n$1\r\n1\r\n";
	struct scene *s = scene_new();
	s->server.version = "4.0.14";
	open_lane(s);
	struct batch *b = &s->lane->pool[s->seq % LANE_BATCHES];
	s->server.mute = true;
	GIVE(s, true, false, INCR_K3);
	struct batch_withheld w = {
		.offset = 150,
		.bytes = {lmpop, sizeof(lmpop) - 1},
		.command = command_find(SPAN_LIT("LMPOP"), (struct span){"", 0}),
	};
	assert_int_equal(batch_withhold(b, &w), 0);
	b->n_commands++;
	turns(s, 5);
	assert_int_equal(s->n_parked, 1);
	assert_non_null(strstr(s->parked, "\"offset\":150,\"db\":0,\"verb\":\"LMPOP\""));
	assert_non_null(
		strstr(s->parked, "LMPOP came with Redis 7.0, and the target is redis 4.0\""));
	assert_int_equal(done(s), 0);
	s->server.mute = false;
	s->server.marker[0] = 0; // it had not taken the batch
	fake_lose(&s->loop);
	turns(s, 1000);
	assert_int_equal(done(s), 1);
	assert_int_equal(s->n_parked, 1);
	assert_int_equal(counter_get(&s->counters.parked_commands), 1);
	assert_int_equal(counter_get(&s->counters.applied_commands), 1);
	scene_free(s);
}

static void withheld_command_ends_a_link_that_stops_on_errors(void **state)
{
	struct scene *s = scene_new();
	s->config.settings.on_error = ON_ERROR_STOP;
	open_lane(s);
	struct batch *b = &s->lane->pool[s->seq % LANE_BATCHES];
	GIVE(s, true, false, INCR_K3);
	struct batch_withheld w = {
		.bytes = {SET_K1, sizeof(SET_K1) - 1},
		.command = command_find(SPAN_LIT("RESTORE"), (struct span){"", 0}),
		.why = "the target cannot load this payload",
	};
	assert_int_equal(batch_withhold(b, &w), 0);
	turns(s, 5);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	assert_string_equal(s->lane->text, "RESTORE cannot be sent to the target: "
					   "the target cannot load this payload");
	assert_int_equal(s->server.n_applied, 0);
	scene_free(s);
}

// Other lanes compare it with what stands in the target whenever they connect.
static void epoch_is_not_known_before_it_is_drawn(void **state)
{
	struct scene *s = scene_new();
	s->server.epoch = 7;
	for (int i = 0; i < 100 && atomic_load(&s->lane->state) != LANE_READY; i++) {
		turns(s, 1);
		uint64_t epoch = atomic_load(&s->lane->epoch);
		assert_true(!epoch || epoch == 8);
	}
	assert_int_equal(atomic_load(&s->lane->epoch), 8);
	scene_free(s);
}

static void garbage_is_not_taken_for_an_answer(void **state)
{
	static const char *const garbage[] = {"+NO\r\n", "hello\r\n", "*3\r\n+OK\r\n+OK\r\n+OK\r\n",
					      ":1\r\n", "$-1\r\n"};
	for (unsigned i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct scene *s = scene_new();
		open_lane(s);
		GIVE(s, true, true, SET_K1);
		turn(s);
		fake_reply(&s->loop, garbage[i], strlen(garbage[i]));
		turn(s);
		assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
		assert_int_equal(s->lane->error, ERROR_REPLY_GARBAGE);
		assert_int_equal(done(s), 0);
		scene_free(s);
	}
	struct scene *s = scene_new();
	open_lane(s);
	fake_reply(&s->loop, "+OK\r\n", 5); // nobody asked
	turn(s);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	scene_free(s);
}

static void readonly_target_is_left_and_looked_for_again(void **state)
{
	struct scene *s = scene_new();
	open_lane(s);
	s->server.queue_error = "-READONLY You can't write against a read only replica.\r\n";
	GIVE(s, true, false, INCR_K3);
	turns(s, 3);
	assert_int_not_equal(atomic_load(&s->lane->state), LANE_READY);
	s->server.queue_error = NULL;
	open_lane(s);
	turns(s, 10);
	assert_int_equal(done(s), 1);
	APPLIED(s, "INCR k3");
	scene_free(s);
}

static void refused_connection_is_tried_again_with_growing_pauses(void **state)
{
	struct scene *s = scene_new();
	s->loop.refuse = true;
	turns(s, 10000); // 10 s
	assert_in_range(s->loop.n_connects, 5, 20);
	assert_int_equal(s->loop.n_closes, s->loop.n_connects);
	s->loop.refuse = false;
	open_lane(s);
	scene_free(s);
}

static void wish_to_close_gives_every_batch_back(void **state)
{
	struct scene *s = scene_new();
	uint32_t handle;
	unsigned n = 0;
	open_lane(s);
	s->server.mute = true;
	GIVE(s, true, true, SET_K1);
	GIVE(s, true, true, SET_K2);
	turns(s, 3);
	lane_wish(s->lane, false);
	assert_false(lane_settled(s->lane));
	turn(s);
	assert_true(lane_settled(s->lane));
	while (ring_pop(&s->lane->from_lane, &handle))
		n++;
	assert_int_equal(n, 2);
	assert_int_equal(atomic_load(&s->lane->state), LANE_CLOSED);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_applied_in_order_with_their_marker),
		cmocka_unit_test(partial_writes_change_nothing),
		cmocka_unit_test(element_that_is_refused_is_parked),
		cmocka_unit_test(on_error_stop_ends_the_link),
		cmocka_unit_test(refused_batch_is_sent_again),
		cmocka_unit_test(refused_multi_is_never_a_success),
		cmocka_unit_test(refused_multi_that_passes_is_waited_for),
		cmocka_unit_test(commands_that_ran_without_their_multi_are_made_good),
		cmocka_unit_test(later_batch_that_was_applied_is_repeated_or_resynced),
		cmocka_unit_test(connection_lost_behind_a_refused_batch_loses_nothing),
		cmocka_unit_test(target_near_its_limit_gets_one_batch_at_a_time),
		cmocka_unit_test(wait_that_is_too_long_fails),
		cmocka_unit_test(lost_answer_is_settled_by_the_marker),
		cmocka_unit_test(giant_is_sent_again_after_a_lost_connection),
		cmocka_unit_test(target_that_lost_its_marker_is_looked_at_again),
		cmocka_unit_test(markers_are_read_once_the_other_lanes_are_open),
		cmocka_unit_test(greeting_that_is_lost_does_not_hide_the_connection_before),
		cmocka_unit_test(target_of_another_release_is_looked_at_again),
		cmocka_unit_test(old_release_tells_our_id_by_its_list),
		cmocka_unit_test(withheld_command_is_parked_before_its_batch),
		cmocka_unit_test(withheld_command_ends_a_link_that_stops_on_errors),
		cmocka_unit_test(epoch_is_not_known_before_it_is_drawn),
		cmocka_unit_test(garbage_is_not_taken_for_an_answer),
		cmocka_unit_test(readonly_target_is_left_and_looked_for_again),
		cmocka_unit_test(refused_connection_is_tried_again_with_growing_pauses),
		cmocka_unit_test(wish_to_close_gives_every_batch_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
