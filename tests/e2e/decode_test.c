// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode`: what it prints of a real server's files makes the same data again, as commands
// and as JSON; its options, exit codes and sentences; and little memory for a large key.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parsers/rdb_write.h"
#include "tests/e2e/decode_rig.h"
#include "tests/e2e/json_bytes.h"

static const char *saved(struct server *s)
{
	queue_flush(s);
	run(s, "SAVE");
	return text("%s/dump.rdb", s->dir);
}

static void commands_round(struct world *w, struct server *source)
{
	struct server *target = server_start(w, "target", NULL);

	queue_flush(source);
	deleted_pending_acknowledge(source);
	struct process *p = decode(w, saved(source), 0, "--format=resp", NULL);

	assert_true(commands_send(target, p->out_path) > 100);
	assert_same_data_with(source, target, true);
}

static void commands_make_the_same_data(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);

	dataset_load(source);
	dataset_load_big(source);
	commands_round(w, source);
}

static void commands_make_the_same_data_of_unpacked_values(struct world *w)
{
	struct server *source = server_start(
		w, "source", "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
		"--set-max-intset-entries", "0", "--list-max-listpack-size", "1",
		"--stream-node-max-entries", "3", "--rdbcompression", "no", "--rdbchecksum", "no",
		NULL);

	dataset_load(source);
	commands_round(w, source);
}

static void commands_make_the_same_data_of_packed_values(struct world *w)
{
	struct server *source = server_start(
		w, "source", "--hash-max-listpack-entries", "60000", "--zset-max-listpack-entries",
		"60000", "--hash-max-listpack-value", "10000", "--set-max-intset-entries", "60000",
		"--list-max-listpack-size", "-5", "--stream-node-max-entries", "0",
		"--list-compress-depth", "1", NULL);

	dataset_load(source);
	commands_round(w, source);
}

// ---- JSON

struct words {
	const char *argv[8];
	size_t lens[8];
	int n;
};

static void word(struct words *words, const json_t *v)
{
	words->argv[words->n] = json_bytes(v, &words->lens[words->n]);
	words->n++;
}

static void literal(struct words *words, const char *z)
{
	words->argv[words->n] = z;
	words->lens[words->n++] = strlen(z);
}

static void pairs_send(struct server *s, const char *verb, const json_t *o, bool swap)
{
	const json_t *value = json_object_get(o, "value"), *item;
	size_t i;

	json_array_foreach((json_t *)value, i, item) {
		struct words words = {.n = 0};

		literal(&words, verb);
		word(&words, json_object_get(o, "key"));
		if (json_is_array(item)) {
			word(&words, json_array_get(item, swap));
			word(&words, json_array_get(item, !swap));
		} else {
			word(&words, item);
		}
		queue_argv(s, words.n, words.argv, words.lens);
	}
}

static void object_send(struct server *s, const json_t *o)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	struct words words = {.n = 0};

	if (!strcmp(type, "function"))
		queue(s, "FUNCTION LOAD %s", json_string_value(json_object_get(o, "code")));
	if (!strcmp(type, "aux") || !strcmp(type, "function"))
		return;
	queue(s, "SELECT %lld", (long long)json_integer_value(json_object_get(o, "db")));
	if (!strcmp(type, "string")) {
		literal(&words, "SET");
		word(&words, json_object_get(o, "key"));
		word(&words, json_object_get(o, "value"));
		queue_argv(s, words.n, words.argv, words.lens);
	}
	if (!strcmp(type, "list") || !strcmp(type, "set"))
		pairs_send(s, *type == 'l' ? "RPUSH" : "SADD", o, false);
	if (!strcmp(type, "hash") || !strcmp(type, "zset"))
		pairs_send(s, *type == 'h' ? "HSET" : "ZADD", o, *type == 'z');
	words.n = 0;
	literal(&words, "PEXPIREAT");
	word(&words, json_object_get(o, "key"));
	literal(&words, text("%lld", (long long)json_integer_value(
					     json_object_get(o, "expire_at_ms"))));
	if (json_object_get(o, "expire_at_ms"))
		queue_argv(s, words.n, words.argv, words.lens);
}

// Streams are left to the test of the corpora.
static void json_makes_the_same_data(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	queue_flush(source);
	for (int db = 0; db < 16; db++) {
		select_db(source, db);
		run(source, "EVAL %s 0",
		    "for _, k in ipairs(redis.call('KEYS', 'stream:*')) do "
		    "redis.call('DEL', k) end redis.call('DEL', 'ttl:stream')");
	}
	select_db(source, 0);
	struct process *p = decode(w, saved(source), 0, "--format", "json", NULL);
	json_t *all = json_load_file(p->out_path, JSON_ALLOW_NUL, NULL), *o;
	size_t i;

	assert_true(json_array_size(all) > 50);
	json_array_foreach(all, i, o) object_send(target, o);
	queue_flush(target);
	select_db(target, 0);
	assert_same_data(source, target);
	json_decref(all);
}

// ---- Options and exit codes

static void small_file(const char *path)
{
	char buf[512];
	struct rdb_writer writer;

	rdb_write_init(&writer, buf, sizeof(buf), NULL, NULL);
	rdb_write_header(&writer, 9);
	for (int i = 0; i < 3; i++) {
		const char *name = text("key:%d", i);
		rdb_write_key(&writer, 0, span_of(name), &RDB_WRITE_NO_ATTRS);
		rdb_write_str(&writer, SPAN_LIT("value"));
	}
	assert_int_equal(rdb_write_eof(&writer), 0);
	file_write(path, buf, writer.len);
}

