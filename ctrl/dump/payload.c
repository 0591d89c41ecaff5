// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/dump/payload.h"

#include <assert.h>

#include "parsers/rdb_string.h"
#include "parsers/rdb_types.h"

static bool is_wanted(const struct payload *p, const struct rdb_type *type, struct span head,
		      struct span key, const struct decode_filter *wanted)
{
	struct rdb_event ev = {.key = key, .value_kind = type->kind};
	const uint8_t *at = (const uint8_t *)head.p + 1;
	if (type->kind == RDB_KIND_MODULE)
		rdb_len_take(&at, (const uint8_t *)head.p + head.len, &ev.module_id);
	return filter_wants(wanted, wanted->db, &ev);
}

enum payload_verdict payload_begin(struct payload *p, uint64_t len, struct span head,
				   struct span key, int64_t expire_at_ms,
				   const struct decode_filter *wanted)
{
	struct rdb_write_attrs attrs = RDB_WRITE_NO_ATTRS;
	if (len < PAYLOAD_LEN_MIN)
		return PAYLOAD_DAMAGED;
	assert(head.len > 0);
	uint8_t byte = (uint8_t)head.p[0];
	const struct rdb_type *type = rdb_type_find(p->magic, byte);
	if (!type || !type->layout || type->always_elements)
		return PAYLOAD_NO_FILE;
	p->left = len - PAYLOAD_LEN_MIN;
	p->n_footer = 0;
	p->begun = false;
	p->kept = is_wanted(p, type, head, key, wanted);
	rdb_footer_begin(&p->sum, byte, 0);
	attrs.expire_at_ms = expire_at_ms;
	if (p->kept)
		rdb_write_key(p->w, byte, key, &attrs);
	return PAYLOAD_OK;
}

void payload_feed(struct payload *p, struct span bytes)
{
	if (!p->begun && bytes.len) { // the type is written already
		p->begun = true;
		bytes.p++;
		bytes.len--;
	}
	struct span body = {bytes.p, bytes.len < p->left ? bytes.len : (size_t)p->left};
	size_t rest = bytes.len - body.len;
	p->left -= body.len;
	rdb_footer_feed(&p->sum, body);
	if (p->kept)
		rdb_write_bytes(p->w, body);
	assert(rest <= RDB_FOOTER_LEN - p->n_footer);
	memcpy(p->footer + p->n_footer, body.p + body.len, rest);
	p->n_footer += rest;
}

enum payload_verdict payload_end(struct payload *p)
{
	uint8_t expected[RDB_FOOTER_LEN];
	assert(p->left == 0 && p->n_footer == RDB_FOOTER_LEN);
	p->sum.version = rdb_le16(p->footer);
	rdb_footer_end(&p->sum, expected);
	// Some servers leave the sum out where the payload was not made for RESTORE.
	bool unsummed = rdb_le64(p->footer + 2) == 0;
	if (!unsummed && memcmp(expected, p->footer, RDB_FOOTER_LEN))
		return PAYLOAD_DAMAGED;
	return p->sum.version > p->version ? PAYLOAD_NEWER : PAYLOAD_OK;
}

int payload_version(struct span payload)
{
	assert(payload.len >= RDB_FOOTER_LEN);
	return rdb_le16((const uint8_t *)payload.p + payload.len - RDB_FOOTER_LEN);
}
