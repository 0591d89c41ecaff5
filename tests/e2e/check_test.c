// SPDX-License-Identifier: BSD-3-Clause
// `flyover check` against real servers: what is equal in another encoding is equal, every kind of
// difference is found and named, and what is on its way is no difference.
#include "tests/e2e/harness.h"

#include <signal.h>

struct two {
	struct world *world;
	struct server *source, *target;
};

static struct two two_start(struct world *w)
{
	return (struct two){w, server_start(w, "source", NULL), server_start(w, "target", NULL)};
}

// A second server with the same data, made by the server itself.
static struct two two_replicated(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	return t;
}

static bool replica_is_there(void *arg)
{
	struct two *t = arg;
	return !strcmp(info_text(t->target, "replication", "master_link_status"), "up") &&
	       info_number(t->target, "replication", "slave_repl_offset") ==
		       server_offset(t->source);
}

static void replicate(struct two *t)
{
	run(t->target, "REPLICAOF 127.0.0.1 %d", t->source->port);
	wait_until(replica_is_there, t, "the replica to have everything");
	run(t->target, "REPLICAOF NO ONE");
}

// Run it with --json. @return its answer; the exit code has to fit to it
static json_t *check(struct two *t, const char *option)
{
	const char *arguments[] = {"check", t->source->url, t->target->url, "--json", option, NULL};
	struct job *j = job_start_argv(t->world, "flyover", arguments, NULL);
	int code = process_wait(j->process);
	char *out = process_stdout(j->process), *said = process_stderr(j->process);
	json_t *o = json_loads(out, 0, NULL);

	if (!json_is_object(o))
		fail_msg("exit code %d, '%s' '%s'", code, out, said);
	assert_int_equal(code, json_is_true(json_object_get(o, "equal")) ? 0 : 1);
	assert_string_equal(said, "");
	free(out);
	free(said);
	return o;
}

static long long number(const json_t *o, const char *field)
{
	assert_true(json_is_integer(json_object_get(o, field)));
	return json_integer_value(json_object_get(o, field));
}

static void assert_equal_with(struct two *t, const char *option)
{
	json_t *o = check(t, option);

	if (number(o, "differences"))
		fail_msg("%s: %s", option, json_dumps(o, 0));
	json_decref(o);
}

// Exactly one difference, of that kind and key.
static void assert_one(struct two *t, const char *option, const char *kind, const char *key)
{
	json_t *o = check(t, option);
	const json_t *first = json_array_get(json_object_get(o, "found"), 0);

	if (number(o, "differences") != 1 || number(o, kind) != 1)
		fail_msg("%s %s: %s", kind, key, json_dumps(o, 0));
	if (*key) {
		assert_string_equal(json_string_value(json_object_get(first, "key")), key);
		assert_string_equal(json_string_value(json_object_get(first, "reason")), kind);
	}
	json_decref(o);
}

static void a_replica_is_equal_in_every_mode(struct world *w)
{
	struct two t = two_replicated(w);
	long long keys = 0;

	dataset_load_big(t.source);
	replicate(&t);
	for (int db = 0; db < 16; db++)
		keys += keys_count(t.source, db);
	json_t *o = check(&t, "--mode=full");
	assert_int_equal(number(o, "differences"), 0);
	assert_int_equal(number(o, "keys"), keys);
	assert_int_equal(number(o, "rechecked"), 0);
	json_decref(o);
	assert_equal_with(&t, "--mode=length");
	assert_equal_with(&t, "--mode=keys");
}

