// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_footer.h"

#include <endian.h>

#include "parsers/crc64.h"

void rdb_footer_begin(struct rdb_footer *f, uint8_t type, uint16_t version)
{
	f->version = version;
	f->crc = crc64(0, &type, 1);
}

void rdb_footer_feed(struct rdb_footer *f, struct span body)
{
	f->crc = crc64(f->crc, body.p, body.len);
}

void rdb_footer_end(struct rdb_footer *f, uint8_t out[RDB_FOOTER_LEN])
{
	uint16_t version = htole16(f->version);

	memcpy(out, &version, sizeof(version));
	uint64_t crc = htole64(crc64(f->crc, out, sizeof(version)));

	memcpy(out + sizeof(version), &crc, sizeof(crc));
}

size_t rdb_restore_footer(uint8_t type, uint16_t version, struct span body,
			  uint8_t out[RDB_FOOTER_LEN])
{
	struct rdb_footer f;

	rdb_footer_begin(&f, type, version);
	rdb_footer_feed(&f, body);
	rdb_footer_end(&f, out);
	return RDB_FOOTER_LEN;
}
