// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode` of what a real server wrote as its append-only file: piped into an empty server,
// it makes the same data, whatever the form of the file; and a file that is cut or damaged is taken
// as far as the server itself would take it.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/decode_rig.h"

#define FOLDER "appendonlydir"

static void shell(struct world *w, const char *line)
{
	struct process *p =
		process_start(w, "shell", (const char *[]){"bash", "-c", line, NULL}, NULL);

	if (process_wait(p))
		fail_msg("%s: %s", line, process_stderr(p));
}

// Decode, and send it the way a user would. @return what redis-cli said
static void pipe_into(struct world *w, const char *file, struct server *target)
{
	const char *line = text("set -o pipefail; '%s/flyover' decode '%s' --format=resp | "
				"redis-cli -p %d --pipe", build_dir(), file, target->port);
	struct process *p =
		process_start(w, "pipe", (const char *[]){"bash", "-c", line, NULL}, NULL);
	int code = process_wait(p);
	char *said = process_stdout(p);

	if (code || !strstr(said, "errors: 0"))
		fail_msg("%d: %s %s", code, said, process_stderr(p));
	free(said);
}

static void assert_check_agrees(struct world *w, struct server *a, struct server *b)
{
	const char *program = text("%s/flyover", build_dir());
	struct process *p = process_start(
		w, "check", (const char *[]){program, "check", a->url, b->url, NULL}, NULL);

	assert_int_equal(process_wait(p), 0);
}

static bool rewrite_is_done(void *arg)
{
	return info_number(arg, "persistence", "aof_rewrite_in_progress") == 0 &&
	       info_number(arg, "persistence", "aof_rewrite_scheduled") == 0;
}

static void rewrite(struct server *s)
{
	queue_flush(s);
	run(s, "BGREWRITEAOF");
	wait_until(rewrite_is_done, s, "the rewrite to end");
}

// What follows a rewrite: every kind of command that depends on what was there.
static void writes_after(struct server *s)
{
	select_db(s, 0);
	for (int i = 0; i < 500; i++) {
		queue(s, "INCR after:counter");
		queue(s, "RPUSH after:list %d", i);
		queue(s, "HINCRBY after:hash f%d %d", i % 7, i);
	}
	queue(s, "MULTI");
	queue(s, "INCR after:counter");
	queue(s, "SELECT 9");
	queue(s, "SET after:nine %b", "a\r\n\0b", (size_t)5);
	queue(s, "SELECT 0");
	queue(s, "EXEC");
	queue(s, "SET after:ttl x EX 10000");
	queue(s, "XADD after:stream 7-1 a b");
	queue_flush(s);
}

