// SPDX-License-Identifier: BSD-3-Clause
// Parked commands: what the target refuses, kept, looked at, sent again or given up; by a flyoverd
// that runs, for a link that has ended, and from the folder of a `flyover sync`.
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// A sync whose state folder is known.
struct bench {
	struct world *world;
	struct server *source, *target;
	struct job *sync;
	const char *state;
};

static void bench_sync(struct bench *b)
{
	b->sync = job_start(b->world, "sync", b->source->url, b->target->url, "--json",
			    "--interval", "50ms", "--state-dir", b->state, NULL);
	job_wait_phase(b->sync, "stream");
}

static struct bench bench_start(struct world *w)
{
	struct bench b = {
		.world = w,
		.source = server_start(w, "source", NULL),
		.target = server_start(w, "target", NULL),
		.state = text("%s/state", w->dir),
	};
	bench_sync(&b);
	return b;
}

// `flyover link parked WORDS...`. @return the job, ended
static struct job *parked(struct bench *b, const char *words)
{
	const char *arguments[20] = {"link", "parked"};
	unsigned n = 2;
	char *copy = (char *)text("%s", words);

	for (char *word = strtok(copy, " "); word && n < 16; word = strtok(NULL, " "))
		arguments[n++] = word;
	if (b->state) {
		arguments[n++] = "--state-dir";
		arguments[n++] = b->state;
	}
	struct job *j = job_start_argv(b->world, "flyover", arguments, NULL);
	process_wait(j->process);
	return j;
}

static int parked_code(struct bench *b, const char *words)
{
	return process_wait(parked(b, words)->process);
}

static void assert_said(struct job *j, int code, const char *word)
{
	char *out = process_stdout(j->process), *err = process_stderr(j->process);

	if (process_wait(j->process) != code || (!strstr(out, word) && !strstr(err, word)))
		fail_msg("exit code %d, not %d with '%s': %s%s", process_wait(j->process), code,
			 word, out, err);
	free(out);
	free(err);
}

// The answer of `list --json`.
static json_t *parked_list(struct bench *b, const char *more)
{
	struct job *j = parked(b, text("list --json %s", more));
	char *out = process_stdout(j->process);
	json_t *o = json_loads(out, 0, NULL);

	if (!o)
		fail_msg("no list: %s", out);
	free(out);
	return o;
}

static long long listed(struct bench *b, const char *field)
{
	json_t *o = parked_list(b, "");
	long long n = json_integer_value(json_object_get(o, field));

	json_decref(o);
	return n;
}

// A key that is a list in the target, so that a string's commands are refused.
static void spoil(struct bench *b, const char *key)
{
	run(b->source, "SET %s 0", key);
	job_wait_applied(b->sync, b->source);
	run(b->target, "DEL %s", key);
	run(b->target, "RPUSH %s x", key);
}