static void options_choose_what_is_written(struct world *w)
{
	const char *file = text("%s/small.rdb", w->dir), *out = text("%s/out", w->dir);

	small_file(file);
	assert_stdout(decode(w, file, 0, "--format=keys", NULL), "key:0\nkey:1\nkey:2\n");
	assert_stdout(decode(w, file, 0, "--format=keys", "--match=*1", NULL), "key:1\n");
	assert_stdout(decode(w, file, 0, "--format=keys", "--limit", "2", NULL), "key:0\nkey:1\n");
	assert_stdout(decode(w, file, 0, "--format=keys", "--db", "1", NULL), "");
	assert_stdout(decode(w, file, 0, "-o", out, "--format", "keys", NULL), "");
	char *written = file_read(out, NULL);
	assert_string_equal(written, "key:0\nkey:1\nkey:2\n");
	free(written);
	written = process_stdout(decode(w, file, 0, "--report", NULL));
	assert_non_null(strstr(written, "3 keys"));
	assert_null(strstr(written, "value"));
	free(written);
	const char *page = text("%s/page.html", w->dir);
	assert_stdout(decode(w, file, 0, text("--report=%s", page), NULL), "");
	written = file_read(page, NULL);
	assert_non_null(strstr(written, "<svg"));
	free(written);
	written = process_stderr(decode(w, file, 0, "--report", "--format=keys", NULL));
	assert_non_null(strstr(written, "3 keys"));
	free(written);
}

static void standard_input_is_read(struct world *w)
{
	const char *file = text("%s/small.rdb", w->dir);
	const char *line =
		text("cat '%s' | '%s/flyover' decode - --format=keys", file, build_dir());

	small_file(file);
	struct process *p =
		process_start(w, "shell", (const char *[]){"/bin/sh", "-c", line, NULL}, NULL);
	assert_int_equal(process_wait(p), 0);
	assert_stdout(p, "key:0\nkey:1\nkey:2\n");
}

// As `flyover decode FILE | head -1` does it.
static void reader_that_had_enough_is_no_failure(struct world *w)
{
	const char *file = text("%s/small.rdb", w->dir);
	const char *line = text("set -o pipefail; '%s/flyover' decode '%s' | true", build_dir(),
				file);

	small_file(file);
	struct process *p =
		process_start(w, "shell", (const char *[]){"bash", "-c", line, NULL}, NULL);
	assert_int_equal(process_wait(p), 0);
}

static void failures_have_their_exit_code_and_one_sentence(struct world *w)
{
	const char *file = text("%s/small.rdb", w->dir), *cut = text("%s/cut.rdb", w->dir);
	size_t len;

	small_file(file);
	assert_sentence(decode(w, text("%s/none.rdb", w->dir), 3, NULL), "No such file");
	assert_sentence(decode(w, w->dir, 3, NULL), "directory");
	assert_sentence(decode(w, file, 2, "--format=xml", NULL), "--format is json");
	assert_sentence(decode(w, file, 2, "--limit=0", NULL), "--limit");
	assert_sentence(decode(w, file, 2, "--db=x", NULL), "--db");
	assert_sentence(decode(w, file, 1, "-o", text("%s/none/out", w->dir), NULL),
			"cannot write");
	assert_sentence(decode(w, file, 1, "-o", "/dev/full", NULL), "No space");
	char *bytes = file_read(file, &len);
	file_write(cut, bytes, len - 12);
	struct process *p = decode(w, cut, 1, "--format=keys", NULL);
	assert_stdout(p, "key:0\nkey:1\n");
	assert_sentence(p, text("truncated at byte %zu", len - 12));
	bytes[12] ^= 0x20;
	file_write(cut, bytes, len);
	assert_sentence(decode(w, cut, 1, NULL), "damaged");
	free(bytes);
}

// ---- Memory

#define MEMBERS 3000000
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX_KB (400 * 1024)
#else
#define MEMORY_MAX_KB (32 * 1024)
#endif

static int to_file(void *arg, struct span out)
{
	return fwrite(out.p, 1, out.len, arg) == out.len ? 0 : -EIO;
}

static void one_large_zset(const char *path)
{
	static char buf[65536];
	struct rdb_writer writer;
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	rdb_write_init(&writer, buf, sizeof(buf), to_file, out);
	rdb_write_header(&writer, 9);
	rdb_write_key(&writer, 5, SPAN_LIT("large"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&writer, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		char name[32];
		int n = snprintf(name, sizeof(name), "member:%u", i);

		rdb_write_plain(&writer, (struct span){name, (size_t)n});
		rdb_write_double(&writer, i);
	}
	assert_int_equal(rdb_write_eof(&writer), 0);
	fclose(out);
}

// First, before any server of the other tests has been waited for: it is the greatest child.
static void large_key_takes_little_memory(struct world *w)
{
	const char *file = text("%s/large.rdb", w->dir), *out = text("%s/out", w->dir);
	struct rusage usage;
	struct stat st;

	one_large_zset(file);
	decode(w, file, 0, "-o", out, text("--report=%s/page.html", w->dir), NULL);
	assert_int_equal(stat(out, &st), 0);
	assert_true(st.st_size > 60000000);
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	if (usage.ru_maxrss > MEMORY_MAX_KB)
		fail_msg("%ld KB of memory", usage.ru_maxrss);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(large_key_takes_little_memory),
		E2E_TEST(commands_make_the_same_data),
		E2E_TEST(commands_make_the_same_data_of_unpacked_values),
		E2E_TEST(commands_make_the_same_data_of_packed_values),
		E2E_TEST(json_makes_the_same_data),
		E2E_TEST(options_choose_what_is_written),
		E2E_TEST(standard_input_is_read),
		E2E_TEST(reader_that_had_enough_is_no_failure),
		E2E_TEST(failures_have_their_exit_code_and_one_sentence),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
