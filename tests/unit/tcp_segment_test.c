// SPDX-License-Identifier: BSD-3-Clause
// Headers and options of TCP: written and read back, as others write them, and as attackers do.
#include <errno.h>

#include "dataplane/tcp/segment.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

// A header with options as they are given, padded with zeroes, and a payload; exactly as long as it
// is, so that a sanitizer sees a read beyond it.
struct bytes {
	uint8_t *p;
	size_t len;
};

static struct bytes bytes_make(uint8_t flags, const void *options, size_t n, size_t payload)
{
	size_t header = TCP_HEADER_MIN + (n + 3) / 4 * 4;
	struct bytes b = {calloc(1, header + payload), header + payload};

	assert_non_null(b.p);
	b.p[12] = (uint8_t)(header / 4 << 4);
	b.p[13] = flags;
	memcpy(b.p + TCP_HEADER_MIN, options, n);
	return b;
}

static int options_read(uint8_t flags, const void *options, size_t n, struct tcp_segment *s)
{
	struct bytes b = bytes_make(flags, options, n, 0);
	int rc = tcp_segment_read(s, b.p, b.len);

	free(b.p);
	return rc;
}

#define READ(flags, s, ...)                                                                        \
	options_read((flags), (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), (s))

static void options_equal(const struct tcp_options *a, const struct tcp_options *b)
{
	assert_int_equal(a->has, b->has);
	if (a->has & TCP_HAS_MSS)
		assert_int_equal(a->mss, b->mss);
	if (a->has & TCP_HAS_SCALE)
		assert_int_equal(a->scale, b->scale);
	if (a->has & TCP_HAS_TIME) {
		assert_int_equal(a->ts_val, b->ts_val);
		assert_int_equal(a->ts_ecr, b->ts_ecr);
	}
	assert_int_equal(a->n_sack, b->n_sack);
	for (unsigned i = 0; i < a->n_sack; i++) {
		assert_int_equal(a->sack[i].from.v, b->sack[i].from.v);
		assert_int_equal(a->sack[i].to.v, b->sack[i].to.v);
	}
}

static struct tcp_segment segment_random(struct random *r)
{
	bool is_syn = random_below(r, 3) == 0;
	struct tcp_segment s = {
		.source_port = (uint16_t)random_next(r),
		.target_port = (uint16_t)random_next(r),
		.seq = seq_of((uint32_t)random_next(r)),
		.ack = seq_of((uint32_t)random_next(r)),
		.flags = (uint8_t)((random_next(r) & 0xfd) | (is_syn ? TCP_SYN : 0)),
		.window = (uint16_t)random_next(r),
		.urgent = (uint16_t)random_next(r),
		.options.mss = (uint16_t)random_next(r),
		.options.scale = (uint8_t)random_next(r),
		.options.ts_val = (uint32_t)random_next(r),
		.options.ts_ecr = (uint32_t)random_next(r),
	};

	if (is_syn)
		s.options.has = (uint8_t)random_below(r, 16);
	else
		s.options.has = random_below(r, 2) ? TCP_HAS_TIME : 0;
	if (!is_syn)
		s.options.n_sack =
			(uint8_t)random_below(r, s.options.has ? TCP_SACK_MAX : TCP_SACK_MAX + 1);
	for (unsigned i = 0; i < s.options.n_sack; i++)
		s.options.sack[i] = (struct tcp_range){seq_of((uint32_t)random_next(r)),
						       seq_of((uint32_t)random_next(r))};
	return s;
}

