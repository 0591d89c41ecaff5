// SPDX-License-Identifier: BSD-3-Clause
// A target that runs into its maxmemory and evicts nothing: what the source deletes makes room, and
// the link goes on by itself, with every count exact.
#include "tests/e2e/harness.h"

#define OLD_KEYS 200
#define NEW_KEYS 100

static bool is_out_of_memory(const json_t *progress, const void *arg)
{
	const char *waiting = json_string_value(json_object_get(progress, "waiting"));
	return waiting && strstr(waiting, "out of memory (maxmemory)") &&
	       json_integer_value(json_object_get(progress, "wait_left_ms")) > 0;
}

static void strings_write(struct server *s, const char *prefix, unsigned n, size_t len)
{
	char *value = calloc(1, len);

	memset(value, 'v', len);
	for (unsigned i = 0; i < n; i++) {
		queue(s, "SET %s:%u %b", prefix, i, value, len);
		queue(s, "INCR count");
		queue(s, "RPUSH list %u", i);
	}
	queue_flush(s);
	free(value);
}

struct asked {
	struct server *source, *target;
	long long before, ours, more;
};

static bool lanes_have_asked(void *arg)
{
	struct asked *a = arg;
	for (unsigned i = 0; i < 40; i++) // something for every lane: they ask along with it
		queue(a->source, "INCR tick:%u", i);
	queue_flush(a->source);
	a->ours++;
	long long calls =
		atoll(strstr(info_text(a->target, "commandstats", "cmdstat_info"), "calls=") + 6);
	return calls - a->before - a->ours >= a->more;
}

// The lanes look once a second how much memory the target has.
static void wait_until_asked(struct server *source, struct server *target, const char *lanes)
{
	const char *stat = info_text(target, "commandstats", "cmdstat_info");
	struct asked a = {source, target, atoll(strstr(stat, "calls=") + 6), 0, 2 * atoll(lanes)};

	wait_until(lanes_have_asked, &a, "the lanes to ask for the target's memory");
}

// A link whose target has no room for what came after the first keys.
static struct job *full_target(struct world *w, struct server *source, struct server *target,
			       const char *lanes)
{
	struct job *j = sync_start(w, source->url, target->url, "--lanes", lanes, NULL);

	job_wait_phase(j, "stream");
	strings_write(source, "old", OLD_KEYS, 50000);
	for (unsigned i = 0; i < 1000; i++)
		queue(source, "SADD set member-%u-%0100u", i, i);
	job_wait_applied(j, source);
	run(target, "CONFIG SET maxmemory-policy noeviction");
	run(target, "CONFIG SET maxmemory %lld",
	    info_number(target, "memory", "used_memory") + 500000);
	wait_until_asked(source, target, lanes);
	strings_write(source, "new", NEW_KEYS, 20000);
	job_wait_for(j, is_out_of_memory, NULL, "the target to be out of memory");
	return j;
}

static void link_ends_equal(struct job *j, struct server *source, struct server *target)
{
	job_wait_applied(j, source);
	assert_string_equal(job_text(j, "waiting"), "");
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), 0);
	assert_int_equal(info_number(source, "stats", "sync_full"), 1);
	assert_int_equal(ask_number(target, "GET count"), OLD_KEYS + NEW_KEYS);
	assert_int_equal(ask_number(target, "LLEN list"), OLD_KEYS + NEW_KEYS);
}

static void deletes_make_room(struct world *w, const char *lanes)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = full_target(w, source, target, lanes);

	// What waits before them touches some of these keys, but not all.
	run(source, "DEL new:1 old:0");
	for (unsigned i = 1; i < OLD_KEYS; i++)
		queue(source, i % 2 ? "DEL old:%u" : "UNLINK old:%u", i);
	queue(source, "DEL new:5");
	queue_flush(source);
	link_ends_equal(j, source, target);
}

static void deletes_make_room_over_one_lane(struct world *w)
{
	deletes_make_room(w, "1");
}

static void deletes_make_room_over_four_lanes(struct world *w)
{
	deletes_make_room(w, "4");
}

// Deletes of members, of other databases, and within transactions.
static void removals_of_all_kinds_make_room(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = full_target(w, source, target, "1");

	for (unsigned i = 0; i < 1000; i++)
		queue(source, "SREM set member-%u-%0100u", i, i);
	for (unsigned i = 0; i < OLD_KEYS; i++) {
		queue(source, "MULTI");
		queue(source, "DEL old:%u", i);
		queue(source, "SREM set nothing");
		queue(source, "EXEC");
	}
	queue_flush(source);
	link_ends_equal(j, source, target);
}

// No delete comes: then somebody has to raise the limit, and that is enough.
static void without_deletes_the_limit_has_to_be_raised(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = full_target(w, source, target, "2");

	run(target, "CONFIG SET maxmemory 0");
	link_ends_equal(j, source, target);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(deletes_make_room_over_one_lane),
		E2E_TEST(deletes_make_room_over_four_lanes),
		E2E_TEST(removals_of_all_kinds_make_room),
		E2E_TEST(without_deletes_the_limit_has_to_be_raised),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
