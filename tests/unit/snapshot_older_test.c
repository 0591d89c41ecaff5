// SPDX-License-Identifier: BSD-3-Clause
// A stream's body as an older type: exactly what that type's own writer would have written.
#include <errno.h>

#include "parsers/rdb_stream_older.h"
#include "tests/unit/stream_body.h"
#include "tests/unit/test.h"

#define BODY_MAX 2048

static const uint8_t types[] = {15, 19, 21, 26, 27};

static struct span body_of(struct stream_body b, char out[BODY_MAX])
{
	struct rdb_writer w;
	rdb_write_init(&w, out, BODY_MAX, NULL, NULL);
	stream_body_write(&w, &b);
	assert_int_equal(w.error, 0);
	return (struct span){out, w.len};
}

static void each_type_becomes_each_older_one(void **state)
{
	char in[BODY_MAX], out[BODY_MAX], expected[BODY_MAX];
	for (unsigned from = 0; from < 5; from++) {
		struct span body = body_of((struct stream_body){types[from], 0, 0}, in);
		for (unsigned to = 0; to <= from; to++) {
			struct span want = body_of((struct stream_body){types[to], 0, 0}, expected);
			struct rdb_stream_lost lost;
			size_t len;
			assert_int_equal(
				rdb_stream_older(body, types[from], types[to], out, &len, &lost),
				0);
			assert_int_equal(len, want.len);
			assert_memory_equal(out, want.p, len);
			assert_int_equal(lost.n_nacked + lost.n_producers, 0);
		}
	}
}

static void what_is_lost_is_told(void **state)
{
	char in[BODY_MAX], out[BODY_MAX], expected[BODY_MAX];
	struct rdb_stream_lost lost;
	size_t len;
	struct span body = body_of((struct stream_body){26, 0, 3}, in);
	struct span want = body_of((struct stream_body){21, 0, 0}, expected);
	assert_int_equal(rdb_stream_older(body, 26, 21, out, &len, &lost), 0);
	assert_int_equal(lost.n_producers, 3);
	assert_int_equal(len, want.len);
	assert_memory_equal(out, want.p, len);

	body = body_of((struct stream_body){27, 2, 1}, in);
	assert_int_equal(rdb_stream_older(body, 27, 26, out, &len, &lost), 0);
	assert_int_equal(lost.n_nacked, 2 * 2); // of two groups
	assert_int_equal(lost.n_producers, 0);
	assert_int_equal(rdb_stream_older(body, 27, 27, out, &len, &lost), 0);
	assert_int_equal(lost.n_nacked, 0);
	assert_int_equal(len, body.len);
	assert_memory_equal(out, body.p, len);
}

static void what_is_no_such_body_is_refused(void **state)
{
	char in[BODY_MAX], out[BODY_MAX];
	struct rdb_stream_lost lost;
	size_t len;
	for (unsigned i = 0; i < 5; i++) {
		struct span body = body_of((struct stream_body){types[i], 1, 1}, in);
		for (size_t n = 0; n < body.len; n++) {
			char *cut = malloc(n + 1); // so that a sanitizer sees a byte too many
			memcpy(cut, in, n);
			assert_int_equal(rdb_stream_older((struct span){cut, n}, types[i], 15, out,
							  &len, &lost),
					 -EBADMSG);
			free(cut);
		}
		in[body.len] = 0;
		body.len++;
		assert_int_equal(rdb_stream_older(body, types[i], 15, out, &len, &lost), -EBADMSG);
	}
	struct span body = body_of((struct stream_body){15, 0, 0}, in);
	assert_int_equal(rdb_stream_older(body, 15, 19, out, &len, &lost), -EBADMSG);
	assert_int_equal(rdb_stream_older(body, 4, 4, out, &len, &lost), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_becomes_each_older_one),
		cmocka_unit_test(what_is_lost_is_told),
		cmocka_unit_test(what_is_no_such_body_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
