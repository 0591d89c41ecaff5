// SPDX-License-Identifier: BSD-3-Clause
// `flyover dump` when something goes wrong: a source that dies, waits or says strange things, a
// full disk, a signal. Never is there half a file, and always one sentence.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "parsers/rdb_footer.h"
#include "parsers/rdb_write.h"
#include "tests/e2e/dump_rig.h"

// ---- A small RDB

struct rdb {
	size_t len;
	char bytes[64 * 1024];
};

static void rdb_make(struct rdb *rdb, unsigned n_keys)
{
	struct rdb_writer w;

	rdb_write_init(&w, rdb->bytes, sizeof(rdb->bytes), NULL, NULL);
	rdb_write_header(&w, 10);
	rdb_write_selectdb(&w, 0);
	for (unsigned i = 0; i < n_keys; i++) {
		const char *key = text("key:%u", i);
		rdb_write_key(&w, 0, (struct span){key, strlen(key)}, &RDB_WRITE_NO_ATTRS);
		rdb_write_str(&w, SPAN_LIT("a value of some length that is not compressed"));
	}
	assert_int_equal(rdb_write_eof(&w), 0);
	rdb->len = w.len;
}

static struct fake *primary_with(struct world *w, const struct rdb *rdb)
{
	struct fake *f = fake_start(w, fake_primary, NULL);

	f->rdb = rdb->bytes;
	f->rdb_len = rdb->len;
	return f;
}

// ---- The source

static void source_that_dies_in_the_middle_leaves_no_file(struct world *w)
{
	static struct rdb rdb;
	static const char *const filters[] = {NULL, "--match=*"};

	dump_dir_make(w);
	rdb_make(&rdb, 900);
	struct fake *f = primary_with(w, &rdb);
	f->rdb_announced = rdb.len + 1;
	for (int i = 0; i < 2; i++)
		dump_failed(w, dump_start(w, f->url, filters[i], NULL), 1, "broke off");
	// Without a length: cut where the mark would come.
	struct server *source = server_start(w, "source", NULL);
	struct proxy *p = proxy_start(w, source->port);
	dataset_load_strings(source, "fill", 5000, 100);
	queue_flush(source);
	for (int i = 0; i < 2; i++) {
		proxy_cut_after(p, FROM_SERVER, 30000, i ? END_RST : END_FIN);
		dump_failed(w, dump_start(w, p->url, NULL), 1, "broke off");
	}
	// And by scan.
	p = proxy_start(w, source->port);
	proxy_cut_after(p, FROM_SERVER, 200000, END_RST);
	struct job *j = dump_start(w, p->url, "--by-scan", NULL);
	assert_int_equal(job_wait(j), 1);
	assert_int_equal(files_in(dump_dir(w)), 0);
	assert_true(dump_noted(j, "broke off"));
}

static void damage_on_the_way_leaves_no_file(struct world *w)
{
	static struct rdb rdb;

	dump_dir_make(w);
	rdb_make(&rdb, 100);
	rdb.bytes[rdb.len / 2] ^= 1;
	struct fake *f = primary_with(w, &rdb);
	dump_failed(w, dump_start(w, f->url, NULL), 1, "checksum");
	dump_failed(w, dump_start(w, f->url, "--match=*", NULL), 1, "checksum");
	f->rdb = "nothing of the kind";
	f->rdb_len = strlen(f->rdb);
	dump_failed(w, dump_start(w, f->url, NULL), 1, "not an RDB");
}

// The first connections are told to wait, in the ways that servers have.
struct patience {
	atomic_uint n_refused, n_to_refuse;
};

static void reluctant_primary(struct fake *f, int fd)
{
	static const char *const words[] = {"-LOADING Redis is loading the dataset in memory\r\n",
					    "-NOMASTERLINK Can't SYNC while not connected\r\n"};
	struct patience *p = (struct patience *)f->arg;
	unsigned i = atomic_fetch_add(&p->n_refused, 1);
	struct fake_command c;

	if (i >= p->n_to_refuse) {
		fake_primary(f, fd);
		return;
	}
	while (!fake_read_command(fd, &c)) {
		bool psync = !strcasecmp(c.argv[0], "psync"), first = i % 2 == 0;
		fake_command_clear(&c);
		if (fake_say(fd, first || psync ? words[i % 2] : "+PONG\r\n"))
			return;
	}
}

static void source_that_cannot_yet_is_waited_for(struct world *w)
{
	static struct rdb rdb;
	static struct patience p = {.n_to_refuse = 2};

	dump_dir_make(w);
	rdb_make(&rdb, 10);
	struct fake *f = fake_start(w, reluctant_primary, &p);
	f->rdb = rdb.bytes;
	f->rdb_len = rdb.len;
	dump_done(w, dump_start(w, f->url, NULL));
	assert_int_equal(p.n_refused, 3);
	unlink(dump_file(w));
	p.n_to_refuse = UINT32_MAX;
	dump_failed(w, dump_start(w, f->url, "--wait-timeout=1s", NULL), 4, "wait-timeout");
}

