// SPDX-License-Identifier: BSD-3-Clause
// A stream of stream_tls over a wire in memory, with a server of OpenSSL's at its other end. The
// wire can be narrow, fragmented, damaged and cut.
#pragma once

#include <openssl/ssl.h>

#include "drivers/stream_tls.h"
#include "tests/tls/certificates.h"
#include "tests/unit/test.h"

#define WIRE_LEN (1u << 20)

struct wire_half {
	unsigned char bytes[WIRE_LEN];
	size_t len;
};

struct rig {
	// What the test sets before rig_connect() or at any time.
	size_t read_max;      // bytes that one read of the wire gives, 0: any
	size_t write_max;     // bytes that one write takes, 0: any
	size_t room;          // bytes that the wire holds towards the server
	bool cut;             // it has ended, for the client's reads
	int broken;           // errno of the client's writes, 0: none
	const char *greeting; // the server is none: it says this, and reads nothing
	bool silent;          // it says nothing at all
	bool refuses;         // the inner stream does not open

	struct stream_loop inner_loop;
	struct stream inner;
	struct stream_loop *loop;
	struct stream *stream;
	unsigned n_closes; // of the inner stream
	struct wire_half to_server, to_client;
	SSL_CTX *context;
	SSL *server;
};

// The folder with the certificates of all tests of this program:
//
//   ca, server (localhost, 127.0.0.1), client: the usual ones
//   other-ca, stranger: of another CA; expired, early, elsewhere, alone, client-only: what is wrong
//   locked.key: with a passphrase
const char *certificates(void);

// "FOLDER/file"; lives as long as the program.
const char *pem(const char *file);

// A server with that certificate. NULL: there is no TLS at the other end.
struct rig *rig_new(const char *certificate);
void rig_free(struct rig *r);

// Ask clients for a certificate of this CA.
void rig_ask(struct rig *r, const char *ca);

// Settings with which all is well.
struct tls_settings rig_settings(void);

void rig_connect(struct rig *r, const struct tls_settings *set);

// Carry what there is, once each way.
void rig_turn(struct rig *r);

// Until a flag of `flags` is up, at most so many turns that only a hang takes more.
void rig_await(struct rig *r, unsigned flags);

// Connect and be open, on both sides.
void rig_open(struct rig *r);

// The server's side. @return bytes, or what SSL_get_error() says, negative
int server_read(struct rig *r, void *buf, int len);
int server_write(struct rig *r, const void *p, int len);