static void write_both(struct two *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void write_both(struct two *t, const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	queue(t->source, command);
	queue(t->target, command);
}

// n elements each, in one order here and in the opposite there.
static void load_opposite(struct two *t, int n)
{
	for (int i = 0; i < n; i++) {
		struct server *servers[] = {t->source, t->target};
		for (int side = 0; side < 2; side++) {
			int k = side ? n - 1 - i : i;
			queue(servers[side], "HSET h:%d f%d v%d", n, k, k);
			queue(servers[side], "SADD s:%d m%d", n, k);
			queue(servers[side], "ZADD z:%d %d.5 m%d", n, k, k);
			queue(servers[side], "SADD i:%d %d", n, k);
		}
		write_both(t, "RPUSH l:%d e%d", n, i);
		write_both(t, "XADD x:%d %d-1 f v%d", n, i + 1, i);
	}
	queue_flush(t->source);
	queue_flush(t->target);
}

static void order_and_encoding_make_no_difference(struct world *w)
{
	struct two t = two_start(w);

	run(t.target, "CONFIG SET hash-max-listpack-entries 1");
	run(t.target, "CONFIG SET zset-max-listpack-entries 1");
	run(t.target, "CONFIG SET set-max-intset-entries 1");
	run(t.target, "CONFIG SET list-max-listpack-size 1");
	run(t.target, "CONFIG SET stream-node-max-entries 3");
	load_opposite(&t, 5);
	load_opposite(&t, 100);
	load_opposite(&t, 3000);
	run(t.source, "SET number 12345");
	run(t.target, "SET number 1234");
	run(t.target, "APPEND number 5");
	run(t.source, "SET empty \"\"");
	run(t.source, "SETRANGE empty 0 %b", "", (size_t)0);
	run(t.target, "SET empty \"\"");
	assert_equal_with(&t, "--mode=full");
}

struct change {
	const char *command, *mode, *kind, *key;
};

// Changes that one check can find together: those of the first one's mode, one for each key.
static uint64_t round_choose(const struct change *changes, unsigned n, uint64_t seen)
{
	uint64_t chosen = 0;
	const char *mode = NULL;

	for (unsigned i = 0; i < n; i++) {
		bool fits = !(seen >> i & 1) && (!mode || !strcmp(mode, changes[i].mode));
		for (unsigned k = 0; k < i; k++)
			fits &= !(chosen >> k & 1) || strcmp(changes[i].key, changes[k].key) != 0;
		if (!fits)
			continue;
		chosen |= 1ull << i;
		mode = changes[i].mode;
	}
	return chosen;
}

static bool is_found(const json_t *answer, const struct change *c)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "found"), i, one)
		if (!strcmp(json_string_value(json_object_get(one, "key")), c->key))
			return !strcmp(json_string_value(json_object_get(one, "reason")), c->kind);
	return false;
}

// All of them are found, and nothing else is.
static void round_run(struct two *t, const struct change *changes, uint64_t round)
{
	const char *mode = NULL;

	assert_equal_with(t, changes[__builtin_ctzll(round)].mode);
	for (uint64_t left = round; left; left &= left - 1) {
		run(t->target, changes[__builtin_ctzll(left)].command);
		mode = changes[__builtin_ctzll(left)].mode;
	}
	json_t *o = check(t, mode);
	for (uint64_t left = round; left; left &= left - 1)
		if (!is_found(o, &changes[__builtin_ctzll(left)]))
			fail_msg("%s: %s", changes[__builtin_ctzll(left)].command,
				 json_dumps(o, 0));
	assert_int_equal(number(o, "differences"), __builtin_popcountll(round));
	json_decref(o);
}

