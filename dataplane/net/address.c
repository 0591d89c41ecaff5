// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/address.h"

#include <arpa/inet.h>

struct net_address address_of(uint8_t family, const uint8_t *bytes)
{
	struct net_address a = {.family = family};
	memcpy(a.bytes, bytes, address_len(family));
	return a;
}

bool address_is_any(const struct net_address *a)
{
	static const uint8_t none[16];
	return !memcmp(a->bytes, none, sizeof(none));
}

bool address_is_multicast(const struct net_address *a)
{
	if (a->family == 6)
		return a->bytes[0] == 0xff;
	return (a->bytes[0] & 0xf0) == 0xe0 || !memcmp(a->bytes, "\xff\xff\xff\xff", 4);
}

bool address_is_link_local(const struct net_address *a)
{
	if (a->family == 6)
		return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
	return a->bytes[0] == 169 && a->bytes[1] == 254;
}

bool address_is_unicast(const struct net_address *a)
{
	static const uint8_t loopback[16] = {[15] = 1};
	if (a->family == 6)
		return !address_is_any(a) && !address_is_multicast(a) &&
		       memcmp(a->bytes, loopback, sizeof(loopback)) != 0;
	return a->family == 4 && a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
}

unsigned address_common_bits(const struct net_address *a, const struct net_address *b)
{
	unsigned n = address_len(a->family);
	for (unsigned i = 0; i < n; i++) {
		unsigned differ = a->bytes[i] ^ b->bytes[i];
		if (differ)
			return 8 * i + (unsigned)__builtin_clz(differ) - 24;
	}
	return 8 * n;
}

bool prefix_has(const struct net_prefix *p, const struct net_address *a)
{
	return p->address.family == a->family && address_common_bits(&p->address, a) >= p->len;
}

struct net_address address_solicited(const struct net_address *a)
{
	struct net_address g = {6, {0xff, 0x02, [11] = 1, [12] = 0xff}};
	memcpy(g.bytes + 13, a->bytes + 13, 3);
	return g;
}

struct net_address address_of_mac(const uint8_t mac[MAC_LEN])
{
	struct net_address a = {6, {0xfe, 0x80, [11] = 0xff, [12] = 0xfe}};
	memcpy(a.bytes + 8, mac, 3);
	memcpy(a.bytes + 13, mac + 3, 3);
	a.bytes[8] ^= 2;
	return a;
}

void address_group_mac(const struct net_address *group, uint8_t mac[MAC_LEN])
{
	if (group->family == 6) {
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, group->bytes + 12, 4);
		return;
	}
	if (group->bytes[0] == 0xff) {
		memset(mac, 0xff, MAC_LEN);
		return;
	}
	memcpy(mac, "\x01\x00\x5e", 3);
	memcpy(mac + 3, group->bytes + 1, 3);
	mac[3] &= 0x7f;
}

const char *address_text(const struct net_address *a, char *out)
{
	if (!inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, out, ADDRESS_TEXT_LEN))
		out[0] = 0;
	return out;
}
