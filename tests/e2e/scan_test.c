// SPDX-License-Identifier: BSD-3-Clause
// `flyover scan` against real servers: every type and encoding, with and without DUMP and RESTORE,
// under live writes, cut connections, ends at any moment, and following notifications.
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

static struct job *scan_start_va(struct world *w, const char *source, const char *target,
				 va_list args)
{
	const char *arguments[60] = {"scan",   source,        target,
				     "--json", "--state-dir", text("%s/scan-state", w->dir)};
	unsigned n = 6;

	while (n < 59 && (arguments[n] = va_arg(args, const char *)))
		n++;
	arguments[n] = NULL;
	return job_start_argv(w, "flyover", arguments, NULL);
}

static struct job *scan_start(struct world *w, const char *source, const char *target, ...)
	__attribute__((sentinel));
static struct job *scan_start(struct world *w, const char *source, const char *target, ...)
{
	va_list args;

	va_start(args, target);
	struct job *j = scan_start_va(w, source, target, args);
	va_end(args);
	return j;
}

// To its end, which has to be a good one.
static struct job *scan(struct world *w, const char *source, const char *target, ...)
	__attribute__((sentinel));
static struct job *scan(struct world *w, const char *source, const char *target, ...)
{
	va_list args;

	va_start(args, target);
	struct job *j = scan_start_va(w, source, target, args);
	va_end(args);
	int code = job_wait(j);
	if (code) {
		char *said = process_stderr(j->process);
		fail_msg("scan ended with %d: %s", code, said);
	}
	assert_string_equal(job_text(j, "result"), "done");
	return j;
}

static long long keys_all(struct server *s)
{
	long long n = 0;

	for (int db = 0; db < 16; db++)
		n += keys_count(s, db);
	return n;
}

static void scan_copies_every_type_and_encoding(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	dataset_load_big(t.source);
	run(t.source, "SET __flyover:mine 1");
	run(t.target, "SET only-in:0 old");
	run(t.target, "RPUSH number:3 another type");
	struct job *j = scan(w, t.source->url, t.target->url, NULL);
	assert_same_data_with(t.source, t.target, true);
	assert_int_equal(job_number(j, "keys"), keys_all(t.source));
	assert_int_equal(job_number(j, "by_type"), 0);
	assert_true(job_number(j, "rebuilt") >= 4); // those of dataset_load_big() above 1 MB
	assert_int_equal(job_number(j, "percent"), 100);
	assert_int_equal(job_number(j, "refused"), 0);
	assert_int_equal(ask_number(t.target, "EXISTS __flyover:mine"), 0);
}

// Pending entries that a stream has lost cannot be made by commands: none of them here.
static void dataset_without_lost_pending(struct server *s)
{
	static const int databases[] = {0, 3, 9, 15};

	dataset_load(s);
	for (unsigned i = 0; i < 4; i++) {
		select_db(s, databases[i]);
		run(s, "XACK stream:groups first 3-0 4-1 1-1 2-2");
	}
}

// When an entry was delivered is told in idle milliseconds, so it is right to one or two: the check
// leaves it out, our own comparison does not.
static void assert_same_but_delivery_times(struct two *t)
{
	static const int databases[] = {0, 3, 9, 15};
	struct server *both[] = {t->source, t->target};
	struct job *j = job_start(t->world, "check", t->source->url, t->target->url, NULL);
	int code = process_wait(j->process);

	if (code) {
		char *out = process_stdout(j->process);
		fail_msg("check: %s", out);
	}
	for (unsigned i = 0; i < 8; i++) {
		select_db(both[i % 2], databases[i / 2]);
		run(both[i % 2], "XGROUP DESTROY stream:groups first");
		run(both[i % 2], "XGROUP DESTROY stream:groups second");
	}
	assert_same_data_with(t->source, t->target, true);
}

static void scan_by_type_copies_every_type(struct world *w)
{
	struct two t = two_start(w);

	dataset_without_lost_pending(t.source);
	dataset_load_big(t.source);
	struct job *j = scan(w, t.source->url, t.target->url, "--by-type", NULL);
	assert_int_equal(job_number(j, "pending_lost"), 0);
	assert_same_but_delivery_times(&t);
	assert_int_equal(job_number(j, "by_type"), job_number(j, "keys"));
	assert_true(strstr(info_text(t.target, "commandstats", "cmdstat_restore"), "calls=2,") !=
		    NULL); // our two questions at the beginning
}