static void every_kind_of_difference_is_found_and_named(struct world *w)
{
	static const struct change changes[] = {
		{"HSET h:3000 f77 other", "--mode=full", "value", "h:3000"},
		{"HSET h:100 f77 other", "--mode=full", "value", "h:100"},
		{"SREM s:3000 m9", "--mode=full", "length", "s:3000"},
		{"SREM s:100 m9", "--mode=length", "length", "s:100"},
		{"SADD s:5 m9", "--mode=length", "length", "s:5"},
		{"ZADD z:3000 1.25 m9", "--mode=full", "value", "z:3000"},
		{"ZADD z:5 1.25 m3", "--mode=full", "value", "z:5"},
		{"LSET l:3000 2000 other", "--mode=full", "value", "l:3000"},
		{"LSET l:5 2 other", "--mode=full", "value", "l:5"},
		{"SETRANGE long 300000 y", "--mode=full", "value", "long"},
		{"SETRANGE chunk 4095 y", "--mode=full", "value", "chunk"},
		{"APPEND chunk y", "--mode=length", "length", "chunk"},
		{"SET short b", "--mode=full", "value", "short"},
		{"SET short ab", "--mode=length", "length", "short"},
		{"XDEL x:3000 2500-1", "--mode=full", "length", "x:3000"},
		{"XSETID x:5 99-1", "--mode=full", "groups", "x:5"},
		{"XGROUP SETID x:100 g 50-1", "--mode=full", "groups", "x:100"},
		{"XACK x:100 g 7-1", "--mode=full", "groups", "x:100"},
		{"XCLAIM x:100 g other 0 7-1", "--mode=full", "groups", "x:100"},
		{"XGROUP DESTROY x:100 g", "--mode=full", "groups", "x:100"},
		{"DEL short", "--mode=keys", "missing", "short"},
		{"DEL short", "--mode=full", "missing", "short"},
		{"DEL h:5", "--mode=full", "missing", "h:5"},
		{"SET only-here 1", "--mode=keys", "extra", "only-here"},
		{"SADD only-here 1", "--mode=full", "extra", "only-here"},
		{"EXPIRE short 5000", "--mode=full", "expiry", "short"},
		{"PERSIST fleeting", "--mode=full", "expiry", "fleeting"},
		{"EXPIRE fleeting 9999", "--mode=full", "expiry", "fleeting"},
	};
	struct two t = two_start(w);
	char *big = calloc(1, 500000);

	assert_non_null(big);
	load_opposite(&t, 5);
	load_opposite(&t, 100);
	load_opposite(&t, 3000);
	run(t.source, "SET short a");
	run(t.source, "SET long %b", big, (size_t)500000);
	run(t.source, "SET chunk %b", big, (size_t)4096);
	run(t.source, "SET fleeting 1 EX 1000");
	run(t.source, "XGROUP CREATE x:100 g 0");
	run(t.source, "XREADGROUP GROUP g c COUNT 20 STREAMS x:100 >");
	free(big);
	_Static_assert(sizeof(changes) / sizeof(*changes) <= 64, "a bit each");
	uint64_t seen = 0, all = (1ull << (sizeof(changes) / sizeof(*changes))) - 1;
	while (seen != all) {
		replicate(&t);
		uint64_t round = round_choose(changes, sizeof(changes) / sizeof(*changes), seen);
		round_run(&t, changes, round);
		seen |= round;
	}
}

static void another_type_is_a_difference_whichever_side_is_the_string(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1");
	run(t.target, "RPUSH a 1");
	assert_one(&t, "--mode=full", "type", "a");
	assert_one(&t, "--mode=length", "type", "a");
	assert_equal_with(&t, "--mode=keys");
	run(t.source, "DEL a");
	run(t.source, "SADD a 1");
	assert_one(&t, "--mode=full", "type", "a");
	run(t.target, "DEL a");
	run(t.target, "SET a 1");
	assert_one(&t, "--mode=full", "type", "a");
}

static void databases_and_odd_names_are_told_apart(struct world *w)
{
	struct two t = two_start(w);

	select_db(t.source, 5);
	select_db(t.target, 6);
	run(t.source, "SET %b 1", "a\0\n\xff\"", (size_t)5);
	run(t.target, "SET %b 1", "a\0\n\xff\"", (size_t)5);
	json_t *o = check(&t, "--mode=full");
	assert_int_equal(number(o, "missing"), 1);
	assert_int_equal(number(o, "extra"), 1);
	assert_int_equal(number(o, "databases"), 2);
	const json_t *first = json_array_get(json_object_get(o, "found"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "key")), "a\\x00\\n\\xff\\\"");
	assert_int_equal(number(first, "db"), 5);
	json_decref(o);
	const char *arguments[] = {"check", text("%s/5", t.source->url),
				   text("%s/6", t.target->url), NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 0);
}

static void our_own_keys_are_left_out(struct world *w)
{
	struct two t = two_start(w);

	run(t.target, "SET __flyover:{x}:0 1");
	run(t.source, "SET __flyover:{y}:0 1");
	json_t *o = check(&t, "--mode=full");
	assert_int_equal(number(o, "differences"), 0);
	assert_int_equal(number(o, "keys"), 0);
	json_decref(o);
}

