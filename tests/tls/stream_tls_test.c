// SPDX-License-Identifier: BSD-3-Clause
// Bytes of a stream in TLS: whole and in crumbs, held back, cut and damaged.
#include "tests/tls/rig.h"

#include <errno.h>

#include "tests/unit/random.h"

static unsigned char pattern_at(uint64_t at)
{
	return (unsigned char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

// Bytes of the pattern that the server has had. @return how many came
static size_t server_takes(struct rig *r, uint64_t *at)
{
	unsigned char buf[8192];
	int n;
	size_t all = 0;
	while ((n = server_read(r, buf, sizeof(buf))) > 0) {
		for (int i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern_at((*at)++));
		all += (size_t)n;
	}
	return all;
}

// The same on our side. @return what the last read said
static ssize_t stream_takes(struct rig *r, uint64_t *at, size_t most)
{
	unsigned char buf[70000];
	ssize_t n;
	while ((n = stream_read(r->stream, buf, most)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern_at((*at)++));
	return n;
}

// Offer the pattern from `at` on, in up to four pieces. @return as stream_writev()
static ssize_t stream_gives(struct rig *r, uint64_t at, size_t len, struct random *random)
{
	static unsigned char buf[200000];
	struct iovec iov[4];
	int n = 0;
	assert_true(len <= sizeof(buf));
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern_at(at + i);
	for (size_t done = 0; done < len; n++) {
		size_t piece = n == 3 ? len - done : 1 + random_below(random, len - done);
		iov[n] = (struct iovec){buf + done, piece};
		done += piece;
	}
	return stream_writev(r->stream, iov, n);
}

static void bytes_pass(size_t read_max, size_t write_max, size_t room, uint64_t total, int version)
{
	struct random random = random_seeded("stream_tls");
	struct rig *r = rig_new("server");
	SSL_CTX_set_max_proto_version(r->context, version);
	r->read_max = read_max;
	r->write_max = write_max;
	r->room = room;
	rig_open(r);
	uint64_t given = 0, taken = 0, back = 0, heard = 0;
	for (unsigned turns = 0; taken < total || heard < total; turns++) {
		assert_true(turns < 1000000);
		if (given < total && r->stream->flags & STREAM_WRITABLE) {
			size_t len = 1 + random_below(&random, 100000);
			len = len < total - given ? len : total - given;
			ssize_t n = stream_gives(r, given, len, &random);
			assert_true(n > 0 || n == -EAGAIN);
			given += n > 0 ? (uint64_t)n : 0;
		}
		if (back < total && SSL_is_init_finished(r->server)) {
			unsigned char buf[5000];
			size_t len = 1 + random_below(&random, sizeof(buf));
			len = len < total - back ? len : total - back;
			for (size_t i = 0; i < len; i++)
				buf[i] = pattern_at(back + i);
			assert_int_equal(server_write(r, buf, (int)len), len);
			back += len;
		}
		rig_turn(r);
		server_takes(r, &taken);
		if (r->stream->flags & STREAM_READABLE)
			assert_int_equal(stream_takes(r, &heard, 1 + random_below(&random, 70000)),
					 -EAGAIN);
	}
	assert_int_equal(taken, total);
	assert_int_equal(heard, total);
	rig_free(r);
}

static void bytes_pass_whole(void **state)
{
	bytes_pass(0, 0, WIRE_LEN, 4 << 20, TLS1_3_VERSION);
	bytes_pass(0, 0, WIRE_LEN, 4 << 20, TLS1_2_VERSION);
}

static void bytes_pass_one_by_one(void **state)
{
	bytes_pass(1, 1, WIRE_LEN, 60000, TLS1_3_VERSION);
	bytes_pass(1, 1, WIRE_LEN, 60000, TLS1_2_VERSION);
}

static void bytes_pass_a_narrow_wire(void **state)
{
	bytes_pass(1000, 700, 1500, 1 << 20, TLS1_3_VERSION);
	bytes_pass(0, 0, 1, 20000, TLS1_3_VERSION);
}

// A handshake of the pipeline is one write, which the stream has to take as a whole.
static void a_write_of_64_kb_is_taken_at_once(void **state)
{
	struct random random = random_seeded("stream_tls");
	struct rig *r = rig_new("server");
	uint64_t taken = 0;
	rig_open(r);
	r->room = 100;
	assert_int_equal(stream_gives(r, 0, TLS_WRITE_MAX, &random), TLS_WRITE_MAX);
	assert_false(r->stream->flags & STREAM_WRITABLE);
	assert_int_equal(stream_gives(r, 7, 1, &random), -EAGAIN); // and nothing of it is
	rig_await(r, STREAM_WRITABLE);
	rig_turn(r);
	server_takes(r, &taken);
	assert_int_equal(taken, TLS_WRITE_MAX);
	rig_free(r);
}

static void empty_pieces_are_no_matter(void **state)
{
	struct rig *r = rig_new("server");
	struct iovec iov[] = {{"", 0}, {"ab", 2}, {"", 0}, {"c", 1}, {"", 0}};
	char buf[8] = "";
	rig_open(r);
	assert_int_equal(stream_writev(r->stream, iov, 5), 3);
	rig_turn(r);
	assert_int_equal(server_read(r, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(stream_writev(r->stream, iov, 1), 0);
	rig_free(r);
}

// Small pieces go in one record: what a lane sends is a list of them.
static void small_pieces_share_a_record(void **state)
{
	struct rig *r = rig_new("server");
	struct iovec iov[100];
	for (int i = 0; i < 100; i++)
		iov[i] = (struct iovec){"0123456789", 10};
	rig_open(r);
	rig_turn(r);
	r->silent = true;
	r->to_server.len = 0;
	assert_int_equal(stream_writev(r->stream, iov, 100), 1000);
	assert_in_range(r->to_server.len, 1000, 1100);
	rig_free(r);
}

static void what_is_not_read_stays_in_the_wire(void **state)
{
	struct rig *r = rig_new("server");
	static unsigned char buf[300000];
	uint64_t at = 0;
	rig_open(r);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = pattern_at(i);
	assert_int_equal(server_write(r, buf, sizeof(buf)), sizeof(buf));
	for (int i = 0; i < 50; i++)
		rig_turn(r);
	assert_true(r->stream->flags & STREAM_READABLE);
	assert_true(r->to_client.len >= sizeof(buf));
	assert_int_equal(stream_takes(r, &at, 70000), -EAGAIN);
	assert_int_equal(at, sizeof(buf));
	assert_false(r->stream->flags & STREAM_READABLE);
	rig_free(r);
}

static void want_read_is_news(void **state)
{
	struct rig *r = rig_new("server");
	char buf[8];
	rig_open(r);
	assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), -EAGAIN);
	stream_want_read(r->stream, false);
	stream_want_read(r->stream, true);
	assert_true(stream_loop_wait(r->loop, -1) > 0);
	assert_true(r->stream->flags & STREAM_READABLE);
	rig_free(r);
}

// ---- Ends -------------------------------------------------------------------------------------

static void the_end_is_told_from_a_cut(void **state)
{
	char buf[64];
	for (int said = 0; said < 2; said++) {
		struct rig *r = rig_new("server");
		rig_open(r);
		rig_turn(r);
		server_write(r, "last", 4);
		if (said)
			SSL_shutdown(r->server);
		rig_turn(r);
		r->cut = true;
		rig_turn(r);
		assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), 4);
		assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), said ? 0 : -ECONNRESET);
		assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), said ? 0 : -ECONNRESET);
		rig_free(r);
	}
}

