// SPDX-License-Identifier: BSD-3-Clause
// Streams to targets of older releases: what they do not know is said in their words, or parked.
#include "tests/e2e/harness.h"
#include "tests/e2e/write_commands.h"

#include <glob.h>

// A sync to a server that behaves as an older one.
struct pair {
	struct world *world;
	struct server *source, *target; // the target is the real server
	struct elder *elder;
	struct job *sync;
	const char *state;
};

static void pair_sync(struct pair *p, const char *option, const char *value)
{
	p->state = text("%s/state", p->world->dir);
	p->sync = job_start(p->world, "sync", p->source->url, p->elder->url, "--json",
			    "--state-dir", p->state, "--batch-commands", "16", option, value, NULL);
	job_wait_phase(p->sync, "stream");
}

static struct pair pair_start(struct world *w, const char *release)
{
	struct pair p = {
		.world = w,
		.source = server_start(w, "source", NULL),
		.target = server_start(w, "target", "--appendonly", "yes", NULL),
	};
	p.elder = elder_start(w, release, p.target->port);
	return p;
}

static bool data_are_the_same(void *arg)
{
	struct pair *p = arg;
	return !data_differences(p->source, p->target);
}

// The progress tells once a second what the target shows at once.
static void settle(struct pair *p)
{
	wait_until(data_are_the_same, p, "the target to hold what the source holds");
}

// What the rows of write_commands.h leave out: the same verbs with other words.
static const char *const more_commands[] = {
	"SET kept 1 EX 5000",
	"SET kept 2 KEEPTTL",
	"INCRBYFLOAT kept 0.5",
	"SET free 1",
	"SET free 2 KEEPTTL",
	"RPUSH ends a b c d e f g h",
	"LMOVE ends other RIGHT LEFT",
	"LMOVE ends other LEFT LEFT",
	"LMOVE ends other RIGHT RIGHT",
	"LMOVE ends ends RIGHT LEFT",
	"RPOP ends 2",
	"LPOP ends 99",
	"ZADD board 1 a 2 b 3 c 4 d 5 e",
	"EXPIRE board 5000",
	"ZADD board GT 1 a 9 b 7 new",
	"ZADD board LT CH 0 c 99 d",
	"ZADD board XX GT 50 nobody 60 a",
	"ZADD board NX 77 a 78 fresh",
	"ZADD board INCR 3 e",
	"ZADD board GT INCR 3 e",
	"ZRANGESTORE ranked board 1 3",
	"ZRANGESTORE ranked2 board (2 +inf BYSCORE LIMIT 1 2",
	"ZRANGESTORE ranked3 board +inf 0 BYSCORE REV LIMIT 0 3",
	"ZRANGESTORE ranked4 board 0 1 REV",
	"ZRANGESTORE ranked5 lex [a (c BYLEX",
	"ZRANGESTORE ranked5 nothing 0 -1",
	"SADD plain a c",
	"ZDIFFSTORE rest 2 board plain",
	"ZPOPMIN board 2",
	"ZPOPMAX board",
	"SADD from x",
	"EXPIRE from 6000",
	"COPY from to",
	"COPY from to DB 3",
	"COPY ends to REPLACE",
	"GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
	"GEOSEARCHSTORE near geo FROMMEMBER Palermo BYRADIUS 300 km DESC COUNT 1",
	"GEOSEARCHSTORE near2 geo FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST",
	"HSET wide a 1 b 2 c 3",
	"SET text hello PXAT 4102444800123",
	"EXPIRE text 9000 LT",
	"FLUSHDB ASYNC",
	"SET after 1",
	"UNLINK s set1",
	"MULTI",
	"SET in-multi 1 EX 700",
	"LMOVE l2 l3 LEFT LEFT",
	"GETDEL set2",
	"EXEC",
};

static const char *const stream_commands[] = {
	"XADD log 1-1 a 1", "XADD log 2-1 a 2", "XADD log 3-1 a 3", "XADD log 4-1 a 4",
	"XADD log MINID 2 5-1 a 5", "XADD log MINID = 3-1 6-1 a 6", "XADD log MAXLEN 3 7-1 a 7",
	"XTRIM log MINID 6-1", "XGROUP CREATE log g 0 ENTRIESREAD 1",
	"XGROUP CREATECONSUMER log g idle", "XREADGROUP GROUP g alice STREAMS log >",
	"XACK log g 6-1", "XADD log NOMKSTREAM * a 8", "XSETID log 99999999999999-1",
};

static void play(struct server *s, const char *const *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		freeReplyObject(ask(s, rows[i]));
	s->db = 0;
}

#define PLAY(s, rows) play(s, rows, sizeof(rows) / sizeof((rows)[0]))

