// SPDX-License-Identifier: BSD-3-Clause
// Batches and what hangs on them: markers, refusals, parked commands, the keys of a snapshot.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dataplane/apply/keyset.h"
#include "dataplane/apply/lane.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

static void bytes_put(const struct batch *b, char *out)
{
	for (unsigned i = 0; i < b->n_segments; i++) {
		memcpy(out, b->segments[i].p, b->segments[i].len);
		out += b->segments[i].len;
	}
	*out = 0;
}

static void words_are_composed_and_referred_to(void **state)
{
	struct batch b;
	char all[4096], item[4096], big[1000];
	memset(big, 'b', sizeof(big));
	assert_int_equal(batch_init(&b, 4096, 2), 0);
	batch_reset(&b, 9, 100, true);
	assert_int_equal(batch_item_begin(&b, 100, 0, ITEM_COMMAND), 0);
	batch_head(&b, 3);
	batch_arg(&b, SPAN_LIT("SET"), true);
	batch_arg(&b, (struct span){big, sizeof(big)}, true);
	batch_arg_u64(&b, UINT64_MAX);
	assert_int_equal(b.n_segments, 3); // text, the big one where it lies, text
	assert_ptr_equal(b.segments[1].p, big);
	assert_int_equal(batch_item_begin(&b, 200, 3, ITEM_COMMAND), 0);
	batch_refer(&b, "*1\r\n$4\r\nPING\r\n", 14);
	assert_int_equal(b.n_items, 3); // SELECT between them
	assert_int_equal(b.items[1].kind, ITEM_INTERNAL);
	assert_int_equal(b.db_first, 0);
	assert_int_equal(b.db_last, 3);
	bytes_put(&b, all);
	assert_int_equal(strlen(all), b.len);
	size_t at = 0;
	for (unsigned i = 0; i < b.n_items; i++) {
		size_t n = batch_item_bytes(&b, i, item, sizeof(item));
		assert_int_equal(n, batch_item_len(&b, i));
		assert_memory_equal(item, all + at, n);
		at += n;
	}
	assert_int_equal(at, b.len);
	memset(item, '!', sizeof(item));
	assert_int_equal(batch_item_bytes(&b, 0, item, 5), batch_item_len(&b, 0));
	assert_memory_equal(item, "*3\r\n$!", 6);
	batch_fini(&b);
}

static void composed_now_and_then(struct batch *b, struct random *r, unsigned n)
{
	static const char stable[2000] = {'s'};
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(
			batch_item_begin(b, b->end++, (int32_t)random_below(r, 3), ITEM_COMMAND),
			0);
		struct span w = {stable, random_below(r, sizeof(stable))};
		if (!batch_has_text(b, batch_arg_len(w, true) + BATCH_HEAD_LEN + 64))
			assert_true(batch_text_grow(b, 3000));
		batch_head(b, 1);
		batch_arg(b, w, true);
		b->n_commands++;
		b->idempotent &= random_below(r, 2);
	}
}

// To go back to a mark is as if nothing had been added since.
static void going_back_undoes_exactly(void **state)
{
	struct random r = random_seeded(__func__);
	char *before = calloc(1, 1 << 20), *after = calloc(1, 1 << 20);
	for (int i = 0; i < 300; i++) {
		struct batch b;
		batch_init(&b, 512, 4);
		batch_reset(&b, 1, 0, true);
		composed_now_and_then(&b, &r, (unsigned)random_below(&r, 12));
		bytes_put(&b, before);
		struct batch was = b;
		struct batch_mark mark = batch_mark(&b);
		composed_now_and_then(&b, &r, 1 + (unsigned)random_below(&r, 12));
		batch_back(&b, &mark);
		bytes_put(&b, after);
		assert_string_equal(before, after);
		assert_int_equal(b.len, was.len);
		assert_int_equal(b.n_items, was.n_items);
		assert_int_equal(b.n_commands, was.n_commands);
		assert_int_equal(b.db_first, was.db_first);
		assert_int_equal(b.db_last, was.db_last);
		assert_int_equal(b.idempotent, was.idempotent);
		composed_now_and_then(&b, &r, 3);
		bytes_put(&b, after);
		assert_memory_equal(before, after, strlen(before));
		batch_reset(&b, 2, 0, false);
		assert_int_equal(b.len, 0);
		batch_fini(&b);
	}
	free(before);
	free(after);
}

