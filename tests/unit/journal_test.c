// SPDX-License-Identifier: BSD-3-Clause
// The files of parked commands: read as they grow, settled, made shorter, torn at every byte.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/parked/base64.h"
#include "ctrl/parked/settle.h"
#include "drivers/disk.h"
#include "tests/unit/test.h"

#define RECORD                                                                                     \
	"{\"time_ms\":17,\"phase\":\"stream\",\"replid\":\"beef\",\"offset\":42,\"db\":3,"         \
	"\"verb\":\"SET\",\"key\":\"k\\u00ff\\u0000\",\"reason\":\"ERR x\",\"command\":\"%s\"}\n"
#define SET_X "KjMNCiQzDQpTRVQNCiQxDQp4DQokMQ0KMQ0K" // SET x 1

struct folder {
	char path[64], parked[96], settled[96];
	struct failure failure;
};

static void folder_make(struct folder *d)
{
	strcpy(d->path, "/tmp/flyover-journal-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->parked, sizeof(d->parked), "%s/parked.jsonl", d->path);
	snprintf(d->settled, sizeof(d->settled), "%s/parked-settled.jsonl", d->path);
}

static void folder_remove(struct folder *d)
{
	unlink(d->parked);
	unlink(d->settled);
	assert_int_equal(rmdir(d->path), 0);
}

static void bytes_append(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void park(struct folder *d, const char *command)
{
	char *line;
	int len = asprintf(&line, RECORD, command);
	assert_true(len > 0);
	assert_int_equal(disk_kernel.append_line(d->parked, line, (size_t)len), 0);
	free(line);
}

static void drop(struct folder *d, uint64_t id)
{
	struct settler s;
	assert_int_equal(settler_open(&s, d->path, &d->failure), 0);
	assert_int_equal(settler_put(&s, id, PARKED_DROPPED, 99, &d->failure), 0);
	assert_int_equal(settler_compact(&s, &d->failure), 0);
	settler_close(&s);
}

static void base64_is_decoded_or_refused(void **state)
{
	static const char *const bad[] = {"QQ",   "QQ=",  "Q===", "=QQ=", "QQ=A",
					  "Q Q=", "QQ\n=", "QQ==QUJD"};
	char out[16];
	assert_int_equal(base64_decode("", 0, out), 0);
	assert_int_equal(base64_decode("QQ==", 4, out), 1);
	assert_int_equal(base64_decode("QUI=", 4, out), 2);
	assert_int_equal(base64_decode("QUJD/+8A", 8, out), 6);
	assert_memory_equal(out, "ABC\xff\xef\0", 6);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(base64_decode(bad[i], strlen(bad[i]), out) < 0);
}

static void what_was_parked_is_read_back(void **state)
{
	struct folder d;
	struct journal j;
	char *command;
	size_t len;
	folder_make(&d);
	assert_int_equal(journal_open(&j, d.path, &d.failure), 0); // there are no files yet
	assert_int_equal(j.n_open, 0);
	park(&d, SET_X);
	assert_int_equal(journal_refresh(&j, &d.failure), 0);
	assert_int_equal(j.n_open, 1);
	json_t *head = journal_head(&j, 0);
	assert_string_equal(json_string_value(json_object_get(head, "key")), "k\\xff\\x00");
	assert_int_equal(json_integer_value(json_object_get(head, "offset")), 42);
	json_decref(head);
	assert_int_equal(journal_command(&j, 0, &command, &len, &d.failure), 0);
	assert_int_equal(len, 27);
	assert_memory_equal(command, "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n", len);
	free(command);
	park(&d, "not base64");
	drop(&d, 1);
	assert_int_equal(journal_refresh(&j, &d.failure), 0);
	assert_int_equal(j.n_open, 1);
	assert_int_equal(j.n_settled, 1);
	assert_int_equal(j.lines[0].fate, PARKED_DROPPED);
	assert_true(journal_command(&j, 1, &command, &len, &d.failure) < 0);
	assert_true(journal_find(&j, 3, &d.failure) < 0);
	assert_true(journal_find(&j, 0, &d.failure) < 0);
	journal_close(&j);
	folder_remove(&d);
}

// Either file may end anywhere.
static void a_tear_costs_one_line_wherever_it_is(void **state)
{
	static const char settled[] = "{\"id\":1,\"time_ms\":1,\"fate\":\"dropped\"}\n";
	char line[400];
	size_t whole = (size_t)snprintf(line, sizeof(line), RECORD, SET_X);
	for (size_t cut = 0; cut <= whole; cut++) {
		struct folder d;
		struct journal j;
		folder_make(&d);
		park(&d, SET_X);
		bytes_append(d.parked, line, cut);
		park(&d, SET_X);
		size_t torn = cut && cut + 1 < whole; // its end alone missing, it is whole
		assert_int_equal(journal_open(&j, d.path, &d.failure), 0);
		assert_int_equal(j.n_damaged, torn);
		assert_int_equal(j.n_lines, cut ? 3 : 2);
		assert_int_equal(j.n_open, j.n_lines - torn);
		journal_close(&j);
		if (cut < sizeof(settled)) {
			bytes_append(d.settled, settled, cut);
			drop(&d, cut ? 3 : 2);
			assert_int_equal(journal_open(&j, d.path, &d.failure), 0);
			bool first = cut + 1 >= sizeof(settled) - 1;
			assert_int_equal(j.n_settled, first ? 2 : 1);
			assert_int_equal(j.lines[0].fate, first ? PARKED_DROPPED : PARKED_OPEN);
			assert_int_equal(j.lines[j.n_lines - 1].fate, PARKED_DROPPED);
			journal_close(&j);
		}
		folder_remove(&d);
	}
}

static void a_record_is_whole_without_its_end_of_line(void **state)
{
	struct folder d;
	struct journal j;
	folder_make(&d);
	park(&d, SET_X);
	bytes_append(d.parked, "{\"first_id\":9", 13);
	assert_int_equal(journal_open(&j, d.path, &d.failure), 0);
	assert_true(scan_torn(&j.scan));
	assert_int_equal(j.n_lines, 1);
	bytes_append(d.parked, "}\n", 2); // the rest comes
	assert_int_equal(journal_refresh(&j, &d.failure), 0);
	assert_false(scan_torn(&j.scan));
	assert_int_equal(j.n_lines, 2);
	assert_null(journal_head(&j, 1));
	journal_close(&j);
	folder_remove(&d);
}

struct parker {
	struct folder *folder;
	char *command;
	unsigned n;
};

static void *parker_main(void *arg)
{
	struct parker *p = arg;
	for (unsigned i = 0; i < p->n; i++)
		park(p->folder, p->command);
	return NULL;
}

// One parks without a pause while the other drops all but every tenth, and the file is replaced
// again and again.
static void nothing_is_lost_while_the_file_gets_shorter(void **state)
{
	struct folder d;
	struct journal j;
	pthread_t thread;
	struct parker p = {&d, malloc(40001), 400};
	uint64_t id = 0;
	struct stat st;
	memset(p.command, 'A', 40000);
	p.command[40000] = 0;
	folder_make(&d);
	assert_int_equal(pthread_create(&thread, NULL, parker_main, &p), 0);
	assert_int_equal(journal_open(&j, d.path, &d.failure), 0);
	while (id < p.n) {
		assert_int_equal(journal_refresh(&j, &d.failure), 0);
		uint64_t end = journal_id(&j, j.n_lines);
		while (id + 1 < end)
			if (++id % 10)
				drop(&d, id);
	}
	pthread_join(thread, NULL);
	assert_int_equal(journal_refresh(&j, &d.failure), 0);
	assert_int_equal(j.n_open, p.n / 10);
	assert_int_equal(j.n_settled, p.n - p.n / 10);
	assert_int_equal(j.n_damaged, 0);
	for (size_t i = 0; i < j.n_lines; i++)
		assert_int_equal(j.lines[i].fate == PARKED_OPEN, journal_id(&j, i) % 10 == 0);
	assert_int_equal(j.first_id, 10); // what stands before the first open one is gone
	assert_int_equal(stat(d.parked, &st), 0);
	assert_true(st.st_size < 8000000); // of 16 MB, where the open ones have 1.6
	journal_close(&j);
	folder_remove(&d);
	free(p.command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_decoded_or_refused),
		cmocka_unit_test(what_was_parked_is_read_back),
		cmocka_unit_test(a_tear_costs_one_line_wherever_it_is),
		cmocka_unit_test(a_record_is_whole_without_its_end_of_line),
		cmocka_unit_test(nothing_is_lost_while_the_file_gets_shorter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
