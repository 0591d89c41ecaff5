// SPDX-License-Identifier: BSD-3-Clause
// A pipelining client of one server, for jobs that read: blocking, with timeouts. Requests pile up
// in a buffer; asking for a reply sends them. Requests and replies flow at the same time, so a long
// pipeline cannot lock up. One reply at a time is held here; those not yet taken wait in the socket
// and in the server's output buffer.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctrl/endpoint.h"
#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"
#include "parsers/resp.h"
#include "drivers/tls/tls.h"

#define CLIENT_CONNECT_MS 5000
#define CLIENT_SILENCE_MS 60000 // longest wait for the next bytes of a reply
#define CLIENTS_WAIT_MAX  4

struct client_cluster;

struct client {
	int fd;
	struct tls *tls; // NULL: plain
	bool held;       // bytes may lie in `tls` that poll() does not know of
	const char *who; // "the source", for sentences
	char url[ENDPOINT_TEXT_LEN]; // without password
	char user[URL_USER_LEN];     // who we are there; "": the default user
	struct resp_replies *replies;
	char *out;
	size_t out_len, out_done, out_room;
	unsigned pending;      // replies still to come
	uint64_t received;     // bytes, ever
	size_t in_len, in_fed; // bytes in `in`, and those that the reader has had
	char in[16 * RESP_SLICE];
	bool passes;            // what refused us in client_open() passes by itself
	struct failure failure; // why the connection is of no use any more
	struct client_cluster *cluster; // NULL: one server, else see client_cluster.h
	const struct endpoint *seeds;   // of the cluster; borrowed
};

// Connect, log in and see whether a Redis answers. Of sentinels it is the master that they name
// now.
//
// @param who  kept
// @return     0, or -1: RESOLVE, CONNECT, TLS, AUTH, NOPERM, NOT_REDIS
int client_open(struct client *c, const struct endpoint *e, const char *who, struct failure *f);
void client_close(struct client *c);

// Append a command. Memory that cannot be had makes the next client_next() fail.
void client_put(struct client *c, unsigned argc, const struct span *argv);

// Append a command that is RESP already.
void client_put_raw(struct client *c, const char *command, size_t len);

// The same from words: %b is the next span, %d the next long long, anything else stands for itself.
// Blanks part arguments.
void client_ask(struct client *c, const char *format, ...);

// Send what goes without waiting, so that the server can begin.
void client_flush(struct client *c);

// The next reply. The nodes are valid until the next call.
//
// @param n  out, may be NULL: how many nodes
// @return   the reply, which may be RESP_ERROR; NULL when the connection failed: c->failure
const struct resp_value *client_next(struct client *c, unsigned *n);

// The next reply if it has come already; never waits.
//
// @return the reply; NULL when there is none yet, or when the connection failed: c->failure.id
const struct resp_value *client_poll(struct client *c, unsigned *n);

// Wait until one of them has something to read, or room for what it has to send, which is sent.
//
// @param list  of connected clients
// @param ms    longest wait
void clients_wait(struct client *const *list, unsigned n, unsigned ms);

// Bytes past the replies, for who takes over the connection. Never waits.
//
// @return bytes, 0 at the end, -EAGAIN, or -errno: client_why()
ssize_t client_recv(struct client *c, void *buf, size_t len);

// What is known of an errno of this connection; 0 is its end.
const char *client_why(const struct client *c, int error);

// Take a reply and drop it. @return 0, or -1 when the connection failed
int client_skip(struct client *c);

// Turn a server's error into a sentence.
//
// @param what  the command, for the sentence
// @return -1
int client_refused(const struct client *c, const char *what, struct span error, struct failure *f);
