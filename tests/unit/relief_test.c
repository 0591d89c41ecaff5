// SPDX-License-Identifier: BSD-3-Clause
// A lane whose target is out of memory: deletes that free some may overtake what waits for it.
#include "tests/unit/lane_scene.h"
#include "tests/unit/random.h"

#define DEL_K1   "*2\r\n$3\r\nDEL\r\n$2\r\nk1\r\n"
#define DEL_K3   "*2\r\n$3\r\nDEL\r\n$2\r\nk3\r\n"
#define DEL_K8   "*2\r\n$3\r\nDEL\r\n$2\r\nk8\r\n"
#define DEL_K9   "*2\r\n$3\r\nDEL\r\n$2\r\nk9\r\n"
#define SREM_K8  "*3\r\n$4\r\nSREM\r\n$2\r\nk8\r\n$1\r\na\r\n"
#define FLUSHALL "*1\r\n$8\r\nFLUSHALL\r\n"
#define PUBLISH  "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\nm\r\n"

// A target without memory gets the deletes that wait behind the writes, as far as nothing before
// them touches their keys; then everything in its order.
static void deletes_free_a_target_that_is_out_of_memory(void **state)
{
	struct scene *s = scene_new();
	char why[TEXT_LEN];
	open_lane(s);
	s->server.oom = 3;
	GIVE(s, true, false, INCR_K3, SET_K1);
	GIVE(s, true, true, DEL_K1, PUBLISH, DEL_K9);
	GIVE(s, true, true, SREM_K8, DEL_K8);
	turns(s, 200);
	assert_int_equal(done(s), 3);
	APPLIED(s, "DEL k9", "SREM k8", "DEL k8", "INCR k3", "SET k1", "DEL k1", "PUBLISH c",
		"DEL k9", "SREM k8", "DEL k8");
	assert_int_equal(counter_get(&s->counters.applied_commands), 7);
	shared_text_get(&s->lane->waiting, why);
	assert_string_equal(why, "");
	scene_free(s);
}

static void deletes_do_not_overtake_what_may_touch_their_keys(void **state)
{
	struct scene *s = scene_new();
	char why[TEXT_LEN];
	open_lane(s);
	s->server.oom = 3;
	GIVE(s, true, false, INCR_K3, DEL_K3, DEL_K9); // one
	GIVE(s, true, false, FLUSHALL, DEL_K8);
	turns(s, 3000);
	assert_int_equal(done(s), 0);
	APPLIED(s, "DEL k9"); // once, not at each try
	shared_text_get(&s->lane->waiting, why);
	assert_non_null(strstr(why, "out of memory"));
	assert_int_not_equal(s->lane->wait_deadline_ms, 0);
	// One that comes later is seen, too.
	s->server.oom = 0;
	turns(s, 3000);
	assert_int_equal(done(s), 2);
	APPLIED(s, "DEL k9", "INCR k3", "DEL k3", "DEL k9", "FLUSHALL ", "DEL k8");
	scene_free(s);
}

// ---- Any queue: with relief the target ends as it would have without

#define MODEL_KEYS 5

struct model {
	uint32_t sets[MODEL_KEYS];
	unsigned counters[MODEL_KEYS];
};

static void model_run(struct model *m, const char *line)
{
	char name[24] = "", key[24] = "", value[24] = "";
	sscanf(line, "%23s %23s %23s", name, key, value);
	unsigned k = (unsigned)(key[1] - '0') % MODEL_KEYS,
		 bit = *value ? 1u << (value[0] - 'a') % 8 : 0;
	if (!strcmp(name, "SADD"))
		m->sets[k] |= bit;
	else if (!strcmp(name, "SREM"))
		m->sets[k] &= ~bit;
	else if (!strcmp(name, "INCR"))
		m->counters[k]++;
	else if (!strcmp(name, "DEL"))
		m->sets[k] = m->counters[k] = 0;
	else if (!strcmp(name, "FLUSHALL"))
		memset(m, 0, sizeof(*m));
	else if (!strcmp(name, "SUNIONSTORE"))
		m->sets[k] = m->sets[(unsigned)(value[1] - '0') % MODEL_KEYS];
}

static void line_random(struct random *r, char *line, char *resp)
{
	static const char *const names[] = {"SADD", "SREM", "SREM", "INCR", "DEL", "DEL",
					    "SUNIONSTORE"};
	const char *name = names[random_below(r, sizeof(names) / sizeof(names[0]))];
	unsigned k = (unsigned)random_below(r, MODEL_KEYS);
	char member = (char)('a' + random_below(r, 4));
	if (!random_below(r, 60)) {
		strcpy(line, "FLUSHALL");
		strcpy(resp, FLUSHALL);
	} else if (name[1] == 'U') {
		unsigned from = (unsigned)random_below(r, MODEL_KEYS);
		sprintf(line, "%s k%u k%u", name, k, from);
		sprintf(resp, "*3\r\n$11\r\n%s\r\n$2\r\nk%u\r\n$2\r\nk%u\r\n", name, k, from);
	} else if (name[0] == 'S') {
		sprintf(line, "%s k%u %c", name, k, member);
		sprintf(resp, "*3\r\n$4\r\n%s\r\n$2\r\nk%u\r\n$1\r\n%c\r\n", name, k, member);
	} else {
		sprintf(line, "%s k%u", name, k);
		sprintf(resp, "*2\r\n$%zu\r\n%s\r\n$2\r\nk%u\r\n", strlen(name), name, k);
	}
}

static unsigned out_of_memory_once(struct random *r)
{
	static char resp[64][80];
	struct scene *s = scene_new();
	struct model in_order = {0}, as_it_was = {0};
	char line[80];
	open_lane(s);
	for (unsigned k = 0; k < MODEL_KEYS; k++) // something to remove from the beginning
		in_order.sets[k] = as_it_was.sets[k] = 15;
	s->server.oom = 1 + (unsigned)random_below(r, 4);
	unsigned n = 0, n_batches = 1 + (unsigned)random_below(r, 8);
	for (unsigned i = 0; i < n_batches; i++) {
		const char *commands[8] = {NULL};
		unsigned n_commands = 1 + (unsigned)random_below(r, 6);
		for (unsigned c = 0; c < n_commands; c++, n++) {
			line_random(r, line, resp[n]);
			model_run(&in_order, line);
			commands[c] = resp[n];
		}
		give(s, true, false, commands);
		if (!random_below(r, 3))
			turns(s, (unsigned)random_below(r, 100));
		if (!random_below(r, 20)) {
			fake_lose(&s->loop);
			turn(s);
			open_lane(s);
		}
	}
	turns(s, 100);
	unsigned early = s->server.n_log;
	s->server.oom = 0; // somebody raises maxmemory
	turns(s, 3000);
	assert_int_equal(done(s), n_batches);
	for (unsigned i = 0; i < s->server.n_log; i++)
		model_run(&as_it_was, s->server.log[i]);
	assert_memory_equal(&in_order, &as_it_was, sizeof(in_order));
	assert_int_equal(counter_get(&s->counters.applied_commands), n);
	scene_free(s);
	return early;
}

static void any_queue_ends_as_without_relief(void **state)
{
	struct random r = random_seeded(__func__);
	unsigned early = 0;
	for (int i = 0; i < 300; i++)
		early += out_of_memory_once(&r);
	assert_true(early > 100); // it did something
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deletes_free_a_target_that_is_out_of_memory),
		cmocka_unit_test(deletes_do_not_overtake_what_may_touch_their_keys),
		cmocka_unit_test(any_queue_ends_as_without_relief),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
