// SPDX-License-Identifier: BSD-3-Clause
// A TCP segment of arbitrary bytes: refused, or numbers that lie within it; and what is written of
// them reads the same.
#include <errno.h>
#include <string.h>

#include "dataplane/tcp/segment.h"
#include "tests/fuzz/fuzz.h"

static void same(const struct tcp_segment *a, const struct tcp_segment *b)
{
	const struct tcp_options *o = &a->options, *p = &b->options;

	CHECK(a->source_port == b->source_port && a->target_port == b->target_port);
	CHECK(a->seq.v == b->seq.v && a->ack.v == b->ack.v && a->flags == b->flags);
	CHECK(a->window == b->window && a->urgent == b->urgent);
	CHECK(o->has == p->has && o->n_sack == p->n_sack);
	CHECK(!(o->has & TCP_HAS_MSS) || o->mss == p->mss);
	CHECK(!(o->has & TCP_HAS_SCALE) || o->scale == p->scale);
	CHECK(!(o->has & TCP_HAS_TIME) || (o->ts_val == p->ts_val && o->ts_ecr == p->ts_ecr));
	for (unsigned i = 0; i < o->n_sack; i++)
		CHECK(o->sack[i].from.v == p->sack[i].from.v && o->sack[i].to.v == p->sack[i].to.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t head[TCP_HEADER_MAX], *copy = malloc(len ? len : 1);
	struct tcp_segment s, again;

	CHECK(copy);
	memcpy(copy, p, len);
	int rc = tcp_segment_read(&s, copy, len);
	CHECK(rc == 0 || rc == -EBADMSG);
	if (rc == 0) {
		CHECK(s.len + TCP_HEADER_MIN <= len && s.options.n_sack <= TCP_SACK_MAX);
		CHECK((uint8_t *)s.body[0].iov_base + s.len == copy + len);
		// Timestamps and four blocks cannot be written in one header, nor be read from one
		// but in odd shapes.
		if (s.options.has & TCP_HAS_TIME && s.options.n_sack == TCP_SACK_MAX)
			s.options.n_sack--;
		unsigned n = tcp_segment_write(&s, head);
		CHECK(tcp_segment_read(&again, head, n) == 0 && again.len == 0);
		same(&s, &again);
	}
	free(copy);
	return 0;
}