static void a_key_whose_time_has_come_is_no_difference(struct world *w)
{
	struct two t = two_start(w);

	// Gone there, and about to go here: while it is still looked at, its time comes.
	run(t.source, "SET going 1 PX 700");
	run(t.target, "SET coming 1 PX 700");
	run(t.source, "SET staying 1 EX 100");
	json_t *o = check(&t, "--mode=full");
	assert_int_equal(number(o, "missing"), 1);
	assert_int_equal(number(o, "extra"), 0);
	assert_int_equal(number(o, "differences"), 1);
	json_decref(o);
}

static void functions_are_compared_in_full_mode(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "FUNCTION LOAD %s", function_library);
	assert_one(&t, "--mode=full", "functions", "");
	assert_equal_with(&t, "--mode=length");
	run(t.target, "FUNCTION LOAD %s", function_library);
	assert_equal_with(&t, "--mode=full");
}

// The target is scanned once all of the source has been compared.
static bool target_is_scanned(void *arg)
{
	redisReply *r = ask(arg, "INFO commandstats");
	bool is = strstr(r->str, "cmdstat_scan:") != NULL;

	freeReplyObject(r);
	return is;
}

// What is written while it is compared arrives at the target a little later.
static void writes_under_way_are_no_difference(struct world *w)
{
	struct two t = two_start(w);
	const char *arguments[] = {"check", t.source->url, t.target->url, "--json", NULL};

	dataset_load_strings(t.source, "key", 3000, 20);
	replicate(&t);
	run(t.source, "SET key:5 late");
	run(t.source, "RPUSH late 1 2 3");
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	wait_until(target_is_scanned, t.target, "the check to have seen the differences");
	run(t.target, "SET key:5 late");
	run(t.target, "RPUSH late 1 2 3");
	assert_int_equal(process_wait(j->process), 0);
	char *out = process_stdout(j->process);
	json_t *o = json_loads(out, 0, NULL);
	assert_int_equal(number(o, "rechecked"), 2);
	assert_int_equal(number(o, "differences"), 0);
	json_decref(o);
	free(out);
}

static void at_most_so_many_keys_are_shown(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 2500, 20);
	json_t *o = check(&t, "--show=7");
	assert_int_equal(number(o, "missing"), 2500);
	assert_int_equal(json_array_size(json_object_get(o, "found")), 7);
	json_decref(o);
	const char *arguments[] = {"check", t.source->url, t.target->url, "--show", "2", NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 1);
	char *out = process_stdout(j->process);
	assert_non_null(strstr(out, "db0 \"key:"));
	assert_non_null(strstr(out, "(2498 more)"));
	assert_non_null(strstr(out, "different: 2,500 of 2,500 keys: 2,500 missing"));
	free(out);
}

static void assert_check_refused(struct world *w, const char *source, const char *target, int code,
				 const char *word)
{
	const char *arguments[] = {"check", source, target, NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);

	assert_int_equal(process_wait(j->process), code);
	assert_one_sentence(j, word);
}

static void what_cannot_be_compared_is_refused_in_a_sentence(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct server *locked = server_start(w, "locked", "--requirepass", "right-password", NULL);
	struct fake *http = fake_start(w, fake_http, NULL);
	const char *closed = text("redis://127.0.0.1:%d", free_port());
	const char *wrong = text("redis://:wrong@127.0.0.1:%d", locked->port);

	assert_check_refused(w, closed, s->url, 4, "the source");
	assert_check_refused(w, s->url, closed, 4, "the target");
	assert_check_refused(w, s->url, "redis://no-such-host.invalid", 4, "no-such-host.invalid");
	assert_check_refused(w, s->url, locked->url, 4, "password");
	assert_check_refused(w, wrong, s->url, 4, "password");
	assert_check_refused(w, s->url, http->url, 4, "redis");
	assert_check_refused(w, "http://x", s->url, 3, "redis://");
	assert_check_refused(w, text("%s/9999", s->url), s->url, 1, "SELECT");
	run(locked, "SET a 1");
	run(locked, "ACL SETUSER reader on >pw ~* &* +@all -scan");
	assert_check_refused(w, text("redis://reader:pw@127.0.0.1:%d", locked->port), s->url, 4,
			     "scan");
	const char *arguments[] = {"check", s->url, s->url, "--mode=half", NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 2);
}

