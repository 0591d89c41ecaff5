// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/mld.h"

#include <errno.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/icmp.h"

#define QUERY_LEN     28
#define OLD_QUERY_LEN 24
#define RECORD_LEN    20

// Types of records; without sources both say that everybody may send (RFC 3810, 5.2.12).
enum { MODE_IS_EXCLUDE = 2, CHANGE_TO_EXCLUDE_MODE = 4 };

// The floating-point code of long delays (RFC 3810, 5.1.3).
static uint32_t delay_decode(uint16_t code)
{
	if (code < 0x8000)
		return code;
	return ((code & 0xfffu) | 0x1000) << (((code >> 12) & 7) + 3);
}

int mld_query_read(struct mld_query *q, const struct ip_packet *ip)
{
	struct net_address source = address_of(6, ip->source);
	if (ip->hop_limit != 1 || !address_is_link_local(&source))
		return -EBADMSG;
	if (ip->len != OLD_QUERY_LEN && ip->len < QUERY_LEN)
		return -EBADMSG;
	q->is_old = ip->len == OLD_QUERY_LEN;
	uint16_t code = get16(ip->p + 4);
	q->delay_ms_max = q->is_old ? code : delay_decode(code);
	q->group = address_of(6, ip->p + 8);
	return 0;
}

void mld_option_write(uint8_t *p, uint8_t next)
{
	static const uint8_t alert[6] = {5, 2, 0, 0, 1, 0}; // router alert: MLD; padding
	p[0] = next;
	p[1] = 0;
	memcpy(p + 2, alert, sizeof(alert));
}

unsigned mld_report_write(const struct net_address *groups, unsigned n, bool is_new, uint8_t *p)
{
	memset(p, 0, 8 + (size_t)n * RECORD_LEN);
	p[0] = MLD2_REPORT;
	put16(p + 6, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *record = p + 8 + (size_t)i * RECORD_LEN;
		record[0] = is_new ? CHANGE_TO_EXCLUDE_MODE : MODE_IS_EXCLUDE;
		memcpy(record + 4, groups[i].bytes, 16);
	}
	return 8 + n * RECORD_LEN;
}

unsigned mld_old_report_write(const struct net_address *group, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = MLD1_REPORT;
	memcpy(p + 8, group->bytes, 16);
	return OLD_QUERY_LEN;
}