// The server may have ended its side alone.
static void a_write_goes_on_behind_the_servers_end(void **state)
{
	struct rig *r = rig_new("server");
	struct iovec iov = {"more", 4};
	char buf[64] = "";
	rig_open(r);
	rig_turn(r);
	SSL_shutdown(r->server);
	rig_turn(r);
	assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), 0);
	assert_int_equal(stream_writev(r->stream, &iov, 1), 4);
	rig_turn(r);
	assert_int_equal(server_read(r, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "more");
	rig_free(r);
}

static void closing_says_so(void **state)
{
	struct rig *r = rig_new("server");
	char buf[8];
	rig_open(r);
	rig_turn(r);
	stream_close(r->stream);
	r->stream = NULL;
	assert_int_equal(r->n_closes, 1);
	rig_turn(r);
	assert_int_equal(server_read(r, buf, sizeof(buf)), -SSL_ERROR_ZERO_RETURN);
	rig_free(r);
}

static void closing_within_the_handshake_is_silent(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new("server");
	r->silent = true;
	rig_connect(r, &set);
	rig_turn(r);
	size_t said = r->to_server.len;
	assert_true(said > 100); // its first words
	stream_close(r->stream);
	r->stream = NULL;
	assert_int_equal(r->to_server.len, said);
	assert_int_equal(r->n_closes, 1);
	rig_free(r);
}