static void passwords_and_unix_sockets_work(struct world *w)
{
	const char *path = text("%s/s.sock", w->dir), *file = text("%s/secret", w->dir);
	struct server *source =
		server_start(w, "source", "--unixsocket", path, "--requirepass", "hush-1", NULL);
	struct server *target = server_start(w, "target", NULL);
	const char *environment[] = {"FLYOVER_TARGET_PASSWORD=hush-2", NULL};
	const char *arguments[] = {"check",
				   text("unix://%s", path),
				   text("redis://bob@127.0.0.1:%d", target->port),
				   "--source-password-file",
				   file,
				   NULL};

	run(target, "ACL SETUSER bob on >hush-2 ~* &* +@all");
	file_write(file, "hush-1\n", 7);
	run(source, "SET a 1");
	run(target, "SET a 1");
	struct job *j = job_start_argv(w, "flyover", arguments, environment);
	assert_int_equal(process_wait(j->process), 0);
	char *out = process_stdout(j->process);
	assert_string_equal(out, "equal: 1 keys in 1 database\n");
	free(out);
}

static void a_server_that_goes_away_ends_the_check(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *p = proxy_start(w, t.target->port);
	const char *arguments[] = {"check", t.source->url, p->url, NULL};

	dataset_load_strings(t.source, "key", 50000, 200);
	replicate(&t);
	proxy_stall(p, true);
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	server_kill(t.source);
	proxy_stall(p, false);
	assert_int_equal(process_wait(j->process), 4);
	assert_one_sentence(j, "the source");
}

static void names_and_expiries_alone_can_be_compared(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1 EX 5000");
	run(t.target, "SET a 2 EX 5000");
	run(t.source, "SET b 1");
	run(t.target, "SET b 1 EX 6000");
	assert_one(&t, "--mode=ttl", "expiry", "b");
	run(t.source, "SET only 1 EX 7000");
	run(t.target, "PERSIST b");
	assert_one(&t, "--mode=ttl", "missing", "only");
}

static const char *const apart[] = {
	"DEL string:raw",
	"APPEND string:zeros more",
	"SETRANGE big:string 4000000 other",
	"RPUSH list:small more",
	"LSET big:list 150000 other",
	"HSET big:hash f77777 other",
	"ZADD big:zset 1.5 a3",
	"SMOVE big:set set:texts a300",
	"XDEL big:stream 777-0",
	"XACK stream:groups first 3-0",
	"PERSIST ttl:hour",
	"RENAME hash:small hash:other",
};

// Differences of every kind, and keys of the target alone.
static struct two two_apart(struct world *w)
{
	struct two t = two_replicated(w);

	dataset_load_big(t.source);
	replicate(&t);
	for (unsigned i = 0; i < sizeof(apart) / sizeof(*apart); i++)
		run(t.target, apart[i]);
	select_db(t.target, 9);
	run(t.target, "FLUSHDB");
	select_db(t.target, 7);
	run(t.target, "SET extra:1 1");
	run(t.target, "RPUSH extra:2 1");
	run(t.target, "FUNCTION FLUSH");
	return t;
}

static void repair_makes_the_target_equal(struct world *w)
{
	struct two t = two_apart(w);
	long long in_nine = keys_count(t.source, 9);
	const char *arguments[] = {"check", t.source->url, t.target->url, "--json", "--repair",
				   NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);

	assert_int_equal(process_wait(j->process), 1); // the extra ones stay
	char *out = process_stdout(j->process);
	json_t *o = json_loads(out, 0, NULL);
	assert_int_equal(number(o, "missing"), in_nine + 2);
	assert_int_equal(number(o, "extra"), 3); // one of them renamed
	assert_int_equal(number(o, "differences") - number(o, "repaired"), 3);
	assert_string_equal(json_string_value(json_object_get(o, "result")), "different");
	json_decref(o);
	free(out);
	o = check(&t, "--repair-extra");
	assert_int_equal(number(o, "differences"), 3);
	assert_string_equal(json_string_value(json_object_get(o, "result")), "repaired");
	json_decref(o);
	assert_same_data(t.source, t.target);
}