// ---- Marker

// Items of words and of bytes referred to, in an order drawn at random: each keeps its own bytes.
static void items_go_into_another_order(void **state)
{
	static char log[20000];
	struct random r = random_seeded(__func__);
	for (size_t i = 0; i < sizeof(log); i++)
		log[i] = (char)('a' + i % 26);
	for (int round = 0; round < 200; round++) {
		struct batch b;
		char want[64][2048], got[2048];
		size_t len[64];
		uint32_t order[64];
		unsigned n = 1 + (unsigned)random_below(&r, 64), at = 0;
		unsigned from = (unsigned)random_below(&r, n);
		assert_int_equal(batch_init(&b, 1 << 18, 4), 0);
		batch_reset(&b, 1, 0, true);
		for (unsigned i = 0; i < n; i++) {
			batch_item_begin(&b, i, 0, ITEM_COMMAND);
			unsigned part = 1 + (unsigned)random_below(&r, 300);
			if (random_below(&r, 2)) // often right behind the one before
				batch_refer(&b, log + at, part);
			else
				batch_copy(&b, log + at, part);
			if (random_below(&r, 3) == 0)
				batch_refer(&b, log + 10000, part);
			at += part;
			at = at > 9000 ? 0 : at;
			len[i] = batch_item_bytes(&b, i, want[i], sizeof(want[i]));
		}
		size_t whole = b.len;
		for (unsigned i = 0; i < n - from; i++)
			order[i] = i;
		for (unsigned i = n - from; i > 1; i--) {
			unsigned k = (unsigned)random_below(&r, i);
			uint32_t swap = order[k];
			order[k] = order[i - 1];
			order[i - 1] = swap;
		}
		assert_int_equal(batch_reorder(&b, from, order), 0);
		assert_int_equal(b.n_items, n);
		assert_int_equal(b.len, whole);
		for (unsigned i = 0; i < n; i++) {
			unsigned was = i < from ? i : from + order[i - from];
			assert_int_equal(b.items[i].offset, was);
			assert_int_equal(batch_item_bytes(&b, i, got, sizeof(got)), len[was]);
			assert_memory_equal(got, want[was], len[was]);
		}
		batch_fini(&b);
	}
}

static void marker_says_what_it_was_told(void **state)
{
	char text[MARKER_TEXT_LEN], key[MARKER_KEY_LEN], set[MARKER_SET_LEN];
	struct marker m = {.epoch = 3,
			   .site = "fra1",
			   .phase = MARKER_STREAM,
			   .offset = UINT64_MAX,
			   .db = 15,
			   .run = UINT64_MAX - 1,
			   .seq = 77,
			   .client = 5},
		      back;
	memset(m.replid, 'f', 40);
	struct span s = {text, marker_text(text, &m)};
	memset(&back, 0x55, sizeof(back));
	assert_int_equal(marker_parse(&back, s), 0);
	assert_int_equal(back.epoch, 3);
	assert_string_equal(back.site, "fra1");
	assert_string_equal(back.replid, m.replid);
	assert_int_equal(back.phase, MARKER_STREAM);
	assert_true(back.offset == UINT64_MAX && back.run == UINT64_MAX - 1);
	assert_true(back.db == 15 && back.seq == 77 && back.client == 5);
	struct span k = {key, marker_key(key, "link-1", 0, 16383)};
	assert_memory_equal(key, "__flyover:{link-1}:0-16383", k.len);
	assert_true(marker_is_reserved(k));
	size_t n = marker_set(set, k, &m);
	char want[MARKER_SET_LEN];
	int len =
		snprintf(want, sizeof(want), "*3\r\n$3\r\nSET\r\n$%zu\r\n%.*s\r\n$%zu\r\n%.*s\r\n",
			 k.len, (int)k.len, k.p, s.len, (int)s.len, s.p);
	assert_int_equal(n, len);
	assert_memory_equal(set, want, n);
}

