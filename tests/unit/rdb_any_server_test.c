// SPDX-License-Identifier: BSD-3-Clause
// Random values of every encoding that a redis-server of 7.0 loads, by its own word: what it saves
// after it has loaded our file, or taken our payloads by RESTORE, is what was meant. FLYOVER_SEED=n
// and FLYOVER_ROUNDS=1 run one round again.
#include "tests/unit/rdb_gen_read.h"
#include "tests/unit/rdb_server.h"

#define ROUNDS      25
#define ROUNDS_LONG 3000

static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};

struct loader {
	redisContext *rc;
	uint64_t db;
	unsigned n_restored;
};

static void dump_write(const struct server *s, const struct gen_file *f)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/dump.rdb", s->dir);
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(f->p, 1, f->len, out), f->len);
	assert_int_equal(fclose(out), 0);
}

// Have it saved by the server, and read that.
static void server_check(struct gen *g, const struct server *s, const struct gen_file *meant)
{
	struct feeder f = {.set = FEED_SETTINGS, .how = FEED_RANDOM,
			   .seed = (unsigned)gen_pick(g, 1u << 31)};
	struct gen_read got;
	char path[160];
	say(s->rc, gen_pick(g, 2) ? "CONFIG SET rdbcompression yes"
				  : "CONFIG SET rdbcompression no");
	say(s->rc, "SAVE");
	snprintf(path, sizeof(path), "%s/dump.rdb", s->dir);
	struct span file = file_read(path);
	assert_non_null(file.p);
	f.set.window_len = f.set.scratch_len = 4 << 20; // its nodes may be larger than ours
	f.set.big_len = 1 + gen_pick(g, 2000);
	f.set.elements = gen_pick(g, 2);
	gen_read_check(&f, meant, file, GEN_SERVERS, &got);
	assert_int_equal(got.crc, RDB_CRC_OK);
	gen_read_free(&got);
	free((char *)file.p);
}

static void on_restore(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct loader *l = arg;
	char select[32], at[24];
	if (ev->kind == RDB_SELECTDB) {
		snprintf(select, sizeof(select), "SELECT %d", (int)ev->db);
		say(l->rc, select);
	} else if (ev->kind == RDB_RAW) {
		restore(l->rc, ev);
		l->n_restored++;
	} else if (ev->kind == RDB_STRING) {
		command(l->rc, 3, (const char *[]){"SET", ev->key.p, ev->value.p},
			(size_t[]){3, ev->key.len, ev->value.len});
		snprintf(at, sizeof(at), "%lld", (long long)ev->expire_at_ms);
		if (ev->expire_at_ms >= 0)
			command(l->rc, 3, (const char *[]){"PEXPIREAT", ev->key.p, at},
				(size_t[]){9, ev->key.len, strlen(at)});
	}
}

static void restore_all(struct gen *g, const struct server *s, const struct gen_file *file)
{
	struct loader l = {.rc = s->rc};
	struct feeder f = {.set = FEED_SETTINGS, .how = FEED_WHOLE, .seen = on_restore, .arg = &l};
	f.set.window_len = f.set.big_len = 4 << 20;
	f.set.scratch_len = 8 << 20;
	feed_run(&f, (struct span){file->p, file->len});
	assert_int_equal(f.result, RDB_DONE);
}

static void round_any(const struct server *s, uint64_t seed)
{
	struct gen g;
	struct gen_file file;
	gen_init(&g, seed);
	g.loadable = true;
	gen_file_make(&g, &file, RDB_MAGIC_REDIS, types, sizeof(types));
	dump_write(s, &file);
	say(s->rc, "DEBUG RELOAD NOSAVE");
	server_check(&g, s, &file);
	say(s->rc, "FLUSHALL");
	restore_all(&g, s, &file);
	server_check(&g, s, &file);
	gen_file_free(&file);
	gen_fini(&g);
}

static void server_saves_what_was_meant(void **state)
{
	struct random seeds = random_seeded("rdb_any_server");
	const char *rounds = getenv("FLYOVER_ROUNDS"), *asked = getenv("FLYOVER_TEST_LONG");
	unsigned n = rounds            ? (unsigned)strtoul(rounds, NULL, 10)
		     : asked && *asked ? ROUNDS_LONG
				       : ROUNDS;
	struct server *s = *state;
	if (s->rc == NULL)
		skip();
	for (unsigned i = 0; i < n; i++) {
		printf("\rFLYOVER_SEED=%" PRIu64, seeds.state + i); // stays there when it fails
		fflush(stdout);
		round_any(s, seeds.state + i);
	}
	printf("\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_saves_what_was_meant),
	};
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
