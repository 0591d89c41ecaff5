// SPDX-License-Identifier: BSD-3-Clause
// A probe's link to its source, over a socket pair: snapshots of every framing are got over, in
// pieces of any size, and of a stream only what is ours is taken. And what a source answers about
// keys.
#include "tests/unit/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/doctor/probe_cases.h"
#include "ctrl/doctor/probe_keys.h"
#include "ctrl/doctor/probe_link.h"
#include "ctrl/doctor/probe_snapshot.h"
#include "parsers/commands.h"

#define MARK "0123456789abcdefghij0123456789abcdefghij"
#define FULLRESYNC "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 7\r\n"

struct rig {
	int ours, theirs;
	struct client client;
	struct probe_names names;
	struct probe_link link;
	const char *text; // what the source says
	size_t len, piece;
	pthread_t writer;
	bool goes_on;
};

static bool goes_on(void *arg)
{
	return ((struct rig *)arg)->goes_on;
}

static void *write_loop(void *arg)
{
	struct rig *r = arg;
	for (size_t at = 0; at < r->len; at += r->piece) {
		size_t left = r->len - at, n = left < r->piece ? left : r->piece;
		if (send(r->theirs, r->text + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
	}
	return NULL;
}

static struct rig *rig_new(const char *text, size_t piece)
{
	struct rig *r = calloc(1, sizeof(*r));
	int pair[2];
	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	r->ours = pair[0];
	r->theirs = pair[1];
	r->goes_on = true;
	r->client = (struct client){.fd = r->ours, .who = "the source", .url = "redis://x"};
	r->client.replies = resp_replies_new();
	probe_names_init(&r->names, 7);
	r->text = text;
	r->len = strlen(text);
	r->piece = piece;
	assert_int_equal(pthread_create(&r->writer, NULL, write_loop, r), 0);
	return r;
}

// @param hang_up  close the source's side, once all is written
static void rig_write(struct rig *r, bool hang_up)
{
	pthread_join(r->writer, NULL);
	if (hang_up)
		shutdown(r->theirs, SHUT_WR);
}

static void rig_free(struct rig *r)
{
	client_close(&r->client); // closes r->ours
	close(r->theirs);
	free(r);
}

// ---- Snapshots --------------------------------------------------------------------------------

static void skip_and_read_on(const char *head, size_t piece)
{
	char text[1000];
	struct failure f = {0};
	snprintf(text, sizeof(text), "%s*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n", head);
	struct rig *r = rig_new(text, piece);
	if (probe_snapshot_skip(&r->client, goes_on, r, &f))
		fail_msg("pieces of %zu: %s", piece, f.sentence);
	unsigned n;
	const struct resp_value *v = client_next(&r->client, &n);
	assert_non_null(v);
	assert_int_equal(n, 3);
	assert_true(span_eq(v[1].text, SPAN_LIT("DEL")));
	rig_write(r, false);
	rig_free(r);
}

static void a_snapshot_of_known_length_is_got_over(void **state)
{
	for (size_t piece = 1; piece < 80; piece++)
		skip_and_read_on(
			"\n" FULLRESYNC "\n\n\n$25\r\nREDIS0009\r\n+OK\r\n*1\r\n$4\r\nx",
			piece);
}

// Nothing follows the mark before an acknowledgement, so the data are all that comes.
static void a_snapshot_that_ends_with_a_mark_is_got_over(void **state)
{
	struct failure f;
	for (size_t piece = 1; piece < 130; piece++) {
		struct rig *r = rig_new(FULLRESYNC "\n$EOF:" MARK "\r\nREDIS\n0009"
					"0123456789abcdefghij0123456789" MARK,
					piece);
		assert_int_equal(probe_snapshot_skip(&r->client, goes_on, r, &f), 0);
		assert_int_equal(r->client.in_fed, r->client.in_len);
		rig_write(r, false);
		assert_int_equal(recv(r->ours, (char[1]){0}, 1, 0), -1); // nothing is left
		rig_free(r);
	}
}

static void refusals_and_ends_have_their_sentence(void **state)
{
	static const struct {
		const char *text;
		enum error_id id;
		const char *part;
	} rows[] = {
		{"-NOMASTERLINK Can't SYNC\r\n", ERROR_PSYNC_REFUSED, "NOMASTERLINK"},
		{"+CONTINUE\r\n", ERROR_PSYNC_REFUSED, "+CONTINUE"},
		{FULLRESYNC "-ERR no\r\n", ERROR_NOT_REDIS, "-ERR no"},
		{FULLRESYNC "$12x\r\n", ERROR_NOT_REDIS, "$12x"},
		{FULLRESYNC "$EOF:short\r\n", ERROR_NOT_REDIS, "$EOF:short"},
		{FULLRESYNC "$0\r\n", ERROR_NOT_REDIS, "$0"},
		{"+FULLRESYNC 0123 7\r\n", ERROR_PSYNC_REFUSED, "+FULLRESYNC 0123 7"},
		{FULLRESYNC "$12\r\nshort", ERROR_CONNECT, "was lost"},
		{"", ERROR_CONNECT, "was lost"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct failure f = {0};
		struct rig *r = rig_new(rows[i].text, 100);
		rig_write(r, true);
		assert_int_equal(probe_snapshot_skip(&r->client, goes_on, r, &f), -1);
		assert_int_equal(f.id, rows[i].id);
		if (!strstr(f.sentence, rows[i].part))
			fail_msg("%s", f.sentence);
		rig_free(r);
	}
}

static void a_wait_for_a_snapshot_can_be_ended(void **state)
{
	struct failure f = {0};
	struct rig *r = rig_new(FULLRESYNC "\n\n", 100);
	r->goes_on = false;
	assert_int_equal(probe_snapshot_skip(&r->client, goes_on, r, &f), -1);
	assert_int_equal(f.id, ERROR_LINK_STATE);
	rig_write(r, false);
	rig_free(r);
}

// ---- The stream -------------------------------------------------------------------------------

// Commands as probe_words.h writes them, as a source would send them.
static char *stream_make(const char *const *commands, const struct probe_names *names)
{
	char *out = calloc(1, 20000), *at = out;
	for (; *commands; commands++) {
		struct probe_list l;
		assert_int_equal(probe_list_read(&l, span_of(*commands), names), 0);
		for (unsigned i = 0; i < l.n; i++) {
			at += sprintf(at, "*%u\r\n", l.list[i].argc);
			for (unsigned k = 0; k < l.list[i].argc; k++)
				at += sprintf(at, "$%zu\r\n%.*s\r\n", l.list[i].argv[k].len,
					      (int)l.list[i].argv[k].len, l.list[i].argv[k].p);
		}
	}
	return out;
}

static struct rig *stream_rig(const char *const *commands, size_t piece)
{
	struct probe_names names;
	probe_names_init(&names, 7);
	struct rig *r = rig_new(stream_make(commands, &names), piece);
	r->link = (struct probe_link){.client = r->client, .names = &r->names, .go_on = goes_on,
				      .arg = r};
	return r;
}

static void stream_rig_free(struct rig *r)
{
	r->client = r->link.client;
	free((char *)r->text);
	rig_free(r);
}

static void came(struct rig *r, unsigned fence, const char *want)
{
	struct failure f = {0};
	struct probe_list l;
	char text[600];
	if (probe_link_gather(&r->link, fence, &l, &f))
		fail_msg("%s", f.sentence);
	assert_string_equal(probe_list_text(&l, &r->names, text, sizeof(text)), want);
}

static void only_what_is_ours_is_taken(void **state)
{
	static const char *const stream[] = {
		"SELECT 0", "SET foreign 1", "SET @fence 1", "ping", "SET @cup tea",
		"MULTI ; SET foreign 1 ; SET foreign 2 ; EXEC", "SELECT 3",
		"REPLCONF GETACK *", "SET @fence 2",
		"MULTI ; SET foreign 1 ; DEL @cup ; EXEC", "SET x y ; SET @fence 3",
		"PUBLISH @room hello ; FUNCTION DELETE flyover_probe_% ; SET fence 9",
		"SET @fence 4", NULL};
	for (size_t piece = 1; piece < 900; piece = piece * 3 + 1) {
		struct rig *r = stream_rig(stream, piece);
		char want[100];
		came(r, 1, "nothing");
		came(r, 2, "SET @cup tea");
		came(r, 3, "MULTI ; SET foreign 1 ; DEL @cup ; EXEC");
		snprintf(want, sizeof(want),
			 "PUBLISH @room hello ; FUNCTION DELETE flyover_probe_%s", r->names.token);
		came(r, 4, want);
		rig_write(r, false);
		stream_rig_free(r);
	}
}

// Somebody's transaction of any length passes without a trace.
static void long_transactions_of_others_leave_no_trace(void **state)
{
	const char *stream[64] = {"SET @cup tea", "MULTI"};
	unsigned n = 2;
	while (n < 50)
		stream[n++] = "SET foreign 1";
	stream[n++] = "EXEC ; SET @cup milk ; SET @fence 1";
	struct rig *r = stream_rig(stream, 100);
	came(r, 1, "SET @cup tea ; SET @cup milk");
	rig_write(r, false);
	stream_rig_free(r);
}

static void a_stream_that_ends_has_its_sentence(void **state)
{
	static const char *const stream[] = {"SET @cup tea", NULL};
	struct failure f = {0};
	struct probe_list l;
	struct rig *r = stream_rig(stream, 100);
	rig_write(r, true);
	assert_int_equal(probe_link_gather(&r->link, 1, &l, &f), -1);
	assert_int_equal(f.id, ERROR_CONNECT);
	stream_rig_free(r);
	r = stream_rig(stream, 100);
	r->goes_on = false;
	rig_write(r, false);
	assert_int_equal(probe_link_gather(&r->link, 1, &l, &f), -1);
	assert_int_equal(f.id, ERROR_LINK_STATE);
	stream_rig_free(r);
}

static void a_stream_of_something_else_is_refused(void **state)
{
	static const char *const texts[] = {"+OK\r\n", "*1\r\n:5\r\n", "*0\r\n", "hello\r\n",
					    "*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n"};
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct failure f = {0};
		struct probe_list l;
		struct rig *r = rig_new(texts[i], 100);
		rig_write(r, true);
		r->link = (struct probe_link){.client = r->client, .names = &r->names,
					      .go_on = goes_on, .arg = r};
		assert_int_equal(probe_link_gather(&r->link, 1, &l, &f), -1);
		assert_true(f.id == ERROR_STREAM_GARBAGE || f.id == ERROR_NOT_REDIS);
		r->client = r->link.client;
		rig_free(r);
	}
}

// ---- Keys -------------------------------------------------------------------------------------

static char *keys_text(char *at, const struct probe_command *c, const struct command *row,
		       unsigned n_left_out)
{
	int index[PROBE_ARGS_MAX];
	int n = command_keys(row, c->argv, (int)c->argc, index, PROBE_ARGS_MAX);
	assert_true(n > (int)n_left_out);
	at += sprintf(at, "*%d\r\n", n - (int)n_left_out);
	for (int i = n - 1; i >= (int)n_left_out; i--) // in another order than ours
		at += sprintf(at, "$%zu\r\n%.*s\r\n", c->argv[index[i]].len,
			      (int)c->argv[index[i]].len, c->argv[index[i]].p);
	return at;
}

// The answers to COMMAND GETKEYS of a server that has a verb's keys elsewhere, lacks another, and
// has no keys for a third. NULL: it has all as our table does.
static char *answers_make(const struct probe_names *names, const char *elsewhere,
			  const char *lacks, const char *keyless)
{
	char *out = calloc(1, 60000), *at = out;
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	for (unsigned i = 0; i < n; i++) {
		struct probe_list l;
		assert_int_equal(probe_list_read(&l, span_of(rows[i].command), names), 0);
		struct probe_command *c = &l.list[0];
		const struct command *row =
			command_find(c->argv[0], c->argc > 1 ? c->argv[1] : (struct span){"", 0});
		if (l.n > 1 || row->class == CLASS_MSG)
			continue;
		if (lacks && !strcmp(row->name, lacks))
			at += sprintf(at, "-ERR Invalid command specified\r\n");
		else if (row->keyspec == KEYS_NONE || (keyless && !strcmp(row->name, keyless)))
			at += sprintf(at, "-ERR The command has no key arguments\r\n");
		else
			at = keys_text(at, c, row, elsewhere && !strcmp(row->name, elsewhere));
	}
	return out;
}

static void keys_judge(const char *elsewhere, const char *lacks, const char *keyless,
		       struct findings *found)
{
	struct failure f = {0};
	struct probe_names names;
	probe_names_init(&names, 7);
	struct rig *r = rig_new(answers_make(&names, elsewhere, lacks, keyless), 1000);
	memset(found, 0, sizeof(*found));
	assert_int_equal(probe_keys_judge(&r->client, &names, found, &f), 0);
	rig_write(r, false);
	free((char *)r->text);
	rig_free(r);
}

static void keys_that_a_source_has_elsewhere_are_told(void **state)
{
	struct findings *found = malloc(sizeof(*found));
	keys_judge(NULL, NULL, NULL, found);
	assert_int_equal(found->n, 0);
	keys_judge(NULL, "GETDEL", NULL, found);
	assert_int_equal(found->n, 0);
	keys_judge("ZINTERSTORE", "GETDEL", NULL, found);
	assert_int_equal(found->n, 1);
	assert_string_equal(found->list[0].check, "probe-keys");
	assert_non_null(strstr(found->list[0].sentence,
			       "`ZINTERSTORE @out 2 @top @low` are: @low @top;"));
	keys_judge(NULL, NULL, "HSETNX", found);
	assert_int_equal(found->n, 1); // of its two cases
	assert_non_null(strstr(found->list[0].sentence, "are: nothing;"));
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_of_known_length_is_got_over),
		cmocka_unit_test(a_snapshot_that_ends_with_a_mark_is_got_over),
		cmocka_unit_test(refusals_and_ends_have_their_sentence),
		cmocka_unit_test(a_wait_for_a_snapshot_can_be_ended),
		cmocka_unit_test(only_what_is_ours_is_taken),
		cmocka_unit_test(long_transactions_of_others_leave_no_trace),
		cmocka_unit_test(a_stream_that_ends_has_its_sentence),
		cmocka_unit_test(a_stream_of_something_else_is_refused),
		cmocka_unit_test(keys_that_a_source_has_elsewhere_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
