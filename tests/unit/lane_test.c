// SPDX-License-Identifier: BSD-3-Clause
// A lane against a small server inside the test: what is applied, in which order, how often.
#include <errno.h>

#include "tests/unit/fake_stream.h"
#include "dataplane/route/place.h"
#include "tests/unit/test.h"

#define APPLIED_MAX 256
#define MS_NS       1000000ull

// The server. It applies what it is sent and keeps markers; the test says what it refuses.
struct server {
	struct resp_stream *reader;
	bool in_multi, abort;
	char applied[APPLIED_MAX][64]; // "SET k1"
	unsigned n_applied;
	char queued[APPLIED_MAX][320]; // name, key and value of what stands in MULTI
	unsigned n_queued;
	char marker[320]; // "" none
	uint64_t epoch;
	const char *run_id;
	const char *multi_error, *queue_error, *exec_error, *element_error; // "" or the line
	const char *error_key; // queue_error and element_error are for this key
	bool mute;             // it applies but does not answer
	bool garbage;
	unsigned n_kills;
};

struct scene {
	struct link_config config;
	struct lane_counters counters;
	struct fake_loop loop;
	struct core core;
	struct lane *lane;
	struct park park;
	struct server server;
	unsigned n_parked;
	uint64_t seq;
};

static struct scene *current; // for the disk, which has no place for it

static int park_open(const char *path, struct disk_file **out)
{
	*out = (struct disk_file *)current;
	return 0;
}

static int park_append(struct disk_file *f, const void *bytes, size_t len)
{
	current->n_parked++;
	return 0;
}

static void park_close(struct disk_file *f)
{
}

static const struct disk_ops park_disk = {park_open, park_append, park_close};

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	settings_default(&s->config.settings);
	s->config.source.db = s->config.target.db = -1;
	strcpy(s->config.name, "scene");
	strcpy(s->config.target.host, "target");
	s->config.source.db = s->config.target.db = -1;
	fake_loop_init(&s->loop);
	s->core.clock = &fake_clock;
	s->core.loop = &s->loop.base;
	s->server.run_id = "1111111111111111111111111111111111111111";
	park_init(&s->park, &park_disk, "/state");
	s->lane = aligned_alloc(64, sizeof(*s->lane));
	memset(s->lane, 0, sizeof(*s->lane));
	assert_int_equal(lane_init(s->lane, 0, 1, s->lane, &s->config, &s->counters, &s->core,
				   &s->core, &s->park, 99),
			 0);
	lane_wish(s->lane, true);
	current = s;
	return s;
}

static void scene_free(struct scene *s)
{
	lane_fini(s->lane);
	park_fini(&s->park);
	resp_stream_free(s->server.reader);
	free(s->lane);
	free(s);
}

// ---- The server

static void say(struct scene *s, const char *text)
{
	if (!s->server.mute)
		fake_reply(&s->loop, text, strlen(text));
}

static void say_bulk(struct scene *s, const char *text)
{
	char out[400];
	if (*text)
		snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
	else
		snprintf(out, sizeof(out), "$-1\r\n");
	say(s, out);
}

static bool is_marker(const char *key)
{
	return !strncmp(key, "__flyover:{scene}:0-", 20);
}

static void command_apply(struct server *v, const char *name, const char *key, const char *value)
{
	if (is_marker(key))
		snprintf(v->marker, sizeof(v->marker), "%s", value);
	else if (strcmp(name, "SELECT") != 0)
		snprintf(v->applied[v->n_applied++], 64, "%.20s %.40s", name, key);
}

static bool is_for(const struct server *v, const char *key)
{
	return !v->error_key || !strcmp(v->error_key, key);
}

static void exec_do(struct scene *s)
{
	struct server *v = &s->server;
	char head[32], name[64], key[64], value[320];
	v->in_multi = false;
	if (v->abort || v->exec_error) {
		say(s, v->abort ? "-EXECABORT Transaction discarded because of previous errors.\r\n"
				: v->exec_error);
		return;
	}
	snprintf(head, sizeof(head), "*%u\r\n", v->n_queued);
	say(s, head);
	for (unsigned i = 0; i < v->n_queued; i++) {
		key[0] = value[0] = 0;
		sscanf(v->queued[i], "%63s %63s %319[^\n]", name, key, value);
		if (v->element_error && is_for(v, key)) {
			say(s, v->element_error);
			continue;
		}
		command_apply(v, name, key, value);
		say(s, !strcmp(name, "INCR") ? ":1\r\n" : "+OK\r\n");
	}
}

static void multi_take(struct scene *s, const char *name, const char *key, const char *value)
{
	struct server *v = &s->server;
	if (!strcmp(name, "EXEC")) {
		exec_do(s);
	} else if (v->queue_error && is_for(v, key)) {
		v->abort = true;
		say(s, v->queue_error);
	} else {
		snprintf(v->queued[v->n_queued++], 320, "%.63s %.63s %.180s", name, key, value);
		say(s, v->garbage ? "+WHAT\r\n" : "+QUEUED\r\n");
	}
}