static const char *parked_file(struct bench *b, const char *name)
{
	glob_t found;

	assert_int_equal(glob(text("%s/links/*/%s", b->state, name), 0, NULL, &found), 0);
	const char *path = text("%s", found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void file_append(const char *path, const char *bytes)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
}

static void a_parked_command_is_listed_shown_retried_and_leaves(struct world *w)
{
	static const char bytes[] = "*3\r\n$6\r\nAPPEND\r\n$1\r\nn\r\n$5\r\na\"\0\xff\n\r\n";
	struct bench b = bench_start(w);

	spoil(&b, "n");
	run(b.source, "APPEND n %b", "a\"\0\xff\n", (size_t)5);
	run(b.source, "SELECT 3");
	run(b.source, "RPUSH n 7");
	run(b.source, "SELECT 0");
	run(b.source, "INCRBY m 5");
	job_wait_applied(b.sync, b.source);

	json_t *list = parked_list(&b, "");
	const json_t *head = json_array_get(json_object_get(list, "parked"), 0);
	assert_int_equal(json_integer_value(json_object_get(list, "open")), 1);
	assert_int_equal(json_integer_value(json_object_get(head, "id")), 1);
	assert_int_equal(json_integer_value(json_object_get(head, "db")), 0);
	assert_true(json_integer_value(json_object_get(head, "offset")) > 0);
	assert_true(json_integer_value(json_object_get(head, "time_ms")) > 1500000000000);
	assert_string_equal(json_string_value(json_object_get(head, "verb")), "APPEND");
	assert_string_equal(json_string_value(json_object_get(head, "key")), "n");
	assert_non_null(strstr(json_string_value(json_object_get(head, "reason")), "WRONGTYPE"));
	json_decref(list);
	assert_said(parked(&b, "list"), 0, "WRONGTYPE");
	assert_said(parked(&b, "show 1"), 0, "\"a\\\"\\x00\\xff\\n\"");
	struct job *raw = parked(&b, "show 1 --raw");
	size_t len;
	char *said = file_read(raw->process->out_path, &len);
	assert_int_equal(len, sizeof(bytes) - 1);
	assert_memory_equal(said, bytes, len);
	free(said);

	assert_said(parked(&b, "retry 1"), 1, "refused: WRONGTYPE");
	assert_int_equal(listed(&b, "open"), 1);
	assert_int_equal(job_number(b.sync, "parked_open"), 1);
	run(b.target, "DEL n");
	assert_said(parked(&b, "retry 1"), 0, "applied 1");
	assert_int_equal(ask_number(b.target, "STRLEN n"), 5);
	assert_int_equal(listed(&b, "open"), 0);
	assert_int_equal(listed(&b, "settled"), 1);
	assert_said(parked(&b, "retry 1"), 0, "skipped: it is applied");
	assert_int_equal(ask_number(b.target, "STRLEN n"), 5);
	assert_int_equal(
		ask_number(b.target, "EXISTS __flyover:{%s}:parked:1", job_text(b.sync, "name")),
		0);
	job_wait_number(b.sync, "parked_settled", 1);
	assert_int_equal(job_number(b.sync, "parked_open"), 0);
	assert_int_equal(job_number(b.sync, "parked"), 1);
	assert_int_equal(job_drain(b.sync), 0);
	assert_books_balance(b.sync);
}

static void several_go_in_the_order_of_their_offsets(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	for (unsigned i = 0; i < 5; i++) {
		run(b.source, "SELECT %u", i % 2 ? 5 : 0);
		run(b.target, "SELECT %u", i % 2 ? 5 : 0);
		run(b.target, "DEL n");
		run(b.target, "HSET n f v");
		run(b.source, "APPEND n %u", i);
		job_wait_applied(b.sync, b.source);
	}
	assert_int_equal(listed(&b, "open"), 5);
	for (unsigned db = 0; db < 6; db += 5) {
		run(b.target, "SELECT %u", db);
		run(b.target, "DEL n");
	}
	assert_said(parked(&b, "retry --all"), 0, "applied 5, refused 0");
	assert_string_equal(ask_text(b.target, "GET n"), "13");
	run(b.target, "SELECT 0");
	assert_string_equal(ask_text(b.target, "GET n"), "024");
	assert_int_equal(keys_count(b.target, 0), 1);
	assert_said(parked(&b, "retry 4 --all"), 2, "IDs");
	assert_said(parked(&b, "retry 77"), 1, "no parked command 77");
	assert_said(parked(&b, "show x"), 2, "ID");
}

static void long_lists_come_in_pages(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	for (unsigned i = 0; i < 250; i++)
		queue(b.source, "INCR n");
	queue_flush(b.source);
	job_wait_applied(b.sync, b.source);
	json_t *page = parked_list(&b, "");
	assert_int_equal(json_array_size(json_object_get(page, "parked")), 100);
	assert_true(json_is_true(json_object_get(page, "more")));
	json_decref(page);
	page = parked_list(&b, "--limit 60 --after 200");
	const json_t *heads = json_object_get(page, "parked");
	assert_int_equal(json_array_size(heads), 50);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(heads, 0), "id")), 201);
	assert_false(json_is_true(json_object_get(page, "more")));
	json_decref(page);
	// More answers than one page of the API holds.
	run(b.target, "DEL n");
	assert_said(parked(&b, "retry --all"), 0, "applied 250,");
	assert_int_equal(ask_number(b.target, "GET n"), 250);
}