// FLUSHDB in the middle would hide what came before it, so that is compared first.
static void play_more(struct pair *p)
{
	const size_t n = sizeof(more_commands) / sizeof(more_commands[0]);
	size_t flush = 0;

	while (strcmp(more_commands[flush], "FLUSHDB ASYNC") != 0)
		flush++;
	play(p->source, more_commands, flush);
	settle(p);
	play(p->source, more_commands + flush, n - flush);
}

static void assert_done(struct pair *p, long long parked)
{
	settle(p);
	assert_int_equal(job_drain(p->sync), 0);
	assert_books_balance(p->sync);
	assert_int_equal(job_number(p->sync, "parked"), parked);
	assert_same_data(p->source, p->target);
}

// How many lines of the parked file hold a text.
static unsigned parked_lines(struct pair *p, const char *holds)
{
	glob_t found;
	unsigned n = 0;
	const char *pattern = text("%s/links/*/parked.jsonl", p->state);

	if (glob(pattern, 0, NULL, &found))
		return 0;
	char *bytes = file_read(found.gl_pathv[0], NULL);
	globfree(&found);
	for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n"))
		n += strstr(line, holds) != NULL;
	free(bytes);
	return n;
}

// What a release before 7.0 keeps of a stream: not how many entries there ever were.
static void assert_same_log(struct pair *p)
{
	static const char *const questions[] = {"XRANGE log - +", "XPENDING log g - + 99"};

	job_wait_applied(p->sync, p->source);
	for (unsigned i = 0; i < 2; i++) {
		redisReply *ours = ask(p->source, questions[i]),
			   *theirs = ask(p->target, questions[i]);
		assert_true(ours->elements > 0);
		assert_int_equal(ours->elements, theirs->elements);
		for (size_t k = 0; k < ours->elements; k++)
			assert_string_equal(ours->element[k]->element[0]->str,
					    theirs->element[k]->element[0]->str);
		freeReplyObject(ours);
		freeReplyObject(theirs);
	}
	redisReply *consumers = ask(p->target, "XINFO CONSUMERS log g");
	assert_int_equal(consumers->elements, 2);
	freeReplyObject(consumers);
	run(p->source, "DEL log");
}

static void every_write_command_reaches(struct world *w, const char *release, const char *lanes)
{
	struct pair p = pair_start(w, release);

	pair_sync(&p, "--lanes", lanes);
	PLAY(p.source, write_commands);
	run(p.source, "DEL x y made z7"); // streams are another test's
	settle(&p);
	play_more(&p);
	PLAY(p.source, stream_commands);
	assert_same_log(&p);
	assert_done(&p, 0);
}

static void every_write_command_reaches_a_6_0(struct world *w)
{
	every_write_command_reaches(w, "redis 6.0.16", "1");
}

static void every_write_command_reaches_a_5_0(struct world *w)
{
	every_write_command_reaches(w, "redis 5.0.14", "4");
}

// Streams have no older form: each of their commands is parked, all else is equal.
static void what_a_4_0_cannot_hold_is_parked(struct world *w)
{
	struct pair p = pair_start(w, "redis 4.0.14");

	pair_sync(&p, NULL, NULL);
	PLAY(p.source, write_commands);
	run(p.source, "DEL x y made z7");
	play_more(&p);
	run(p.source, "XADD log 1-1 a b");
	run(p.source, "MULTI");
	run(p.source, "SET beside 1");
	run(p.source, "XADD log 2-1 a b");
	run(p.source, "EXEC");
	run(p.source, "FUNCTION LOAD %s", function_library);
	run(p.source, "FUNCTION FLUSH");
	run(p.source, "DEL log");
	job_wait_applied(p.sync, p.source);
	assert_true(parked_lines(&p, "XADD came with Redis 5.0, and the target is redis 4.0") > 10);
	assert_int_equal(parked_lines(&p, "FUNCTION LOAD came with Redis 7.0"), 1);
	assert_done(&p, parked_lines(&p, "\"phase\":\"stream\""));
	assert_int_equal(ask_number(p.target, "GET beside"), 1);
}