static void hello_take(struct scene *s, const char *name, const char *key, unsigned argc)
{
	struct server *v = &s->server;
	char text[200];
	if (!strcmp(name, "INFO")) {
		snprintf(text, sizeof(text),
			 "redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n"
			 "run_id:%s\r\n",
			 v->run_id);
		say_bulk(s, text);
	} else if (!strcmp(name, "CLIENT") && !strcmp(key, "LIST")) {
		say_bulk(s, "id=5 name=flyover:scene:63 x\nid=4 name=flyover:scene:62 x\n"
			    "id=3 name=flyover:scene-2:1 x\nid=2 name= x\n");
	} else if (!strcmp(name, "CLIENT") && !strcmp(key, "ID")) {
		say(s, ":5\r\n");
	} else if (!strcmp(name, "MGET")) {
		snprintf(text, sizeof(text), "*%u\r\n", argc - 1);
		say(s, text);
		for (unsigned i = 1; i < argc; i++)
			say_bulk(s, argc == 3 && i == 2 ? v->marker : "");
	} else {
		v->n_kills += !strcmp(key, "KILL");
		say(s, !strcmp(name, "INCR") ? ":1\r\n" : "+OK\r\n");
	}
}

static void server_take(struct scene *s, const struct resp_frame *f, const char *p)
{
	struct server *v = &s->server;
	char w[3][320] = {"", "", ""};
	for (unsigned i = 0; i < f->argc && i < 3; i++)
		snprintf(w[i], sizeof(w[i]), "%.*s", (int)f->argv[i].len, p + f->argv[i].at);
	bool hello = atomic_load(&s->lane->state) != LANE_READY;
	if (!strcmp(w[0], "MULTI")) {
		v->in_multi = !(v->multi_error && !hello);
		v->n_queued = 0;
		v->abort = false;
		say(s, v->in_multi ? "+OK\r\n" : v->multi_error);
	} else if (v->in_multi) {
		multi_take(s, w[0], w[1], w[2]);
	} else if (!strcmp(w[0], "EXEC")) {
		say(s, "-ERR EXEC without MULTI\r\n");
	} else if (hello) {
		hello_take(s, w[0], w[1], f->argc);
	} else if (v->queue_error && is_for(v, w[1])) {
		say(s, v->queue_error);
	} else {
		command_apply(v, w[0], w[1], w[2]);
		say(s, "+OK\r\n");
	}
}

// Everything that was written and is whole.
static void server_run(struct scene *s)
{
	struct resp_frame f;
	size_t at = 0;
	resp_stream_free(s->server.reader);
	s->server.reader = resp_stream_new(0);
	resp_stream_feed(s->server.reader, s->loop.out, s->loop.n_out);
	while (resp_stream_next(s->server.reader, &f) == RESP_OK) {
		server_take(s, &f, s->loop.out + f.begin);
		at = f.end;
	}
	memmove(s->loop.out, s->loop.out + at, s->loop.n_out - at);
	s->loop.n_out -= at;
}

// ---- The lane

static void turn(struct scene *s)
{
	uint64_t deadline = NO_DEADLINE;
	fake_now.mono_ns += MS_NS;
	fake_now.wall_ms++;
	lane_turn(s->lane, &fake_now, &deadline);
	assert_true(deadline == NO_DEADLINE || deadline > 0);
}

static void turns(struct scene *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		turn(s);
		if (!s->loop.lost)
			server_run(s);
	}
}

static void open_lane(struct scene *s)
{
	for (int i = 0; i < 5000 && atomic_load(&s->lane->state) != LANE_READY; i++)
		turns(s, 1);
	assert_int_equal(atomic_load(&s->lane->state), LANE_READY);
}

// A batch of commands, each a whole text of RESP that outlives it.
static void give(struct scene *s, bool framed, bool idempotent, const char *const *commands)
{
	unsigned i = (unsigned)s->seq % LANE_BATCHES;
	struct batch *b = &s->lane->pool[i];
	s->seq++;
	batch_reset(b, s->seq, s->seq * 100, framed);
	for (; *commands; commands++) {
		batch_item_begin(b, s->seq * 100 + b->n_items, 0, ITEM_COMMAND);
		batch_refer(b, *commands, strlen(*commands));
		b->n_commands++;
	}
	b->idempotent = idempotent;
	b->marker = (struct marker){
		.epoch = 1, .site = "-", .phase = MARKER_STREAM, .offset = s->seq * 100 + 99};
	memset(b->marker.replid, 'a', 40);
	lane_push(s->lane, i);
}

#define SET_K1  "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$1\r\nv\r\n"
#define SET_K2  "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$1\r\nv\r\n"
#define INCR_K3 "*2\r\n$4\r\nINCR\r\n$2\r\nk3\r\n"
#define GIVE(s, framed, idempotent, ...)                                                           \
	give(s, framed, idempotent, (const char *const[]){__VA_ARGS__, NULL})

static uint64_t done(struct scene *s)
{
	return atomic_load(&s->lane->done_seq);
}

static void assert_applied(const struct scene *s, unsigned n, const char *const *lines)
{
	assert_int_equal(s->server.n_applied, n);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(s->server.applied[i], lines[i]);
}

#define APPLIED(s, ...)                                                                            \
	assert_applied(s, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),             \
		       (const char *const[]){__VA_ARGS__})

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
		cmocka_unit_test(later_batch_that_was_applied_is_repeated_or_resynced),
		cmocka_unit_test(wait_that_is_too_long_fails),
		cmocka_unit_test(lost_answer_is_settled_by_the_marker),
		cmocka_unit_test(target_that_lost_its_marker_is_looked_at_again),
		cmocka_unit_test(garbage_is_not_taken_for_an_answer),
		cmocka_unit_test(readonly_target_is_left_and_looked_for_again),
		cmocka_unit_test(refused_connection_is_tried_again_with_growing_pauses),
		cmocka_unit_test(wish_to_close_gives_every_batch_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
