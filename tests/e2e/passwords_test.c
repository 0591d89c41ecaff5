// SPDX-License-Identifier: BSD-3-Clause
// Passwords that are changed while links run: open connections stay, the next login is refused. A
// link of a daemon waits for the new password, and so does a job that has its password from a file;
// a job that was told it ends, and goes on with the new one. Nothing is lost or repeated.
#include "tests/e2e/harness.h"

#include <signal.h>
#include <unistd.h>

struct bench {
	struct world *world;
	struct server *source, *target;
	const char *files[2]; // of the passwords: the source's, the target's
	const char *socket;
	struct job *daemon;
	const char *wanted;
};

static void password_put(const char *file, const char *password)
{
	const char *line = text("%s\n", password);
	file_write(file, line, strlen(line));
}

// A user `flyover` on either side.
static struct bench bench_start(struct world *w)
{
	struct bench b = {
		.world = w,
		.source = server_start(w, "source", NULL),
		.target = server_start(w, "target", NULL),
		.files = {text("%s/source.password", w->dir), text("%s/target.password", w->dir)},
		.socket = text("%s/api", w->dir)};

	run(b.source, "ACL SETUSER flyover on >first ~* &* +@all");
	run(b.target, "ACL SETUSER flyover on >first ~* &* +@all");
	password_put(b.files[0], "first");
	password_put(b.files[1], "first");
	run(b.source, "SET kept here");
	run(b.source, "INCR counter");
	return b;
}

static const char *url_of(const struct server *s, const char *password)
{
	return text("redis://flyover%s%s@%s:%d", *password ? ":" : "", password, here(), s->port);
}

static bool status_says(void *bench)
{
	struct bench *b = bench;
	const char *arguments[] = {"link", "show", "orders", "--json", "--socket", b->socket, NULL};
	struct job *j = job_start_argv(b->world, "flyover", arguments, NULL);

	process_wait(j->process);
	char *out = process_stdout(j->process);
	bool says = strstr(out, b->wanted);
	free(out);
	return says;
}

static bool log_says(void *bench)
{
	struct bench *b = bench;
	char *said = process_stderr(b->daemon->process);
	bool says = strstr(said, b->wanted);

	free(said);
	return says;
}

static void bench_await(struct bench *b, bool (*says)(void *), const char *words)
{
	b->wanted = words;
	wait_until(says, b, words);
}

static void daemon_start(struct bench *b)
{
	const char *yaml = text("listen: %s\nstate-dir: %s/state\nlinks:\n  - name: orders\n"
				"    source: %s\n    source-password-file: %s\n"
				"    target: %s\n    target-password-file: %s\n",
				b->socket, b->world->dir, url_of(b->source, ""), b->files[0],
				url_of(b->target, ""), b->files[1]);
	const char *arguments[] = {"--config", text("%s/flyover.yaml", b->world->dir), NULL};

	file_write(arguments[1], yaml, strlen(yaml));
	b->daemon = job_start_argv(b->world, "flyoverd", arguments, NULL);
	bench_await(b, status_says, "\"stream\"");
}

static void daemon_end(struct bench *b)
{
	process_signal(b->daemon->process, SIGTERM);
	assert_int_equal(process_wait(b->daemon->process), 0);
	assert_same_data(b->source, b->target);
	assert_int_equal(info_number(b->source, "stats", "sync_full"), 1);
}

// The user gets another password and its connections are closed.
static void password_change(struct server *s, const char *password)
{
	run(s, "ACL SETUSER flyover resetpass >%s", password);
	run(s, "CLIENT KILL USER flyover");
}

static bool counter_has_come(void *bench)
{
	struct bench *b = bench;
	return data_differences(b->source, b->target) == 0;
}

static void a_link_of_a_daemon_waits_for_the_new_password(struct world *w)
{
	struct bench b = bench_start(w);

	daemon_start(&b);
	for (unsigned side = 0; side < 2; side++) {
		password_change(side ? b.target : b.source, "second");
		bench_await(&b, status_says, side ? "the target says: WRONGPASS" : "WRONGPASS");
		run(b.source, "INCR counter");
		run(b.source, "RPUSH list %u", side);
		password_put(b.files[side], "second");
		wait_until(counter_has_come, &b, "the link to go on");
		bench_await(&b, status_says, "\"waiting\":\"\"");
	}
	assert_int_equal(ask_number(b.target, "GET counter"), 3);
	daemon_end(&b);
}

// Who changes the file first has no refused login at all.
static void a_file_that_changes_first_is_used_by_the_next_connection(struct world *w)
{
	struct bench b = bench_start(w);

	daemon_start(&b);
	run(b.target, "ACL SETUSER flyover >second"); // both do
	password_put(b.files[1], "second");
	bench_await(&b, log_says, "the password of the target has changed in ");
	run(b.target, "ACL LOG RESET");
	password_change(b.target, "second");
	run(b.source, "INCR counter");
	wait_until(counter_has_come, &b, "the link to go on");
	redisReply *log = ask(b.target, "ACL LOG");
	assert_int_equal(log->elements, 0);
	freeReplyObject(log);

	process_signal(b.daemon->process, SIGHUP);
	bench_await(&b, log_says, "the password of the source is as it was");
	unlink(b.files[0]);
	process_signal(b.daemon->process, SIGHUP);
	bench_await(&b, log_says, "the password of the source stays as it was: ");
	run(b.source, "CLIENT KILL USER flyover");
	run(b.source, "INCR counter");
	wait_until(counter_has_come, &b, "the link to go on");
	daemon_end(&b);
}

static struct job *sync_again(struct bench *b, const char *password, const char *option,
			      const char *value)
{
	struct job *j =
		job_start(b->world, "sync", url_of(b->source, "first"), url_of(b->target, password),
			  "--json", "--interval", "50ms", "--state-dir",
			  text("%s/state", b->world->dir), option, value, NULL);
	job_wait_phase(j, "stream");
	return j;
}

static void a_job_with_a_file_waits_and_one_without_ends(struct world *w)
{
	struct bench b = bench_start(w);
	struct job *j = sync_again(&b, "", "--target-password-file", b.files[1]);

	password_change(b.target, "second");
	run(b.source, "INCR counter");
	password_put(b.files[1], "second");
	wait_until(counter_has_come, &b, "the job to go on");
	assert_int_equal(job_drain(j), 0);

	j = sync_again(&b, "second", NULL, NULL);
	password_change(b.target, "third");
	run(b.source, "INCR counter");
	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "WRONGPASS");
	j = sync_again(&b, "third", NULL, NULL);
	job_wait_applied(j, b.source);
	assert_int_equal(job_drain(j), 0);
	assert_int_equal(ask_number(b.target, "GET counter"), 3);
	assert_same_data(b.source, b.target);
	assert_int_equal(info_number(b.source, "stats", "sync_full"), 1);
}

// A password that was never right is not waited for, whoever asks.
static void a_password_that_was_never_right_ends_the_link(struct world *w)
{
	struct bench b = bench_start(w);
	struct job *j;

	password_put(b.files[1], "wrong");
	j = job_start(w, "sync", url_of(b.source, "first"), url_of(b.target, ""), "--state-dir",
		      text("%s/state", w->dir), "--target-password-file", b.files[1], NULL);
	assert_int_equal(process_wait(j->process), 4);
	assert_one_sentence(j, "WRONGPASS");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_link_of_a_daemon_waits_for_the_new_password),
		E2E_TEST(a_file_that_changes_first_is_used_by_the_next_connection),
		E2E_TEST(a_job_with_a_file_waits_and_one_without_ends),
		E2E_TEST(a_password_that_was_never_right_ends_the_link),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
