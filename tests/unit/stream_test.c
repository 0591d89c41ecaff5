// SPDX-License-Identifier: BSD-3-Clause
// What every driver of the stream seam must do: connect, carry bytes, tell what is ready.
#include <pthread.h>

#include "tests/unit/random.h"
#include "tests/unit/stream_rig.h"

// ---- Connecting

static void connect_opens(void **state)
{
	struct pair p = pair_new();
	assert_int_equal(p.stream->error, 0);
	assert_false(p.stream->flags & (STREAM_READABLE | STREAM_FAILED));
	assert_int_equal(text_write(p.stream, "hello"), 5);
	char buf[8];
	assert_int_equal(peer_read(p.fd, buf, sizeof(buf)), 5);
	pair_free(&p);
}

static void connect_refused_says_so(void **state)
{
	struct stream_loop *loop = loop_new();
	struct peer_listener l = peer_listen(false);
	struct stream_peer at = peer_at(l.port);
	struct stream *s;
	assert_int_equal(stream_connect(loop, &at, &s), 0);
	await(s, STREAM_FAILED | STREAM_OPEN);
	assert_true(s->flags & STREAM_FAILED);
	assert_false(s->flags & STREAM_OPEN);
	assert_int_equal(s->error, ECONNREFUSED);
	stream_close(s);
	loop_free(loop);
	close(l.fd);
}

static void connect_by_unix_socket(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/flyover-stream-%d.sock", getpid());
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, path);
	unlink(path);
	struct peer_listener l = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(bind(l.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l.fd, 8), 0);
	struct stream_loop *loop = loop_new();
	struct stream_peer at = {.path = path};
	struct stream *s;
	assert_int_equal(stream_connect(loop, &at, &s), 0);
	int fd = peer_accept(&l);
	await(s, STREAM_OPEN);
	peer_write(fd, "over here", 9);
	assert_reads(s, "over here");
	stream_close(s);
	close(fd);
	close(l.fd);
	unlink(path);
	assert_int_equal(stream_connect(loop, &at, &s), -ENOENT);
	char longer[200];
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	at.path = longer;
	assert_int_equal(stream_connect(loop, &at, &s), -ENAMETOOLONG);
	loop_free(loop);
}

static void connect_to_a_name_that_does_not_resolve(void **state)
{
	struct stream_loop *loop = loop_new();
	struct stream_peer at = {.host = "no host has blanks", .port = 6379};
	struct stream *s;
	assert_int_equal(stream_connect(loop, &at, &s), -EHOSTUNREACH);
	loop_free(loop);
}

// ---- Bytes

static void *blast_receive(void *arg)
{
	struct blast *b = arg;
	unsigned char buf[30000];
	uint64_t at = 0;
	for (ssize_t n; at < b->len && (n = read(b->fd, buf, sizeof(buf))) > 0; at += (uint64_t)n)
		if (!pattern_is(buf, (size_t)n, at))
			break;
	b->wrong_at = at;
	return NULL;
}

static void random_read(struct stream *s, struct random *r, unsigned char *buf, uint64_t *at)
{
	size_t most = random_below(r, 8) ? 1 + random_below(r, 200000) : 1 + random_below(r, 9);
	ssize_t n = stream_read(s, buf, most);
	if (n == -EAGAIN) {
		assert_false(s->flags & STREAM_READABLE);
		return;
	}
	assert_true(n > 0);
	assert_true(pattern_is(buf, (size_t)n, *at));
	*at += (uint64_t)n;
}

static void random_write(struct stream *s, struct random *r, unsigned char *buf, uint64_t *at)
{
	struct iovec iov[5];
	int n = 1 + (int)random_below(r, 5);
	size_t len = 0;
	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){buf + len, random_below(r, 4) ? random_below(r, 60000) : 1};
		len += iov[i].iov_len;
	}
	if (len > BIG - *at) {
		len = (size_t)(BIG - *at);
		iov[0].iov_len = len;
		n = 1;
	}
	pattern_fill(buf, len, *at);
	ssize_t sent = len ? stream_writev(s, iov, n) : 0;
	assert_true(sent >= 0 || sent == -EAGAIN);
	assert_int_equal(sent == -EAGAIN, !(s->flags & STREAM_WRITABLE));
	*at += sent > 0 ? (uint64_t)sent : 0;
}

static void big_transfers_both_ways_keep_every_byte(void **state)
{
	struct random r = random_seeded(__func__);
	struct pair p = pair_new();
	struct blast out = {.fd = p.fd, .len = BIG}, in = out;
	pthread_t sender, receiver;
	pthread_create(&sender, NULL, blast_send, &out);
	pthread_create(&receiver, NULL, blast_receive, &in);
	unsigned char *buf = malloc(5 * 60000 + 200000);
	uint64_t received = 0, sent = 0;
	while (received < BIG || sent < BIG) {
		if (p.stream->flags & STREAM_READABLE)
			random_read(p.stream, &r, buf, &received);
		if (sent < BIG && (p.stream->flags & STREAM_WRITABLE))
			random_write(p.stream, &r, buf, &sent);
		bool more = (p.stream->flags & STREAM_READABLE) ||
			    (sent < BIG && (p.stream->flags & STREAM_WRITABLE)) ||
			    (received == BIG && sent == BIG);
		int n = stream_loop_wait(p.loop, more ? 0 : PATIENCE_S * 1000 * MS_NS);
		assert_true(n > 0 || more);
	}
	peer_join(sender);
	peer_join(receiver);
	assert_int_equal(in.wrong_at, BIG);
	free(buf);
	pair_free(&p);
}

