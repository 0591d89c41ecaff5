// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static unsigned address_len(const struct ip *a)
{
	return a->family == 4 ? 4 : 16;
}

int ip_parse(const char *text, struct ip *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->bytes) == 1)
		out->family = 6;
	return out->family ? 0 : -EINVAL;
}

// One to three digits and no more. @return the number, or -EINVAL
static int len_parse(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	int len = 0;
	if (digits < 1 || digits > 3 || text[digits])
		return -EINVAL;
	for (; *text; text++)
		len = len * 10 + (*text - '0');
	return len;
}

int ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	char address[IP_TEXT_LEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : sizeof(address);
	if (n >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, n);
	address[n] = 0;
	int len = len_parse(slash + 1);
	if (len < 0 || ip_parse(address, &out->address) ||
	    len > (int)address_len(&out->address) * 8)
		return -EINVAL;
	out->len = (uint8_t)len;
	return 0;
}

void ip_print(const struct ip *a, char *out)
{
	if (!a->family ||
	    !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, IP_TEXT_LEN))
		snprintf(out, IP_TEXT_LEN, "(none)");
}

void ip_prefix_print(const struct ip_prefix *p, char *out)
{
	char address[IP_TEXT_LEN];
	ip_print(&p->address, address);
	snprintf(out, IP_TEXT_LEN, "%.45s/%u", address, p->len);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, address_len(a));
}

bool ip_prefix_has(const struct ip_prefix *p, const struct ip *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;
	if (p->address.family != a->family || memcmp(p->address.bytes, a->bytes, whole))
		return false;
	return !rest || !((p->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest));
}

bool ip_is_loopback(const struct ip *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};
	return a->family == 4 ? a->bytes[0] == 127 : !memcmp(a->bytes, loopback6, 16);
}

bool ip_is_host(const struct ip *a)
{
	static const uint8_t none[16];
	if (!a->family || ip_is_loopback(a) || !memcmp(a->bytes, none, address_len(a)))
		return false;
	if (a->family == 6)
		return a->bytes[0] != 0xff;
	return a->bytes[0] != 0 && a->bytes[0] < 224;
}

// Whether the bits behind the prefix are all alike.
static bool host_bits_are(const struct ip_prefix *p, bool ones)
{
	for (unsigned bit = p->len; bit < address_len(&p->address) * 8; bit++)
		if (((p->address.bytes[bit / 8] >> (7 - bit % 8)) & 1) != ones)
			return false;
	return true;
}

bool ip_prefix_is_host(const struct ip_prefix *p)
{
	if (!ip_is_host(&p->address))
		return false;
	if (p->address.family == 4) // of two addresses both are hosts' (RFC 3021)
		return p->len >= 31 || (!host_bits_are(p, false) && !host_bits_are(p, true));
	return p->len >= 127 || !host_bits_are(p, false); // RFC 4291, 2.6.1; RFC 6164
}
