// SPDX-License-Identifier: BSD-3-Clause
// What a dump does between the socket and the disk: where a snapshot ends, what a filter leaves of
// it, DUMP's payloads, replies in pieces, keys named twice, a file that is whole or not there.
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/dump/frame.h"
#include "ctrl/dump/fresh_file.h"
#include "ctrl/dump/payload.h"
#include "ctrl/dump/replies.h"
#include "ctrl/dump/seen.h"
#include "ctrl/dump/sieve.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define FILE_MAX (256 * 1024)

// ---- A snapshot to filter

struct bytes {
	size_t len;
	char p[FILE_MAX];
};

static int bytes_sink(void *arg, struct span out)
{
	struct bytes *b = arg;
	assert_true(b->len + out.len <= sizeof(b->p));
	memcpy(b->p + b->len, out.p, out.len);
	b->len += out.len;
	return 0;
}

static struct span span_in(const struct bytes *b)
{
	return (struct span){b->p, b->len};
}

enum key_set { KEYS_ALL, KEYS_DB_2, KEYS_U, KEYS_HASH };

// The same as a filter would leave it, written anew.
struct maker {
	struct rdb_writer w;
	enum key_set set;
	bool whole; // nothing is filtered
	uint64_t db;
	uint8_t buf[8192];
};

static bool key_fits(const struct maker *m, const char *key, bool hash)
{
	switch (m->set) {
	case KEYS_DB_2:
		return m->db == 2;
	case KEYS_U:
		return key[0] == 'u';
	case KEYS_HASH:
		return hash;
	case KEYS_ALL:
		break;
	}
	return true;
}

static void string_make(struct maker *m, const char *key, struct span value,
			const struct rdb_write_attrs *attrs)
{
	if (!key_fits(m, key, false))
		return;
	rdb_write_key(&m->w, 0, span_of(key), attrs);
	rdb_write_plain(&m->w, value);
}

static void hash_make(struct maker *m, const char *key)
{
	if (!key_fits(m, key, true))
		return;
	rdb_write_key(&m->w, 4, span_of(key), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&m->w, 1);
	rdb_write_str(&m->w, SPAN_LIT("field"));
	rdb_write_str(&m->w, SPAN_LIT("12345"));
}

// KEY_META (Redis 8.6): one class with one number. It belongs to the key that follows.
static void meta_make(struct maker *m, const char *key)
{
	if (key_fits(m, key, false))
		rdb_write_bytes(&m->w, SPAN_LIT("\xf3\x01\x01\x00\x00\x00\x02\x07\x00"));
}

static void database_make(struct maker *m, uint64_t db)
{
	m->db = db;
	if (m->set == KEYS_DB_2 && db != 2)
		return;
	rdb_write_selectdb(&m->w, db);
	if (m->set == KEYS_ALL || m->set == KEYS_DB_2)
		rdb_write_resizedb(&m->w, 3, 1);
}

static void head_make(struct maker *m)
{
	bool by_key = m->set == KEYS_U || m->set == KEYS_HASH;
	rdb_write_magic(&m->w, RDB_MAGIC_REDIS, 15);
	rdb_write_aux(&m->w, SPAN_LIT("redis-ver"), SPAN_LIT("8.10.0"));
	if (m->whole) {
		rdb_write_aux(&m->w, SPAN_LIT("repl-id"), SPAN_LIT("0123456789"));
		rdb_write_aux(&m->w, SPAN_LIT("repl-offset"), SPAN_LIT("77"));
	}
	if (!by_key)
		rdb_write_function(&m->w, SPAN_LIT("#!lua name=lib\nreturn 1"));
	// HASH_TEMPLATE: id 0, two names; a hash refers to it.
	rdb_write_bytes(&m->w, SPAN_LIT("\xf2\x00\x02\x01" "a" "\x01" "b"));
}

static struct span long_text(size_t len)
{
	static char text[100000];
	assert_true(len <= sizeof(text));
	memset(text, 'x', sizeof(text));
	return (struct span){text, len};
}