static void scan_counts_pending_entries_that_no_command_can_make(struct world *w)
{
	struct two t = two_start(w);

	for (int i = 1; i <= 5; i++)
		run(t.source, "XADD s %d-0 a b", i);
	run(t.source, "XGROUP CREATE s g 0");
	run(t.source, "XREADGROUP GROUP g alice COUNT 4 STREAMS s >");
	run(t.source, "XDEL s 2-0 3-0");
	struct job *j = scan(w, t.source->url, t.target->url, "--by-type", NULL);
	assert_int_equal(job_number(j, "pending_lost"), 2);
	redisReply *r = ask(t.target, "XPENDING s g");
	assert_int_equal(r->element[0]->integer, 2);
	freeReplyObject(r);
}

static void user_make(struct server *s, const char *rights)
{
	redisReply *r = ask(s, text("ACL SETUSER worker reset on >pw ~* &* +@all %s", rights));
	assert_int_equal(r->type, REDIS_REPLY_STATUS);
	freeReplyObject(r);
}

static const char *worker_url(struct server *s)
{
	return text("redis://worker:pw@127.0.0.1:%d", s->port);
}

static void scan_needs_neither_psync_nor_dump_nor_restore(struct world *w)
{
	struct two t = two_start(w);

	dataset_without_lost_pending(t.source);
	user_make(t.source, "-psync -sync -replconf -dump -memory -@admin -@dangerous +info");
	struct job *j = scan(w, worker_url(t.source), t.target->url, NULL);
	assert_same_but_delivery_times(&t);
	assert_int_equal(job_number(j, "by_type"), job_number(j, "keys"));
	run(t.target, "FLUSHALL");
	user_make(t.target, "-restore");
	j = scan(w, t.source->url, worker_url(t.target), "--extra-keys=keep", NULL);
	assert_same_data_with(t.source, t.target, true);
	run(t.target, "FLUSHALL");
	user_make(t.target, "-multi -exec");
	scan(w, t.source->url, worker_url(t.target), "--by-type", NULL);
	assert_same_data_with(t.source, t.target, true);
}

// The footer of one payload is broken on its way: it gets one of ours.
static void scan_writes_the_footer_anew_when_the_target_refuses_it(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *p = proxy_start(w, t.source->port);

	run(t.source, "SET a mark-one");
	run(t.source, "SET b mark-two");
	redisReply *r = ask(t.source, "DUMP a");
	char find[24];
	snprintf(find, sizeof(find), "%.*s", 8, "mark-one");
	freeReplyObject(r);
	proxy_replace(p, FROM_SERVER, "mark-one", "mark-1ne"); // the checksum is wrong now
	struct job *j = scan(w, p->url, t.target->url, NULL);
	assert_int_equal(job_number(j, "refused"), 0);
	assert_int_equal(job_number(j, "by_type"), 0);
	assert_string_equal(ask_text(t.target, "GET a"), "mark-one");
	assert_string_equal(ask_text(t.target, "GET b"), "mark-two");
}

static void scan_keeps_to_the_database_of_the_url(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	scan(w, text("%s/3", t.source->url), text("%s/5", t.target->url), NULL);
	assert_int_equal(keys_all(t.target), keys_count(t.source, 3));
	assert_int_equal(keys_count(t.target, 5), keys_count(t.source, 3));
}

static void scan_under_live_writes_loses_no_key_that_stays(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	dataset_load_strings(t.source, "stays", 100000, 30);
	struct process *writer = writer_start(t.source);
	struct job *j = scan(w, t.source->url, t.target->url, NULL);
	writer_stop(writer);
	assert_true(job_number(j, "keys") >= 100000);
	for (unsigned i = 0; i < 100000; i += 77)
		queue(t.target, "RENAME stays:%u stays:%u", i, i); // fails when it is not there
	queue_flush(t.target);
}

static void scan_goes_on_after_its_connections_were_cut(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *source = proxy_start(w, t.source->port);
	struct proxy *target = proxy_start(w, t.target->port);

	dataset_load(t.source);
	dataset_load_big(t.source);
	dataset_load_strings(t.source, "key", 50000, 100);
	proxy_cut_after(source, FROM_SERVER, 2000000, END_RST);
	proxy_cut_after(target, TO_SERVER, 5000000, END_FIN);
	struct job *j = scan(w, source->url, target->url, NULL);
	assert_true(job_number(j, "connects") >= 2);
	assert_same_data_with(t.source, t.target, true);
}

