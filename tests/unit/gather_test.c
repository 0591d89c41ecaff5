// SPDX-License-Identifier: BSD-3-Clause
// Keys of a cluster that are read for a command over several slots: redirects, lost connections,
// refusals.
#include "dataplane/apply/slot_marker.h"
#include "dataplane/route/gather.h"
#include "tests/unit/fake_stream.h"
#include "tests/unit/test.h"

#define ID_A      "7f3f1eca8e8fba43ee3e479e9872d7abe1d07846"
#define ID_B      "7c3f6565bf1916000a3fc4f6d539e83d38f47d2b"
#define SECOND_NS 1000000000ull

// What comes before the answers of a transaction, and when there are none.
#define RAN1    "+OK\r\n+QUEUED\r\n*1\r\n"
#define RAN2    "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n"
#define RAN3    "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n"
#define ABORTED "-EXECABORT Transaction discarded because of previous errors.\r\n"

// A owns the slots below 8000, so that of "b" (3300); B the others, so that of "a" (15495).
struct scene {
	struct fake_loop loop;
	struct core core;
	struct link_config config;
	struct cluster_topology *topology;
	struct gather gather;
	uint64_t deadline;
};

static void bulk(struct scene *s, const char *text)
{
	char out[1024];
	int n = snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
	fake_reply(&s->loop, out, (size_t)n);
}

static void say(struct scene *s, const char *resp)
{
	fake_reply(&s->loop, resp, strlen(resp));
}

static void map_learn(struct scene *s)
{
	uint64_t deadline = NO_DEADLINE;
	cluster_topology_turn(s->topology, &fake_now, &deadline);
	bulk(s, "cluster_state:ok\r\ncluster_current_epoch:1\r\n");
	bulk(s, ID_A " 10.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-7999\n" ID_B
		     " 10.0.0.2:7002@17002 master - 0 0 2 connected 8000-16383\n");
	say(s, "*0\r\n");
	cluster_topology_turn(s->topology, &fake_now, &deadline);
	assert_non_null(cluster_topology_map(s->topology));
}

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	fake_loop_init(&s->loop);
	s->core.loop = &s->loop.base;
	settings_default(&s->config.settings);
	strcpy(s->config.state_dir, "/tmp");
	s->config.target.kind = URL_CLUSTER;
	s->config.target.n_nodes = 1;
	strcpy(s->config.target.nodes[0].host, "10.0.0.1");
	s->config.target.nodes[0].port = 7001;
	s->topology = cluster_topology_new(&s->core, &s->config.target);
	map_learn(s);
	s->loop.n_out = 0;
	gather_init(&s->gather, &s->core, &s->config, s->topology);
	return s;
}

static void scene_free(struct scene *s)
{
	gather_fini(&s->gather);
	cluster_topology_free(s->topology);
	assert_int_equal(s->loop.n_closes, s->loop.n_connects);
	free(s);
}

// What is asked in this turn, and where. Bytes as words, commands parted by '|'.
static void assert_asks(struct scene *s, const char *host, const char *questions)
{
	char text[1024], *to = text;
	s->loop.n_out = 0;
	s->deadline = NO_DEADLINE;
	gather_turn(&s->gather, &fake_now, &s->deadline);
	for (size_t i = 0; i < s->loop.n_out;) {
		const char *line = s->loop.out + i, *end = memchr(line, '\n', s->loop.n_out - i);
		size_t len = (size_t)(end - line) + 1;
		if (*line == '*')
			to += sprintf(to, "%s", to == text ? "" : "|");
		else if (*line != '$')
			to += sprintf(to, "%s%.*s", to == text || to[-1] == '|' ? "" : " ",
				      (int)len - 2, line);
		i += len;
	}
	*to = 0;
	assert_string_equal(text, questions);
	if (*questions)
		assert_string_equal(s->loop.host, host);
}

static const struct gather_fence no_fence;

static void ask(struct scene *s, const char *key, enum gather_how how, bool expiretime)
{
	gather_drop(&s->gather);
	assert_int_equal(gather_add(&s->gather, span_of(key), 0, how), 0);
	gather_ask(&s->gather, expiretime, &no_fence);
}

static void assert_value(struct scene *s, unsigned i, const char *value, int64_t expire_at_ms)
{
	const struct gather_key *k = &s->gather.keys[i];
	assert_true(k->exists);
	assert_int_equal(k->value_len, strlen(value));
	assert_memory_equal(k->value, value, k->value_len);
	assert_int_equal(k->expire_at_ms, expire_at_ms);
}