static void a_broken_wire_is_an_error(void **state)
{
	struct rig *r = rig_new("server");
	struct iovec iov = {"PING\r\n", 6};
	rig_open(r);
	r->broken = EPIPE;
	assert_int_equal(stream_writev(r->stream, &iov, 1), -EPIPE);
	assert_null(r->stream->reason);
	rig_free(r);
}

// ---- Damage -----------------------------------------------------------------------------------

static void a_flipped_bit_is_found(void **state)
{
	struct random random = random_seeded("stream_tls");
	for (int i = 0; i < 60; i++) {
		struct rig *r = rig_new("server");
		unsigned char buf[2000], in[4000];
		rig_open(r);
		rig_turn(r);
		stream_read(r->stream, in, sizeof(in));
		r->to_client.len = 0;
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(server_write(r, buf, sizeof(buf)), sizeof(buf));
		server_read(r, in, 1); // nothing, but its records go
		r->silent = false;
		// Carry the record to the wire, damage it there.
		BIO *out = SSL_get_wbio(r->server);
		r->to_client.len = (size_t)BIO_read(out, r->to_client.bytes, WIRE_LEN);
		assert_true(r->to_client.len > sizeof(buf));
		size_t at = 5 + random_below(&random, r->to_client.len - 5);
		r->to_client.bytes[at] ^= 1u << random_below(&random, 8);
		rig_turn(r);
		assert_int_equal(stream_read(r->stream, in, sizeof(in)), -EPROTO);
		assert_non_null(strstr(r->stream->reason, "TLS fails: "));
		assert_int_equal(stream_read(r->stream, in, sizeof(in)), -EPROTO);
		rig_free(r);
	}
}

// Whatever comes instead of a handshake ends it, or is waited for; it never hangs nor opens.
static void garbage_never_opens(void **state)
{
	struct random random = random_seeded("stream_tls");
	struct tls_settings set = rig_settings();
	for (int i = 0; i < 200; i++) {
		struct rig *r = rig_new(NULL);
		rig_connect(r, &set);
		r->read_max = random_below(&random, 3) ? 0 : 1;
		size_t n = 1 + random_below(&random, 400);
		for (size_t k = 0; k < n; k++)
			r->to_client.bytes[k] = (unsigned char)random_next(&random);
		if (i % 2) // with a record's head, so that it gets further
			memcpy(r->to_client.bytes, "\x16\x03\x03\x00\x40\x02", n < 6 ? n : 6);
		r->to_client.len = n;
		for (int k = 0; k < 500 && !(r->stream->flags & STREAM_FAILED); k++) {
			rig_turn(r);
			assert_false(r->stream->flags & STREAM_OPEN);
		}
		r->cut = true;
		rig_await(r, STREAM_FAILED);
		assert_non_null(r->stream->reason);
		rig_free(r);
	}
}

// ---- New keys, RFC 8446 4.6.3 -----------------------------------------------------------------

