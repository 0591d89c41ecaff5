// SPDX-License-Identifier: BSD-3-Clause
// Order and count: many writers leave sequences in which any reorder, loss or repeat shows, and
// commands over several keys freeze what those keys held at their moment.
#include "tests/e2e/harness.h"

#define WRITERS 8
#define STEPS   600

// Step i of a writer: its own sequences, and commands that read what other writers write.
static void writer_step(struct server *s, unsigned me, unsigned i)
{
	unsigned other = (me + 1 + i % (WRITERS - 1)) % WRITERS;

	queue(s, "APPEND text:%u %u,", me, i);
	queue(s, "RPUSH list:%u %u", me, i);
	queue(s, "INCR counter:%u", me);
	queue(s, "SADD set:%u %u", me, i);
	queue(s, "HINCRBY hash:%u f%u %u", me, i % 3, i);
	queue(s, "MSET last:%u %u last:%u %u shared %u-%u", me, i, other, i, me, i);
	switch (i % 10) {
	case 1:
		queue(s, "SUNIONSTORE union:%u:%u set:%u set:%u", me, i, me, other);
		break;
	case 3:
		queue(s, "RPOPLPUSH list:%u list:%u", other, me);
		break;
	case 4:
		queue(s, "COPY text:%u copy:%u:%u", other, me, i);
		break;
	case 5:
		queue(s, "EVAL %s 3 text:%u counter:%u seen:%u",
		      "redis.call('APPEND',KEYS[1],'('..redis.call('INCR',KEYS[2])..')')"
		      "redis.call('RPUSH',KEYS[3],redis.call('GET',KEYS[2]))",
		      other, me, me);
		break;
	case 6:
		queue(s, "BITOP OR bits:%u:%u text:%u text:%u", me, i, me, other);
		break;
	case 7:
		queue(s, "MULTI");
		queue(s, "APPEND text:%u <%u", me, i);
		queue(s, "APPEND text:%u %u>", other, i);
		queue(s, "LMOVE list:%u list:%u LEFT LEFT", me, other);
		queue(s, "EXEC");
		break;
	case 8:
		queue(s, "SET moved:%u %u", me, i);
		queue(s, "APPEND moved:%u x", me);
		queue(s, "RENAME moved:%u renamed:%u", me, other);
		queue(s, "APPEND renamed:%u y", other);
		break;
	case 9:
		queue(s, "SMOVE set:%u set:%u %u", me, other, i / 2);
		queue(s, "DEL seen:%u", other);
		break;
	}
}

// The writers take turns of a length that changes, so that the server serves them mixed.
static void writers_write(struct server *source)
{
	struct server writers[WRITERS];
	unsigned at[WRITERS] = {0};

	for (unsigned k = 0; k < WRITERS; k++) {
		writers[k] = (struct server){.world = source->world, .port = source->port};
		snprintf(writers[k].name, sizeof(writers[k].name), "writer %u", k);
		select_db(&writers[k], k == WRITERS - 1 ? 2 : 0);
	}
	for (unsigned turn = 0, busy = 1; busy; turn++) {
		busy = 0;
		for (unsigned k = 0; k < WRITERS; k++) {
			for (unsigned n = 1 + (turn * 7 + k * 3) % 13; n && at[k] < STEPS; n--)
				writer_step(&writers[k], k, at[k]++);
			int done = 0;
			while (!done)
				assert_int_equal(redisBufferWrite(writers[k].redis, &done),
						 REDIS_OK);
			busy |= at[k] < STEPS;
		}
	}
	for (unsigned k = 0; k < WRITERS; k++) {
		queue_flush(&writers[k]);
		redisFree(writers[k].redis);
	}
}

static void order_is_kept(struct world *w, const char *lanes, unsigned n_cores, const char *batch,
			  const char *inflight)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j =
		sync_start(w, source->url, target->url, "--lanes", lanes, "--cores", cores(n_cores),
			   "--batch-commands", batch, "--inflight-commands", inflight, NULL);

	job_wait_phase(j, "stream");
	writers_write(source);
	job_wait_applied(j, source);
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), 0);
}

static void order_is_kept_over_one_lane(struct world *w)
{
	order_is_kept(w, "1", 1, "128", "16384");
}

static void order_is_kept_over_four_lanes(struct world *w)
{
	order_is_kept(w, "4", 1, "128", "16384");
}

static void order_is_kept_over_four_lanes_on_two_cores(struct world *w)
{
	order_is_kept(w, "4", 2, "128", "16384");
}

static void order_is_kept_over_seven_lanes_in_small_batches(struct world *w)
{
	order_is_kept(w, "7", 2, "3", "16384");
}

static void order_is_kept_with_almost_nothing_in_flight(struct world *w)
{
	order_is_kept(w, "4", 2, "2", "4");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(order_is_kept_over_one_lane),
		E2E_TEST(order_is_kept_over_four_lanes),
		E2E_TEST(order_is_kept_over_four_lanes_on_two_cores),
		E2E_TEST(order_is_kept_over_seven_lanes_in_small_batches),
		E2E_TEST(order_is_kept_with_almost_nothing_in_flight),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