static void values_come_with_their_expiry(void **state)
{
	struct scene *s = scene_new();
	ask(s, "a", GATHER_VALUE, true);
	assert_asks(s, "10.0.0.2", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, RAN2 ":4102444800000\r\n$7\r\npayload\r\n");
	assert_asks(s, "", "");
	assert_int_equal(s->gather.state, GATHER_READY);
	assert_value(s, 0, "payload", 4102444800000);
	ask(s, "a", GATHER_VALUE, true); // by the same connection
	assert_asks(s, "10.0.0.2", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, RAN2 ":-1\r\n$1\r\np\r\n");
	assert_asks(s, "", "");
	assert_value(s, 0, "p", -1);
	ask(s, "a", GATHER_VALUE, false); // before 7.0
	assert_asks(s, "10.0.0.2", "MULTI|TIME|PTTL a|DUMP a|EXEC");
	say(s, RAN3 "*2\r\n$4\r\n1700\r\n$4\r\n3000\r\n:5000\r\n$1\r\np\r\n");
	assert_asks(s, "", "");
	assert_value(s, 0, "p", 1700003 + 5000);
	assert_int_equal(s->loop.n_connects, 2); // the map's, and this
	scene_free(s);
}

static void keys_of_several_nodes_one_after_the_other(void **state)
{
	struct scene *s = scene_new();
	static char large[200000];
	char head[32];
	memset(large, 'v', sizeof(large));
	gather_add(&s->gather, SPAN_LIT("a"), 1, GATHER_VALUE);
	gather_add(&s->gather, SPAN_LIT("b"), 2, GATHER_FIRST);
	gather_add(&s->gather, SPAN_LIT("{b}"), 3, GATHER_LAST);
	gather_ask(&s->gather, true, &no_fence);
	assert_asks(s, "10.0.0.2", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, RAN2 ":-2\r\n$-1\r\n"); // it is not there
	assert_asks(s, "10.0.0.1", "MULTI|LINDEX b 0|EXEC");
	say(s, RAN1);
	fake_reply(&s->loop, head, (size_t)sprintf(head, "$%zu\r\n", sizeof(large)));
	fake_reply(&s->loop, large, sizeof(large));
	say(s, "\r\n");
	assert_asks(s, "10.0.0.1", "MULTI|LINDEX {b} -1|EXEC");
	say(s, RAN1 "-WRONGTYPE no list\r\n");
	assert_asks(s, "", "");
	assert_int_equal(s->gather.state, GATHER_READY);
	assert_false(s->gather.keys[0].exists);
	assert_true(s->gather.keys[1].exists);
	assert_int_equal(s->gather.keys[1].value_len, sizeof(large));
	assert_memory_equal(s->gather.keys[1].value, large, sizeof(large));
	assert_true(s->gather.keys[1].in_file);
	assert_false(s->gather.keys[2].exists);
	scene_free(s);
}