// With a user who may read the target only, nothing is repaired, and that is said.
static void repair_says_what_it_could_not_do(struct world *w)
{
	struct two t = two_start(w);
	const char *reader = text("redis://reader:pw@127.0.0.1:%d", t.target->port);
	const char *arguments[] = {"check", t.source->url, reader, "--repair", NULL};

	run(t.source, "SET a 1");
	run(t.target, "ACL SETUSER reader on >pw ~* &* +@read +@connection +info +function");
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 4);
	assert_one_sentence(j, "NOPERM");
	assert_int_equal(ask_number(t.target, "EXISTS a"), 0);
}

static bool second_round_is_told(void *arg)
{
	char *out = process_stdout(arg);
	bool told = strstr(out, "\"round\":2") != NULL;

	free(out);
	return told;
}

static void a_continuous_check_tells_every_round(struct world *w)
{
	struct two t = two_start(w);
	const char *arguments[] = {"check",        t.source->url,    t.target->url, "--json",
				   "--continuous", "--interval=10ms", NULL};

	run(t.source, "SET a 1");
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	wait_until(second_round_is_told, j->process, "a second round");
	process_signal(j->process, SIGINT);
	assert_int_equal(process_wait(j->process), 1);
	run(t.target, "SET a 1");
	j = job_start_argv(w, "flyover", arguments, NULL);
	wait_until(second_round_is_told, j->process, "a second round");
	process_signal(j->process, SIGTERM);
	assert_int_equal(process_wait(j->process), 0);
}

static void a_check_keeps_to_its_limit(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 1000, 20);
	replicate(&t);
	json_t *o = check(&t, "--max-keys-per-s=2000");
	assert_true(number(o, "ms") >= 700); // twice a thousand keys, less what is in the bucket
	json_decref(o);
	o = check(&t, "--max-bytes-per-s=40KB");
	assert_true(number(o, "ms") >= 300);
	json_decref(o);
}

// Far more differences than are kept at once.
static void a_target_that_has_nothing_is_told_in_full(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 300000, 20);
	json_t *o = check(&t, "--mode=full");
	assert_int_equal(number(o, "missing"), 300000);
	json_decref(o);
	struct two back = {w, t.target, t.source};
	o = check(&back, "--mode=full");
	assert_int_equal(number(o, "extra"), 300000);
	json_decref(o);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_replica_is_equal_in_every_mode),
		E2E_TEST(order_and_encoding_make_no_difference),
		E2E_TEST(every_kind_of_difference_is_found_and_named),
		E2E_TEST(another_type_is_a_difference_whichever_side_is_the_string),
		E2E_TEST(databases_and_odd_names_are_told_apart),
		E2E_TEST(our_own_keys_are_left_out),
		E2E_TEST(a_key_whose_time_has_come_is_no_difference),
		E2E_TEST(functions_are_compared_in_full_mode),
		E2E_TEST(writes_under_way_are_no_difference),
		E2E_TEST(at_most_so_many_keys_are_shown),
		E2E_TEST(what_cannot_be_compared_is_refused_in_a_sentence),
		E2E_TEST(passwords_and_unix_sockets_work),
		E2E_TEST(a_server_that_goes_away_ends_the_check),
		E2E_TEST(names_and_expiries_alone_can_be_compared),
		E2E_TEST(repair_makes_the_target_equal),
		E2E_TEST(repair_says_what_it_could_not_do),
		E2E_TEST(a_continuous_check_tells_every_round),
		E2E_TEST(a_check_keeps_to_its_limit),
		E2E_TEST(a_target_that_has_nothing_is_told_in_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
