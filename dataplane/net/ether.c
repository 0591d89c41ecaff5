// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/ether.h"

#include <errno.h>

#include "dataplane/net/bytes.h"

#define VLAN_ID 0x0fff // of the tag control information

int ether_read(struct ether *e, const struct nic_frame *f)
{
	uint32_t len = ETHER_LEN;
	if (f->len < len)
		return -EBADMSG;
	e->target = f->p;
	e->source = f->p + MAC_LEN;
	e->type = get16(f->p + 12);
	e->vlan = f->vlan & VLAN_ID;
	if (e->type == ETHER_VLAN) {
		len += ETHER_VLAN_LEN;
		if (f->len < len)
			return -EBADMSG;
		e->vlan = get16(f->p + 14) & VLAN_ID;
		e->type = get16(f->p + 16);
	}
	e->body = f->p + len;
	e->body_len = f->len - len;
	return 0;
}

unsigned ether_write(uint8_t *p, const uint8_t target[MAC_LEN], const uint8_t source[MAC_LEN],
		     uint16_t vlan, uint16_t type)
{
	unsigned len = ETHER_LEN;
	memcpy(p, target, MAC_LEN);
	memcpy(p + MAC_LEN, source, MAC_LEN);
	if (vlan) {
		put16(p + 12, ETHER_VLAN);
		put16(p + 14, vlan);
		len += ETHER_VLAN_LEN;
	}
	put16(p + len - 2, type);
	return len;
}
