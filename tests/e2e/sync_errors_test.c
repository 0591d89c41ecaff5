// SPDX-License-Identifier: BSD-3-Clause
// What a user meets when something is wrong: the exit code, one sentence on stderr, and servers
// that are as they were.
#include "tests/e2e/harness.h"

#include <signal.h>

// A job that has to end by itself with this code and a sentence that speaks of `word`.
static void assert_refused(struct world *w, const char *source_url, const char *target_url,
			   int code, const char *word)
{
	struct job *j = sync_start(w, source_url, target_url, "--connect-timeout", "3000",
				   "--loading-timeout", "3000", "--wait-timeout", "3000",
				   "--repl-timeout", "3000", NULL);

	assert_int_equal(job_wait(j), code);
	assert_one_sentence(j, word);
	assert_string_equal(job_text(j, "result"), "failed");
	assert_string_equal(job_text(j, "phase"), "failed");
}

static void usage_is_refused_with_2(struct world *w)
{
	static const char *const lines[][6] = {
		{"sync"},
		{"sync", "redis://127.0.0.1:1"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "redis://127.0.0.1:3"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--nonsense"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--lanes=99"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--lanes=many"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--memory-window=1"},
		{"sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--until=tomorrow"},
		{"nonsense"},
	};
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct job *j = job_start_argv(w, "flyover", lines[i], NULL);
		int code = process_wait(j->process);
		if (code != 2)
			fail_msg("line %u of the table: exit code %d", i, code);
		assert_one_sentence(j, "");
	}
}

static void bad_urls_and_files_are_refused_with_3(struct world *w)
{
	static const char *const urls[] = {
		"http://127.0.0.1:6379",
		"127.0.0.1:6379",
		"redis://",
		"redis://127.0.0.1:99999",
		"redis://127.0.0.1:abc",
		"redis://127.0.0.1:6379/db",
		"redis://user:pw@",
		"",
	};
	const char *file = text("%s/bad.yaml", w->dir);

	for (unsigned i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		for (int side = 0; side < 2; side++) {
			struct job *j = job_start(w, "sync", side ? "redis://127.0.0.1:1" : urls[i],
						  side ? urls[i] : "redis://127.0.0.1:1", NULL);
			int code = process_wait(j->process);
			if (code != 3)
				fail_msg("'%s': exit code %d", urls[i], code);
			assert_one_sentence(j, "");
		}
	file_write(file, "lanes: [1, 2\n", 13);
	struct job *j = job_start(w, "sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2",
				  "--config", file, NULL);
	assert_int_equal(process_wait(j->process), 3);
	assert_one_sentence(j, "bad.yaml");
	file_write(file, "lanez: 2\n", 9);
	j = job_start(w, "sync", "redis://127.0.0.1:1", "redis://127.0.0.1:2", "--config", file,
		      NULL);
	assert_int_equal(process_wait(j->process), 3);
	assert_one_sentence(j, "lanez");
}

static void closed_ports_are_refused_with_4(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	int port = free_port();
	const char *closed = text("redis://%s:%d", here(), port);

	assert_refused(w, closed, s->url, 4, text("%d", port));
	assert_refused(w, s->url, closed, 4, text("%d", port));
	assert_refused(w, "redis://no-such-host.invalid:6379", s->url, 4, "no-such-host.invalid");
	assert_int_equal(ask_number(s, "DBSIZE"), 0);
}

static void wrong_passwords_are_refused_with_4(struct world *w)
{
	struct server *locked = server_start(w, "locked", "--requirepass", "right-password", NULL);
	struct server *open = server_start(w, "open", NULL);
	const char *wrong = text("redis://:wrong-word@%s:%d", here(), locked->port);
	const char *nobody = text("redis://nobody:wrong-word@%s:%d", here(), locked->port);

	assert_refused(w, locked->url, open->url, 4, "password");
	assert_refused(w, open->url, locked->url, 4, "password");
	assert_refused(w, wrong, open->url, 4, "password");
	assert_refused(w, open->url, wrong, 4, "password");
	assert_refused(w, nobody, open->url, 4, "password");
	for (struct job *j = w->jobs; j; j = j->next) {
		char *said = process_stderr(j->process);
		assert_null(strstr(said, "wrong-word"));
		free(said);
	}
}

static void what_is_no_redis_is_refused_with_4(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct fake *echo = fake_start(w, fake_echo, NULL), *http = fake_start(w, fake_http, NULL);

	assert_refused(w, echo->url, s->url, 4, "redis");
	assert_refused(w, s->url, echo->url, 4, "redis");
	assert_refused(w, http->url, s->url, 4, "redis");
	assert_refused(w, s->url, http->url, 4, "redis");
}

static void a_server_that_says_nothing_is_given_up_with_4(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct fake *silent = fake_start(w, fake_silent, NULL);

	assert_refused(w, silent->url, s->url, 4, text("%d", silent->port));
	assert_refused(w, s->url, silent->url, 4, text("%d", silent->port));
}

static void a_user_without_the_right_to_psync_is_refused_with_4(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "ACL SETUSER reader on >pw ~* &* +@all -psync -sync");
	assert_refused(w, text("redis://reader:pw@%s:%d", here(), source->port), target->url, 4,
		       "psync");
	run(source, "ACL SETUSER reader +psync -replconf");
	assert_refused(w, text("redis://reader:pw@%s:%d", here(), source->port), target->url, 4,
		       "replconf");
}

