// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tls/rig.h"

#include <errno.h>
#include <unistd.h>

// ---- Certificates -----------------------------------------------------------------------------

static char folder[64];

static void folder_remove(void)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command))
		fprintf(stderr, "%s is left\n", folder);
}

static const struct certificate all[] = {
	{.file = "ca", .name = "Test CA", .is_ca = true},
	{.file = "other-ca", .name = "Other CA", .is_ca = true},
	{.file = "server", .name = "server", .alt = "DNS:localhost,IP:127.0.0.1", .ca = "ca"},
	{.file = "client", .name = "client", .ca = "ca"},
	{.file = "stranger", .name = "stranger", .alt = "DNS:localhost", .ca = "other-ca"},
	{.file = "expired",
	 .name = "old",
	 .alt = "DNS:localhost",
	 .ca = "ca",
	 .from_s = -20 * DAY_S,
	 .to_s = -10 * DAY_S},
	{.file = "early",
	 .name = "young",
	 .alt = "DNS:localhost",
	 .ca = "ca",
	 .from_s = 10 * DAY_S,
	 .to_s = 20 * DAY_S},
	{.file = "elsewhere", .name = "x", .alt = "DNS:a.example,IP:10.1.2.3", .ca = "ca"},
	{.file = "many",
	 .name = "x",
	 .alt = "DNS:the-first-of-many.example,DNS:the-second-of-many.example,"
		"DNS:the-third-of-many.example,DNS:the-fourth-of-many.example",
	 .ca = "ca"},
	{.file = "nameless", .name = "only\x1b[31mred", .ca = "ca"},
	{.file = "alone", .name = "alone", .alt = "DNS:localhost"},
	{.file = "client-only",
	 .name = "client",
	 .alt = "DNS:localhost",
	 .ca = "ca",
	 .for_clients = true},
	{.file = "old-ca", .name = "Old CA", .is_ca = true, .from_s = -9 * DAY_S, .to_s = -DAY_S},
	{.file = "of-old-ca", .name = "server", .alt = "DNS:localhost", .ca = "old-ca"},
	{.file = "client-old", .name = "client", .ca = "ca", .from_s = -9 * DAY_S, .to_s = -DAY_S},
};

const char *certificates(void)
{
	if (folder[0])
		return folder;
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%.40s/tls.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	atexit(folder_remove);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		certificate_make(folder, &all[i]);
	key_lock(folder, "client", "locked");
	return folder;
}

const char *pem(const char *file)
{
	static char paths[32][128];
	static unsigned n;
	char *path = paths[n++ % 32];
	snprintf(path, sizeof(paths[0]), "%s/%s", certificates(), file);
	return path;
}

// ---- The wire ---------------------------------------------------------------------------------

static struct rig *rig_of(struct stream *inner)
{
	return (struct rig *)((char *)inner - offsetof(struct rig, inner));
}

static int wire_connect(struct stream_loop *l, const struct stream_peer *peer, struct stream **out)
{
	struct rig *r = (struct rig *)((char *)l - offsetof(struct rig, inner_loop));
	r->inner = (struct stream){.loop = l, .flags = STREAM_OPEN | STREAM_WRITABLE};
	if (r->refuses)
		r->inner =
			(struct stream){.loop = l, .flags = STREAM_FAILED, .error = ECONNREFUSED};
	*out = &r->inner;
	return 0;
}

static size_t less(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void half_take(struct wire_half *h, void *buf, size_t n)
{
	memcpy(buf, h->bytes, n);
	memmove(h->bytes, h->bytes + n, h->len - n);
	h->len -= n;
}

static void half_put(struct wire_half *h, const void *p, size_t n)
{
	assert_true(h->len + n <= WIRE_LEN);
	memcpy(h->bytes + h->len, p, n);
	h->len += n;
}

static ssize_t wire_read(struct stream *s, void *buf, size_t len)
{
	struct rig *r = rig_of(s);
	size_t n = less(r->to_client.len, len);
	if (r->read_max)
		n = less(n, r->read_max);
	if (n) {
		half_take(&r->to_client, buf, n);
		return (ssize_t)n;
	}
	if (r->cut)
		return 0;
	s->flags &= ~(unsigned)STREAM_READABLE;
	return -EAGAIN;
}

static ssize_t wire_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct rig *r = rig_of(s);
	assert_int_equal(n, 1);
	if (r->broken)
		return -r->broken;
	size_t k = less(iov->iov_len, r->room - less(r->room, r->to_server.len));
	if (r->write_max)
		k = less(k, r->write_max);
	half_put(&r->to_server, iov->iov_base, k);
	if (k)
		return (ssize_t)k;
	s->flags &= ~(unsigned)STREAM_WRITABLE;
	return -EAGAIN;
}

