// SPDX-License-Identifier: BSD-3-Clause
// Microsoft's vectors: "Verifying the RSS hash calculation".
#include "dataplane/net/rss.h"
#include "tests/unit/net_address.h"

static const uint8_t key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct vector {
	const char *target;
	uint16_t target_port;
	const char *source;
	uint16_t source_port;
	uint32_t of_addresses, of_tcp;
} vectors[] = {
	// clang-format off
	{"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
	{"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
	{"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
	{"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
	{"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
	{"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
	{"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
	{"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
	 0x4b61e985, 0x02d1feef},
	// clang-format on
};

static struct nic_info device(uint16_t n_queues)
{
	struct nic_info info = {.n_queues = n_queues, .rss_key_len = sizeof(key), .n_reta = 128};
	memcpy(info.rss_key, key, sizeof(key));
	for (unsigned i = 0; i < info.n_reta; i++)
		info.reta[i] = (uint16_t)(i % n_queues);
	return info;
}

static void hash_matches_the_published_vectors(void **state)
{
	struct nic_info info = device(4);
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct net_address source = at(v->source), target = at(v->target);
		unsigned len = address_len(source.family);
		uint8_t both[32];
		memcpy(both, source.bytes, len);
		memcpy(both + len, target.bytes, len);
		assert_int_equal(rss_toeplitz(key, sizeof(key), both, 2 * len), v->of_addresses);

		struct tcp_tuple t = {source.family, .local_port = v->target_port,
				      .remote_port = v->source_port};
		memcpy(t.local, target.bytes, 16);
		memcpy(t.remote, source.bytes, 16);
		assert_int_equal(rss_hash(&info, &t), v->of_tcp);
		assert_int_equal(rss_queue(&info, &t), v->of_tcp % 128 % 4);
	}
}

static void queue_is_unknown_when_the_device_keeps_it_to_itself(void **state)
{
	struct tcp_tuple t = {.family = 4};
	struct nic_info info = device(2);
	info.rss_key_len = 0;
	assert_int_equal(rss_queue(&info, &t), -1);
	info.n_queues = 1;
	assert_int_equal(rss_queue(&info, &t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_matches_the_published_vectors),
		cmocka_unit_test(queue_is_unknown_when_the_device_keeps_it_to_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