static void a_user_who_may_not_write_is_refused_with_4(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load_strings(source, "key", 100, 10);
	run(target, "ACL SETUSER writer on >pw ~* &* +@all -@write");
	assert_refused(w, source->url, text("redis://writer:pw@%s:%d", here(), target->port), 4,
		       "set");
	run(target, "ACL SETUSER writer +@all -multi");
	assert_refused(w, source->url, text("redis://writer:pw@%s:%d", here(), target->port), 4,
		       "multi");
	assert_int_equal(ask_number(target, "DBSIZE"), 0);
}

static void a_target_that_is_a_replica_is_refused_with_4(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET a 1");
	run(target, "REPLICAOF 127.0.0.1 %d", source->port);
	assert_refused(w, source->url, target->url, 4, "replica");
}

// A fake primary with the snapshot of a real server.
static struct fake *primary_with_snapshot(struct world *w)
{
	struct server *model = server_start(w, "model", "--dbfilename", "dump.rdb", NULL);
	struct fake *f = fake_start(w, fake_primary, NULL);
	size_t len;

	dataset_load(model);
	select_db(model, 0);
	run(model, "SAVE");
	char *rdb = file_read(text("%s/dump.rdb", model->dir), &len);
	assert_non_null(rdb);
	// Kept like every text until the program ends; the fake's threads read it.
	const char *kept = text("%*s", (int)len, "");
	memcpy((char *)kept, rdb, len);
	free(rdb);
	server_stop(model);
	f->rdb = kept;
	f->rdb_len = len;
	return f;
}

static void a_fake_primary_is_good_enough(struct world *w)
{
	struct fake *f = primary_with_snapshot(w);
	struct server *target = server_start(w, "target", NULL);

	f->stream = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$4\r\nlast\r\n$1\r\n1\r\n";
	f->stream_len = strlen(f->stream);
	struct job *j = sync_start(w, f->url, target->url, NULL);
	job_wait_number(j, "frontier_offset", 1000 + (long long)f->stream_len);
	select_db(target, 3);
	assert_int_equal(ask_number(target, "GET last"), 1);
	assert_int_equal(ask_number(target, "LLEN list:nodes"), 1400);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
}

// As Redis does by default: it saves some seconds after it was asked, and says so by newlines.
static void a_source_that_puts_its_snapshot_off_is_waited_for(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--repl-diskless-sync-delay", "4", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET key value");
	struct job *j = sync_start(w, source->url, target->url, "--connect-timeout", "2500",
				   "--until=caught-up", NULL);
	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
}

static void corrupt_snapshots_are_refused_with_1(struct world *w)
{
	struct fake *f = primary_with_snapshot(w);
	struct server *target = server_start(w, "target", NULL);
	char *bytes = (char *)f->rdb;

	run(target, "SET mine 1");
	bytes[f->rdb_len - 3] ^= 1; // the checksum
	assert_refused(w, f->url, target->url, 1, "checksum");
	bytes[f->rdb_len - 3] ^= 1;
	f->rdb_announced = f->rdb_len / 2; // ends too early
	assert_refused(w, f->url, target->url, 1, "");
	f->rdb_announced = 0;
	memcpy(bytes, "RUBBISH??", 9);
	assert_refused(w, f->url, target->url, 1, "");
	memcpy(bytes, "REDIS0999", 9); // a version that nobody knows yet
	assert_refused(w, f->url, target->url, 1, "version");
	memcpy(bytes, "REDIS0010", 9);
	memset(bytes + f->rdb_len / 3, 0xee, 2000);
	assert_refused(w, f->url, target->url, 1, "");
	assert_int_equal(ask_number(target, "GET mine"), 1);
}

