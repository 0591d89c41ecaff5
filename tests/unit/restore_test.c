// SPDX-License-Identifier: BSD-3-Clause
// What the primary of a restore serves, byte by byte: the survey's findings, the stream without its
// annotations and up to its last good point, and the same bytes from any offset on.
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctrl/restore/parts.h"
#include "ctrl/restore/primary.h"
#include "ctrl/restore/survey.h"
#include "ctrl/restore/walk.h"
#include "tests/unit/test.h"

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define INCR     "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
#define MULTI    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC     "*1\r\n$4\r\nEXEC\r\n"
#define FULL_SYNC "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"
#define PING     "*1\r\n$4\r\nPING\r\n"

// Taken in 2001, without a checksum: a key that expired then, and one that never does.
static const char rdb[] = "REDIS0009"
			  "\xfa\x05" "ctime" "\xc2\x00\x00\x80\x3b"
			  "\xfe\x00"
			  "\xfc\x00\x10\x00\x80\xe8\x00\x00\x00\x00\x01" "o\x01v"
			  "\x00\x01" "k\x01w"
			  "\xff\0\0\0\0\0\0\0\0";
#define RDB_LEN (sizeof(rdb) - 1)

struct scene {
	char dir[64], file[80], socket[80];
	struct aof_files files;
	struct plan plan;
	struct primary primary;
	struct target_facts facts; // of a target that there is not
	bool blind;                // and that does not answer
	struct failure f;
};

static int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	strcpy(s->dir, "/tmp/flyover-restore-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->file, sizeof(s->file), "%s/file", s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/socket", s->dir);
	s->primary.listen_fd = s->primary.stop_fd = -1;
	*state = s;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *s = *state;

	primary_stop(&s->primary);
	aof_files_close(&s->files);
	unlink(s->file);
	unlink(s->socket);
	rmdir(s->dir);
	free(s);
	return 0;
}

static void file_put(struct scene *s, const char *a, size_t a_len, const char *b)
{
	FILE *out = fopen(s->file, "w");

	assert_non_null(out);
	fwrite(a, 1, a_len, out);
	fwrite(b, 1, strlen(b), out);
	fclose(out);
}

static int survey(struct scene *s, bool strict)
{
	const struct survey set = {
		.name = s->file, .until_s = INT64_MAX, .strict = strict, .big_value = 65536};

	aof_files_close(&s->files);
	assert_int_equal(parts_open(&s->files, s->file, &s->f), 0);
	return survey_run(&set, &s->files, &s->plan, &s->f);
}

// ---- Survey and walk

static size_t walk_all(struct scene *s, unsigned items, size_t len, char *out)
{
	const struct walk_settings set = {.files = &s->files,
					  .stream_limit = s->plan.stream_len,
					  .until_s = INT64_MAX,
					  .big_value = 65536,
					  .run_items = items,
					  .run_len = len};
	struct walk w;
	struct span run;
	size_t n = 0;

	assert_int_equal(walk_open(&w, &set, &s->f), 0);
	while (walk_snapshot(&w, &run, &s->f) == 1)
		assert_true(run.len > 0);
	while (walk_stream(&w, &run, &s->f) == 1) {
		memcpy(out + n, run.p, run.len);
		n += run.len;
	}
	walk_close(&w);
	return n;
}

// However small the runs are.
static void assert_stream(struct scene *s, const char *expected)
{
	char got[4096];

	for (unsigned items = 1; items < 4; items++)
		for (size_t len = 1; len < 200; len += 7) {
			size_t n = walk_all(s, items, len, got);
			assert_int_equal(n, strlen(expected));
			assert_memory_equal(got, expected, n);
		}
	assert_int_equal(s->plan.stream_len, strlen(expected));
}