// The marker of the slot, as the node of a lane of the life `run` would have it.
static void marker_answer(struct scene *s, uint64_t run, uint64_t offset, const char *element)
{
	struct slot_marker m = {.marker = {.offset = offset, .run = run, .epoch = 1, .seq = 7},
				.last_slot = 16383,
				.node = ID_B};
	char set[SLOT_MARKER_SET_LEN];
	strcpy(m.marker.site, "here");
	strcpy(m.marker.replid, ID_A);
	m.marker.phase = MARKER_STREAM;
	size_t len = slot_marker_set(set, SPAN_LIT("k"), &m);
	const char *value = strstr(set, "k\r\n$") + 3;
	say(s, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n");
	fake_reply(&s->loop, value, len - (size_t)(value - set));
	bulk(s, element);
}

// A replica took over that has not got all of it, and the lanes do not know yet.
static void a_node_that_went_back_is_not_believed(void **state)
{
	static const struct gather_fence fence = {42, 1000};
	static const uint64_t others[][2] = {{42, 999}, {41, 1000}, {42, 1001}};
	struct scene *s = scene_new();
	char questions[200];
	snprintf(questions, sizeof(questions), "MULTI|GET __flyover:{%s}:dc|LINDEX a -1|EXEC",
		 cluster_tag(15495));
	strcpy(s->config.name, "dc");
	gather_add(&s->gather, SPAN_LIT("a"), 0, GATHER_LAST);
	gather_ask(&s->gather, true, &fence);
	for (unsigned i = 0; i < 4; i++) {
		assert_asks(s, "10.0.0.2", questions);
		if (i < 3)
			marker_answer(s, others[i][0], others[i][1], "old");
		else
			say(s, RAN2 "$-1\r\n$3\r\nold\r\n");
		assert_asks(s, "", "");
		assert_int_equal(s->gather.state, GATHER_ASKING);
		assert_false(s->gather.keys[0].exists);
		assert_non_null(strstr(s->gather.waiting, "does not hold"));
		fake_now.mono_ns = s->deadline;
	}
	assert_asks(s, "10.0.0.2", questions);
	marker_answer(s, 42, 1000, "new");
	assert_asks(s, "", "");
	assert_int_equal(s->gather.state, GATHER_READY);
	assert_value(s, 0, "new", -1);
	scene_free(s);
}

static void redirects_are_followed(void **state)
{
	struct scene *s = scene_new();
	ask(s, "a", GATHER_VALUE, true);
	assert_asks(s, "10.0.0.2", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n-MOVED 15495 10.0.0.3:7003\r\n-MOVED 15495 10.0.0.3:7003\r\n" ABORTED);
	assert_asks(s, "10.0.0.3", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n-ASK 15495 10.0.0.4:7004\r\n-ASK 15495 10.0.0.4:7004\r\n" ABORTED);
	assert_asks(s, "10.0.0.4", "ASKING|MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n" RAN2 ":-1\r\n$1\r\np\r\n");
	assert_asks(s, "", "");
	assert_value(s, 0, "p", -1);
	// The key moves between both questions.
	ask(s, "a", GATHER_VALUE, true);
	assert_asks(s, "10.0.0.2", "MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n+QUEUED\r\n-ASK 15495 10.0.0.4:7004\r\n" ABORTED);
	assert_asks(s, "10.0.0.4", "ASKING|MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n" RAN2 ":-1\r\n$1\r\nq\r\n");
	assert_asks(s, "", "");
	assert_value(s, 0, "q", -1);
	scene_free(s);
}

static void nodes_that_send_us_round_are_left_for_a_while(void **state)
{
	struct scene *s = scene_new();
	ask(s, "a", GATHER_LAST, true);
	for (unsigned i = 0; !s->gather.retry_at_ns; i++) {
		assert_true(i < 100);
		gather_turn(&s->gather, &fake_now, &s->deadline);
		say(s, "+OK\r\n-MOVED 15495 10.0.0.3:7003\r\n" ABORTED);
	}
	assert_non_null(strstr(s->gather.waiting, "slot 15495"));
	scene_free(s);
}

static void what_passes_is_waited_out(void **state)
{
	static const char *const errors[] = {"-LOADING x\r\n", "-CLUSTERDOWN x\r\n",
					     "-TRYAGAIN x\r\n", "-MASTERDOWN x\r\n"};
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]) + 1; i++) {
		struct scene *s = scene_new();
		ask(s, "a", GATHER_FIRST, true);
		assert_asks(s, "10.0.0.2", "MULTI|LINDEX a 0|EXEC");
		if (i < sizeof(errors) / sizeof(errors[0]))
			say(s, errors[i]);
		else
			fake_lose(&s->loop);
		assert_asks(s, "", "");
		assert_int_equal(s->gather.state, GATHER_ASKING);
		assert_true(s->deadline > fake_now.mono_ns && s->deadline != NO_DEADLINE);
		assert_true(s->gather.waiting[0]);
		fake_now.mono_ns = s->deadline;
		assert_asks(s, "10.0.0.2", "MULTI|LINDEX a 0|EXEC");
		say(s, RAN1 "$1\r\nx\r\n");
		assert_asks(s, "", "");
		assert_int_equal(s->gather.state, GATHER_READY);
		assert_string_equal(s->gather.waiting, "");
		scene_free(s);
	}
}

static void waiting_has_an_end(void **state)
{
	struct scene *s = scene_new();
	s->config.settings.wait_timeout = 2000;
	uint64_t begin = fake_now.mono_ns;
	ask(s, "a", GATHER_FIRST, true);
	while (s->gather.state == GATHER_ASKING) {
		s->deadline = NO_DEADLINE;
		gather_turn(&s->gather, &fake_now, &s->deadline);
		if (s->gather.state == GATHER_ASKING && asker_is_open(&s->gather.asker))
			say(s, "-CLUSTERDOWN x\r\n");
		else if (s->deadline != NO_DEADLINE)
			fake_now.mono_ns = s->deadline;
	}
	assert_int_equal(s->gather.state, GATHER_FAILED);
	assert_int_equal(s->gather.error, ERROR_DEADLINE);
	assert_in_range(fake_now.mono_ns - begin, 2 * SECOND_NS, 4 * SECOND_NS);
	scene_free(s);
}

static void a_right_that_is_missing_ends_it(void **state)
{
	struct scene *s = scene_new();
	s->config.target.has_password = 1;
	strcpy(s->config.target.user, "bob");
	strcpy(s->config.target.password, "secret");
	ask(s, "a", GATHER_VALUE, true);
	assert_asks(s, "10.0.0.2", "AUTH bob secret|MULTI|PEXPIRETIME a|DUMP a|EXEC");
	say(s, "+OK\r\n+OK\r\n+QUEUED\r\n-NOPERM this user has no permissions to run the 'dump' "
	       "command\r\n");
	assert_asks(s, "", "");
	assert_int_equal(s->gather.state, GATHER_FAILED);
	assert_int_equal(s->gather.error, ERROR_NOPERM);
	assert_non_null(strstr(s->gather.text, "ACL SETUSER bob +dump"));
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_with_their_expiry),
		cmocka_unit_test(keys_of_several_nodes_one_after_the_other),
		cmocka_unit_test(a_node_that_went_back_is_not_believed),
		cmocka_unit_test(redirects_are_followed),
		cmocka_unit_test(nodes_that_send_us_round_are_left_for_a_while),
		cmocka_unit_test(what_passes_is_waited_out),
		cmocka_unit_test(waiting_has_an_end),
		cmocka_unit_test(a_right_that_is_missing_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