static void what_is_written_is_read_back(void **state)
{
	struct random r = random_seeded(__func__);

	for (unsigned i = 0; i < 20000; i++) {
		struct tcp_segment in = segment_random(&r), out;
		uint8_t p[TCP_HEADER_MAX + 3] = {0};
		unsigned header = tcp_segment_write(&in, p);

		assert_int_equal(header % 4, 0);
		assert_int_equal(tcp_segment_read(&out, p, header + 3), 0);
		assert_int_equal(out.source_port, in.source_port);
		assert_int_equal(out.target_port, in.target_port);
		assert_int_equal(out.seq.v, in.seq.v);
		assert_int_equal(out.ack.v, in.ack.v);
		assert_int_equal(out.flags, in.flags);
		assert_int_equal(out.window, in.window);
		assert_int_equal(out.urgent, in.urgent);
		assert_int_equal(out.len, 3);
		assert_int_equal(out.n_merged, 1);
		assert_ptr_equal(out.body[0].iov_base, p + header);
		assert_int_equal(out.body[0].iov_len, 3);
		options_equal(&in.options, &out.options);
	}
}

// The options of Linux, in its order and without padding between them.
static void a_linux_syn_is_read(void **state)
{
	uint8_t syn[] = {0xc3, 0x50, 0x18, 0xeb, 0x12, 0x34, 0x56, 0x78, 0x00, 0x00,
			 0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00,
			 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0x00, 0x00,
			 0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07};
	struct tcp_segment s;

	assert_int_equal(tcp_segment_read(&s, syn, sizeof(syn)), 0);
	assert_int_equal(s.source_port, 50000);
	assert_int_equal(s.target_port, 6379);
	assert_int_equal(s.seq.v, 0x12345678);
	assert_int_equal(s.flags, TCP_SYN);
	assert_int_equal(s.window, 64240);
	assert_int_equal(s.options.has,
			 TCP_HAS_MSS | TCP_HAS_SCALE | TCP_HAS_SACK_OK | TCP_HAS_TIME);
	assert_int_equal(s.options.mss, 1460);
	assert_int_equal(s.options.scale, 7);
	assert_int_equal(s.options.ts_val, 7);
	assert_int_equal(s.len, 0);
}

static void a_short_or_overlong_header_is_refused(void **state)
{
	for (size_t len = 0; len < TCP_HEADER_MIN; len++) {
		uint8_t *p = calloc(1, len ? len : 1);
		struct tcp_segment s;

		if (len > 12)
			p[12] = 5 << 4;
		assert_int_equal(tcp_segment_read(&s, p, len), -EBADMSG);
		free(p);
	}
	for (unsigned words = 0; words < 16; words++) {
		struct bytes b = bytes_make(TCP_ACK, "", 0, 12);
		struct tcp_segment s;

		b.p[12] = (uint8_t)(words << 4);
		int rc = tcp_segment_read(&s, b.p, b.len);
		assert_int_equal(rc, words < 5 || words > 8 ? -EBADMSG : 0);
		if (rc == 0)
			assert_int_equal(s.len, 32 - 4 * words);
		free(b.p);
	}
}

static void option_lengths_that_do_not_fit_are_refused(void **state)
{
	struct tcp_segment s;

	assert_int_equal(READ(TCP_SYN, &s, 2, 0, 0, 0), -EBADMSG);     // zero: would never end
	assert_int_equal(READ(TCP_SYN, &s, 2, 1, 0, 0), -EBADMSG);     // less than its own head
	assert_int_equal(READ(TCP_SYN, &s, 2, 5, 0, 0), -EBADMSG);     // past the header's end
	assert_int_equal(READ(TCP_SYN, &s, 1, 1, 1, 8), -EBADMSG);     // no room for a length
	assert_int_equal(READ(TCP_SYN, &s, 254, 255, 0, 0), -EBADMSG); // an unknown one, too long
	assert_int_equal(READ(TCP_ACK, &s, 1, 1, 5, 34, 0, 0),
			 -EBADMSG); // blocks that are not there
}

static void unknown_and_misshapen_options_are_skipped(void **state)
{
	struct tcp_segment s;

	assert_int_equal(READ(TCP_SYN, &s, 254, 4, 9, 9, 2, 4, 5, 180), 0);
	assert_int_equal(s.options.has, TCP_HAS_MSS);
	assert_int_equal(s.options.mss, 1460);
	assert_int_equal(READ(TCP_SYN, &s, 2, 3, 5, 3, 4, 7, 0, 4, 3, 0), 0);
	assert_int_equal(s.options.has, 0);
	assert_int_equal(READ(TCP_ACK, &s, 5, 9, 0, 0, 0, 1, 0, 0, 0), 0);
	assert_int_equal(s.options.n_sack, 0);
	assert_int_equal(READ(TCP_ACK, &s, 5, 2, 1, 1), 0);
	assert_int_equal(s.options.n_sack, 0);
}