static int wire_wait(struct stream_loop *l, int64_t timeout_ns)
{
	return 0;
}

static void wire_want_read(struct stream *s, bool on)
{
}

static void wire_close(struct stream *s)
{
	rig_of(s)->n_closes++;
}

static void wire_loop_free(struct stream_loop *l)
{
}

static const struct stream_ops wire_ops = {
	.name = "wire",
	.loop_free = wire_loop_free,
	.wait = wire_wait,
	.connect = wire_connect,
	.read = wire_read,
	.writev = wire_writev,
	.want_read = wire_want_read,
	.close = wire_close,
};

// ---- The rig ----------------------------------------------------------------------------------

struct rig *rig_new(const char *certificate)
{
	char name[64];
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->room = WIRE_LEN;
	r->inner_loop.ops = &wire_ops;
	assert_int_equal(stream_tls_new(&r->inner_loop, &r->loop), 0);
	certificates();
	if (!certificate)
		return r;
	r->context = SSL_CTX_new(TLS_server_method());
	snprintf(name, sizeof(name), "%s.crt", certificate);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(r->context, pem(name)), 1);
	snprintf(name, sizeof(name), "%s.key", certificate);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(r->context, pem(name), SSL_FILETYPE_PEM), 1);
	return r;
}

void rig_ask(struct rig *r, const char *ca)
{
	assert_int_equal(SSL_CTX_load_verify_file(r->context, pem(ca)), 1);
	SSL_CTX_set_verify(r->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

void rig_free(struct rig *r)
{
	if (r->stream)
		stream_close(r->stream);
	r->loop->ops->loop_free(r->loop);
	SSL_free(r->server);
	SSL_CTX_free(r->context);
	free(r);
}

struct tls_settings rig_settings(void)
{
	return (struct tls_settings){.ca = pem("ca.crt"), .name = "localhost", .verify = true};
}

void rig_connect(struct rig *r, const struct tls_settings *set)
{
	struct stream_peer peer = {
		.host = "localhost", .port = 1, .tls = true, .tls_settings = *set};
	if (r->context) {
		r->server = SSL_new(r->context);
		BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
		BIO_set_mem_eof_return(in, -1);
		SSL_set_bio(r->server, in, out);
		SSL_set_accept_state(r->server);
	}
	if (r->greeting)
		half_put(&r->to_client, r->greeting, strlen(r->greeting));
	assert_int_equal(stream_connect(r->loop, &peer, &r->stream), 0);
}

static void server_turn(struct rig *r)
{
	BIO *in = SSL_get_rbio(r->server), *out = SSL_get_wbio(r->server);
	unsigned char buf[4096];
	int n;
	if (r->silent)
		return;
	if (r->to_server.len) {
		BIO_write(in, r->to_server.bytes, (int)r->to_server.len);
		r->to_server.len = 0;
	}
	if (!SSL_is_init_finished(r->server))
		SSL_do_handshake(r->server);
	while (r->to_client.len < WIRE_LEN - sizeof(buf) &&
	       (n = BIO_read(out, buf, sizeof(buf))) > 0)
		half_put(&r->to_client, buf, (size_t)n);
}

void rig_turn(struct rig *r)
{
	if (r->server)
		server_turn(r);
	if (!(r->inner.flags & STREAM_FAILED)) {
		if (r->to_client.len || r->cut)
			r->inner.flags |= STREAM_READABLE;
		if (r->to_server.len < r->room)
			r->inner.flags |= STREAM_WRITABLE;
	}
	assert_true(stream_loop_wait(r->loop, 0) >= 0);
}

void rig_await(struct rig *r, unsigned flags)
{
	for (unsigned i = 0; i < 100000; i++) {
		if (r->stream->flags & flags)
			return;
		rig_turn(r);
	}
	fail_msg("flags are %#x, wanted %#x", r->stream->flags, flags);
}

void rig_open(struct rig *r)
{
	struct tls_settings set = rig_settings();
	rig_connect(r, &set);
	rig_await(r, STREAM_OPEN | STREAM_FAILED);
	if (r->stream->flags & STREAM_FAILED)
		fail_msg("%s", stream_why(r->stream, r->stream->error));
	while (!SSL_is_init_finished(r->server))
		rig_turn(r);
}

int server_read(struct rig *r, void *buf, int len)
{
	int n = SSL_read(r->server, buf, len);
	return n > 0 ? n : -SSL_get_error(r->server, n);
}

int server_write(struct rig *r, const void *p, int len)
{
	int n = SSL_write(r->server, p, len);
	return n > 0 ? n : -SSL_get_error(r->server, n);
}