static void garbage_in_the_stream_is_refused_with_1(struct world *w)
{
	static const char *const streams[] = {
		"hello, this is no stream\r\n",
		"*3\r\n$3\r\nSET\r\n$1\r\na\r\n:1\r\n",
		"*2\r\n$-5\r\nabc\r\n",
		"*99999999999\r\n",
		"*1\r\n$999999999999\r\nx",
		"*2\r\n$3\r\nGET\r\n$1\r\nabcdef\r\n",
		"+OK\r\n",
	};
	struct fake *f = primary_with_snapshot(w);
	struct server *target = server_start(w, "target", NULL);

	for (unsigned i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		f->stream = text("*3\r\n$3\r\nSET\r\n$4\r\ngood\r\n$1\r\n%u\r\n%s", i, streams[i]);
		f->stream_len = strlen(f->stream);
		assert_refused(w, f->url, target->url, 1, "");
	}
	assert_string_equal(ask_text(target, "PING"), "PONG");
}

static void a_command_above_the_window_needs_disk(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	size_t len = 5u << 20;
	char *bytes = malloc(len);
	struct job *j = sync_start(w, source->url, target->url, "--memory-window", "1MB",
				   "--disk-limit", "0", NULL);

	assert_non_null(bytes);
	memset(bytes, 'x', len);
	run(source, "SET before 1");
	job_wait_applied(j, source);
	run(source, "SET large %b", bytes, len);
	free(bytes);
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "memory-window");
	assert_int_equal(ask_number(target, "EXISTS before"), 1);
	assert_int_equal(ask_number(source, "EXISTS large"), 1);
}

static void a_target_that_answers_garbage_is_refused_with_1(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, target->port);
	struct job *j = sync_start(w, source->url, p->url, NULL);

	run(source, "SET first 1");
	job_wait_applied(j, source);
	proxy_replace(p, FROM_SERVER, "+QUEUED\r\n", "?what???\n");
	run(source, "MSET a 1 b 2");
	run(source, "INCR c");
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "");
}

// The target holds another type under a key that the source counts with.
static void a_command_that_the_target_refuses_is_parked_and_counted(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "2", NULL);

	run(source, "SET n 1");
	job_wait_applied(j, source);
	run(target, "DEL n");
	run(target, "RPUSH n not-a-number");
	for (unsigned i = 0; i < 10; i++) {
		run(source, "INCR n");
		run(source, "INCR m");
	}
	run(source, "MULTI");
	run(source, "INCR n");
	run(source, "INCR m");
	run(source, "EXEC");
	job_wait_applied(j, source);
	assert_int_equal(ask_number(target, "GET m"), 11);
	assert_int_equal(ask_number(target, "LLEN n"), 1);
	assert_int_equal(job_number(j, "parked"), 11);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), 11);
}

static void a_refused_command_ends_the_job_when_told_so(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--on-error", "stop", NULL);

	run(source, "SET n 1");
	job_wait_applied(j, source);
	run(target, "DEL n");
	run(target, "RPUSH n not-a-number");
	run(source, "INCR n");
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "WRONGTYPE");
}

static bool target_was_full(void *arg)
{
	redisReply *r = ask(arg, "INFO errorstats");
	bool was = strstr(r->str, "errorstat_OOM") != NULL;
	freeReplyObject(r);
	return was;
}

static void a_full_target_is_waited_for(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "2", NULL);

	run(source, "SET first 1");
	job_wait_applied(j, source);
	run(target, "CONFIG SET maxmemory 1");
	for (unsigned i = 0; i < 500; i++) {
		queue(source, "RPUSH l:%u %u", i % 20, i);
		queue(source, "INCR n");
	}
	queue_flush(source);
	wait_until(target_was_full, target, "the target to be full");
	run(source, "DEL l:3");
	run(target, "CONFIG SET maxmemory 0");
	job_wait_applied(j, source);
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), 0);
}

static void assert_hidden(pid_t pid, const char *password)
{
	size_t len = 0;
	char path[64], bytes[65536];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	FILE *f = fopen(path, "re"); // its size is not known before it is read
	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_true(len > 0);
	if (memmem(bytes, len, password, strlen(password)))
		fail_msg("%s shows the password", path);
}

// Files below the test's folder that hold the password.
static void assert_nowhere_on_disk(struct world *w, const char *password)
{
	char command[600];

	snprintf(command, sizeof(command), "grep -rlF %s %s/state-* 2>/dev/null", password, w->dir);
	FILE *found = popen(command, "re");
	assert_non_null(found);
	bool any = fgets(command, sizeof(command), found);
	pclose(found);
	if (any)
		fail_msg("the password lies in %s", command);
}