static void a_2_8_gets_its_own_words(struct world *w)
{
	static const char *const rows[] = {
		"SET a 1 EX 1000", "SET b 2", "SET b 3 KEEPTTL", "HSET h f 1 g 2 h 3",
		"ZADD z 1 a 2 b", "ZADD z NX 5 a 6 c", "ZADD z XX 7 b 8 d", "ZADD z INCR 1 a",
		"RPUSH l a b c d", "LMOVE l m LEFT LEFT", "LPOP l 2", "COPY h i", "UNLINK b",
		"SADD s a b c d", "SPOP s 2", "GETDEL s", "FLUSHALL ASYNC", "SET after 1",
	};
	struct pair p = pair_start(w, "redis 2.8.24");

	pair_sync(&p, NULL, NULL);
	play(p.source, rows, sizeof(rows) / sizeof(rows[0]) - 2);
	redisReply *dump = ask(p.source, "DUMP a");
	run(p.source, "RESTORE a 70000 %b REPLACE", dump->str, dump->len);
	run(p.source, "RESTORE c 0 %b", dump->str, dump->len);
	freeReplyObject(dump);
	settle(&p);
	play(p.source, rows + sizeof(rows) / sizeof(rows[0]) - 2, 2);
	run(p.source, "BITFIELD bits SET u8 0 255");
	job_wait_applied(p.sync, p.source);
	assert_int_equal(parked_lines(&p, "BITFIELD came with Redis 3.2"), 1);
	run(p.source, "DEL bits");
	assert_done(&p, 1);
}

static bool tells_of_swapdb(const json_t *progress, const void *arg)
{
	const char *why = json_string_value(json_object_get(progress, "full_sync"));
	return why && strstr(why, "SWAPDB");
}

static void a_full_sync_follows_what_nothing_else_can(struct world *w)
{
	struct pair p = pair_start(w, "redis 3.2.12");

	pair_sync(&p, NULL, NULL);
	select_db(p.source, 1);
	run(p.source, "SET of-one 1");
	select_db(p.source, 0);
	run(p.source, "SET of-none 1");
	run(p.source, "SWAPDB 0 1");
	run(p.source, "SET after 1");
	settle(&p);
	assert_int_equal(ask_number(p.target, "GET of-one"), 1);
	job_wait_for(p.sync, tells_of_swapdb, NULL, "the reason of the full sync");
	assert_done(&p, 0);
}

// @return exit code
static int parked_retry(struct pair *p, const char *target_url)
{
	struct job *j = job_start(p->world, "link", "parked", "retry", "--all", "--state-dir",
				  p->state, "--target", target_url, NULL);
	return process_wait(j->process);
}

// A payload that the target cannot load is parked; one that it can gets a footer that it takes.
static void payloads_are_worded_for_the_target(struct world *w)
{
	struct pair p = pair_start(w, "redis 6.2.14");

	pair_sync(&p, NULL, NULL);
	run(p.source, "SET text %s", "some text that is not short");
	run(p.source, "HSET hash f v");
	redisReply *text_dump = ask(p.source, "DUMP text"), *hash_dump = ask(p.source, "DUMP hash");
	run(p.source, "RESTORE text2 0 %b", text_dump->str, text_dump->len);
	run(p.source, "RESTORE hash2 0 %b", hash_dump->str, hash_dump->len);
	freeReplyObject(text_dump);
	freeReplyObject(hash_dump);
	job_wait_applied(p.sync, p.source);
	assert_string_equal(ask_text(p.target, "GET text2"), "some text that is not short");
	assert_int_equal(parked_lines(&p, "\"key\":\"hash2\",\"reason\":\"the target cannot load"),
			 1);
	assert_int_equal(job_drain(p.sync), 0);
	assert_books_balance(p.sync);
	assert_int_equal(parked_retry(&p, p.elder->url), 1);
	assert_int_equal(parked_retry(&p, p.target->url), 0); // it was upgraded
	assert_same_data(p.source, p.target);
}

static bool link_lags(const json_t *progress, const void *arg)
{
	return json_integer_value(json_object_get(progress, "lag_ms")) > 4000;
}

static bool expiry_is_its_own(void *arg)
{
	struct pair *p = arg;
	return ask_number(p->target, "PEXPIRETIME brief") ==
	       ask_number(p->source, "PEXPIRETIME brief");
}

// Held expiries are given back without PEXPIREAT .. XX, to keys that still have one.
static void expiries_are_held_for_a_6_0(struct world *w)
{
	struct pair p = pair_start(w, "redis 6.0.16");

	pair_sync(&p, NULL, NULL);
	run(p.source, "SET first 1");
	settle(&p);
	server_freeze(p.target);
	run(p.source, "INCR waits");
	job_wait_for(p.sync, link_lags, NULL, "the link to lag");
	run(p.source, "SET brief v PX 12900");
	run(p.source, "SET kept v PX 12900");
	run(p.source, "MSET kept 1");
	server_thaw(p.target);
	wait_until(expiry_is_its_own, &p, "the key to get its own expiry back");
	assert_int_equal(ask_number(p.target, "EXISTS brief"), 1);
	assert_int_equal(ask_number(p.target, "PTTL kept"), -1);
	run(p.source, "DEL brief");
	assert_done(&p, 0);
}