// A sync that has ended: the folder, and a target that is named.
static void a_folder_is_enough(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	run(b.source, "INCR n");
	run(b.source, "INCR n");
	run(b.source, "INCR n");
	job_wait_applied(b.sync, b.source);
	assert_int_equal(job_drain(b.sync), 0);
	assert_said(parked(&b, "list nobody"), 3, "nobody");
	assert_said(parked(&b, "retry 1"), 2, "--target");
	assert_said(parked(&b, "drop --all"), 2, "--yes");
	run(b.target, "CONFIG SET requirepass hush");
	const char *url = text("redis://%s:%d", here(), b.target->port);
	assert_said(parked(&b, text("retry 1 --target %s", url)), 4, "password");
	const char *secret = text("%s/secret", w->dir);
	file_write(secret, "hush\n", 5);
	assert_said(parked(&b, text("retry 1 --target %s --target-password-file %s", url, secret)),
		    1, "refused: WRONGTYPE");
	run(b.target, "DEL n");
	run(b.target, "CONFIG SET requirepass %s", "");
	assert_said(parked(&b, text("retry 3 --target %s", url)), 0, "applied 1");
	assert_said(parked(&b, "drop 2 3 --yes"), 0, "dropped 1");
	assert_said(parked(&b, "drop --all --yes"), 0, "dropped 1");
	assert_int_equal(listed(&b, "open"), 0);
	assert_int_equal(listed(&b, "settled"), 3);
	assert_int_equal(ask_number(b.target, "GET n"), 1);
	b.state = text("%s/nowhere", w->dir);
	assert_said(parked(&b, "list"), 3, "no state folder");
}

// The answer of the target gets lost after it has carried out the transaction.
static void a_lost_answer_doubles_nothing(struct world *w)
{
	struct bench b = bench_start(w);
	struct proxy *p = proxy_start(w, b.target->port);

	spoil(&b, "n");
	spoil(&b, "s");
	run(b.source, "APPEND n 7");
	run(b.source, "SETRANGE s 3 x");
	job_wait_applied(b.sync, b.source);
	assert_int_equal(job_drain(b.sync), 0);
	run(b.target, "DEL n s");
	for (unsigned id = 1; id < 3; id++) {
		// +PONG, an array of one nil, +OK to MULTI: what follows was sent in one piece.
		proxy_cut_after(p, FROM_SERVER, 7 + 9 + 5, END_RST);
		assert_said(parked(&b, text("retry %u --target %s", id, p->url)), 4, "lost");
	}
	assert_int_equal(ask_number(b.target, "STRLEN n"), 1);
	assert_int_equal(ask_number(b.target, "STRLEN s"), 4);
	assert_int_equal(listed(&b, "open"), 2);
	// One may be repeated and is; the other may not.
	assert_said(parked(&b, text("retry --all --target %s", p->url)), 1,
		    "applied 1, refused 0, unsure 1");
	assert_int_equal(ask_number(b.target, "STRLEN n"), 1);
	assert_int_equal(listed(&b, "open"), 1);
	assert_said(parked(&b, text("retry 1 --again --target %s", p->url)), 0, "applied 1");
	assert_int_equal(ask_number(b.target, "STRLEN n"), 2);
	redisReply *r = ask(b.target, "KEYS __flyover:*parked*");
	assert_int_equal(r->elements, 0);
	freeReplyObject(r);
}

