// SPDX-License-Identifier: BSD-3-Clause
// TLS 1.2 and 1.3 as a client, by OpenSSL, over whatever carries bytes both ways without blocking:
// a stream of the dataplane, a socket of the control process, a buffer of a test.
//
//   plain bytes -> tls_writev() -> records -> out -> wire->write()
//   plain bytes <- tls_read()   <- records <-------- wire->read()
//
// Bytes that the wire gives go straight to OpenSSL's buffer. Records on their way out are gathered
// here, so that one write to the wire carries up to four, and a write is never half taken.
//
// A session belongs to one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define TLS_TEXT_LEN  200
#define TLS_WRITE_MAX 65536 // bytes that one write takes over, when nothing is stuck

// Whom to trust and who we are. Strings are borrowed for the call; NULL or "" is none.
struct tls_settings {
	const char *ca;   // file or folder of CA certificates (PEM); none: the system's
	const char *cert; // file of our certificate and what leads to its CA (PEM)
	const char *key;  // file of its key (PEM); none: it lies in `cert`
	const char *name; // name or address that the server's certificate must hold
	bool verify;      // off: any certificate will do
};

// Both return bytes > 0, -EAGAIN or -errno; read() says 0 at the end.
struct tls_wire {
	ssize_t (*read)(void *arg, void *buf, size_t len);
	ssize_t (*write)(void *arg, const void *p, size_t len);
};

struct tls;

// The files are read now, so that what is renewed on disk serves the next session.
//
// @param why  out, on error: a sentence; TLS_TEXT_LEN bytes
// @return NULL when a file is not what it should be, or there is no memory
struct tls *tls_new(const struct tls_settings *set, const struct tls_wire *wire, void *arg,
		    char *why);

// Read the files as tls_new() does, and forget them.
//
// @param text  out: what a session would use, or what is wrong; TLS_TEXT_LEN bytes
// @return 0, or -1: a session would fail
int tls_look(const struct tls_settings *set, char *text);

// Keys leave the memory. NULL is fine.
void tls_free(struct tls *t);

// Go on with the handshake as far as the wire lets us.
//
// @return 0 done, -EAGAIN the wire has to say or take more first, or -errno: tls_reason()
int tls_handshake(struct tls *t);

// -EAGAIN means that all that the wire had is used up: there is no need to ask before it has more.
//
// @return bytes read (> 0), 0 the server has said that it is done, -EAGAIN, or -errno; -ECONNRESET
//         when the connection ended without that word
ssize_t tls_read(struct tls *t, void *buf, size_t len);

// The bytes are taken over, TLS_WRITE_MAX of them at least if so many are offered.
//
// @return bytes taken (may be fewer), -EAGAIN while the last ones have not gone, or -errno
ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n);

// Whether records wait for the wire.
bool tls_is_stuck(const struct tls *t);

// Give them to the wire. @return 0 all gone, -EAGAIN, or -errno
int tls_flush(struct tls *t);

// Say that we are done (close_notify), as far as the wire takes it at once.
void tls_end(struct tls *t);

// What went wrong, as the rest of a sentence that begins with the server: "its certificate ...".
//
// @return NULL: nothing that strerror() does not say
const char *tls_reason(const struct tls *t);

// What OpenSSL keeps for the calling thread goes now: for one whose process may end before it has.
void tls_thread_end(void);

// Protocol and cipher, "TLSv1.3 TLS_AES_256_GCM_SHA384"; after the handshake.
void tls_describe(const struct tls *t, char *out, size_t len);
