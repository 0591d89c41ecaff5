// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_write.h"

#include <errno.h>
#include <stdio.h>

#include "parsers/crc64.h"
#include "parsers/rdb_string.h"

#define SUM_VERSION_MIN  5
#define LZF_LEN_MIN      21 // shorter strings are not worth it; Redis's limit
#define INT_TEXT_LEN_MAX 11 // "-2147483648"

void rdb_write_init(struct rdb_writer *w, void *buf, size_t cap, rdb_write_sink *sink, void *arg)
{
	*w = (struct rdb_writer){.buf = buf, .cap = cap, .sink = sink, .arg = arg};
}

static void sink_all(struct rdb_writer *w)
{
	if (w->error || w->len == 0)
		return;
	if (w->sink == NULL) {
		w->error = -ENOSPC;
		return;
	}
	w->crc = crc64(w->crc, w->buf, w->len);
	w->error = w->sink(w->arg, (struct span){(const char *)w->buf, w->len});
	w->n_sunk += w->len;
	w->len = 0;
}

void rdb_write_bytes(struct rdb_writer *w, struct span s)
{
	while (s.len > 0 && !w->error) {
		size_t n = w->cap - w->len;

		if (n == 0) {
			sink_all(w);
			continue;
		}
		if (n > s.len)
			n = s.len;
		memcpy(w->buf + w->len, s.p, n);
		w->len += n;
		s.p += n;
		s.len -= n;
	}
}

static void byte_write(struct rdb_writer *w, uint8_t b)
{
	rdb_write_bytes(w, (struct span){(const char *)&b, 1});
}

void rdb_write_le64(struct rdb_writer *w, uint64_t v)
{
	v = htole64(v);
	rdb_write_bytes(w, (struct span){(const char *)&v, sizeof(v)});
}

void rdb_write_double(struct rdb_writer *w, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	rdb_write_le64(w, bits);
}

void rdb_write_len(struct rdb_writer *w, uint64_t len)
{
	uint64_t be = htobe64(len);
	const char *p = (const char *)&be;

	if (len < 1 << 6) {
		byte_write(w, (uint8_t)len);
	} else if (len < 1 << 14) {
		byte_write(w, (uint8_t)(0x40 | len >> 8));
		byte_write(w, (uint8_t)len);
	} else if (len <= UINT32_MAX) {
		byte_write(w, 0x80);
		rdb_write_bytes(w, (struct span){p + 4, 4});
	} else {
		byte_write(w, 0x81);
		rdb_write_bytes(w, (struct span){p, 8});
	}
}

void rdb_write_plain(struct rdb_writer *w, struct span s)
{
	rdb_write_len(w, s.len);
	rdb_write_bytes(w, s);
}

// Whether the text is just what the integer of 32 bits prints as.
static bool int_parse(struct span s, int32_t *out)
{
	char buf[24];
	int64_t v = 0;
	bool negative = s.len > 0 && s.p[0] == '-';

	if (s.len == 0 || s.len > INT_TEXT_LEN_MAX)
		return false;
	for (size_t i = negative; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	v = negative ? -v : v;
	if (v < INT32_MIN || v > INT32_MAX || !span_eq(rdb_num_text(v, buf), s))
		return false;
	*out = (int32_t)v;
	return true;
}

static void int_write(struct rdb_writer *w, int32_t v)
{
	uint32_t le = htole32((uint32_t)v);
	int code = v >= INT8_MIN && v <= INT8_MAX ? 0 : v >= INT16_MIN && v <= INT16_MAX ? 1 : 2;

	byte_write(w, (uint8_t)(0xc0 | code));
	rdb_write_bytes(w, (struct span){(const char *)&le, (size_t)1 << code});
}

void rdb_write_str(struct rdb_writer *w, struct span s)
{
	int32_t v;
	size_t n = 0;

	if (int_parse(s, &v)) {
		int_write(w, v);
		return;
	}
	if (w->lzf_buf && s.len >= LZF_LEN_MIN && s.len <= w->lzf_cap)
		n = rdb_str_lzf(s, w->lzf_buf, s.len - 4);
	if (n == 0) {
		rdb_write_plain(w, s);
		return;
	}
	byte_write(w, 0xc3);
	rdb_write_len(w, n);
	rdb_write_len(w, s.len);
	rdb_write_bytes(w, (struct span){w->lzf_buf, n});
}

void rdb_write_magic(struct rdb_writer *w, enum rdb_magic magic, int version)
{
	char text[24];
	bool valkey = magic == RDB_MAGIC_VALKEY;
	int n = snprintf(text, sizeof(text), valkey ? "VALKEY%03d" : "REDIS%04d", version);

	if (version < 1 || version > (valkey ? 999 : 9999)) {
		w->error = -EINVAL;
		return;
	}
	w->version = version;
	rdb_write_bytes(w, (struct span){text, (size_t)n});
}

void rdb_write_header(struct rdb_writer *w, int version)
{
	rdb_write_magic(w, RDB_MAGIC_REDIS, version);
}

void rdb_write_aux(struct rdb_writer *w, struct span key, struct span value)
{
	byte_write(w, 250);
	rdb_write_str(w, key);
	rdb_write_str(w, value);
}

void rdb_write_function(struct rdb_writer *w, struct span code)
{
	byte_write(w, 245);
	rdb_write_str(w, code);
}

void rdb_write_selectdb(struct rdb_writer *w, uint64_t db)
{
	byte_write(w, 254);
	rdb_write_len(w, db);
}

void rdb_write_resizedb(struct rdb_writer *w, uint64_t n_keys, uint64_t n_expires)
{
	byte_write(w, 251);
	rdb_write_len(w, n_keys);
	rdb_write_len(w, n_expires);
}

void rdb_write_key(struct rdb_writer *w, uint8_t type, struct span key,
		   const struct rdb_write_attrs *attrs)
{
	if (attrs->expire_at_ms >= 0) {
		byte_write(w, 252);
		rdb_write_le64(w, (uint64_t)attrs->expire_at_ms);
	}
	if (attrs->idle_s >= 0) {
		byte_write(w, 248);
		rdb_write_len(w, (uint64_t)attrs->idle_s);
	}
	if (attrs->freq >= 0) {
		byte_write(w, 249);
		byte_write(w, (uint8_t)attrs->freq);
	}
	byte_write(w, type);
	rdb_write_str(w, key);
}

int rdb_write_eof(struct rdb_writer *w)
{
	byte_write(w, 255);
	uint64_t crc = crc64(w->crc, w->buf, w->len);

	if (w->version >= SUM_VERSION_MIN)
		rdb_write_le64(w, crc);
	if (w->sink)
		sink_all(w);
	return w->error;
}