static void what_a_source_refuses_is_told(struct world *w)
{
	struct server *source = server_start(w, "source", "--requirepass", "secret", NULL);
	struct fake *http = fake_start(w, fake_http, NULL);

	dump_dir_make(w);
	dump_failed(w, dump_start(w, source->url, NULL), 4, "NOAUTH");
	dump_failed(w, dump_start(w, text("redis://:wrong@127.0.0.1:%d", source->port), NULL), 4,
		    "WRONGPASS");
	dump_failed(w, dump_start(w, text("redis://127.0.0.1:%d", free_port()), NULL), 4,
		    "cannot be reached");
	dump_failed(w, dump_start(w, http->url, NULL), 4, "Redis");
}

// ---- Our side

static void wrong_command_lines_are_refused(struct world *w)
{
	struct job *j = job_start(w, "dump", "redis://127.0.0.1:1", NULL);

	dump_dir_make(w);
	assert_int_equal(process_wait(j->process), 2);
	assert_one_sentence(j, "-o FILE");
	j = dump_start(w, "redis://127.0.0.1:1/2", "--db=3", NULL);
	assert_int_equal(process_wait(j->process), 2);
	j = dump_start(w, "nonsense://x", NULL);
	assert_int_equal(process_wait(j->process), 3);
	// A file that is there is not even asked for.
	file_write(dump_file(w), "precious", 8);
	j = dump_start(w, "redis://127.0.0.1:1", NULL);
	assert_int_equal(process_wait(j->process), 3);
	assert_one_sentence(j, "--force");
	char *content = file_read(dump_file(w), NULL);
	assert_string_equal(content, "precious");
	free(content);
}

static bool is_receiving(const json_t *progress, const void *arg)
{
	return !strcmp(json_string_value(json_object_get(progress, "phase")), "snapshot");
}

static void signal_leaves_no_file(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	static const int signals[] = {SIGINT, SIGTERM, SIGTERM};

	dump_dir_make(w);
	dataset_load_strings(source, "fill", 20000, 100);
	queue_flush(source);
	for (int i = 0; i < 3; i++) {
		struct job *j = dump_start(w, source->url, "--max-bytes-per-s=64KB",
					   i == 2 ? "--by-scan" : NULL, NULL);
		job_wait_for(j, is_receiving, NULL, "the snapshot");
		process_signal(j->process, signals[i]);
		assert_int_equal(job_wait(j), 1);
		assert_true(dump_noted(j, "nothing was kept"));
		assert_int_equal(files_in(dump_dir(w)), 0);
	}
}

// A folder with room for little. @return false where that is not permitted
static bool tiny_disk_mount(struct world *w)
{
	dump_dir_make(w);
	if (!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("flyover", dump_dir(w), "tmpfs", 0, "size=64k"))
		return true;
	print_message("skipped: no mount is permitted here (%s)\n", strerror(errno));
	return false;
}

static void full_disk_leaves_no_file(struct world *w)
{
	static const char *const disks[] = {"no", "yes"};

	if (!tiny_disk_mount(w))
		return;
	struct server *source = server_start(w, "source", "--rdbcompression", "no", NULL);
	dataset_load_strings(source, "fill", 3000, 100);
	queue_flush(source);
	for (int i = 0; i < 2; i++) {
		run(source, "CONFIG SET repl-diskless-sync %s", disks[i]);
		dump_failed(w, dump_start(w, source->url, NULL), 1, "No space left");
	}
	dump_failed(w, dump_start(w, source->url, "--match=*", NULL), 1, "No space left");
	struct job *j = dump_start(w, source->url, "--by-scan", NULL);
	assert_int_equal(job_wait(j), 1);
	assert_true(dump_noted(j, "No space left"));
	assert_int_equal(files_in(dump_dir(w)), 0);
	// What fits is written.
	dump_done(w, dump_start(w, source->url, "--match=fill:1", NULL));
	assert_int_equal(umount(dump_dir(w)), 0);
}

// ---- A scan of a server that says odd things

// How often it was asked: what is odd is said at first.
struct oddities {
	const char *info;
	atomic_uint n_scans, n_busy_dumps, n_expiries_of_3;
};

static int bulk_say(int fd, const void *bytes, size_t len)
{
	char head[32];

	snprintf(head, sizeof(head), "$%zu\r\n", len);
	return fake_say(fd, head) || fake_write(fd, bytes, len) || fake_say(fd, "\r\n") ? -1 : 0;
}

// A script runs while key:1 is asked for; key:4 is gone.
static int dump_say(struct oddities *o, int fd, const struct fake_command *c)
{
	char payload[32] = "\0\x05value";
	struct span body = {payload + 1, 6};
	size_t n = rdb_restore_footer(0, 10, body, (uint8_t *)payload + 7);

	if (!strcmp(c->argv[1], "key:1") && atomic_fetch_add(&o->n_busy_dumps, 1) == 0)
		return fake_say(fd, "-BUSY Redis is busy running a script\r\n");
	if (!strcmp(c->argv[1], "key:4"))
		return fake_say(fd, "$-1\r\n");
	return bulk_say(fd, payload, 7 + n);
}