static void scan_goes_on_from_its_cursor_after_being_killed(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	dataset_load_strings(t.source, "key", 60000, 50);
	struct job *j = scan_start(w, t.source->url, t.target->url, "--max-keys-per-s=20000",
				   NULL);
	job_wait_number(j, "keys", 30000);
	process_kill(j->process);
	long long before = keys_all(t.target);
	assert_true(before < keys_all(t.source));
	j = scan(w, t.source->url, t.target->url, NULL);
	assert_true(job_flag(j, "resumed"));
	assert_same_data_with(t.source, t.target, true);
	long long read = info_number(t.source, "stats", "keyspace_hits");
	// By a second a key of the first run may be copied again, not all of them.
	assert_true(read > 0);
	assert_int_equal(job_number(j, "refused"), 0);
}

static void scan_begins_anew_when_the_source_was_started_anew(struct world *w)
{
	struct server *source = server_start(w, "source", "--appendonly", "yes", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load_strings(source, "key", 60000, 50);
	struct job *j =
		scan_start(w, source->url, target->url, "--max-keys-per-s=20000", NULL);
	job_wait_number(j, "keys", 30000);
	process_signal(j->process, SIGINT);
	assert_int_equal(job_wait(j), 1);
	server_stop(source);
	server_start_again(source);
	j = scan(w, source->url, target->url, NULL);
	assert_false(job_flag(j, "resumed"));
	assert_int_equal(job_number(j, "keys"), 60000);
	assert_same_data(source, target);
}

static bool waits_for_memory(const json_t *progress, const void *arg)
{
	const char *waiting = json_string_value(json_object_get(progress, "waiting"));
	return waiting && strstr(waiting, "OOM");
}

static void scan_waits_while_the_target_is_full(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 20000, 500);
	run(t.target, "CONFIG SET maxmemory-policy noeviction");
	run(t.target, "CONFIG SET maxmemory 5mb");
	struct job *j = scan_start(w, t.source->url, t.target->url, NULL);
	job_wait_for(j, waits_for_memory, NULL, "the scan to wait for the full target");
	run(t.target, "CONFIG SET maxmemory 0");
	assert_int_equal(job_wait(j), 0);
	assert_same_data(t.source, t.target);
}

static bool something_is_built(void *arg)
{
	redisReply *r = ask(arg, "KEYS __flyover:scan:*");
	bool is = r->elements > 0;

	freeReplyObject(r);
	return is;
}

static void scan_clears_away_what_it_was_killed_over(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_big(t.source);
	struct job *j = scan_start(w, t.source->url, t.target->url, "--big-value=1KB", NULL);
	wait_until(something_is_built, t.target, "a big value to be built");
	process_kill(j->process);
	scan(w, t.source->url, t.target->url, "--big-value=1KB", NULL);
	assert_false(something_is_built(t.target));
	assert_same_data_with(t.source, t.target, true);
}

static void scan_says_that_a_big_value_changed_all_the_while(struct world *w)
{
	struct two t = two_start(w);
	unsigned n = 0;

	dataset_load_big(t.source);
	struct job *j = scan_start(w, t.source->url, t.target->url, "--big-value=100KB", NULL);
	while (!process_has_ended(j->process)) {
		run(t.source, "HSET big:hash f5 %u", n++);
		run(t.source, "XADD big:stream * n %u", n);
	}
	assert_int_equal(job_wait(j), 0);
	assert_int_equal(job_number(j, "unsteady"), 2);
	assert_true(job_number(j, "again") >= 2);
	assert_int_equal(ask_number(t.target, "HLEN big:hash"), 100000);
	assert_int_equal(ask_number(t.target, "SCARD big:set"),
			 ask_number(t.source, "SCARD big:set"));
}

// Sources before 7.0 know PTTL only; ours is not allowed more. Nor may it be watched.
static void scan_keeps_expiries_told_as_what_is_left(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	dataset_load_big(t.source);
	user_make(t.source, "-pexpiretime -watch -multi");
	struct job *j = scan(w, worker_url(t.source), t.target->url, NULL);
	assert_int_equal(job_number(j, "unsteady"), 0);
	const char *arguments[] = {"check", t.source->url, t.target->url, "--ttl-slack=2s", NULL};
	j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 0);
}

static bool is_busy(void *arg)
{
	redisReply *r = ask(arg, "GET key:1");
	bool busy = r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "BUSY", 4);

	freeReplyObject(r);
	return busy;
}

