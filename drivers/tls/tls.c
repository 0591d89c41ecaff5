// SPDX-License-Identifier: BSD-3-Clause
// tls_new() -> tls_credentials() ; tls_handshake(), tls_read(), tls_writev() -> wire_read(),
// record_gather() -> failed()
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "drivers/tls/tls_priv.h"

// ---- The wire, as OpenSSL sees it -------------------------------------------------------------

// @return bytes that have come, 0 at the end, or -errno
static ssize_t wire_fill(struct tls *t)
{
	ssize_t n = t->wire->read(t->arg, t->in, sizeof(t->in));
	if (n == -EAGAIN)
		return n;
	t->in_at = 0;
	t->in_len = n > 0 ? (size_t)n : 0;
	if (n > 0 && !t->heard)
		t->first = (unsigned char)t->in[0];
	t->heard |= n > 0;
	t->ended |= n == 0;
	if (n < 0)
		t->wire_error = (int)-n;
	return n;
}

// One read of the wire brings many records. OpenSSL's own read-ahead would move all of them to the
// front for nearly every one that it takes.
static int wire_read(BIO *b, char *buf, int len)
{
	struct tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	ssize_t rc = t->in_at < t->in_len ? 1 : wire_fill(t);
	if (rc == -EAGAIN)
		BIO_set_retry_read(b);
	if (rc <= 0)
		return rc < 0 ? -1 : 0;
	size_t left = t->in_len - t->in_at, n = (size_t)len < left ? (size_t)len : left;
	memcpy(buf, t->in + t->in_at, n);
	t->in_at += n;
	return (int)n;
}

// What finds no room waits in OpenSSL: alerts and new keys, when the wire has been stuck for long.
static int record_gather(BIO *b, const char *p, int len)
{
	struct tls *t = BIO_get_data(b);
	size_t room = sizeof(t->out) - t->out_len;
	size_t n = (size_t)len < room ? (size_t)len : room;
	BIO_clear_retry_flags(b);
	if (n == 0) {
		BIO_set_retry_write(b);
		return -1;
	}
	memcpy(t->out + t->out_len, p, n);
	t->out_len += n;
	return (int)n;
}

static long wire_control(BIO *b, int what, long number, void *arg)
{
	const struct tls *t = BIO_get_data(b);
	if (what == BIO_CTRL_EOF)
		return t->ended;
	return what == BIO_CTRL_FLUSH;
}

// @return NULL: no memory
static BIO *wire_new(struct tls *t)
{
	t->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "flyover");
	if (!t->method)
		return NULL;
	BIO_meth_set_read(t->method, wire_read);
	BIO_meth_set_write(t->method, record_gather);
	BIO_meth_set_ctrl(t->method, wire_control);
	BIO *b = BIO_new(t->method);
	if (b) {
		BIO_set_data(b, t);
		BIO_set_init(b, 1);
	}
	return b;
}

// ---- A session --------------------------------------------------------------------------------

static int certificate_judge(int fine, X509_STORE_CTX *found)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(found, SSL_get_ex_data_X509_STORE_CTX_idx());
	if (!fine)
		tls_reason_verify(SSL_get_app_data(ssl), found);
	return fine;
}

static int certificate_asked(SSL *ssl, void *arg)
{
	((struct tls *)arg)->was_asked = true;
	return 1;
}

static bool is_address(const char *name)
{
	struct in6_addr a;
	return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

// The name goes to the server too (RFC 6066 3), an address never does.
static bool name_set(struct tls *t, const struct tls_settings *set)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);
	bool address = is_address(t->name);
	if (!address && t->name[0] && !SSL_set_tlsext_host_name(t->ssl, t->name))
		return false;
	if (!set->verify)
		return true;
	SSL_set_verify(t->ssl, SSL_VERIFY_PEER, certificate_judge);
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return address ? X509_VERIFY_PARAM_set1_ip_asc(p, t->name) == 1
		       : SSL_set1_host(t->ssl, t->name) == 1;
}

static bool session_begin(struct tls *t, SSL_CTX *c, const struct tls_settings *set)
{
	BIO *b = NULL;
	t->ssl = SSL_new(c);
	if (t->ssl)
		b = wire_new(t);
	if (!b)
		return false;
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	SSL_set_cert_cb(t->ssl, certificate_asked, t);
	SSL_set_connect_state(t->ssl);
	return name_set(t, set);
}

struct tls *tls_new(const struct tls_settings *set, const struct tls_wire *wire, void *arg,
		    char *why)
{
	if (set->verify && (!set->name || !*set->name)) {
		snprintf(why, TLS_TEXT_LEN,
			 "a server without a host name needs tls-server-name, the name in its "
			 "certificate");
		return NULL;
	}
	SSL_CTX *c = tls_credentials(set, why);
	if (!c)
		return NULL;
	struct tls *t = calloc(1, sizeof(*t));
	if (t) {
		t->wire = wire;
		t->arg = arg;
		t->has_cert = set->cert && *set->cert;
		snprintf(t->name, sizeof(t->name), "%s", set->name ? set->name : "");
	}
	if (!t || !session_begin(t, c, set)) {
		snprintf(why, TLS_TEXT_LEN, "no memory for TLS");
		tls_free(t);
		t = NULL;
	}
	SSL_CTX_free(c); // the session has a share in it
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	BIO_meth_free(t->method);
	OPENSSL_cleanse(t->gather, sizeof(t->gather));
	free(t);
}