// key:3 is made anew between its expiry and its value.
static int expiry_say(struct oddities *o, int fd, const struct fake_command *c)
{
	bool anew = !strcmp(c->argv[1], "key:3") && atomic_fetch_add(&o->n_expiries_of_3, 1) == 0;

	return fake_say(fd, anew ? ":-2\r\n" : ":-1\r\n");
}

// A script runs at first; then two steps, with a key in both.
static int scan_say(struct oddities *o, int fd, const struct fake_command *c)
{
	if (atomic_fetch_add(&o->n_scans, 1) == 0)
		return fake_say(fd, "-BUSY Redis is busy running a script\r\n");
	return fake_say(fd, !strcmp(c->argv[1], "0")
				    ? "*2\r\n$1\r\n9\r\n*2\r\n$5\r\nkey:1\r\n$5\r\nkey:2\r\n"
				    : "*2\r\n$1\r\n0\r\n*3\r\n$5\r\nkey:2\r\n$5\r\nkey:3\r\n"
				      "$5\r\nkey:4\r\n");
}

// As cloud services do, it does not know PSYNC either.
static int odd_answer(struct oddities *o, int fd, const struct fake_command *c)
{
	const char *verb = c->argv[0];

	if (!strcasecmp(verb, "info"))
		return bulk_say(fd, o->info, strlen(o->info));
	if (!strcasecmp(verb, "scan"))
		return scan_say(o, fd, c);
	if (!strcasecmp(verb, "dump"))
		return dump_say(o, fd, c);
	if (!strcasecmp(verb, "pexpiretime"))
		return expiry_say(o, fd, c);
	if (!strcasecmp(verb, "ping") || !strcasecmp(verb, "select"))
		return fake_say(fd, "+OK\r\n");
	return fake_say(fd, "-ERR unknown command\r\n");
}

static void odd_server(struct fake *f, int fd)
{
	struct fake_command c;

	while (!fake_read_command(fd, &c)) {
		int rc = odd_answer((struct oddities *)f->arg, fd, &c);
		fake_command_clear(&c);
		if (rc)
			return;
	}
}

static void scan_makes_each_key_stand_in_the_file_once(struct world *w)
{
	static struct oddities o = {.info = "redis_version:7.0.15\r\nrole:master\r\n"
					    "db0:keys=4,expires=0,avg_ttl=0\r\n"};
	struct fake *f = fake_start(w, odd_server, &o);

	dump_dir_make(w);
	struct job *j = dump_start(w, f->url, NULL);
	dump_done(w, j);
	assert_string_equal(job_text(j, "way"), "scan");
	assert_int_equal(job_number(j, "kept"), 3);
	assert_int_equal(job_number(j, "gone"), 1);
	assert_int_equal(o.n_busy_dumps, 2);
	assert_int_equal(o.n_expiries_of_3, 2);
	struct server *fresh = server_loaded(w, "fresh", dump_file(w));
	assert_int_equal(keys_count(fresh, 0), 3);
	for (int i = 1; i <= 3; i++)
		assert_string_equal(ask_text(fresh, "GET key:%d", i), "value");
}

// Its RDB versions and magic are its own; RESP and payloads are not.
static void scan_of_a_valkey_makes_a_file_of_its_kind(struct world *w)
{
	static struct oddities o = {.info = "redis_version:7.2.4\r\nvalkey_version:9.0.1\r\n"
					    "db0:keys=4,expires=0,avg_ttl=0\r\n"};
	struct fake *f = fake_start(w, odd_server, &o);

	dump_dir_make(w);
	dump_done(w, dump_start(w, f->url, NULL));
	char *file = file_read(dump_file(w), NULL);
	assert_memory_equal(file, "VALKEY080", 9);
	free(file);
	struct job *j = job_start(w, "decode", dump_file(w), "--match=*", NULL);
	assert_int_equal(process_wait(j->process), 0);
	char *keys = process_stdout(j->process);
	assert_non_null(strstr(keys, "\"key\":\"key:3\",\"type\":\"string\",\"value\":\"value\""));
	free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(source_that_dies_in_the_middle_leaves_no_file),
		E2E_TEST(damage_on_the_way_leaves_no_file),
		E2E_TEST(source_that_cannot_yet_is_waited_for),
		E2E_TEST(what_a_source_refuses_is_told),
		E2E_TEST(wrong_command_lines_are_refused),
		E2E_TEST(signal_leaves_no_file),
		E2E_TEST(full_disk_leaves_no_file),
		E2E_TEST(scan_makes_each_key_stand_in_the_file_once),
		E2E_TEST(scan_of_a_valkey_makes_a_file_of_its_kind),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