static void scan_waits_while_a_script_holds_the_source(struct world *w)
{
	struct two t = two_start(w);
	redisContext *other = server_connect(t.source);

	dataset_load_strings(t.source, "key", 20000, 30);
	run(t.source, "CONFIG SET busy-reply-threshold 20");
	struct job *j = scan_start(w, t.source->url, t.target->url, "--max-keys-per-s=10000",
				   NULL);
	job_wait_number(j, "keys", 2000);
	int done = 0;
	redisAppendCommand(other, "EVAL %s 0", "while true do end");
	while (!done)
		assert_int_equal(redisBufferWrite(other, &done), REDIS_OK);
	wait_until(is_busy, t.source, "the script to hold the source");
	for (unsigned i = 0; i < 20; i++) { // the scan asks some hundred keys meanwhile
		assert_true(is_busy(t.source));
		nap_ms(20);
	}
	run(t.source, "SCRIPT KILL");
	assert_int_equal(job_wait(j), 0);
	assert_int_equal(job_number(j, "refused"), 0);
	assert_same_data(t.source, t.target);
	redisFree(other);
}

static void scan_passes_idle_times_on_when_asked_to(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1");
	redisReply *r = ask(t.source, "DUMP a");
	run(t.source, "RESTORE a 0 %b REPLACE IDLETIME 5000", r->str, r->len);
	freeReplyObject(r);
	scan(w, t.source->url, t.target->url, "--keep-idle", NULL);
	assert_in_range(ask_number(t.target, "OBJECT IDLETIME a"), 5000, 5100);
}

static void scan_leaves_nothing_of_its_own_behind(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_big(t.source);
	scan(w, t.source->url, t.target->url, "--big-value=64KB", NULL);
	redisReply *r = ask(t.target, "KEYS __flyover:*");
	assert_int_equal(r->elements, 0);
	freeReplyObject(r);
	assert_same_data(t.source, t.target);
	assert_int_equal(ask_number(t.target, "TTL big:list"), -1);
}

static long long peak_kb(pid_t pid)
{
	FILE *f = fopen(text("/proc/%d/status", (int)pid), "r");
	char line[256];
	long long kb = -1;

	assert_non_null(f);
	while (kb < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmHWM:", 6))
			kb = atoll(line + 6);
	fclose(f);
	return kb;
}

// The peak is read while the process still is.
static void scan_copies_a_hash_of_a_million_in_little_memory(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET small 1");
	run(t.source, "EVAL %s 0",
	    "for i = 1, 1000000 do redis.call('HSET', 'h', 'f' .. i, 'v' .. i) end");
	struct job *j = scan_start(w, t.source->url, t.target->url, "--follow", NULL);
	job_wait_phase(j, "stream");
	long long kb = peak_kb(j->process->pid);
	print_message("VmHWM %lld KB\n", kb);
	if (!getenv("ASAN_OPTIONS"))
		assert_in_range(kb, 1, 64 << 10);
	assert_int_equal(ask_number(t.target, "HLEN h"), 1000000);
	assert_int_equal(job_drain(j), 0);
}

struct awaited {
	struct server *source, *target;
};

static bool are_same(void *arg)
{
	struct awaited *a = arg;
	return data_differences(a->source, a->target) == 0;
}

static void scan_follows_what_changes(struct world *w)
{
	struct two t = two_start(w);
	struct awaited a = {t.source, t.target};

	dataset_load(t.source);
	struct job *j = scan_start(w, t.source->url, t.target->url, "--follow", NULL);
	job_wait_phase(j, "stream");
	select_db(t.source, 3);
	run(t.source, "SET only-in:1 changed");
	run(t.source, "DEL list:small");
	run(t.source, "RENAME hash:small hash:renamed");
	run(t.source, "MOVE set:texts 7");
	run(t.source, "PERSIST ttl:hour");
	run(t.source, "SET soon gone PX 300");
	run(t.source, "XADD stream:one * more fields");
	wait_until(are_same, &a, "the target to have what changed");
	struct process *writer = writer_start(t.source);
	job_wait_number(j, "events", 2000);
	writer_stop(writer);
	wait_until(are_same, &a, "the target to have what the writer wrote");
	assert_int_equal(job_drain(j), 0);
	redisReply *r = ask(t.source, "CONFIG GET notify-keyspace-events");
	assert_string_equal(r->element[1]->str, "");
	freeReplyObject(r);
}

static void scan_follows_through_flushes_and_swaps(struct world *w)
{
	struct two t = two_start(w);
	struct awaited a = {t.source, t.target};

	dataset_load(t.source);
	struct job *j = scan_start(w, t.source->url, t.target->url, "--follow", NULL);
	job_wait_phase(j, "stream");
	select_db(t.source, 3);
	run(t.source, "FLUSHDB");
	run(t.source, "SET after flush");
	wait_until(are_same, &a, "the target to be flushed");
	run(t.source, "SWAPDB 0 9");
	wait_until(are_same, &a, "the databases to be swapped");
	run(t.source, "FLUSHALL");
	wait_until(are_same, &a, "the target to be empty");
	assert_int_equal(job_drain(j), 0);
}

static void scan_follows_again_after_a_lost_connection(struct world *w)
{
	struct two t = two_start(w);
	struct awaited a = {t.source, t.target};
	struct proxy *p = proxy_start(w, t.source->port);

	dataset_load_strings(t.source, "key", 5000, 30);
	struct job *j = scan_start(w, p->url, t.target->url, "--follow", NULL);
	job_wait_phase(j, "stream");
	proxy_refuse(p, true);
	proxy_cut(p, END_RST);
	run(t.source, "DEL key:17");
	run(t.source, "SET key:18 unseen");
	proxy_refuse(p, false);
	wait_until(are_same, &a, "what went unseen to be found");
	assert_int_equal(job_drain(j), 0);
}

static void scan_keeps_keys_of_the_target_unless_it_was_empty(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 1000, 30);
	run(t.target, "SET theirs 1");
	scan(w, t.source->url, t.target->url, NULL);
	assert_string_equal(ask_text(t.target, "GET theirs"), "1");
	scan(w, t.source->url, t.target->url, "--extra-keys=delete", NULL);
	assert_same_data(t.source, t.target);
}