static void new_keys_are_answered(void **state)
{
	struct rig *r = rig_new("server");
	struct iovec iov = {"after", 5};
	char buf[64] = "";
	rig_open(r);
	rig_turn(r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(r->server, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(server_write(r, "before", 6), 6);
		rig_turn(r);
		assert_int_equal(stream_read(r->stream, buf, sizeof(buf)), 6);
		assert_int_equal(stream_writev(r->stream, &iov, 1), 5);
		rig_turn(r);
		assert_int_equal(server_read(r, buf, sizeof(buf)), 5);
	}
	rig_free(r);
}

// The answer waits behind what is stuck, and reading goes on.
static void new_keys_are_answered_behind_what_is_stuck(void **state)
{
	struct random random = random_seeded("stream_tls");
	struct rig *r = rig_new("server");
	uint64_t at = 0;
	char buf[64] = "";
	rig_open(r);
	rig_turn(r);
	r->silent = true;
	r->room = 1;
	assert_int_equal(stream_gives(r, 0, TLS_WRITE_MAX, &random), TLS_WRITE_MAX);
	r->silent = false;
	assert_int_equal(SSL_key_update(r->server, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(server_write(r, "before", 6), 6);
	size_t got = 0;
	for (int i = 0; i < 200000 && at < TLS_WRITE_MAX; i++) {
		rig_turn(r);
		server_takes(r, &at);
		if (!(r->stream->flags & STREAM_READABLE))
			continue;
		ssize_t n = stream_read(r->stream, buf + got, sizeof(buf) - got);
		assert_true(n > 0 || n == -EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(at, TLS_WRITE_MAX);
	assert_string_equal(buf, "before");
	rig_await(r, STREAM_WRITABLE);
	assert_int_equal(stream_gives(r, at, 10, &random), 10);
	r->room = WIRE_LEN;
	for (int i = 0; i < 100; i++) {
		rig_turn(r);
		server_takes(r, &at);
	}
	assert_int_equal(at, TLS_WRITE_MAX + 10);
	rig_free(r);
}

// ---- Beside TLS -------------------------------------------------------------------------------

static void a_peer_without_tls_gets_the_inner_stream(void **state)
{
	struct rig *r = rig_new(NULL);
	struct stream_peer peer = {.host = "localhost", .port = 1};
	struct stream *s;
	assert_int_equal(stream_connect(r->loop, &peer, &s), 0);
	assert_ptr_equal(s, &r->inner);
	stream_close(s);
	rig_free(r);
}

// The same settings, other files: each session reads them.
static void renewed_files_serve_the_next_session(void **state)
{
	struct tls_settings set = rig_settings();
	set.ca = pem("changing.crt");
	certificate_make(certificates(),
			 &(struct certificate){.file = "changing", .name = "First", .is_ca = true});
	struct rig *r = rig_new("server");
	rig_connect(r, &set);
	rig_await(r, STREAM_FAILED);
	rig_free(r);
	certificate_make(certificates(), &(struct certificate){.file = "of-changing",
							       .name = "server",
							       .alt = "DNS:localhost",
							       .ca = "changing"});
	r = rig_new("of-changing");
	rig_connect(r, &set);
	rig_await(r, STREAM_OPEN);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_whole),
		cmocka_unit_test(bytes_pass_one_by_one),
		cmocka_unit_test(bytes_pass_a_narrow_wire),
		cmocka_unit_test(a_write_of_64_kb_is_taken_at_once),
		cmocka_unit_test(empty_pieces_are_no_matter),
		cmocka_unit_test(small_pieces_share_a_record),
		cmocka_unit_test(what_is_not_read_stays_in_the_wire),
		cmocka_unit_test(want_read_is_news),
		cmocka_unit_test(the_end_is_told_from_a_cut),
		cmocka_unit_test(a_write_goes_on_behind_the_servers_end),
		cmocka_unit_test(closing_says_so),
		cmocka_unit_test(closing_within_the_handshake_is_silent),
		cmocka_unit_test(a_broken_wire_is_an_error),
		cmocka_unit_test(a_flipped_bit_is_found),
		cmocka_unit_test(garbage_never_opens),
		cmocka_unit_test(new_keys_are_answered),
		cmocka_unit_test(new_keys_are_answered_behind_what_is_stuck),
		cmocka_unit_test(a_peer_without_tls_gets_the_inner_stream),
		cmocka_unit_test(renewed_files_serve_the_next_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