// @param whole  as the source writes it; else as the filter would leave it
static void snapshot_make(struct bytes *out, enum key_set set, bool whole)
{
	static struct maker m;
	const struct rdb_write_attrs volatile_key = {1900000000000, 300, -1};
	m = (struct maker){.set = set, .whole = whole};
	out->len = 0;
	rdb_write_init(&m.w, m.buf, sizeof(m.buf), bytes_sink, out);
	head_make(&m);
	database_make(&m, 0);
	if (whole) // SLOT_INFO, a hint about all keys of a slot
		rdb_write_bytes(&m.w, SPAN_LIT("\xf4\x05\x02\x01"));
	string_make(&m, "user:1", long_text(50000), &volatile_key);
	meta_make(&m, "unit");
	string_make(&m, "unit", SPAN_LIT("-7"), &volatile_key);
	hash_make(&m, "hash:1");
	database_make(&m, 2);
	meta_make(&m, "other");
	string_make(&m, "other", long_text(30), &RDB_WRITE_NO_ATTRS);
	hash_make(&m, "user:2");
	if (key_fits(&m, "t", true)) {
		rdb_write_key(&m.w, 32, SPAN_LIT("t"), &RDB_WRITE_NO_ATTRS);
		rdb_write_len(&m.w, 0);
	}
	assert_int_equal(rdb_write_eof(&m.w), 0);
}

static const struct decode_filter *set_filter(enum key_set set)
{
	static const struct decode_filter filters[] = {
		[KEYS_DB_2] = {.one_db = true, .db = 2},
		[KEYS_U] = {.match = "u*"},
		[KEYS_HASH] = {.type = "hash"},
	};
	return set == KEYS_ALL ? NULL : &filters[set];
}

// Feed a file so many bytes at a time, each time a copy of exactly what is there.
static int sieve_run(struct sieve *s, struct span file, size_t slice)
{
	size_t at = 0, shown = 0, used;
	int rc = 0;
	while (rc == 0 && shown < file.len) {
		shown = file.len - shown < slice ? file.len : shown + slice;
		char *exact = malloc(shown - at + 1);
		memcpy(exact, file.p + at, shown - at);
		rc = sieve_feed(s, (struct span){exact, shown - at}, &used);
		free(exact);
		at += used;
	}
	return rc ? rc : sieve_end(s, file.len - at);
}

static const size_t slices[] = {1, 7, 4096, FILE_MAX};

static void filter_leaves_the_bytes_of_keys_as_they_are(void **state)
{
	static struct bytes in, expected, out;
	struct sieve s;
	static const unsigned kept[] = {[KEYS_ALL] = 6, [KEYS_DB_2] = 3, [KEYS_U] = 3,
					[KEYS_HASH] = 3};
	snapshot_make(&in, KEYS_ALL, true);
	for (int set = KEYS_ALL; set <= KEYS_HASH; set++) {
		snapshot_make(&expected, set, set == KEYS_ALL);
		for (unsigned i = 0; i < 4; i++) {
			out.len = 0;
			assert_int_equal(sieve_init(&s, set_filter(set), bytes_sink, &out), 0);
			assert_int_equal(sieve_run(&s, span_in(&in), slices[i]), 0);
			assert_int_equal(s.n_keys, 6);
			assert_int_equal(s.n_kept, kept[set]);
			assert_int_equal(out.len, expected.len);
			assert_memory_equal(out.p, expected.p, out.len);
			sieve_fini(&s);
		}
	}
}

static void damage_is_found(void **state)
{
	static struct bytes in, out;
	struct sieve s;
	for (int set = KEYS_ALL; set <= KEYS_U; set++) {
		snapshot_make(&in, KEYS_ALL, true);
		in.p[in.len / 2] ^= 1; // within a value
		out.len = 0;
		assert_int_equal(sieve_init(&s, set_filter(set), bytes_sink, &out), 0);
		assert_int_equal(sieve_run(&s, span_in(&in), 1000), -EBADMSG);
		assert_non_null(strstr(s.why, "checksum"));
		sieve_fini(&s);
		// And what ends too early.
		assert_int_equal(sieve_init(&s, set_filter(set), bytes_sink, &out), 0);
		in.p[in.len / 2] ^= 1;
		in.len -= 3;
		out.len = 0;
		assert_int_equal(sieve_run(&s, span_in(&in), 1000), -EBADMSG);
		assert_non_null(strstr(s.why, "truncated"));
		sieve_fini(&s);
	}
}