static void the_stream_has_no_annotations_and_ends_at_a_good_point(void **state)
{
	static const struct {
		const char *file, *stream;
		bool cut;
	} rows[] = {
		{INCR, SELECT_0 INCR, false},
		{"#TS:1700000000\r\n" INCR "#TS:1700000001\r\n", SELECT_0 INCR, false},
		{INCR "# words\r\n" MULTI INCR EXEC, SELECT_0 INCR MULTI INCR EXEC, false},
		{MULTI "#TS:1700000000\r\n" INCR EXEC, SELECT_0 MULTI INCR EXEC, false},
		{INCR MULTI INCR, SELECT_0 INCR, true},
		{INCR "*2\r\n$4\r\nIN", SELECT_0 INCR, true},
		{INCR MULTI INCR EXEC "#TS:17", SELECT_0 INCR MULTI INCR EXEC, true},
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int preamble = 0; preamble < 2; preamble++) {
			file_put(s, rdb, preamble ? RDB_LEN : 0, rows[i].file);
			assert_int_equal(survey(s, false), 0);
			assert_stream(s, rows[i].stream);
			assert_int_equal(s->plan.snapshot_len, preamble ? RDB_LEN : 0);
			assert_int_equal(s->plan.cut[0] != 0, rows[i].cut);
			assert_int_equal(survey(s, true), rows[i].cut ? -1 : 0);
		}
}

static void the_survey_tells_what_is_in_the_file(void **state)
{
	struct scene *s = *state;
	char replid[PLAN_REPLID_LEN + 1];

	file_put(s, rdb, RDB_LEN, INCR MULTI INCR INCR EXEC);
	assert_int_equal(survey(s, false), 0);
	assert_int_equal(s->plan.rdb_version, 9);
	assert_int_equal(s->plan.n_keys, 2);
	assert_int_equal(s->plan.n_expired, 1);
	assert_int_equal(s->plan.n_commands, 5);
	assert_int_equal(s->plan.frame_max, strlen(MULTI INCR INCR EXEC));
	assert_true(s->plan.unsummed);
	// The id is of the content alone.
	memcpy(replid, s->plan.replid, sizeof(replid));
	assert_int_equal(strlen(replid), PLAN_REPLID_LEN);
	assert_int_equal(survey(s, false), 0);
	assert_string_equal(s->plan.replid, replid);
	file_put(s, rdb, RDB_LEN, INCR MULTI INCR INCR EXEC INCR);
	assert_int_equal(survey(s, false), 0);
	assert_string_not_equal(s->plan.replid, replid);
}

static void what_is_no_such_file_is_refused(void **state)
{
	static const struct {
		const char *file;
		enum error_id id;
	} rows[] = {
		{"", ERROR_RESTORE_DAMAGED},
		{"Buy milk\n", ERROR_RESTORE_DAMAGED},
		{INCR "milk", ERROR_RESTORE_DAMAGED},
		{INCR EXEC, ERROR_RESTORE_DAMAGED},
		{"REDIS0009", ERROR_RESTORE_DAMAGED},
		{"REDIS0999\xff", ERROR_RDB_UNSUPPORTED},
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		file_put(s, "", 0, rows[i].file);
		assert_int_equal(survey(s, false), -1);
		assert_int_equal(s->f.id, rows[i].id);
	}
	assert_int_equal(parts_open(&s->files, "-", &s->f), -1);
	assert_int_equal(s->f.id, ERROR_USAGE);
	aof_files_close(&s->files);
	assert_int_equal(parts_open(&s->files, "/nowhere/to/be/found", &s->f), -1);
	assert_int_equal(s->f.id, ERROR_RESTORE_FILE);
}

// ---- The primary

static int look(void *arg, struct target_facts *facts, struct failure *f)
{
	struct scene *s = arg;

	*facts = s->facts;
	return s->blind ? failure_set(f, ERROR_CONNECT, "it is not there") : 0;
}

static void serve(struct scene *s, bool again, bool resumes)
{
	const struct primary_settings set = {
		.plan = &s->plan, .big_value = 65536, .again = again, .resumes = resumes,
		.look = look, .arg = s};

	primary_stop(&s->primary);
	assert_int_equal(primary_start(&s->primary, &set, s->socket, &s->f), 0);
}

// @return a connection on which it was said
static int talk(struct scene *s, const char *words)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 60};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", s->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(fd, words, strlen(words), 0), strlen(words));
	return fd;
}

// Say it, and take len bytes of what is answered.
static void say(struct scene *s, const char *words, char *out, size_t len)
{
	int fd = talk(s, words);

	for (size_t n = 0; n < len;) {
		ssize_t got = recv(fd, out + n, len - n, 0);
		if (got <= 0)
			fail_msg("it hung up after %zu of %zu bytes: %.*s", n, len, (int)n, out);
		n += (size_t)got;
	}
	close(fd);
}

static void assert_answer(struct scene *s, const char *words, const char *answer, size_t len)
{
	char out[1024];

	say(s, words, out, len);
	assert_memory_equal(out, answer, len);
}