static void nothing_is_read_behind_the_end_of_the_options(void **state)
{
	struct tcp_segment s;

	assert_int_equal(READ(TCP_SYN, &s, 0, 4, 5, 180), 0);
	assert_int_equal(s.options.has, 0);
	assert_int_equal(READ(TCP_SYN, &s, 2, 4, 5, 180, 0, 200, 0, 0), 0);
	assert_int_equal(s.options.has, TCP_HAS_MSS);
}

// MSS, scale and SACK-permitted speak of the connection and stand in a SYN only (RFC 9293, 3.2; RFC
// 7323, 2.2; RFC 2018, 2).
static void options_of_a_syn_count_only_there(void **state)
{
	struct tcp_segment s;

	assert_int_equal(READ(TCP_ACK, &s, 2, 4, 5, 180, 1, 3, 3, 7, 4, 2), 0);
	assert_int_equal(s.options.has, 0);
	assert_int_equal(READ(TCP_SYN, &s, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2), 0);
	assert_int_equal(s.options.n_sack, 0);
}

static void four_blocks_are_read_and_no_more_can_be(void **state)
{
	uint8_t options[40] = {1, 1};
	struct tcp_segment s;

	// Four options of one block each fill the header.
	for (unsigned i = 0; i < 4; i++) {
		options[10 * i] = 5;
		options[10 * i + 1] = 10;
		options[10 * i + 5] = (uint8_t)(i + 1);
		options[10 * i + 9] = (uint8_t)(i + 100);
	}
	assert_int_equal(options_read(TCP_ACK, options, sizeof(options), &s), 0);
	assert_int_equal(s.options.n_sack, TCP_SACK_MAX);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(s.options.sack[i].from.v, i + 1);
		assert_int_equal(s.options.sack[i].to.v, i + 100);
	}
}

static void arbitrary_bytes_never_lead_out_of_the_header(void **state)
{
	struct random r = random_seeded(__func__);

	for (unsigned i = 0; i < 100000; i++) {
		uint8_t options[40];
		struct tcp_segment s;
		size_t n = random_below(&r, 11) * 4;

		for (size_t k = 0; k < n; k++)
			options[k] = (uint8_t)(random_below(&r, 3) ? random_below(&r, 12)
								   : random_next(&r));
		int rc = options_read((uint8_t)random_next(&r), options, n, &s);
		assert_true(rc == 0 || rc == -EBADMSG);
		assert_in_range(s.options.n_sack, 0, TCP_SACK_MAX);
	}
}

static void octets_of_sequence_space_are_counted(void **state)
{
	struct tcp_segment s = {.len = 10};

	assert_int_equal(tcp_segment_span(&s), 10);
	s.flags = TCP_SYN;
	assert_int_equal(tcp_segment_span(&s), 11);
	s.flags = TCP_SYN | TCP_FIN | TCP_ACK;
	assert_int_equal(tcp_segment_span(&s), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_linux_syn_is_read),
		cmocka_unit_test(a_short_or_overlong_header_is_refused),
		cmocka_unit_test(option_lengths_that_do_not_fit_are_refused),
		cmocka_unit_test(unknown_and_misshapen_options_are_skipped),
		cmocka_unit_test(nothing_is_read_behind_the_end_of_the_options),
		cmocka_unit_test(options_of_a_syn_count_only_there),
		cmocka_unit_test(four_blocks_are_read_and_no_more_can_be),
		cmocka_unit_test(arbitrary_bytes_never_lead_out_of_the_header),
		cmocka_unit_test(octets_of_sequence_space_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