// ---- Failures ---------------------------------------------------------------------------------

// @param error  of SSL_get_error()
// @return -EAGAIN, or -errno with the reason set
static int failed(struct tls *t, int error)
{
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	bool told = error == SSL_ERROR_SSL && !t->ended;
	if (told || !t->open)
		tls_reason_failure(t);
	tls_flush(t); // the alert that says why, if any
	ERR_clear_error();
	if (t->reason[0])
		return -EPROTO;
	return t->wire_error ? -t->wire_error : -ECONNRESET;
}

const char *tls_reason(const struct tls *t)
{
	return t->reason[0] ? t->reason : NULL;
}

// The wire broke as we wrote. A server that refuses our certificate says so before it closes.
static void last_words_read(struct tls *t)
{
	char byte;
	ERR_clear_error();
	int n = SSL_peek(t->ssl, &byte, 1);
	if (n <= 0 && SSL_get_error(t->ssl, n) == SSL_ERROR_SSL && !t->ended)
		tls_reason_failure(t);
	ERR_clear_error();
}

// ---- Bytes ------------------------------------------------------------------------------------

bool tls_is_stuck(const struct tls *t)
{
	return t->out_len > 0;
}

int tls_flush(struct tls *t)
{
	while (t->out_at < t->out_len) {
		ssize_t n = t->wire->write(t->arg, t->out + t->out_at, t->out_len - t->out_at);
		if (n < 0)
			return (int)n;
		t->out_at += (size_t)n;
	}
	t->out_at = t->out_len = 0;
	return 0;
}

int tls_handshake(struct tls *t)
{
	ERR_clear_error();
	int n = SSL_do_handshake(t->ssl);
	int rc = n == 1 ? 0 : failed(t, SSL_get_error(t->ssl, n));
	t->open = n == 1;
	if (rc && rc != -EAGAIN)
		return rc;
	int flushed = tls_flush(t); // our part of it
	return flushed && flushed != -EAGAIN ? flushed : rc;
}

ssize_t tls_read(struct tls *t, void *buf, size_t len)
{
	size_t taken = 0, n;
	if (!t->open)
		return t->reason[0] ? -EPROTO : -EAGAIN;
	if (t->read_is_over)
		return t->read_result;
	ERR_clear_error();
	while (taken < len && SSL_read_ex(t->ssl, (char *)buf + taken, len - taken, &n))
		taken += n;
	if (taken == len)
		return (ssize_t)taken;
	int error = SSL_get_error(t->ssl, 0);
	int rc = error == SSL_ERROR_ZERO_RETURN ? 0 : failed(t, error);
	if (rc == -EAGAIN && tls_is_stuck(t)) // an answer of TLS itself: new keys
		tls_flush(t);
	if (rc != -EAGAIN) {
		t->read_is_over = true;
		t->read_result = rc;
	}
	return taken ? (ssize_t)taken : rc;
}

// A place in a list of pieces.
struct pieces {
	const struct iovec *iov;
	int n;
	size_t at; // within iov[0]
};

static void pieces_pass(struct pieces *p, size_t len)
{
	p->at += len;
	while (p->n && p->at == p->iov->iov_len) {
		p->iov++;
		p->n--;
		p->at = 0;
	}
}

// The bytes of the next record: where they lie if one piece fills it, else put together.
static const char *record_next(struct tls *t, struct pieces *p, size_t *len)
{
	size_t left = p->iov->iov_len - p->at;
	const char *whole = (const char *)p->iov->iov_base + p->at;
	if (left >= TLS_RECORD_LEN || p->n == 1) {
		*len = left < TLS_RECORD_LEN ? left : TLS_RECORD_LEN;
		pieces_pass(p, *len);
		return whole;
	}
	for (*len = 0; p->n && *len < TLS_RECORD_LEN;) {
		size_t n = p->iov->iov_len - p->at, room = TLS_RECORD_LEN - *len;
		n = n < room ? n : room;
		memcpy(t->gather + *len, (const char *)p->iov->iov_base + p->at, n);
		*len += n;
		pieces_pass(p, n);
	}
	return t->gather;
}

ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n)
{
	struct pieces p = {iov, n, 0};
	size_t taken = 0, len, written;
	int rc = t->open ? tls_flush(t) : -EAGAIN;
	if (rc)
		return rc;
	ERR_clear_error();
	pieces_pass(&p, 0);
	while (p.n && sizeof(t->out) - t->out_len >= TLS_RECORD_MAX) {
		const char *plain = record_next(t, &p, &len);
		if (!SSL_write_ex(t->ssl, plain, len, &written))
			return failed(t, SSL_get_error(t->ssl, 0));
		taken += len;
	}
	rc = tls_flush(t);
	if (rc && rc != -EAGAIN) {
		last_words_read(t);
		return t->reason[0] ? -EPROTO : rc;
	}
	return (ssize_t)taken;
}

void tls_end(struct tls *t)
{
	ERR_clear_error();
	if (t->open && !t->ended && !t->wire_error && !t->reason[0])
		SSL_shutdown(t->ssl);
	tls_flush(t);
	ERR_clear_error();
}

void tls_thread_end(void)
{
	OPENSSL_thread_stop();
}

void tls_describe(const struct tls *t, char *out, size_t len)
{
	snprintf(out, len, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
}
