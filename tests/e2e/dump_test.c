// SPDX-License-Identifier: BSD-3-Clause
// `flyover dump` of real servers: the file loads in a fresh server and holds the same, by either
// way, however the source saves, under live writes, and what a filter leaves of it.
#include <signal.h>
#include <sys/resource.h>

#include "tests/e2e/dump_rig.h"

static void check_says_equal(struct world *w, const char *source, const char *target)
{
	struct job *j = job_start(w, "check", source, target, NULL);

	if (process_wait(j->process)) {
		char *said = process_stdout(j->process);
		fail_msg("check: %s", said);
	}
}

static long long keys_all(struct server *s)
{
	long long n = 0;

	for (int db = 0; db < 16; db++)
		n += keys_count(s, db);
	return n;
}

static bool nobody_follows(void *arg)
{
	return info_number(arg, "replication", "connected_slaves") == 0;
}

static void dump_holds_every_type_and_encoding(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dump_dir_make(w);
	dataset_load(source);
	struct job *j = dump_start(w, source->url, NULL);
	dump_done(w, j);
	assert_string_equal(job_text(j, "way"), "replica");
	assert_int_equal(job_number(j, "keys"), keys_all(source));
	assert_int_equal(job_number(j, "rdb_version"), 10);
	assert_string_equal(job_text(j, "replid"),
			    info_text(source, "replication", "master_replid"));
	struct server *fresh = server_loaded(w, "fresh", dump_file(w));
	assert_same_data_with(source, fresh, true);
	check_says_equal(w, source->url, fresh->url);
	wait_until(nobody_follows, source, "the source to forget us");
}

// From the disk, by a password in the environment, through a unix socket.
static void dump_of_a_source_that_saves_to_its_disk(struct world *w)
{
	const char *socket = text("%s/source.sock", w->dir);
	struct server *source = server_start(w, "source", "--repl-diskless-sync", "no",
					     "--requirepass", "secret", "--unixsocket", socket,
					     NULL);
	const char *environment[] = {"FLYOVER_SOURCE_PASSWORD=secret", NULL};
	const char *arguments[] = {"dump", text("unix://%s", socket), "-o", dump_file(w),
				   "--json", NULL};

	dump_dir_make(w);
	dataset_load(source);
	struct job *j = job_start_argv(w, "flyover", arguments, environment);
	dump_done(w, j);
	assert_int_equal(job_number(j, "bytes"), job_number(j, "bytes_total"));
	assert_same_data_with(source, server_loaded(w, "fresh", dump_file(w)), true);
}

// The writer counts up, and writes each eighth number by one MSET to a key of either name.
static long long newest(struct server *s, const char *name)
{
	long long max = 0;

	for (int k = 0; k < 20; k++) {
		redisReply *r = ask(s, "GET w:%s:%d", name, k);
		long long v = r->type == REDIS_REPLY_STRING ? strtoll(r->str, NULL, 10) : 0;
		max = v > max ? v : max;
		freeReplyObject(r);
	}
	return max;
}

static bool has_begun(void *arg)
{
	return newest(arg, "b") > 0;
}

static void dump_under_live_writes_is_of_one_moment(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dump_dir_make(w);
	dataset_load_strings(source, "fill", 20000, 64);
	queue_flush(source);
	struct process *writer = writer_start(source);
	wait_until(has_begun, source, "the writer to begin");
	struct job *j = dump_start(w, source->url, NULL);
	dump_done(w, j);
	struct server *fresh = server_loaded(w, "fresh", dump_file(w));
	assert_true(newest(fresh, "a") > 0);
	assert_int_equal(newest(fresh, "a"), newest(fresh, "b"));
	assert_int_equal(keys_all(fresh), job_number(j, "kept"));
	// By scan it is not, but it loads.
	dump_done(w, dump_start(w, source->url, "--by-scan", "--force", NULL));
	writer_stop(writer);
	assert_true(keys_all(server_loaded(w, "scanned", dump_file(w))) > 20000);
}

static void user_make(struct server *s, const char *rights)
{
	run(s, text("ACL SETUSER worker reset on >pw ~* %s", rights));
}

static const char *worker_url(struct server *s)
{
	return text("redis://worker:pw@127.0.0.1:%d", s->port);
}

static void source_that_refuses_replication_is_scanned(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dump_dir_make(w);
	dataset_load(source);
	user_make(source, "+ping +info +select +scan +dump +pexpiretime +memory|usage "
			  "+function|dump");
	struct job *j = dump_start(w, worker_url(source), NULL);
	dump_done(w, j);
	assert_string_equal(job_text(j, "way"), "scan");
	assert_int_equal(job_number(j, "keys"), keys_all(source));
	assert_true(dump_noted(j, "NOPERM"));
	assert_true(dump_noted(j, "not of one moment"));
	struct server *fresh = server_loaded(w, "fresh", dump_file(w));
	assert_same_data_with(source, fresh, true);
	check_says_equal(w, source->url, fresh->url);
}

