// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/arp.h"

#include <errno.h>

#include "dataplane/net/bytes.h"

// Hardware Ethernet, protocol IPv4, their lengths.
static const uint8_t kinds[6] = {0, 1, 0x08, 0x00, MAC_LEN, 4};

int arp_read(struct arp *a, const uint8_t *p, size_t len)
{
	if (len < ARP_LEN || memcmp(p, kinds, sizeof(kinds)) != 0)
		return -EBADMSG;
	unsigned operation = get16(p + 6);
	if (operation != 1 && operation != 2)
		return -EBADMSG;
	a->is_request = operation == 1;
	memcpy(a->sender_mac, p + 8, MAC_LEN);
	a->sender = address_of(4, p + 14);
	memcpy(a->target_mac, p + 18, MAC_LEN);
	a->target = address_of(4, p + 24);
	return 0;
}

void arp_write(const struct arp *a, uint8_t *p)
{
	memcpy(p, kinds, sizeof(kinds));
	put16(p + 6, a->is_request ? 1 : 2);
	memcpy(p + 8, a->sender_mac, MAC_LEN);
	memcpy(p + 14, a->sender.bytes, 4);
	memcpy(p + 18, a->target_mac, MAC_LEN);
	memcpy(p + 24, a->target.bytes, 4);
}