// Bytes at random in a snapshot without a checksum: what a filter then makes of it is an RDB.
static void hostile_snapshot_makes_no_broken_file(void **state)
{
	static struct bytes in, out, again;
	struct random rnd = random_seeded(__func__);
	struct sieve s;
	unsigned n_sound = 0;
	for (int round = 0; round < 3000; round++) {
		enum key_set set = KEYS_DB_2 + (enum key_set)random_below(&rnd, 3);
		snapshot_make(&in, KEYS_ALL, true);
		memset(in.p + in.len - 8, 0, 8);
		// The beginning and the end have the structure; between them is one long value.
		for (int flips = (int)random_below(&rnd, 4); flips >= 0; flips--) {
			size_t at = (size_t)random_below(&rnd, 500);
			at = at < 250 ? at : in.len - 8 - (at - 250);
			in.p[at] = (char)random_below(&rnd, 256);
		}
		out.len = again.len = 0;
		assert_int_equal(sieve_init(&s, set_filter(set), bytes_sink, &out), 0);
		int rc = sieve_run(&s, span_in(&in), 1 + random_below(&rnd, 20000));
		assert_true(rc == 0 || rc == -EBADMSG);
		sieve_fini(&s);
		if (rc)
			continue;
		n_sound++;
		assert_int_equal(sieve_init(&s, NULL, bytes_sink, &again), 0);
		assert_int_equal(sieve_run(&s, span_in(&out), out.len), 0);
		assert_false(s.unread);
		sieve_fini(&s);
	}
	assert_true(n_sound > 10);
}

// A type of a future server: the whole file is kept when its checksum is right, and a filter cannot
// be applied.
static void what_cannot_be_read_is_kept_for_its_checksum(void **state)
{
	static struct bytes in, out;
	static uint8_t buf[4096];
	struct rdb_writer w;
	struct sieve s;
	rdb_write_init(&w, buf, sizeof(buf), bytes_sink, &in);
	rdb_write_magic(&w, RDB_MAGIC_REDIS, 99);
	rdb_write_selectdb(&w, 0);
	rdb_write_key(&w, 60, SPAN_LIT("future"), &RDB_WRITE_NO_ATTRS);
	rdb_write_plain(&w, long_text(9000));
	assert_int_equal(rdb_write_eof(&w), 0);
	for (unsigned i = 0; i < 4; i++) {
		out.len = 0;
		assert_int_equal(sieve_init(&s, NULL, bytes_sink, &out), 0);
		assert_int_equal(sieve_run(&s, span_in(&in), slices[i]), 0);
		assert_true(s.unread);
		assert_non_null(strstr(s.why, "future"));
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.p, in.p, in.len);
		sieve_fini(&s);
	}
	in.p[5000] ^= 1;
	assert_int_equal(sieve_init(&s, NULL, bytes_sink, &out), 0);
	out.len = 0;
	assert_int_equal(sieve_run(&s, span_in(&in), 100), -EBADMSG);
	sieve_fini(&s);
	in.p[5000] ^= 1;
	assert_int_equal(sieve_init(&s, set_filter(KEYS_U), bytes_sink, &out), 0);
	assert_int_equal(sieve_run(&s, span_in(&in), 100), -EBADMSG);
	sieve_fini(&s);
}

static int full_sink(void *arg, struct span out)
{
	return -ENOSPC;
}

static void sink_error_ends_it(void **state)
{
	static struct bytes in;
	struct sieve s;
	snapshot_make(&in, KEYS_ALL, true);
	for (int set = KEYS_ALL; set <= KEYS_U; set++) {
		assert_int_equal(sieve_init(&s, set_filter(set), full_sink, NULL), 0);
		assert_int_equal(sieve_run(&s, span_in(&in), 1000), -ENOSPC);
		sieve_fini(&s);
	}
}

// ---- Where the snapshot ends

#define MARK "0123456789abcdef0123456789abcdef01234567"

// Show a stream slice by slice, and use what the frame gives. @return bytes given
static size_t frame_run(const struct psync_header *h, struct span stream, size_t slice, bool *ended)
{
	struct frame f;
	size_t at = 0, shown = 0;
	frame_begin(&f, h);
	while (!f.ended && shown < stream.len) {
		shown = stream.len - shown < slice ? stream.len : shown + slice;
		struct span view = frame_view(&f, (struct span){stream.p + at, shown - at});
		size_t used = f.ended ? view.len : view.len / 2; // a reader leaves some
		frame_used(&f, used);
		at += used;
	}
	*ended = f.ended;
	return at;
}