static void torn_lines_are_left_out_and_said(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	run(b.source, "INCR n");
	run(b.source, "INCR n");
	job_wait_applied(b.sync, b.source);
	assert_int_equal(job_drain(b.sync), 0);
	file_append(parked_file(&b, "parked.jsonl"), "{\"time_ms\":17,\"phase\":\"str");
	assert_said(parked(&b, "list"), 0, "1 line is left out of parked.jsonl: torn by a crash");
	bench_sync(&b);
	run(b.source, "INCR n");
	job_wait_applied(b.sync, b.source);
	assert_int_equal(listed(&b, "open"), 3);
	assert_int_equal(listed(&b, "damaged"), 1);
	assert_said(parked(&b, "show 3"), 1, "damaged");
	assert_said(parked(&b, "show 4"), 0, "INCR");
	assert_said(parked(&b, "drop 1 --yes"), 0, "dropped 1");
	file_append(parked_file(&b, "parked-settled.jsonl"), "{\"id\":2,\"time");
	assert_int_equal(listed(&b, "open"), 2);
	assert_said(parked(&b, "drop 4 --yes"), 0, "dropped 1");
	assert_int_equal(listed(&b, "open"), 1);
	assert_said(parked(&b, "show 2"), 0, "open");
	assert_said(parked(&b, "show 4"), 0, "dropped");
}