static void psync_assert(struct scene *s, const char *replid, unsigned offset, const char *answer,
			 const char *more)
{
	char words[200], expected[600], number[16];
	int n = snprintf(number, sizeof(number), "%u", offset);

	snprintf(words, sizeof(words), "*3\r\n$5\r\nPSYNC\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n",
		 strlen(replid), replid, n, number);
	n = snprintf(expected, sizeof(expected), "%s%s", answer, more);
	assert_answer(s, words, expected, (size_t)n);
}

static void a_full_sync_is_the_file(void **state)
{
	struct scene *s = *state;
	char expected[400];

	file_put(s, rdb, RDB_LEN, INCR MULTI INCR EXEC);
	assert_int_equal(survey(s, false), 0);
	serve(s, false, false);
	int n = snprintf(expected, sizeof(expected), "+FULLRESYNC %s 1\r\n$%zu\r\n", s->plan.replid,
			 RDB_LEN);
	memcpy(expected + n, rdb, RDB_LEN);
	strcpy(expected + n + RDB_LEN, SELECT_0 INCR MULTI INCR EXEC);
	assert_answer(s, FULL_SYNC, expected,
		      (size_t)n + RDB_LEN + strlen(SELECT_0 INCR MULTI INCR EXEC));
	assert_int_equal(primary_check(&s->primary, &s->f), 0);
}

// Then nothing can have prolonged the life of a key, so the time at which it was taken is hidden.
static void an_rdb_alone_is_as_of_now(void **state)
{
	struct scene *s = *state;
	char expected[400];

	file_put(s, rdb, RDB_LEN, "");
	assert_int_equal(survey(s, false), 0);
	serve(s, false, false);
	int n = snprintf(expected, sizeof(expected), "+FULLRESYNC %s 1\r\n$%zu\r\n", s->plan.replid,
			 RDB_LEN);
	memcpy(expected + n, rdb, RDB_LEN);
	memcpy(expected + n + 11, "taken", 5);
	assert_answer(s, FULL_SYNC, expected,
		      (size_t)n + RDB_LEN);
}

static void the_stream_goes_on_from_any_offset(void **state)
{
	static const char all[] = SELECT_0 INCR MULTI INCR EXEC;
	struct scene *s = *state;
	char answer[80];

	file_put(s, rdb, RDB_LEN, INCR "#TS:1700000000\r\n" MULTI INCR EXEC);
	assert_int_equal(survey(s, false), 0);
	serve(s, false, true);
	snprintf(answer, sizeof(answer), "+CONTINUE %s\r\n", s->plan.replid);
	for (unsigned at = 0; at <= strlen(all); at++)
		psync_assert(s, s->plan.replid, PLAN_BASE_OFFSET + 1 + at, answer, all + at);
	// Behind PINGs that were sent.
	psync_assert(s, s->plan.replid, (unsigned)plan_end(&s->plan) + 1 + 2 * strlen(PING), answer,
		     "");
	assert_int_equal(primary_check(&s->primary, &s->f), 0);
	// What was applied once is not served again from its beginning, unless it is gone.
	s->blind = true;
	psync_assert(s, "?", 0, "-LOADING", "");
	s->blind = false;
	psync_assert(s, "?", 0, "+FULLRESYNC ", s->plan.replid);
	s->facts = (struct target_facts){.n_keys = 5, .marked = true};
	psync_assert(s, "?", 0, "+FULLRESYNC ", s->plan.replid);
	assert_int_equal(primary_check(&s->primary, &s->f), 0);
	s->facts.streamed = true;
	psync_assert(s, "?", 0, "-ERR", "");
	assert_int_equal(primary_check(&s->primary, &s->f), -1);
	assert_int_equal(s->f.id, ERROR_RESTORE_AGAIN);
}

static void another_history_is_not_mixed_with_this_one(void **state)
{
	static const char other[] = "0123456789abcdef0123456789abcdef01234567";
	struct scene *s = *state;

	file_put(s, "", 0, INCR);
	assert_int_equal(survey(s, false), 0);
	serve(s, true, false);
	psync_assert(s, other, 5, "+FULLRESYNC ", s->plan.replid);
	psync_assert(s, s->plan.replid, 1000, "+FULLRESYNC ", s->plan.replid);
	serve(s, false, false);
	s->facts.n_keys = 1;
	psync_assert(s, "?", 0, "+FULLRESYNC ", s->plan.replid);
	psync_assert(s, other, 5, "-ERR", "");
	assert_int_equal(primary_check(&s->primary, &s->f), -1);
	assert_int_equal(s->f.id, ERROR_RESTORE_AGAIN);
}

