// SPDX-License-Identifier: BSD-3-Clause
// An asker: one connection that asks one server short questions of our own, and takes whole
// replies. Questions may be put before it is open, and one behind the other.
//
//   asker_open() -> asker_login(), asker_put()... -> asker_next() each turn: OK a reply, MORE, BAD
//
// Owner: the core that it was opened on.
#pragma once

#include "dataplane/core/core.h"
#include "parsers/resp.h"
#include "parsers/resp_write.h"

#define ASKER_OUT_LEN 4096 // bytes of questions that wait to be sent

struct asker {
	struct core *core;
	struct stream *stream; // NULL: closed
	struct resp_replies *replies;
	char out[ASKER_OUT_LEN];
	size_t n_out;
	unsigned n_due; // answers to come; what comes beside them was published
	uint64_t patience_ns;
	uint64_t deadline_ns; // for the connection to open, or for the next answer
	char why[TEXT_LEN];   // why it was closed: half a sentence, without the server's name
};

// Begin to connect. One that is open is closed first.
//
// @param patience_ns  longest wait for the connection, and for each answer
// @return 0, or -errno with why filled
int asker_open(struct asker *a, struct core *core, const struct stream_peer *peer, uint64_t now_ns,
	       uint64_t patience_ns);
void asker_close(struct asker *a);

static inline bool asker_is_open(const struct asker *a)
{
	return a->stream != NULL;
}

// Say who we are: AUTH [user] password. Its answer comes as any other.
void asker_login(struct asker *a, const char *user, const char *password, uint64_t now_ns);

// Put a question, RESP already. What does not fit in ASKER_OUT_LEN closes the asker.
void asker_put(struct asker *a, const char *resp, size_t len, uint64_t now_ns);

#define ASKER_PUT(asker, now_ns, ...)                                                              \
	do {                                                                                       \
		char resp_[ASKER_OUT_LEN];                                                         \
		asker_put(asker, resp_, RESP_WRITE(resp_, sizeof(resp_), __VA_ARGS__), now_ns);    \
	} while (0)

// Send what waits, and take the next reply.
//
// @param v  out: its nodes, valid until the next call
// @param n  out: how many
// @return RESP_OK; RESP_MORE: none yet; RESP_BAD: closed, why says the reason. A closed asker: MORE
enum resp_verdict asker_next(struct asker *a, const struct clock_reading *now,
			     const struct resp_value **v, unsigned *n);

// Pull a deadline of the core to that of the asker.
void asker_deadline(const struct asker *a, uint64_t *deadline_ns);