static void a_target_of_another_release_is_taken_over(struct world *w)
{
	struct pair p = pair_start(w, "redis 7.0.15");

	pair_sync(&p, NULL, NULL);
	run(p.source, "RPUSH l a b c d e f");
	run(p.source, "LMOVE l m LEFT LEFT");
	settle(&p);
	server_kill(p.target);
	run(p.source, "LMOVE l m RIGHT RIGHT");
	elder_becomes(p.elder, "redis 5.0.14");
	run(p.source, "COPY l n");
	server_start_again(p.target);
	run(p.source, "LMOVE l m LEFT RIGHT");
	assert_done(&p, 0);
}

// ---- Sources newer than any server here

static struct fake *newer_primary(struct world *w, const char *const *rows, size_t n)
{
	static const char empty[] = "REDIS0011\xff\0\0\0\0\0\0\0\0";
	struct fake *f = fake_start(w, fake_primary, NULL);
	char *stream = (char *)text("%65536s", ""), *at = stream;

	for (size_t i = 0; i < n; i++) {
		char *row = (char *)text("%s", rows[i]), *rest = NULL;
		const char *words[32];
		int argc = 0;
		for (char *word = strtok_r(row, " ", &rest); word;
		     word = strtok_r(NULL, " ", &rest))
			words[argc++] = word;
		at += sprintf(at, "*%d\r\n", argc);
		for (int k = 0; k < argc; k++)
			at += sprintf(at, "$%zu\r\n%s\r\n", strlen(words[k]), words[k]);
	}
	f->rdb = empty;
	f->rdb_len = sizeof(empty) - 1;
	f->stream = stream;
	f->stream_len = (size_t)(at - stream);
	return f;
}

static const char *const newer_commands[] = {
	"SELECT 0",
	"SET a 1 PXAT 4102444800000",
	"MSETEX 2 a 2 b 3 KEEPTTL",
	"MSETEX 2 c 4 d 5 PXAT 4102444800000",
	"DELEX d IFEQ 5",
	"HSETEX h FIELDS 2 f 1 g 2",
	"HSETEX h PXAT 4102444800000 FIELDS 1 e 1",
	"HPEXPIREAT h 4102444800000 FIELDS 1 f",
	"HGETDEL h FIELDS 1 g",
	"XADD x KEEPREF MAXLEN 9 1-1 a b",
	"XADD x IDMP p i 2-1 a b",
	"XGROUP CREATE x g 0",
	"XACKDEL x g KEEPREF IDS 1 1-1",
	"VADD v VALUES 2 0.1 0.2 e1",
	"BITOP DIFF bits a b",
};

static void newer_stream(struct world *w, const char *policy, long long parked, long long degraded)
{
	struct fake *f = newer_primary(w, newer_commands,
				       sizeof(newer_commands) / sizeof(newer_commands[0]));
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, f->url, target->url, "--field-ttl", policy, NULL);

	job_wait_number(j, "frontier_offset", 1000 + (long long)f->stream_len);
	assert_int_equal(ask_number(target, "GET a"), 2);
	assert_int_equal(ask_number(target, "PEXPIRETIME a"), 4102444800000);
	assert_int_equal(ask_number(target, "PEXPIRETIME b"), -1);
	assert_int_equal(ask_number(target, "PEXPIRETIME c"), 4102444800000);
	assert_int_equal(ask_number(target, "EXISTS d"), 0);
	assert_int_equal(ask_number(target, "HGET h f"), 1);
	assert_int_equal(ask_number(target, "HEXISTS h e"), degraded > 0);
	assert_int_equal(ask_number(target, "HEXISTS h g"), 0);
	assert_int_equal(ask_number(target, "XLEN x"), 1);
	assert_int_equal(ask_number(target, "EXISTS v bits"), 0);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), parked);
	assert_int_equal(job_number(j, "degraded"), degraded);
}

static void newer_commands_reach_a_7_0(struct world *w)
{
	newer_stream(w, "park", 4, 0);
}

static void expiries_of_fields_are_left_out_when_told_so(struct world *w)
{
	newer_stream(w, "drop", 2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_write_command_reaches_a_6_0),
		E2E_TEST(every_write_command_reaches_a_5_0),
		E2E_TEST(what_a_4_0_cannot_hold_is_parked),
		E2E_TEST(a_2_8_gets_its_own_words),
		E2E_TEST(a_full_sync_follows_what_nothing_else_can),
		E2E_TEST(payloads_are_worded_for_the_target),
		E2E_TEST(expiries_are_held_for_a_6_0),
		E2E_TEST(a_target_of_another_release_is_taken_over),
		E2E_TEST(newer_commands_reach_a_7_0),
		E2E_TEST(expiries_of_fields_are_left_out_when_told_so),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