// It hangs up, and says why.
static void assert_fails(struct scene *s, enum error_id id)
{
	int fd = talk(s, FULL_SYNC);
	char in[1024];

	while (recv(fd, in, sizeof(in), 0) > 0)
		;
	close(fd);
	assert_int_equal(primary_check(&s->primary, &s->f), -1);
	assert_int_equal(s->f.id, id);
}

static void a_file_that_changes_under_us_is_told(void **state)
{
	struct scene *s = *state;
	char copy[sizeof(rdb)];

	file_put(s, rdb, RDB_LEN, "");
	assert_int_equal(survey(s, false), 0);
	memcpy(copy, rdb, sizeof(rdb));
	copy[RDB_LEN - 12] = 'x';
	file_put(s, copy, RDB_LEN, "");
	serve(s, false, false);
	assert_fails(s, ERROR_RESTORE_CHANGED);
	serve(s, false, false);
	file_put(s, rdb, RDB_LEN / 2, "");
	assert_fails(s, ERROR_RESTORE_CHANGED);
}

// A live server's file: what it appends after the survey is not served.
static void a_file_that_grows_is_served_as_it_was(void **state)
{
	struct scene *s = *state;
	char answer[80];

	file_put(s, rdb, RDB_LEN, INCR INCR);
	assert_int_equal(survey(s, false), 0);
	file_put(s, rdb, RDB_LEN, INCR INCR MULTI INCR EXEC);
	serve(s, false, true);
	snprintf(answer, sizeof(answer), "+CONTINUE %s\r\n", s->plan.replid);
	psync_assert(s, s->plan.replid, PLAN_BASE_OFFSET + 1, answer, SELECT_0 INCR INCR);
	assert_int_equal(s->plan.stream_len, strlen(SELECT_0 INCR INCR));
	assert_int_equal(primary_check(&s->primary, &s->f), 0);
}

// Whoever talks no RESP, or without end, is hung up on, and nobody else.
static void garbage_ends_its_own_connection_only(void **state)
{
	struct scene *s = *state;
	char in[64], words[5000];

	file_put(s, "", 0, INCR);
	assert_int_equal(survey(s, false), 0);
	serve(s, false, false);
	for (int i = 0; i < 3 * PRIMARY_CONNS_MAX; i++) {
		memset(words, 'a' + i % 26, sizeof(words) - 1);
		words[sizeof(words) - 1] = 0;
		if (i % 2)
			memcpy(words, "*2\r\n$9000\r\n", 11);
		int fd = talk(s, words);
		assert_true(recv(fd, in, sizeof(in), 0) <= 0 && errno != EAGAIN);
		close(fd);
	}
	assert_answer(s, PING, "+PONG\r\n", 7);
	assert_int_equal(primary_check(&s->primary, &s->f), 0);
}

static void what_it_does_not_know_is_refused(void **state)
{
	struct scene *s = *state;

	file_put(s, "", 0, INCR);
	assert_int_equal(survey(s, false), 0);
	serve(s, false, false);
	assert_answer(s, PING, "+PONG\r\n", 7);
	assert_answer(s, "*1\r\n$7\r\nCLUSTER\r\n", "-ERR unknown", 12);
	assert_answer(s, "*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n" PING, "+OK\r\n+PONG\r\n", 12);
	assert_answer(s, "*1\r\n$4\r\nINFO\r\n", "$", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
		ROW(the_stream_has_no_annotations_and_ends_at_a_good_point),
		ROW(the_survey_tells_what_is_in_the_file),
		ROW(what_is_no_such_file_is_refused),
		ROW(a_full_sync_is_the_file),
		ROW(an_rdb_alone_is_as_of_now),
		ROW(the_stream_goes_on_from_any_offset),
		ROW(another_history_is_not_mixed_with_this_one),
		ROW(a_file_that_changes_under_us_is_told),
		ROW(a_file_that_grows_is_served_as_it_was),
		ROW(garbage_ends_its_own_connection_only),
		ROW(what_it_does_not_know_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
