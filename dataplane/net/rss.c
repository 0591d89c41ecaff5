// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/rss.h"

#include "dataplane/net/address.h"
#include "dataplane/net/bytes.h"

// For each set bit of the input, from the left, the 32 bits of the key that begin there.
uint32_t rss_toeplitz(const uint8_t *key, unsigned key_len, const uint8_t *p, unsigned len)
{
	uint32_t hash = 0;
	uint64_t window = 0; // the 32 bits in question above, the next 8 below them
	for (unsigned i = 0; i < 5; i++)
		window = window << 8 | (i < key_len ? key[i] : 0);
	for (unsigned i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			if (p[i] & 0x80 >> bit)
				hash ^= (uint32_t)(window >> (8 - bit));
		}
		window = window << 8 | (i + 5 < key_len ? key[i + 5] : 0);
	}
	return hash;
}

uint32_t rss_hash(const struct nic_info *info, const struct tcp_tuple *tuple)
{
	uint8_t p[36];
	unsigned len = address_len(tuple->family);
	memcpy(p, tuple->remote, len);
	memcpy(p + len, tuple->local, len);
	put16(p + 2 * len, tuple->remote_port);
	put16(p + 2 * len + 2, tuple->local_port);
	return rss_toeplitz(info->rss_key, info->rss_key_len, p, 2 * len + 4);
}

int rss_queue(const struct nic_info *info, const struct tcp_tuple *tuple)
{
	if (info->n_queues <= 1)
		return 0;
	if (!info->rss_key_len || !info->n_reta)
		return -1;
	return info->reta[rss_hash(info, tuple) & (info->n_reta - 1u)];
}