static void passwords_are_shown_nowhere(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--requirepass", "hush-source-7731", NULL);
	struct server *target =
		server_start(w, "target", "--requirepass", "hush-target-7732", NULL);
	const char *in_url = text("redis://:hush-source-7731@%s:%d", here(), source->port);
	const char *arguments[] = {"sync",
				   in_url,
				   target->url,
				   "--json",
				   "--verbose",
				   "--state-dir",
				   text("%s/state-9", w->dir),
				   NULL};
	const char *environment[] = {"FLYOVER_TARGET_PASSWORD=hush-target-7732", NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, environment);

	run(source, "SET a 1");
	job_wait_applied(j, source);
	pid_t pids[] = {j->process->pid, job_daemon(j), job_dataplane(j)};
	for (unsigned i = 0; i < 3; i++) {
		assert_hidden(pids[i], "hush-source-7731");
		assert_hidden(pids[i], "hush-target-7732");
	}
	assert_nowhere_on_disk(w, "hush-");
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	char *said = process_stderr(j->process), *out = process_stdout(j->process);
	assert_null(strstr(said, "hush-"));
	assert_null(strstr(out, "hush-"));
	free(said);
	free(out);
}

static void passwords_come_from_files_too(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--requirepass", "hush-source-7731", NULL);
	struct server *target = server_start(w, "target", NULL);
	const char *file = text("%s/secret", w->dir);

	run(target, "ACL SETUSER writer on >other-word ~* &* +@all");
	file_write(file, "hush-source-7731\n", 17);
	run(source, "SET a 1");
	assert_int_equal(sync_run(w, source->url,
				  text("redis://writer:other-word@%s:%d", here(), target->port),
				  "--until=caught-up", "--source-password-file", file, NULL),
			 0);
	assert_int_equal(ask_number(target, "GET a"), 1);
}

// @param signal_number  that drains
static void drained_by(struct world *w, int signal_number)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "3", NULL);

	job_wait_phase(j, "stream");
	struct process *writer = writer_start(source);
	job_wait_number(j, "applied", 2000);
	process_signal(j->process, signal_number);
	assert_int_equal(job_wait(j), 0);
	writer_stop(writer);
	assert_string_equal(job_text(j, "result"), "done");
	assert_books_balance(j);
	assert_int_equal(ask_number(target, "DBSIZE") > 0, 1);
	assert_int_equal(descendant_find("flyoverd", 0), 0);
	assert_int_equal(descendant_find("flyover-dataplane", 0), 0);
}

static void an_interrupt_drains(struct world *w)
{
	drained_by(w, SIGINT);
}

static void a_termination_drains(struct world *w)
{
	drained_by(w, SIGTERM);
}

static void a_second_interrupt_ends_at_once(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, target->port);
	struct job *j = sync_start(w, source->url, p->url, NULL);

	run(source, "SET a 1");
	job_wait_applied(j, source);
	proxy_stall(p, true);
	for (unsigned i = 0; i < 100; i++)
		queue(source, "INCR n");
	queue_flush(source);
	job_wait_number(j, "received_offset", server_offset(source));
	process_signal(j->process, SIGINT);
	job_wait_phase(j, "draining");
	process_signal(j->process, SIGINT);
	assert_true(job_wait(j) != 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(usage_is_refused_with_2),
		E2E_TEST(bad_urls_and_files_are_refused_with_3),
		E2E_TEST(closed_ports_are_refused_with_4),
		E2E_TEST(wrong_passwords_are_refused_with_4),
		E2E_TEST(what_is_no_redis_is_refused_with_4),
		E2E_TEST(a_server_that_says_nothing_is_given_up_with_4),
		E2E_TEST(a_user_without_the_right_to_psync_is_refused_with_4),
		E2E_TEST(a_user_who_may_not_write_is_refused_with_4),
		E2E_TEST(a_target_that_is_a_replica_is_refused_with_4),
		E2E_TEST(a_fake_primary_is_good_enough),
		E2E_TEST(a_source_that_puts_its_snapshot_off_is_waited_for),
		E2E_TEST(corrupt_snapshots_are_refused_with_1),
		E2E_TEST(garbage_in_the_stream_is_refused_with_1),
		E2E_TEST(a_command_above_the_window_needs_disk),
		E2E_TEST(a_target_that_answers_garbage_is_refused_with_1),
		E2E_TEST(a_command_that_the_target_refuses_is_parked_and_counted),
		E2E_TEST(a_refused_command_ends_the_job_when_told_so),
		E2E_TEST(a_full_target_is_waited_for),
		E2E_TEST(passwords_are_shown_nowhere),
		E2E_TEST(passwords_come_from_files_too),
		E2E_TEST(an_interrupt_drains),
		E2E_TEST(a_termination_drains),
		E2E_TEST(a_second_interrupt_ends_at_once),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