// Less than that: PTTL, no sizes, libraries of functions one by one.
static void scan_makes_do_with_few_rights(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dump_dir_make(w);
	dataset_load(source);
	user_make(source, "+ping +info +select +scan +dump +pttl +time +function|list");
	struct job *j = dump_start(w, worker_url(source), "--by-scan", NULL);
	dump_done(w, j);
	check_says_equal(w, source->url, server_loaded(w, "fresh", dump_file(w))->url);
	user_make(source, "+ping +info +select +scan +dump +pttl");
	dump_done(w, dump_start(w, worker_url(source), "--by-scan", "--force", NULL));
	user_make(source, "+ping +info +select +scan +pttl");
	j = dump_start(w, worker_url(source), "--by-scan", "--force", NULL);
	assert_int_equal(job_wait(j), 4);
	assert_true(dump_noted(j, "DUMP"));
	rdb_is_sound(w, dump_file(w)); // the one of before is still there
}

struct filter_case {
	const char *database; // of the URL, "" for none
	const char *option, *value;
};

// The same keys by both ways, and just those.
static void filter_check(struct world *w, struct server *source, const struct filter_case *c,
			 long long expected, int *n)
{
	const char *url = text("%s%s", source->url, c->database);

	for (int by_scan = 0; by_scan < 2; by_scan++) {
		struct job *j = dump_start(w, url, "--force", c->option, c->value,
					   by_scan ? "--by-scan" : NULL, NULL);
		dump_done(w, j);
		assert_int_equal(job_number(j, "kept"), expected);
		struct server *fresh = server_loaded(w, text("fresh-%d", ++*n), dump_file(w));
		assert_int_equal(keys_all(fresh), expected);
		if (c->database[0])
			check_says_equal(w, url, text("%s%s", fresh->url, c->database));
		server_stop(fresh);
	}
}

static void filters_leave_the_keys_that_fit(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	const struct filter_case by_url = {"/3", "--wait-timeout", "9s"},
				 by_match = {"", "--match", "*[1-5]"},
				 by_type = {"", "--type", "hash"};
	long long matching = 0, hashes = 0;
	int n = 0;

	dump_dir_make(w);
	dataset_load(source);
	dataset_load_strings(source, "user", 3000, 40);
	queue_flush(source);
	for (int db = 0; db < 16; db++) {
		select_db(source, db);
		redisReply *r = ask(source, "KEYS *");
		for (size_t i = 0; i < r->elements; i++) {
			const redisReply *key = r->element[i];
			redisReply *type = ask(source, "TYPE %b", key->str, key->len);
			hashes += !strcmp(type->str, "hash");
			matching += key->len && strchr("12345", key->str[key->len - 1]) != NULL &&
				    key->str[key->len - 1];
			freeReplyObject(type);
		}
		freeReplyObject(r);
	}
	filter_check(w, source, &by_url, keys_count(source, 3), &n);
	filter_check(w, source, &by_match, matching, &n);
	filter_check(w, source, &by_type, hashes, &n);
}

static void file_may_be_the_standard_output(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dataset_load(source);
	struct job *j = job_start(w, "dump", source->url, "-o", "-", "--json", NULL);
	assert_int_equal(process_wait(j->process), 0);
	rdb_is_sound(w, j->process->out_path);
	assert_true(dump_noted(j, "\"result\":\"done\"")); // the progress went to stderr
}

static void limit_of_bytes_is_kept(struct world *w)
{
	struct server *source = server_start(w, "source", "--rdbcompression", "no", NULL);

	dump_dir_make(w);
	dataset_load_strings(source, "fill", 1500, 1000);
	queue_flush(source);
	for (int by_scan = 0; by_scan < 2; by_scan++) {
		long long begin = now_ms();
		dump_done(w, dump_start(w, source->url, "--force", "--max-bytes-per-s", "1MB",
					by_scan ? "--by-scan" : NULL, NULL));
		assert_true(now_ms() - begin >= 500); // 1.5 MB, the last of which is not waited for
	}
}

// Two values take more than a dump may.
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_MAX_KB 50000
#else
#define MEMORY_MAX_KB 16384
#endif

// First, before any server of the other tests has been waited for: it is the greatest child.
static void huge_values_take_little_memory(struct world *w)
{
	static const char *const ways[] = {NULL, "--match=*", "--by-scan"};
	struct server *source = server_start(w, "source", "--rdbcompression", "no", NULL);
	struct rusage usage;

	dump_dir_make(w);
	run(source, "SETRANGE string 40000000 x");
	run(source, "EVAL %s 1 list",
	    "for i = 1, 25 do redis.call('RPUSH', KEYS[1], string.rep('x', 1000000)) end");
	for (int i = 0; i < 3; i++) {
		struct job *j = dump_start(w, source->url, "--force", ways[i], NULL);
		dump_done(w, j);
		assert_true(job_number(j, "written") > 65000000);
		assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
		if (usage.ru_maxrss > MEMORY_MAX_KB)
			fail_msg("way %d: %ld KB of memory", i, usage.ru_maxrss);
	}
	assert_string_equal(ask_text(server_loaded(w, "fresh", dump_file(w)), "DEBUG DIGEST"),
			    ask_text(source, "DEBUG DIGEST"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(huge_values_take_little_memory),
		E2E_TEST(dump_holds_every_type_and_encoding),
		E2E_TEST(dump_of_a_source_that_saves_to_its_disk),
		E2E_TEST(dump_under_live_writes_is_of_one_moment),
		E2E_TEST(source_that_refuses_replication_is_scanned),
		E2E_TEST(scan_makes_do_with_few_rights),
		E2E_TEST(filters_leave_the_keys_that_fit),
		E2E_TEST(file_may_be_the_standard_output),
		E2E_TEST(limit_of_bytes_is_kept),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