// What is settled leaves the file while the link goes on parking into it; ids stay.
static void the_file_shrinks_when_much_is_settled(struct world *w)
{
	struct bench b = bench_start(w);
	char *big = malloc(1 << 20);
	struct stat st;

	memset(big, 'x', 1 << 20);
	spoil(&b, "n");
	run(b.source, "APPEND n %b", big, (size_t)1 << 20);
	run(b.source, "INCRBY m 1");
	run(b.source, "STRLEN n");
	run(b.source, "SETRANGE n 1 small");
	run(b.source, "APPEND n %b", big, (size_t)1 << 20);
	job_wait_applied(b.sync, b.source);
	free(big);
	assert_int_equal(listed(&b, "open"), 3);
	const char *path = parked_file(&b, "parked.jsonl");
	assert_said(parked(&b, "drop 1 3 --yes"), 0, "dropped 2");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 1000);
	assert_int_equal(stat(parked_file(&b, "parked-settled.jsonl"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(listed(&b, "open"), 1);
	assert_int_equal(listed(&b, "settled"), 2);
	assert_said(parked(&b, "show 2"), 0, "SETRANGE");
	assert_said(parked(&b, "show 3"), 1, "left out");
	assert_said(parked(&b, "show 1"), 1, "no parked command 1");
	run(b.source, "SETRANGE n 1 later");
	job_wait_applied(b.sync, b.source);
	job_wait_number(b.sync, "parked_open", 2);
	assert_said(parked(&b, "show 4"), 0, "later");
	assert_said(parked(&b, "drop 4 --yes"), 0, "dropped 1");
	assert_int_equal(listed(&b, "settled"), 3);
	assert_int_equal(listed(&b, "open"), 1);
}

// Lines of a dataplane that is killed while it parks are whole, or left out. Refusals whose answers
// it had not read are not among them: the marker says that those commands were carried out.
static void a_killed_dataplane_spoils_no_line(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	for (unsigned i = 0; i < 3; i++) {
		long long open = job_number(b.sync, "parked_open");
		for (unsigned k = 0; k < 3000; k++)
			queue(b.source, "INCR n");
		queue_flush(b.source);
		job_wait_number(b.sync, "parked_open", open + 50);
		kill(job_dataplane(b.sync), SIGKILL);
	}
	job_wait_applied(b.sync, b.source);
	json_t *page = parked_list(&b, "--limit 10000");
	const json_t *heads = json_object_get(page, "parked");
	long long last = 0;
	for (size_t i = 0; i < json_array_size(heads); i++) {
		const json_t *head = json_array_get(heads, i);
		assert_string_equal(json_string_value(json_object_get(head, "verb")), "INCR");
		long long offset = json_integer_value(json_object_get(head, "offset"));
		assert_true(offset > last); // each once, and in order
		last = offset;
	}
	assert_true(json_array_size(heads) > 150);
	assert_int_equal(json_array_size(heads), json_integer_value(json_object_get(page, "open")));
	json_decref(page);
}

// One at a time settles.
static void two_do_not_settle_at_once(struct world *w)
{
	struct bench b = bench_start(w);

	spoil(&b, "n");
	run(b.source, "INCR n");
	job_wait_applied(b.sync, b.source);
	const char *path = text("%s/parked-settled.jsonl",
				text("%.*s", (int)(strlen(parked_file(&b, "parked.jsonl")) - 13),
				     parked_file(&b, "parked.jsonl")));
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_said(parked(&b, "drop 1 --yes"), 1, "somebody else");
	assert_said(parked(&b, "retry 1"), 1, "somebody else");
	close(fd);
	assert_said(parked(&b, "drop 1 --yes"), 0, "dropped 1");
}

static bool api_is_there(void *bench)
{
	return parked_code(bench, "list orders") == 0;
}

static void a_daemon_settles_those_of_its_links(struct world *w)
{
	struct bench b = {.world = w,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", "--requirepass", "hush", NULL)};
	const char *file = text("%s/flyover.yaml", w->dir), *socket = text("%s/api", w->dir);
	const char *yaml = text("listen: %s\nstate-dir: %s/state\nlinks:\n  - name: orders\n"
				"    source: %s\n    target: redis://:hush@%s:%d\n",
				socket, w->dir, b.source->url, here(), b.target->port);
	const char *arguments[] = {"--config", file, NULL};

	setenv("FLYOVER_SOCKET", socket, 1);
	file_write(file, yaml, strlen(yaml));
	job_start_argv(w, "flyoverd", arguments, NULL);
	wait_until(api_is_there, &b, "flyoverd to listen");
	run(b.target, "RPUSH n x");
	run(b.source, "SELECT 1");
	run(b.target, "SELECT 1");
	run(b.target, "RPUSH n x");
	run(b.source, "SELECT 0");
	run(b.target, "SELECT 0");
	// The snapshot overwrites, so the stream has to run before these are refused.
	for (long long n = 0, deadline = now_ms() + DEADLINE_MS; !n; nap_ms(5)) {
		run(b.source, "INCR n");
		json_t *list = parked_list(&b, "orders");
		n = json_integer_value(json_object_get(list, "open"));
		json_decref(list);
		run(b.target, "DEL n");
		run(b.target, "RPUSH n x");
		assert_true(now_ms() < deadline);
	}
	assert_said(parked(&b, "list orders"), 0, "INCR");
	assert_said(parked(&b, "retry orders 1"), 1, "refused: WRONGTYPE");
	assert_said(parked(&b, "retry orders 1 --target redis://127.0.0.1:1"), 2, "--target");
	assert_said(parked(&b, "list strangers"), 3, "no link named");
	run(b.target, "DEL n");
	// A target that hangs holds the retry, not the daemon.
	server_freeze(b.target);
	const char *words[] = {"link", "parked", "retry", "orders", "1", NULL};
	struct job *held = job_start_argv(w, "flyover", words, NULL);
	const char *status_words[] = {"status", NULL};
	for (unsigned i = 0; i < 3; i++) {
		struct job *status = job_start_argv(w, "flyover", status_words, NULL);
		assert_int_equal(process_wait(status->process), 0);
	}
	assert_false(process_has_ended(held->process));
	server_thaw(b.target);
	assert_int_equal(process_wait(held->process), 0);
	assert_int_equal(ask_number(b.target, "EXISTS n"), 1);
	// Of a link that has ended, too.
	assert_int_equal(process_wait(job_start(w, "link", "drain", "orders", NULL)->process), 0);
	assert_said(parked(&b, "show orders 1"), 0, "applied");
	unsetenv("FLYOVER_SOCKET");
}

// ---- What gets parked, and what ends the job ----------------------------------------------------

static void a_value_that_is_too_large_is_parked(struct world *w)
{
	struct bench b = bench_start(w);
	char *half = malloc(700000);

	memset(half, 'x', 700000);
	run(b.target, "CONFIG SET proto-max-bulk-len 1048576");
	run(b.source, "SET n %b", half, (size_t)700000);
	run(b.source, "APPEND n %b", half, (size_t)700000);
	run(b.source, "SET after 1");
	free(half);
	job_wait_applied(b.sync, b.source);
	assert_int_equal(job_number(b.sync, "parked"), 1);
	assert_int_equal(ask_number(b.target, "STRLEN n"), 700000);
	assert_int_equal(ask_number(b.target, "GET after"), 1);
	assert_said(parked(&b, "list"), 0, "exceeds maximum allowed size");
	assert_said(parked(&b, "retry 1"), 1, "refused: ERR string exceeds");
	run(b.target, "CONFIG SET proto-max-bulk-len 536870912");
	assert_said(parked(&b, "retry 1"), 0, "applied 1");
	assert_int_equal(ask_number(b.target, "STRLEN n"), 1400000);
}

// What the target refuses as it queues a command aborts the batch as a whole: no command of it can
// be parked alone, and all that the target lacks would follow. It ends the job, nothing is lost.
static void a_command_that_the_target_does_not_know_ends_the_job(struct world *w)
{
	struct bench b = {.world = w,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", "--rename-command", "LSET", "", NULL),
			  .state = text("%s/state", w->dir)};

	bench_sync(&b);
	run(b.source, "RPUSH l a b");
	run(b.source, "LSET l 0 c");
	assert_int_equal(job_wait(b.sync), 1);
	assert_one_sentence(b.sync, "unknown command");
	assert_int_equal(listed(&b, "open"), 0);
}

static void a_right_that_is_missing_ends_the_job(struct world *w)
{
	struct bench b = bench_start(w);

	assert_int_equal(job_drain(b.sync), 0);
	run(b.target, "ACL SETUSER writer on >pw ~* &* +@all -incr");
	const char *url = text("redis://writer:pw@%s:%d", here(), b.target->port);
	b.sync = job_start(w, "sync", b.source->url, url, "--json", "--interval", "50ms",
			   "--state-dir", b.state, NULL);
	job_wait_phase(b.sync, "stream");
	run(b.source, "INCR n");
	assert_int_equal(job_wait(b.sync), 4);
	assert_one_sentence(b.sync, "incr");
	run(b.target, "ACL SETUSER writer +incr");
	b.sync = job_start(w, "sync", b.source->url, url, "--json", "--interval", "50ms",
			   "--state-dir", b.state, NULL);
	job_wait_applied(b.sync, b.source);
	assert_int_equal(ask_number(b.target, "GET n"), 1); // it goes on where it ended
	assert_int_equal(job_drain(b.sync), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_parked_command_is_listed_shown_retried_and_leaves),
		E2E_TEST(several_go_in_the_order_of_their_offsets),
		E2E_TEST(long_lists_come_in_pages),
		E2E_TEST(a_folder_is_enough),
		E2E_TEST(a_lost_answer_doubles_nothing),
		E2E_TEST(torn_lines_are_left_out_and_said),
		E2E_TEST(the_file_shrinks_when_much_is_settled),
		E2E_TEST(a_killed_dataplane_spoils_no_line),
		E2E_TEST(two_do_not_settle_at_once),
		E2E_TEST(a_daemon_settles_those_of_its_links),
		E2E_TEST(a_value_that_is_too_large_is_parked),
		E2E_TEST(a_command_that_the_target_does_not_know_ends_the_job),
		E2E_TEST(a_right_that_is_missing_ends_the_job),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