static void stuck_write_goes_on_when_the_peer_reads(void **state)
{
	struct pair p = pair_new();
	unsigned char *buf = malloc(BIG);
	pattern_fill(buf, BIG, 0);
	size_t sent = 0;
	// Until nothing moves: what goes out in the meantime makes room for more.
	for (int quiet = 0; quiet < 20;) {
		struct iovec iov = {buf + sent, BIG - sent};
		ssize_t n = stream_writev(p.stream, &iov, 1);
		if (n > 0)
			sent += (size_t)n;
		else
			assert_int_equal(n, -EAGAIN);
		if (sent == BIG)
			fail_msg("all of it was taken; make it bigger");
		quiet = n > 0 || stream_loop_wait(p.loop, 5 * MS_NS) ? 0 : quiet + 1;
	}
	assert_false(p.stream->flags & STREAM_WRITABLE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_loop_wait(p.loop, 5 * MS_NS), 0);
	assert_false(p.stream->flags & STREAM_WRITABLE);
	struct blast in = {.fd = p.fd, .len = BIG};
	pthread_t receiver;
	pthread_create(&receiver, NULL, blast_receive, &in);
	while (sent < BIG) {
		await(p.stream, STREAM_WRITABLE);
		struct iovec iov = {buf + sent, BIG - sent};
		ssize_t n = stream_writev(p.stream, &iov, 1);
		assert_true(n > 0 || n == -EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
	}
	peer_join(receiver);
	assert_int_equal(in.wrong_at, BIG);
	free(buf);
	pair_free(&p);
}

// ---- Ends

static void half_close_leaves_the_other_way_open(void **state)
{
	struct pair p = pair_new();
	peer_write(p.fd, "last words", 10);
	shutdown(p.fd, SHUT_WR);
	assert_reads(p.stream, "last words");
	size_t more = 0;
	assert_int_equal(read_to_end(p.stream, &more), 0);
	assert_int_equal(more, 0);
	assert_true(p.stream->flags & STREAM_READABLE);
	assert_int_equal(text_write(p.stream, "yes?"), 4);
	char buf[8];
	assert_int_equal(peer_read(p.fd, buf, sizeof(buf)), 4);
	pair_free(&p);
}

// The end may be told with the bytes, before a read that seems to empty the socket, or after it.
static void end_behind_a_short_read_is_not_lost(void **state)
{
	for (int late = 0; late < 3; late++) {
		struct pair p = pair_new();
		char buf[64];
		peer_write(p.fd, "bytes", 5);
		if (late == 0)
			shutdown(p.fd, SHUT_WR);
		await(p.stream, STREAM_READABLE);
		if (late == 1)
			shutdown(p.fd, SHUT_WR);
		ssize_t n = stream_read(p.stream, buf, sizeof(buf));
		assert_int_equal(n, 5);
		if (late == 2)
			shutdown(p.fd, SHUT_WR);
		size_t more = 0;
		assert_int_equal(read_to_end(p.stream, &more), 0);
		assert_int_equal(more, 0);
		pair_free(&p);
	}
}

static void reset_by_the_peer_is_an_error(void **state)
{
	struct pair p = pair_new();
	size_t n = 0;
	peer_reset(p.fd);
	p.fd = dup(0);
	assert_int_equal(read_to_end(p.stream, &n), -ECONNRESET);
	ssize_t sent = text_write(p.stream, "is anybody there");
	assert_true(sent == -EPIPE || sent == -ECONNRESET);
	pair_free(&p);
}

static void reset_while_a_write_is_stuck_frees_it(void **state)
{
	struct pair p = pair_new();
	char *buf = calloc(1, BIG);
	struct iovec iov = {buf, BIG};
	ssize_t n;
	while ((n = stream_writev(p.stream, &iov, 1)) > 0)
		;
	assert_int_equal(n, -EAGAIN);
	peer_reset(p.fd);
	p.fd = dup(0);
	await(p.stream, STREAM_WRITABLE | STREAM_READABLE);
	size_t got = 0;
	assert_true(read_to_end(p.stream, &got) < 0);
	free(buf);
	pair_free(&p);
}

// ---- Readiness

static void unread_bytes_do_not_keep_the_loop_awake(void **state)
{
	struct pair p = pair_new();
	peer_write(p.fd, "unread", 6);
	await(p.stream, STREAM_READABLE);
	for (int i = 0; i < 10 && stream_loop_wait(p.loop, 5 * MS_NS); i++)
		; // what was under way
	for (int i = 0; i < 5; i++)
		assert_int_equal(stream_loop_wait(p.loop, 2 * MS_NS), 0);
	assert_true(p.stream->flags & STREAM_READABLE);
	peer_write(p.fd, " more", 5);
	assert_true(stream_loop_wait(p.loop, PATIENCE_S * 1000 * MS_NS) > 0);
	assert_reads(p.stream, "unread more");
	pair_free(&p);
}

static void readable_goes_down_when_everything_is_read(void **state)
{
	struct pair p = pair_new();
	char buf[64];
	for (int i = 0; i < 100; i++) {
		peer_write(p.fd, "0123456789", 10);
		await(p.stream, STREAM_READABLE);
		size_t got = 0;
		while (got < 10) {
			await(p.stream, STREAM_READABLE);
			ssize_t n = stream_read(p.stream, buf, i % 2 ? sizeof(buf) : 1);
			assert_true(n > 0 || n == -EAGAIN);
			got += n > 0 ? (size_t)n : 0;
		}
		if (p.stream->flags & STREAM_READABLE)
			assert_int_equal(stream_read(p.stream, buf, sizeof(buf)), -EAGAIN);
		assert_false(p.stream->flags & STREAM_READABLE);
	}
	pair_free(&p);
}

static void want_read_off_is_quiet_and_on_tells(void **state)
{
	struct pair p = pair_new();
	stream_want_read(p.stream, false);
	peer_write(p.fd, "later", 5);
	for (int i = 0; i < 5; i++)
		assert_true(stream_loop_wait(p.loop, 5 * MS_NS) >= 0);
	assert_false(p.stream->flags & STREAM_READABLE);
	assert_int_equal(stream_loop_wait(p.loop, 5 * MS_NS), 0);
	stream_want_read(p.stream, true);
	assert_true(stream_loop_wait(p.loop, PATIENCE_S * 1000 * MS_NS) > 0);
	assert_reads(p.stream, "later");
	pair_free(&p);
}

static void want_read_off_holds_the_peer_back(void **state)
{
	struct pair p = pair_new();
	unsigned char *buf = malloc(BIG);
	pattern_fill(buf, BIG, 0);
	stream_want_read(p.stream, false);
	// From the beginning of the buffer each time, so the position is known modulo that.
	size_t stuffed = 0;
	struct pollfd ready = {p.fd, POLLOUT, 0};
	while (stuffed < BIG && poll(&ready, 1, 100) == 1) {
		ssize_t n = send(p.fd, buf + stuffed, BIG - stuffed, MSG_DONTWAIT);
		assert_true(n > 0);
		stuffed += (size_t)n;
		assert_true(stream_loop_wait(p.loop, 0) >= 0);
	}
	if (stuffed == BIG)
		fail_msg("the peer is not held back");
	stream_want_read(p.stream, true);
	unsigned char in[50000];
	for (uint64_t at = 0; at < stuffed;) {
		await(p.stream, STREAM_READABLE);
		ssize_t n = stream_read(p.stream, in, sizeof(in));
		assert_true(n > 0 || n == -EAGAIN);
		assert_true(n < 0 || pattern_is(in, (size_t)n, at));
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	pair_free(&p);
}

#define CROWD 150

static void many_streams_each_hear_their_own(void **state)
{
	struct pair p[CROWD];
	struct stream_loop *loop = loop_new();
	char text[24];
	for (unsigned i = 0; i < CROWD; i++)
		p[i] = pair_on(loop);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = round; i < CROWD; i += 3) {
			snprintf(text, sizeof(text), "for %u in %u", i, round);
			peer_write(p[i].fd, text, strlen(text));
		}
		for (unsigned i = round; i < CROWD; i += 3) {
			snprintf(text, sizeof(text), "for %u in %u", i, round);
			assert_reads(p[i].stream, text);
			assert_int_equal(stream_read(p[i].stream, text, sizeof(text)), -EAGAIN);
		}
		for (unsigned i = 0; i < CROWD; i++)
			assert_false(p[i].stream->flags & STREAM_READABLE);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		stream_close(p[i].stream);
		close(p[i].fd);
	}
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_opens),
		cmocka_unit_test(connect_refused_says_so),
		cmocka_unit_test(connect_by_unix_socket),
		cmocka_unit_test(connect_to_a_name_that_does_not_resolve),
		cmocka_unit_test(big_transfers_both_ways_keep_every_byte),
		cmocka_unit_test(stuck_write_goes_on_when_the_peer_reads),
		cmocka_unit_test(half_close_leaves_the_other_way_open),
		cmocka_unit_test(end_behind_a_short_read_is_not_lost),
		cmocka_unit_test(reset_by_the_peer_is_an_error),
		cmocka_unit_test(reset_while_a_write_is_stuck_frees_it),
		cmocka_unit_test(unread_bytes_do_not_keep_the_loop_awake),
		cmocka_unit_test(readable_goes_down_when_everything_is_read),
		cmocka_unit_test(want_read_off_is_quiet_and_on_tells),
		cmocka_unit_test(want_read_off_holds_the_peer_back),
		cmocka_unit_test(many_streams_each_hear_their_own),
	};
	return SEAM_RUN(tests);
}