static void longest_marker_fits(void **state)
{
	char text[MARKER_TEXT_LEN], key[MARKER_KEY_LEN], set[MARKER_SET_LEN], name[65];
	struct marker m = {.epoch = UINT64_MAX,
			   .phase = MARKER_SNAPSHOT,
			   .offset = UINT64_MAX,
			   .db = INT32_MAX,
			   .run = UINT64_MAX,
			   .seq = UINT64_MAX,
			   .client = UINT64_MAX},
		      back;
	memset(m.site, 's', 63);
	memset(m.replid, 'f', 40);
	memset(name, 'n', 64);
	name[64] = 0;
	size_t n = marker_text(text, &m);
	assert_in_range(n, 1, MARKER_TEXT_LEN - 1);
	assert_int_equal(marker_parse(&back, (struct span){text, n}), 0);
	size_t k = marker_key(key, name, 16383, 16383);
	assert_in_range(k, 1, MARKER_KEY_LEN - 1);
	assert_in_range(marker_set(set, (struct span){key, k}, &m), 1, MARKER_SET_LEN);
}

static void what_is_no_marker_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"1",
		"2 1 - ffff stream 1 0 1 1 1",
		"1 1 - ffff dream 1 0 1 1 1",
		"1 1 - ffff stream 1 0 1 1",
		"1 1 - ffff stream 1 0 1 1 1 1",
		"1 1 - ffff stream x 0 1 1 1",
	};
	struct marker m;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!marker_parse(&m, (struct span){bad[i], strlen(bad[i])}))
			fail_msg("taken: %s", bad[i]);
	char big[MARKER_TEXT_LEN + 10];
	memset(big, '1', sizeof(big));
	assert_int_equal(marker_parse(&m, (struct span){big, sizeof(big)}), -EINVAL);
	assert_int_equal(marker_parse(&m, SPAN_LIT("1 1 - ffff stream 1 0 1 1 1\0")), -EINVAL);
}

// ---- Refusals

static void refusals_mean_what_the_server_says(void **state)
{
	static const struct {
		const char *line;
		enum refusal refusal;
	} rows[] = {
		{"WRONGTYPE Operation against a key", REFUSAL_PARK},
		{"ERR value is not an integer", REFUSAL_PARK},
		{"BUSYKEY Target key name already exists.", REFUSAL_PARK},
		{"BUSY Redis is busy", REFUSAL_WAIT},
		{"LOADING Redis is loading", REFUSAL_WAIT},
		{"OOM command not allowed", REFUSAL_WAIT},
		{"READONLY You can't write", REFUSAL_MOVE},
		{"EXECABORT Transaction discarded", REFUSAL_ABORT},
		{"NOAUTH Authentication required.", REFUSAL_STOP},
		{"NOPERM this user", REFUSAL_STOP},
		{"MOVED 1 host:1", REFUSAL_STOP},
		{"ERR unknown command 'X'", REFUSAL_STOP},
		{"ERR max number of clients reached", REFUSAL_WAIT},
		{"", REFUSAL_PARK},
		{"OOM", REFUSAL_WAIT},
		{"OOMX", REFUSAL_PARK},
		{"MISCONF errors writing", REFUSAL_WAIT},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum error_id error;
		struct span line = {rows[i].line, strlen(rows[i].line)};
		if (refusal_of(line, &error) != rows[i].refusal)
			fail_msg("%s", rows[i].line);
	}
}

// ---- Parked commands

struct fake_disk {
	char text[4096];
	size_t len;
	int fails;
} fake;

static int fake_append_line(const char *path, const void *line, size_t len)
{
	assert_string_equal(path, "/state/parked.jsonl");
	if (fake.fails)
		return fake.fails;
	memcpy(fake.text + fake.len, line, len);
	fake.len += len;
	return 0;
}

static const struct disk_ops fake_disk_ops = {.append_line = fake_append_line};