static void end_is_found_at_the_length_or_at_the_mark(void **state)
{
	static const char almost[] = "REDIS 0123456789abcdef0123456789abcdef0123456 and " MARK;
	const struct psync_header by_len = {.len = 10}, by_mark = {.mark = MARK};
	bool ended;
	for (size_t slice = 1; slice < 60; slice++) {
		assert_int_equal(frame_run(&by_len, SPAN_LIT("REDIS 7890stream"), slice, &ended),
				 10);
		assert_true(ended);
		frame_run(&by_len, SPAN_LIT("REDIS 789"), slice, &ended);
		assert_false(ended);
		assert_int_equal(frame_run(&by_mark, span_of(almost), slice, &ended),
				 strlen(almost) - EOF_MARK_LEN);
		assert_true(ended);
		// Some servers send a newline behind it.
		assert_int_equal(frame_run(&by_mark, SPAN_LIT("x" MARK "\n"), slice, &ended), 1);
		assert_true(ended);
		frame_run(&by_mark, (struct span){almost, strlen(almost) - 1}, slice, &ended);
		assert_false(ended);
	}
}

static void headers_are_read(void **state)
{
	struct psync_header h;
	struct psync_place place;
	assert_true(psync_header_read(SPAN_LIT("$123"), &h));
	assert_int_equal(h.len, 123);
	assert_true(psync_header_read(SPAN_LIT("$EOF:" MARK), &h));
	assert_string_equal(h.mark, MARK);
	static const char *const wrong[] = {"$", "$-1", "$0", "$1x", "$EOF:0123", "+OK", "",
					    "$99999999999999999999"};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(psync_header_read(span_of(wrong[i]), &h));
	assert_true(psync_fullresync_read(SPAN_LIT("+FULLRESYNC " MARK " 42"), &place));
	assert_string_equal(place.replid, MARK);
	assert_int_equal(place.offset, 42);
	assert_false(psync_fullresync_read(SPAN_LIT("+FULLRESYNC " MARK), &place));
	assert_false(psync_fullresync_read(SPAN_LIT("+FULLRESYNC ? 42"), &place));
	assert_true(psync_error_passes(SPAN_LIT("-LOADING Redis is loading")));
	assert_true(psync_error_passes(SPAN_LIT("NOMASTERLINK Can't SYNC")));
	assert_false(psync_error_passes(SPAN_LIT("NOPERM this user")));
}

// ---- Replies and payloads

// What a stream of replies is taken apart into, as text.
static void replies_trace(struct span in, size_t slice, char *out, size_t out_len)
{
	struct replies r = {0};
	struct reply_event ev;
	size_t at = 0, shown = 0, used, n = 0;
	out[0] = 0;
	for (;;) {
		char *exact = malloc(shown - at + 1);
		memcpy(exact, in.p + at, shown - at);
		enum reply_part part =
			replies_next(&r, (struct span){exact, shown - at}, &ev, &used);
		bool has_text = part == REPLY_STATUS || part == REPLY_ERROR || part == REPLY_BYTES;
		if (part == REPLY_NUMBER || part == REPLY_STRING)
			n += (size_t)snprintf(out + n, out_len - n, "%c%lld ",
					      part == REPLY_NUMBER ? ':' : '$',
					      (long long)ev.number);
		else if (part != REPLY_MORE)
			n += (size_t)snprintf(out + n, out_len - n, "%s%.*s",
					      part == REPLY_BYTES ? "" : "|",
					      has_text ? (int)ev.text.len : 0, ev.text.p);
		free(exact);
		at += used;
		if (part == REPLY_BAD || (part == REPLY_MORE && shown == in.len))
			break;
		if (part == REPLY_MORE)
			shown = in.len - shown < slice ? in.len : shown + slice;
	}
	if (at < in.len)
		snprintf(out + n, out_len - n, "!");
}

static void replies_come_in_pieces(void **state)
{
	static const char stream[] = ":-2\r\n+OK\r\n$-1\r\n$0\r\n\r\n-ERR no\r\n"
				     "$30\r\nabcdefghijklmnopqrstuvwxyz\r\n\r\n\r\n:7\r\n";
	char whole[300], pieces[300];
	replies_trace(span_of(stream), sizeof(stream), whole, sizeof(whole));
	assert_string_equal(whole, ":-2 |OK|$0 ||ERR no$30 abcdefghijklmnopqrstuvwxyz\r\n\r\n|:7 ");
	for (size_t slice = 1; slice < 40; slice++) {
		replies_trace(span_of(stream), slice, pieces, sizeof(pieces));
		assert_string_equal(pieces, whole);
	}
	static const char *const wrong[] = {"x\r\n", "\r\n", ":x\r\n", "$-2\r\n", "*1\r\n",
					    "$1\r\nabc", "$99999999999999\r\n", "+a\n"};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		replies_trace(span_of(wrong[i]), 100, whole, sizeof(whole));
		assert_int_equal(whole[strlen(whole) - 1], '!');
	}
}