static void assert_scan_refused(struct world *w, const char *source, const char *target, int code,
				const char *word)
{
	const char *arguments[] = {"scan", source, target, "--state-dir",
				   text("%s/refused", w->dir), NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);

	assert_int_equal(process_wait(j->process), code);
	assert_one_sentence(j, word);
}

static void what_cannot_be_scanned_is_refused_in_a_sentence(struct world *w)
{
	struct two t = two_start(w);
	struct server *replica = server_start(w, "replica", "--replicaof", "127.0.0.1",
					      text("%d", t.source->port), NULL);
	struct server *node = server_start(w, "node", "--cluster-enabled", "yes", NULL);
	struct fake *http = fake_start(w, fake_http, NULL);

	assert_scan_refused(w, text("redis://127.0.0.1:%d", free_port()), t.target->url, 4,
			    "source");
	assert_scan_refused(w, t.source->url, replica->url, 4, "replica");
	assert_scan_refused(w, node->url, t.target->url, 3, "cluster");
	assert_scan_refused(w, t.source->url, node->url, 3, "cluster");
	assert_scan_refused(w, http->url, t.target->url, 4, "redis");
	run(t.source, "SET a 1");
	user_make(t.source, "-scan");
	assert_scan_refused(w, worker_url(t.source), t.target->url, 4, "scan");
	user_make(t.source, "-config");
	const char *arguments[] = {"scan", worker_url(t.source), t.target->url, "--follow",
				   "--state-dir", text("%s/refused", w->dir), NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 4);
	assert_one_sentence(j, "notify-keyspace-events");
	arguments[3] = "--big-value=much";
	j = job_start_argv(w, "flyover", arguments, NULL);
	assert_int_equal(process_wait(j->process), 2);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(scan_copies_every_type_and_encoding),
		E2E_TEST(scan_by_type_copies_every_type),
		E2E_TEST(scan_counts_pending_entries_that_no_command_can_make),
		E2E_TEST(scan_needs_neither_psync_nor_dump_nor_restore),
		E2E_TEST(scan_writes_the_footer_anew_when_the_target_refuses_it),
		E2E_TEST(scan_keeps_to_the_database_of_the_url),
		E2E_TEST(scan_under_live_writes_loses_no_key_that_stays),
		E2E_TEST(scan_goes_on_after_its_connections_were_cut),
		E2E_TEST(scan_goes_on_from_its_cursor_after_being_killed),
		E2E_TEST(scan_begins_anew_when_the_source_was_started_anew),
		E2E_TEST(scan_waits_while_the_target_is_full),
		E2E_TEST(scan_leaves_nothing_of_its_own_behind),
		E2E_TEST(scan_clears_away_what_it_was_killed_over),
		E2E_TEST(scan_says_that_a_big_value_changed_all_the_while),
		E2E_TEST(scan_keeps_expiries_told_as_what_is_left),
		E2E_TEST(scan_passes_idle_times_on_when_asked_to),
		E2E_TEST(scan_waits_while_a_script_holds_the_source),
		E2E_TEST(scan_copies_a_hash_of_a_million_in_little_memory),
		E2E_TEST(scan_follows_what_changes),
		E2E_TEST(scan_follows_through_flushes_and_swaps),
		E2E_TEST(scan_follows_again_after_a_lost_connection),
		E2E_TEST(scan_keeps_keys_of_the_target_unless_it_was_empty),
		E2E_TEST(what_cannot_be_scanned_is_refused_in_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
