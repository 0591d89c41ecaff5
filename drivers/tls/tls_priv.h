// SPDX-License-Identifier: BSD-3-Clause
// What a session is made of, for the files of this folder.
#pragma once

#include <openssl/ssl.h>

#include "drivers/tls/tls.h"

#define TLS_RECORD_LEN 16384 // plain bytes in one record, RFC 8446 5.1
#define TLS_RECORD_MAX                                                                             \
	(TLS_RECORD_LEN + 512) // on the wire: RFC 5246 6.2.3 allows 2048 more,
			       // padding and tag of our ciphers take less
#define TLS_IN_LEN  65536
#define TLS_OUT_LEN (TLS_WRITE_MAX / TLS_RECORD_LEN * TLS_RECORD_MAX)

struct tls {
	SSL *ssl;
	BIO_METHOD *method;
	const struct tls_wire *wire;
	void *arg;
	char name[256];
	int wire_error; // errno
	bool read_is_over;
	int read_result;          // of tls_read() from then on
	bool ended;               // the wire has come to its end
	bool heard;               // it has given bytes at all
	bool open;                // the handshake is done
	bool has_cert, was_asked; // for a certificate of ours
	unsigned char first;      // byte that the server sent
	char reason[TLS_TEXT_LEN];
	size_t in_at, in_len; // from the wire, not taken by OpenSSL yet
	char in[TLS_IN_LEN];
	size_t out_at, out_len;
	char out[TLS_OUT_LEN];
	char gather[TLS_RECORD_LEN]; // small pieces on their way into one record
};

// What every session of these settings needs: files are read, nothing is kept.
//
// @return NULL with why
SSL_CTX *tls_credentials(const struct tls_settings *set, char *why);

#define TLS_TIME_LEN 32

// A time of a certificate, for sentences. @return out
const char *tls_time_text(const ASN1_TIME *at, char out[TLS_TIME_LEN]);

// Why the certificate at hand does not do. Called as OpenSSL's verification finds it.
void tls_reason_verify(struct tls *t, X509_STORE_CTX *found);

// Why the handshake or the session failed, from OpenSSL's queue of errors, unless it is known.
void tls_reason_failure(struct tls *t);