static void parked_command_is_one_line_of_json(void **state)
{
	static const char command[] = "*3\r\n$3\r\nSET\r\n$3\r\nk\"\x01\r\n$1\r\nv\r\n";
	struct park p;
	struct batch b;
	memset(&fake, 0, sizeof(fake));
	park_init(&p, &fake_disk_ops, "/state");
	batch_init(&b, 64, 4);
	batch_reset(&b, 1, 0, true);
	strcpy(b.marker.replid, "beef");
	batch_item_begin(&b, 4242, 3, ITEM_COMMAND);
	batch_refer(&b, command, sizeof(command) - 1);
	assert_int_equal(park_item(&p, &b, 0, "stream", 1700, SPAN_LIT("WRONGTYPE a \"b\"\\")), 0);
	assert_string_equal(fake.text, "{\"time_ms\":1700,\"phase\":\"stream\",\"replid\":\"beef\","
				       "\"offset\":4242,\"db\":3,\"verb\":\"SET\","
				       "\"key\":\"k\\\"\\u0001\","
				       "\"reason\":\"WRONGTYPE a \\\"b\\\"\\\\\",\"command\":"
				       "\"KjMNCiQzDQpTRVQNCiQzDQprIgENCiQxDQp2DQo=\"}\n");
	fake.fails = -ENOSPC;
	assert_int_equal(park_item(&p, &b, 0, "stream", 1700, SPAN_LIT("x")), -ENOSPC);
	park_fini(&p);
	batch_fini(&b);
}

static void lines_survive_a_torn_one_and_a_replaced_file(void **state)
{
	char path[] = "/tmp/flyover-lines-XXXXXX", text[64], other[64];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(disk_kernel.append_line(path, "one\n", 4), 0);
	assert_int_equal(pwrite(fd, "tor", 3, 4), 3);
	assert_int_equal(disk_kernel.append_line(path, "two\n", 4), 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 12);
	assert_memory_equal(text, "one\ntor\ntwo\n", 12);
	snprintf(other, sizeof(other), "%s.new", path);
	int fresh = open(other, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fresh >= 0);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(disk_kernel.append_line(path, "three\n", 6), 0);
	assert_int_equal(pread(fresh, text, sizeof(text), 0), 6);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 12);
	close(fresh);
	close(fd);
	unlink(path);
}

// ---- Keys of a snapshot

static void keyset_remembers_just_what_it_was_given(void **state)
{
	struct keyset k;
	char name[32];
	assert_int_equal(keyset_init(&k, "/tmp"), 0);
	for (int i = 0; i < 150000; i++) // grows on the way
		assert_int_equal(
			keyset_add(&k, i % 2,
				   (struct span){name, (size_t)sprintf(name, "key:%d", i)}),
			0);
	assert_int_equal(k.n_keys, 150000);
	for (int i = 0; i < 150000; i++) {
		struct span s = {name, (size_t)sprintf(name, "key:%d", i)};
		assert_true(keyset_has(&k, i % 2, s));
		assert_false(keyset_has(&k, (i + 1) % 2, s));
	}
	assert_false(keyset_has(&k, 0, SPAN_LIT("")));
	assert_int_equal(keyset_add(&k, 0, SPAN_LIT("key:0")), 0);
	assert_int_equal(k.n_keys, 150000);
	keyset_fini(&k);
	assert_false(keyset_is_open(&k));
}

static void keyset_tells_short_names_of_databases_apart(void **state)
{
	struct keyset k;
	char name[8];
	assert_int_equal(keyset_init(&k, "/tmp"), 0);
	for (int db = 0; db < 16; db++)
		for (int i = 0; i < 64; i += 2)
			assert_int_equal(
				keyset_add(&k, db,
					   (struct span){name, (size_t)sprintf(name, "%c:%d",
									       'a' + i % 7, i)}),
				0);
	for (int db = 0; db < 16; db++)
		for (int i = 0; i < 64; i++) {
			struct span s = {name,
					 (size_t)sprintf(name, "%c:%d", 'a' + (i & ~1) % 7, i)};
			assert_int_equal(keyset_has(&k, db, s), i % 2 == 0);
		}
	keyset_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyset_tells_short_names_of_databases_apart),
		cmocka_unit_test(words_are_composed_and_referred_to),
		cmocka_unit_test(going_back_undoes_exactly),
		cmocka_unit_test(items_go_into_another_order),
		cmocka_unit_test(marker_says_what_it_was_told),
		cmocka_unit_test(longest_marker_fits),
		cmocka_unit_test(what_is_no_marker_is_refused),
		cmocka_unit_test(refusals_mean_what_the_server_says),
		cmocka_unit_test(parked_command_is_one_line_of_json),
		cmocka_unit_test(lines_survive_a_torn_one_and_a_replaced_file),
		cmocka_unit_test(keyset_remembers_just_what_it_was_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