static size_t payload_make(char *out, uint8_t type, uint16_t version, struct span body)
{
	out[0] = (char)type;
	memcpy(out + 1, body.p, body.len);
	return 1 + body.len +
	       rdb_restore_footer(type, version, body, (uint8_t *)out + 1 + body.len);
}

static enum payload_verdict payload_run(struct payload *p, const char *bytes, size_t len,
					size_t slice, const struct decode_filter *filter)
{
	size_t head = len < REPLY_HEAD_MIN ? len : REPLY_HEAD_MIN;
	enum payload_verdict v = payload_begin(p, len, (struct span){bytes, head}, SPAN_LIT("k"),
					       1234567, filter);
	for (size_t at = 0; v == PAYLOAD_OK && at < len; at += slice)
		payload_feed(p, (struct span){bytes + at, len - at < slice ? len - at : slice});
	return v == PAYLOAD_OK ? payload_end(p) : v;
}

static void payloads_are_checked_and_copied(void **state)
{
	static const struct decode_filter all, lists = {.type = "list"};
	static struct bytes out;
	char bytes[200], expected[200];
	struct span body = SPAN_LIT("\x02\x01" "f" "\xc0\x07\x01" "g" "\xc0\x08"); // a hash
	size_t len = payload_make(bytes, 4, 10, body);
	for (size_t slice = 1; slice <= len; slice++) {
		struct rdb_writer w, e;
		rdb_write_init(&w, out.p, sizeof(out.p), NULL, NULL);
		rdb_write_init(&e, expected, sizeof(expected), NULL, NULL);
		rdb_write_key(&e, 4, SPAN_LIT("k"), &(struct rdb_write_attrs){1234567, -1, -1});
		rdb_write_bytes(&e, body);
		struct payload p = {.w = &w, .magic = RDB_MAGIC_REDIS, .version = 10};
		assert_int_equal(payload_run(&p, bytes, len, slice, &lists), PAYLOAD_OK);
		assert_int_equal(w.len, 0);
		assert_int_equal(payload_run(&p, bytes, len, slice, &all), PAYLOAD_OK);
		assert_int_equal(w.len, e.len);
		assert_memory_equal(out.p, expected, e.len);
		p.version = 9;
		assert_int_equal(payload_run(&p, bytes, len, slice, &all), PAYLOAD_NEWER);
		bytes[3] ^= 1;
		assert_int_equal(payload_run(&p, bytes, len, slice, &all), PAYLOAD_DAMAGED);
		bytes[3] ^= 1;
	}
	struct rdb_writer w;
	rdb_write_init(&w, out.p, sizeof(out.p), NULL, NULL);
	struct payload p = {.w = &w, .magic = RDB_MAGIC_REDIS, .version = 99};
	assert_int_equal(payload_version((struct span){bytes, len}), 10);
	assert_int_equal(payload_run(&p, bytes, 10, 10, &all), PAYLOAD_DAMAGED);
	bytes[0] = 29; // stands in payloads alone
	assert_int_equal(payload_run(&p, bytes, len, len, &all), PAYLOAD_NO_FILE);
	bytes[0] = 120;
	assert_int_equal(payload_run(&p, bytes, len, len, &all), PAYLOAD_NO_FILE);
}

static void keys_are_seen_once(void **state)
{
	struct seen s = {0};
	char key[32];
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < 50000; i++) {
			int len = snprintf(key, sizeof(key), "key:%u", i);
			assert_int_equal(seen_add(&s, (struct span){key, (size_t)len}), pass == 0);
		}
	assert_int_equal(s.n, 50000);
	seen_clear(&s);
	assert_int_equal(seen_add(&s, SPAN_LIT("")), 1);
	assert_int_equal(seen_add(&s, SPAN_LIT("")), 0);
	seen_clear(&s);
}

// ---- The file

struct folder {
	char dir[64], path[96], seen[64];
	struct fresh_file file;
	struct failure f;
};

static struct folder folder_make(void)
{
	struct folder d = {.dir = "/tmp/flyover-dump-XXXXXX"};
	assert_non_null(mkdtemp(d.dir));
	snprintf(d.path, sizeof(d.path), "%s/file.rdb", d.dir);
	return d;
}

