// SPDX-License-Identifier: BSD-3-Clause
// The handshake of a replica, as a pure machine: lines in, lines out.
//
//   PING -> [AUTH] -> REPLCONF capa eof capa psync2 -> PSYNC id offset
//     +FULLRESYNC id offset -> $len | $EOF:mark -> the snapshot's bytes
//     +CONTINUE [id]        -> the stream's bytes
//
// We announce no listening-port and no other capability, so that every server from 2.8 on speaks
// the one classic protocol and Sentinel has no address to elect. Bare newlines are keepalives.
#pragma once

#include "dataplane/contract/contract.h"
#include "parsers/psync.h"

#define HANDSHAKE_LINE_MAX 1024

enum handshake_step {
	HANDSHAKE_PING,
	HANDSHAKE_AUTH,
	HANDSHAKE_CAPA,
	HANDSHAKE_PSYNC,
	HANDSHAKE_HEADER,
	HANDSHAKE_END,
};

enum handshake_verdict {
	HANDSHAKE_MORE,       // wait for more bytes
	HANDSHAKE_SEND,       // send h->out, then go on feeding
	HANDSHAKE_FULLRESYNC, // accepted; the snapshot's header is still to come
	HANDSHAKE_SNAPSHOT,   // the snapshot's bytes follow: h->snapshot_len, or h->eof_mark
	HANDSHAKE_CONTINUE,   // the stream's bytes follow
	HANDSHAKE_WAIT,       // the server cannot now: connect again later; h->text says why
	HANDSHAKE_FAIL,       // it never will: h->error, h->text
};

struct handshake {
	enum handshake_step step;
	const struct endpoint *endpoint;
	char replid[REPLID_LEN + 1];   // in: asked for, "?" for none; out: of the stream
	uint64_t offset; // in: bytes of the stream that we have; out: where it goes on
	uint64_t snapshot_len;         // 0 with eof_mark
	char eof_mark[EOF_MARK_LEN + 1]; // "" with snapshot_len
	char out[1400];
	size_t out_len;
	enum error_id error;
	char text[TEXT_LEN];
};

// Begin: h->out is the first thing to send.
//
// @param endpoint  borrowed until the end
// @param replid    id of the stream that we hold, NULL for none
// @param offset    bytes of it that we have
void handshake_begin(struct handshake *h, const struct endpoint *endpoint, const char *replid,
		     uint64_t offset);

// Take one line, or what can be taken.
//
// @param used  out: bytes of `in` that are done with
enum handshake_verdict handshake_feed(struct handshake *h, struct span in, size_t *used);
