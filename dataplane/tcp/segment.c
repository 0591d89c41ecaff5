// SPDX-License-Identifier: BSD-3-Clause
// tcp_segment_read() -> times_read() or options_read() -> option_read() -> sack_read()
#include "dataplane/tcp/segment.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

// Kinds of options (IANA), and how long each is with its kind and length.
enum {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_SCALE = 3,
	KIND_SACK_OK = 4,
	KIND_SACK = 5,
	KIND_TIME = 8,
};

enum {
	LEN_MSS = 4,
	LEN_SCALE = 3,
	LEN_SACK_OK = 2,
	LEN_TIME = 10,
	LEN_BLOCK = 8,
};

// Two NOPs and the head of the timestamps: what nearly every segment's options begin with (RFC
// 7323, appendix A).
#define TIMES_HEAD 0x0101080au

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static void sack_read(struct tcp_options *o, const uint8_t *p, size_t len)
{
	for (size_t at = 2; at + LEN_BLOCK <= len && o->n_sack < TCP_SACK_MAX; at += LEN_BLOCK) {
		struct tcp_range *range = &o->sack[o->n_sack++];

		range->from = seq_of(get32(p + at));
		range->to = seq_of(get32(p + at + 4));
	}
}

// One option whose length fits into the header. Of a length that its kind does not have, or where
// it has no meaning, it is skipped as an unknown one is (RFC 9293, 3.1: MUST-6).
static void option_read(struct tcp_options *o, const uint8_t *p, size_t len, bool is_syn)
{
	if (p[0] == KIND_TIME && len == LEN_TIME) {
		o->has |= TCP_HAS_TIME;
		o->ts_val = get32(p + 2);
		o->ts_ecr = get32(p + 6);
	} else if (p[0] == KIND_SACK && len % LEN_BLOCK == 2 && !is_syn) {
		sack_read(o, p, len);
	} else if (p[0] == KIND_MSS && len == LEN_MSS && is_syn) {
		o->has |= TCP_HAS_MSS;
		o->mss = get16(p + 2);
	} else if (p[0] == KIND_SCALE && len == LEN_SCALE && is_syn) {
		o->has |= TCP_HAS_SCALE;
		o->scale = p[2];
	} else if (p[0] == KIND_SACK_OK && len == LEN_SACK_OK && is_syn) {
		o->has |= TCP_HAS_SACK_OK;
	}
}

static int options_read(struct tcp_options *o, const uint8_t *p, size_t len, bool is_syn)
{
	for (size_t at = 0; at < len && p[at] != KIND_END;) {
		if (p[at] == KIND_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at)
			return -EBADMSG;
		option_read(o, p + at, p[at + 1], is_syn);
		at += p[at + 1];
	}
	return 0;
}

// Timestamps and nothing else, as most segments have them.
static bool times_read(struct tcp_options *o, const uint8_t *p, size_t len)
{
	if (len != 12 || get32(p) != TIMES_HEAD)
		return false;
	o->has = TCP_HAS_TIME;
	o->ts_val = get32(p + 4);
	o->ts_ecr = get32(p + 8);
	return true;
}

int tcp_segment_read(struct tcp_segment *s, uint8_t *p, size_t len)
{
	if (len < TCP_HEADER_MIN)
		return -EBADMSG;
	size_t header = (size_t)(p[12] >> 4) * 4;
	if (header < TCP_HEADER_MIN || header > len)
		return -EBADMSG;
	s->source_port = get16(p);
	s->target_port = get16(p + 2);
	s->seq = seq_of(get32(p + 4));
	s->ack = seq_of(get32(p + 8));
	s->flags = p[13];
	s->window = get16(p + 14);
	s->urgent = get16(p + 18);
	s->n_merged = 1;
	s->body[0] = (struct iovec){p + header, len - header};
	s->body[1] = (struct iovec){NULL, 0};
	s->len = (uint32_t)(len - header);
	s->mss = 0;
	s->options.has = 0;
	s->options.n_sack = 0;
	if (times_read(&s->options, p + TCP_HEADER_MIN, header - TCP_HEADER_MIN))
		return 0;
	return options_read(&s->options, p + TCP_HEADER_MIN, header - TCP_HEADER_MIN,
			    s->flags & TCP_SYN);
}

static uint8_t *syn_options_write(const struct tcp_options *o, uint8_t *p)
{
	if (o->has & TCP_HAS_MSS) {
		*p++ = KIND_MSS;
		*p++ = LEN_MSS;
		p = put16(p, o->mss);
	}
	if (o->has & TCP_HAS_SCALE) {
		*p++ = KIND_NOP;
		*p++ = KIND_SCALE;
		*p++ = LEN_SCALE;
		*p++ = o->scale;
	}
	if (o->has & TCP_HAS_SACK_OK) {
		*p++ = KIND_NOP;
		*p++ = KIND_NOP;
		*p++ = KIND_SACK_OK;
		*p++ = LEN_SACK_OK;
	}
	return p;
}

static uint8_t *options_write(const struct tcp_options *o, uint8_t *p)
{
	if (o->has & TCP_HAS_TIME) {
		p = put32(p, TIMES_HEAD);
		p = put32(p, o->ts_val);
		p = put32(p, o->ts_ecr);
	}
	if (o->n_sack == 0)
		return p;
	*p++ = KIND_NOP;
	*p++ = KIND_NOP;
	*p++ = KIND_SACK;
	*p++ = (uint8_t)(2 + LEN_BLOCK * o->n_sack);
	for (unsigned i = 0; i < o->n_sack; i++) {
		p = put32(p, o->sack[i].from.v);
		p = put32(p, o->sack[i].to.v);
	}
	return p;
}

// What the options take, so that they are never written past the header's end.
static size_t options_len(const struct tcp_options *o)
{
	return (o->has & TCP_HAS_MSS ? 4 : 0) + (o->has & TCP_HAS_SCALE ? 4 : 0) +
	       (o->has & TCP_HAS_SACK_OK ? 4 : 0) + (o->has & TCP_HAS_TIME ? 12 : 0) +
	       (o->n_sack ? 4 + (size_t)LEN_BLOCK * o->n_sack : 0);
}

unsigned tcp_segment_write(const struct tcp_segment *s, uint8_t *p)
{
	uint8_t *end = p + TCP_HEADER_MIN;

	assert(options_len(&s->options) <= TCP_HEADER_MAX - TCP_HEADER_MIN);
	put16(p, s->source_port);
	put16(p + 2, s->target_port);
	put32(p + 4, s->seq.v);
	put32(p + 8, s->ack.v);
	p[13] = s->flags;
	put16(p + 14, s->window);
	put16(p + 16, 0);
	put16(p + 18, s->urgent);
	end = syn_options_write(&s->options, end);
	end = options_write(&s->options, end);
	p[12] = (uint8_t)((end - p) / 4 << 4);
	return (unsigned)(end - p);
}