static unsigned files_in(const char *dir)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	for (const struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static void folder_remove(struct folder *d)
{
	unlink(d->path);
	assert_int_equal(rmdir(d->dir), 0);
}

static const char *content(struct folder *d)
{
	FILE *in = fopen(d->path, "re");
	assert_non_null(in);
	d->seen[fread(d->seen, 1, sizeof(d->seen) - 1, in)] = 0;
	fclose(in);
	return d->seen;
}

static void file_is_there_once_it_is_whole(void **state)
{
	struct folder d = folder_make();
	assert_int_equal(fresh_file_open(&d.file, d.path, false, &d.f), 0);
	assert_int_equal(fresh_file_reserve(&d.file, 100000), 0);
	assert_int_equal(fresh_file_write(&d.file, SPAN_LIT("whole")), 0);
	assert_int_equal(access(d.path, F_OK), -1);
	assert_int_equal(files_in(d.dir), 1); // beside it
	assert_int_equal(fresh_file_keep(&d.file, &d.f), 0);
	fresh_file_drop(&d.file);
	assert_string_equal(content(&d), "whole"); // what was reserved is given back
	assert_int_equal(files_in(d.dir), 1);
	folder_remove(&d);
}

static void dropped_file_leaves_nothing(void **state)
{
	struct folder d = folder_make();
	assert_int_equal(fresh_file_open(&d.file, d.path, false, &d.f), 0);
	assert_int_equal(fresh_file_write(&d.file, SPAN_LIT("half")), 0);
	fresh_file_drop(&d.file);
	assert_int_equal(files_in(d.dir), 0);
	folder_remove(&d);
}

static void file_put(const struct folder *d, const char *bytes)
{
	FILE *out = fopen(d->path, "we");
	assert_non_null(out);
	fputs(bytes, out);
	fclose(out);
}

static void file_that_is_there_stays_without_force(void **state)
{
	struct folder d = folder_make();
	file_put(&d, "old");
	assert_int_equal(fresh_file_open(&d.file, d.path, false, &d.f), -1);
	assert_int_equal(d.f.id, ERROR_OUTPUT_EXISTS);
	unlink(d.path);
	// One that appears meanwhile stays, too.
	assert_int_equal(fresh_file_open(&d.file, d.path, false, &d.f), 0);
	file_put(&d, "other");
	assert_int_equal(fresh_file_keep(&d.file, &d.f), -1);
	assert_int_equal(d.f.id, ERROR_OUTPUT_EXISTS);
	fresh_file_drop(&d.file);
	assert_string_equal(content(&d), "other");
	assert_int_equal(files_in(d.dir), 1);
	assert_int_equal(fresh_file_open(&d.file, d.path, true, &d.f), 0);
	assert_int_equal(fresh_file_write(&d.file, SPAN_LIT("new")), 0);
	assert_string_equal(content(&d), "other");
	assert_int_equal(fresh_file_keep(&d.file, &d.f), 0);
	fresh_file_drop(&d.file);
	assert_string_equal(content(&d), "new");
	assert_int_equal(files_in(d.dir), 1);
	folder_remove(&d);
}

static void places_that_hold_no_file_are_refused(void **state)
{
	struct folder d = folder_make();
	char pipe[128], nowhere[128];
	snprintf(pipe, sizeof(pipe), "%s/pipe", d.dir);
	snprintf(nowhere, sizeof(nowhere), "%s/no/file", d.dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	const char *const wrong[] = {pipe, nowhere, d.dir, "/", "/tmp/", ".", "/dev/null"};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(fresh_file_open(&d.file, wrong[i], true, &d.f), -1);
		assert_int_equal(d.f.id, ERROR_OUTPUT);
	}
	assert_int_equal(files_in(d.dir), 1);
	unlink(pipe);
	folder_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_leaves_the_bytes_of_keys_as_they_are),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(hostile_snapshot_makes_no_broken_file),
		cmocka_unit_test(what_cannot_be_read_is_kept_for_its_checksum),
		cmocka_unit_test(sink_error_ends_it),
		cmocka_unit_test(end_is_found_at_the_length_or_at_the_mark),
		cmocka_unit_test(headers_are_read),
		cmocka_unit_test(replies_come_in_pieces),
		cmocka_unit_test(payloads_are_checked_and_copied),
		cmocka_unit_test(keys_are_seen_once),
		cmocka_unit_test(file_is_there_once_it_is_whole),
		cmocka_unit_test(dropped_file_leaves_nothing),
		cmocka_unit_test(file_that_is_there_stays_without_force),
		cmocka_unit_test(places_that_hold_no_file_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