static void folder_makes_the_same_data(struct world *w, const char *preamble)
{
	struct server *source = server_start(w, "source", "--appendonly", "yes", "--appendfsync",
					     "no", "--aof-use-rdb-preamble", preamble,
					     "--aof-timestamp-enabled", "yes", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	deleted_pending_acknowledge(source);
	rewrite(source);
	writes_after(source);
	pipe_into(w, text("%s/" FOLDER, source->dir), target);
	assert_same_data(source, target);
	assert_check_agrees(w, source, target);
}

static void folder_with_an_rdb_makes_the_same_data(struct world *w)
{
	folder_makes_the_same_data(w, "yes");
}

static void folder_of_commands_makes_the_same_data(struct world *w)
{
	folder_makes_the_same_data(w, "no");
}

// As servers before 7.0 had it: one file, that begins with an RDB after a rewrite.
static void file_with_a_preamble_makes_the_same_data(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--appendonly", "yes", "--appendfsync", "no", NULL);
	struct server *target = server_start(w, "target", NULL);
	const char *file = text("%s/appendonly.aof", w->dir);

	dataset_load(source);
	deleted_pending_acknowledge(source);
	rewrite(source);
	writes_after(source);
	shell(w, text("cd '%s/" FOLDER "' && cat *.base.rdb *.incr.aof > '%s'", source->dir, file));
	pipe_into(w, file, target);
	assert_same_data(source, target);
}

// ---- Memory

#define VALUE_MB 64
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX_KB (400 * 1024)
#else
#define MEMORY_MAX_KB (32 * 1024)
#endif

// First, before any server of the other tests has been waited for: it is the greatest child.
static void large_value_takes_little_memory(struct world *w)
{
	const char *file = text("%s/large.aof", w->dir), *out = text("%s/out", w->dir);
	char *bytes = calloc(1, 1 << 20);
	FILE *to = fopen(file, "w");
	struct rusage usage;
	struct stat st, out_st;

	fprintf(to, "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n", VALUE_MB << 20);
	for (int i = 0; i < VALUE_MB; i++)
		fwrite(bytes, 1, 1 << 20, to);
	fprintf(to, "\r\n");
	assert_int_equal(fclose(to), 0);
	free(bytes);
	decode(w, file, 0, "-o", out, "--format=resp", NULL);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(stat(out, &out_st), 0);
	assert_int_equal(out_st.st_size,
			 st.st_size + (off_t)strlen("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	if (usage.ru_maxrss > MEMORY_MAX_KB)
		fail_msg("%ld KB of memory", usage.ru_maxrss);
}

// ---- Points in time

static unsigned times_count(const char *folder)
{
	size_t len;
	char *bytes = file_read(text("%s/appendonly.aof.1.incr.aof", folder), &len);
	unsigned n = 0;

	for (const char *p = bytes; p && (p = memmem(p, len - (size_t)(p - bytes), "#TS:", 4)); p++)
		n++;
	free(bytes);
	return n;
}

struct ticking {
	struct server *server;
	unsigned wanted;
};

// The server writes a time with the first command of a new second.
static bool time_has_gone_on(void *arg)
{
	struct ticking *t = arg;

	run(t->server, "SET now x");
	return times_count(text("%s/" FOLDER, t->server->dir)) >= t->wanted;
}

static void until_time_takes_what_was_there_then(struct world *w)
{
	struct server *s = server_start(w, "source", "--appendonly", "yes", "--appendfsync",
					"always", "--aof-timestamp-enabled", "yes", NULL);
	const char *folder = text("%s/" FOLDER, s->dir);

	run(s, "SET early x");
	struct ticking t = {s, times_count(folder) + 1};
	wait_until(time_has_gone_on, &t, "a new second in the file");
	run(s, "SET late x");
	char *bytes = file_read(text("%s/appendonly.aof.1.incr.aof", folder), NULL);
	long long first = atoll(strstr(bytes, "#TS:") + 4);
	free(bytes);
	char *keys = process_stdout(decode(w, folder, 0, "--format=keys",
					   text("--until-time=%lld", first), NULL));
	assert_non_null(strstr(keys, "early\n"));
	assert_null(strstr(keys, "late\n"));
	free(keys);
	keys = process_stdout(decode(w, folder, 0, "--format=keys",
				     "--until-time=2100-01-01T00:00:00Z", NULL));
	assert_non_null(strstr(keys, "late\n"));
	free(keys);
	assert_sentence(decode(w, folder, 1, text("--until-time=%lld", first - 3600), NULL),
			"later than --until-time");
}

static void times_that_are_not_there_are_missed(struct world *w)
{
	struct server *s =
		server_start(w, "source", "--appendonly", "yes", "--appendfsync", "no", NULL);

	run(s, "SET k v");
	struct process *p = decode(w, text("%s/" FOLDER, s->dir), 0, "--format=keys",
				   "--until-time=2100-01-01T00:00:00Z", NULL);
	assert_stdout(p, "k\n");
	assert_sentence(p, "aof-timestamp-enabled was off");
	assert_sentence(decode(w, text("%s/" FOLDER, s->dir), 2, "--until-time=noon", NULL),
			"--until-time: 'noon' is no time");
}

// ---- Cut and damaged

// A folder that a server wrote and left, and a server that starts on a copy of it.
struct scene {
	struct server *judge;
	const char *folder, *incr;
	struct stat st; // of incr
};

static struct scene scene_make(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--appendonly", "yes", "--appendfsync", "no", NULL);
	struct scene scene = {.judge = server_start(w, "judge", "--appendonly", "yes",
						    "--appendfsync", "no", NULL),
			      .folder = text("%s/" FOLDER, source->dir),
			      .incr = text("%s/" FOLDER "/appendonly.aof.1.incr.aof", source->dir)};

	writes_after(source);
	server_stop(source);
	assert_int_equal(stat(scene.incr, &scene.st), 0);
	return scene;
}

// What the server itself makes of the folder must be what decode makes of it.
static void assert_judged_alike(struct world *w, struct scene *scene)
{
	struct server *target = server_start(w, text("target%u", w->n_processes), NULL);

	server_stop(scene->judge);
	shell(w, text("rm -r '%s/" FOLDER "' && cp -r '%s' '%s'", scene->judge->dir, scene->folder,
		      scene->judge->dir));
	server_start_again(scene->judge);
	pipe_into(w, scene->folder, target);
	assert_same_data(scene->judge, target);
	assert_true(keys_count(target, 0) >= 3);
}

static void cut_file_is_taken_as_far_as_the_server_takes_it(struct world *w)
{
	struct scene scene = scene_make(w);

	assert_int_equal(truncate(scene.incr, scene.st.st_size - 3), 0);
	assert_sentence(decode(w, scene.folder, 0, "--format=keys", NULL), "were left out");
	assert_sentence(decode(w, scene.folder, 1, "--format=keys", "--strict", NULL),
			"the file ends within what begins at byte");
	assert_judged_alike(w, &scene);
}

static void open_transaction_is_left_out_as_the_server_does(struct world *w)
{
	struct scene scene = scene_make(w);

	shell(w, text("printf '*1\\r\\n$5\\r\\nMULTI\\r\\n*2\\r\\n$4\\r\\nINCR\\r\\n$13\\r\\n"
		      "after:counter\\r\\n' >> '%s'", scene.incr));
	struct process *p = decode(w, scene.folder, 0, "--format=jsonl", NULL);
	assert_sentence(p, text("transaction that begins at byte %lld has no EXEC",
				(long long)scene.st.st_size));
	assert_sentence(p, "49 bytes behind");
	decode(w, scene.folder, 1, "--strict", NULL);
	assert_judged_alike(w, &scene);
}

static void damage_is_told_with_its_place(struct world *w)
{
	struct scene scene = scene_make(w);
	size_t len;
	char *bytes = file_read(scene.incr, &len);
	static const char command[] = "RPUSH\r\n$10\r\nafter:list\r\n$3\r\n250";
	char *at = memmem(bytes, len, command, strlen(command));

	assert_non_null(at);
	memcpy(at, "garbage", 7);
	file_write(scene.incr, bytes, len);
	struct process *p = decode(w, scene.folder, 1, "--format=keys", NULL);
	assert_sentence(p, text("at byte %td of the AOF, where \"ge$10", at + 5 - bytes));
	char *keys = process_stdout(p);
	assert_null(strstr(keys, "after:nine"));
	assert_non_null(strstr(keys, "after:counter"));
	free(keys);
	free(bytes);
}

static void part_that_is_missing_is_told(struct world *w)
{
	struct scene scene = scene_make(w);

	assert_int_equal(unlink(scene.incr), 0);
	struct process *p = decode(w, scene.folder, 1, NULL);
	assert_sentence(p, "appendonly.aof.manifest names ");
	assert_sentence(p, "appendonly.aof.1.incr.aof, which is not there");
	assert_stdout(p, "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(large_value_takes_little_memory),
		E2E_TEST(folder_with_an_rdb_makes_the_same_data),
		E2E_TEST(folder_of_commands_makes_the_same_data),
		E2E_TEST(file_with_a_preamble_makes_the_same_data),
		E2E_TEST(until_time_takes_what_was_there_then),
		E2E_TEST(times_that_are_not_there_are_missed),
		E2E_TEST(cut_file_is_taken_as_far_as_the_server_takes_it),
		E2E_TEST(open_transaction_is_left_out_as_the_server_does),
		E2E_TEST(damage_is_told_with_its_place),
		E2E_TEST(part_that_is_missing_is_told),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
