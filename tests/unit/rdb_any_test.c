// SPDX-License-Identifier: BSD-3-Clause
// Random values of every type and size through our writer and our reader: what is read is what was
// meant, however the bytes arrive and however small the window. FLYOVER_SEED=n and FLYOVER_ROUNDS=1
// run one round again.
#include "tests/unit/rdb_gen_read.h"

#define ROUNDS      120
#define ROUNDS_LONG 20000

// A file above it is not fed byte by byte: each call sees all of the window again.
#define BYTES_LEN_MAX 4000

static const uint8_t redis_types[] = {0,  1,  2,  3,  4,  5,  9,  10, 11, 12, 13, 14, 15,
				      16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
static const uint8_t valkey_types[] = {0,  1,  2,  3,  4,  5,  9,  10, 11, 12, 13,
				       14, 15, 16, 17, 18, 19, 20, 21, 22};

// What all rounds together have come across.
struct seen {
	unsigned types[256], n_raw, n_big, n_parts;
};

static struct rdb_settings settings_any(struct gen *g)
{
	struct rdb_settings set = {.window_len = gen_window_min(g)};
	if (gen_pick(g, 2))
		set.window_len += gen_pick(g, 1 << 18);
	set.big_len = 1 + gen_pick(g, gen_pick(g, 2) ? 200 : set.window_len);
	// The longest node, and the pending list and names of a group.
	set.scratch_len = set.big_len + 8192 + gen_window_min(g) + gen_pick(g, 1 << 16);
	set.elements = gen_pick(g, 2);
	return set;
}

static void reading_check(struct gen *g, const struct gen_file *file, enum feed how,
			  struct seen *seen)
{
	struct gen_read got;
	struct feeder f = {
		.set = settings_any(g), .how = how, .seed = (unsigned)gen_pick(g, 1u << 31)};
	gen_read_check(&f, file, (struct span){file->p, file->len}, GEN_OURS, &got);
	assert_int_equal(f.version, file->version);
	assert_int_equal(got.crc, file->version < 5 ? RDB_CRC_NONE : RDB_CRC_OK);
	seen->n_raw += got.n_raw;
	seen->n_big += got.n_big;
	seen->n_parts += got.n_parts;
	gen_read_free(&got);
}

static void round_any(uint64_t seed, struct seen *seen)
{
	struct gen g;
	struct gen_file file;
	gen_init(&g, seed);
	if (gen_pick(&g, 4))
		gen_file_make(&g, &file, RDB_MAGIC_REDIS, redis_types, sizeof(redis_types));
	else
		gen_file_make(&g, &file, RDB_MAGIC_VALKEY, valkey_types, sizeof(valkey_types));
	for (unsigned i = 0; i < file.n_keys; i++)
		seen->types[file.keys[i].type]++;
	reading_check(&g, &file, FEED_WHOLE, seen);
	for (int i = 0; i < 2; i++)
		reading_check(&g, &file, FEED_RANDOM, seen);
	if (file.len <= BYTES_LEN_MAX)
		reading_check(&g, &file, FEED_BYTES, seen);
	gen_file_free(&file);
	gen_fini(&g);
}

static void what_is_written_is_read(void **state)
{
	struct random seeds = random_seeded("rdb_any");
	const char *rounds = getenv("FLYOVER_ROUNDS"), *asked = getenv("FLYOVER_TEST_LONG");
	unsigned n = rounds            ? (unsigned)strtoul(rounds, NULL, 10)
		     : asked && *asked ? ROUNDS_LONG
				       : ROUNDS;
	struct seen seen = {{0}};
	for (unsigned i = 0; i < n; i++) {
		printf("\rFLYOVER_SEED=%" PRIu64, seeds.state + i); // stays there when it fails
		fflush(stdout);
		round_any(seeds.state + i, &seen);
	}
	printf("\n");
	if (n < ROUNDS)
		return;
	for (size_t i = 0; i < sizeof(redis_types); i++)
		assert_true(seen.types[redis_types[i]] > 0);
	assert_true(seen.n_raw > 0 && seen.n_big > 0 && seen.n_parts > 0);
}

// A file that is damaged in one bit never reads as another sound one: it is refused, truncated, or
// its sum is wrong.
static void flipped_bit_is_always_noticed(void **state)
{
	struct random seeds = random_seeded("rdb_any");
	for (unsigned i = 0; i < 40; i++) {
		struct gen g;
		struct gen_file file;
		struct feeder f = {.set = FEED_SETTINGS};
		gen_init(&g, seeds.state + i);
		do // older ones have no sum
			gen_file_make(&g, &file, RDB_MAGIC_REDIS, redis_types, sizeof(redis_types));
		while (file.version < 5 && (gen_file_free(&file), true));
		size_t at = 9 + gen_pick(&g, file.len - 9);
		file.p[at] ^= (char)(1 << gen_pick(&g, 8));
		f.set.window_len = f.set.scratch_len = 1 << 21;
		f.set.elements = i % 2;
		feed_run(&f, (struct span){file.p, file.len});
		if (f.result == RDB_DONE && strstr(f.error, "checksum") == NULL)
			fail_msg("FLYOVER_SEED=%" PRIu64 ": byte %zu", seeds.state + i, at);
		gen_file_free(&file);
		gen_fini(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(flipped_bit_is_always_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
