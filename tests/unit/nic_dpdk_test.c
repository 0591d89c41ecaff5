// SPDX-License-Identifier: BSD-3-Clause
// The nic seam over DPDK: rings within this process need no right; TAP devices lie in a network
// namespace of this process's own, and the kernel's TCP judges what they carry.
//
// DPDK starts once a process, so the order of the tests is the order of one run.
#include <poll.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <sched.h>

#include "drivers/nic_dpdk.h"
#include "tests/unit/frame_rig.h"
#include "tests/unit/tap_rig.h"

static const char *no_tap; // why there are no TAP devices here

// More memory than a host of tests has in hugepages, so that every run takes the same way.
static struct nic_dpdk_settings settings_for(const char *device)
{
	return (struct nic_dpdk_settings){
		.device = device, .n_queues = 1, .control_cpu = -1, .memory_mb = 512};
}

static struct nic *open_one(const char *device, uint16_t mtu)
{
	struct nic_dpdk_settings set = settings_for(device);
	set.mtu = mtu;
	struct nic *nic = NULL;
	char text[NIC_DPDK_TEXT_LEN];
	int rc = nic_dpdk_open(&set, &nic, text);
	if (rc)
		fail_msg("%s: %s", device, text);
	print_message("%s\n", text);
	return nic;
}

// ---- Without a right

static void starts_without_a_trace_on_its_caller(void **state)
{
	cpu_set_t before, after;
	assert_string_equal(nic_dpdk_arguments(), "");
	sched_getaffinity(0, sizeof(before), &before);
	struct nic *nic = open_one("net_null0", 0);
	sched_getaffinity(0, sizeof(after), &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_non_null(strstr(nic_dpdk_arguments(), "--no-pci"));
	print_message("%s\n", nic_dpdk_arguments());

	struct nic_frame frames[NIC_BURST];
	assert_int_equal(nic_receive(nic, frames, NIC_BURST), NIC_BURST); // it has always some
	assert_int_equal(frames[0].len, 64);
	assert_int_equal(frames[0].ip_sum, NIC_SUM_UNKNOWN);
	assert_int_equal(frames[0].l4_sum, NIC_SUM_UNKNOWN);
	assert_int_equal(nic->counters.rx_frames, NIC_BURST);
	assert_int_equal(nic->info->mac[0] & 3, 2); // locally administered, of one station
	assert_int_equal(nic->info->rss_key_len, 0);
	nic_close(nic);
}

// Two devices whose rings are each other's: what one sends the other receives.
static void ring_pair(const char *a, const char *b, unsigned size)
{
	char name[32];
	struct rte_ring *to[2];
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s-%d", a, i);
		to[i] = rte_ring_create(name, size, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		assert_non_null(to[i]);
	}
	assert_true(rte_eth_from_rings(a, &to[0], 1, &to[1], 1, 0) >= 0);
	assert_true(rte_eth_from_rings(b, &to[1], 1, &to[0], 1, 0) >= 0);
}

static void send_bytes(struct nic *nic, const void *head, uint16_t head_len, const void *body,
		       size_t body_len, int expected)
{
	struct nic_packet p = {.head = head,
			       .head_len = head_len,
			       .l2_len = 14,
			       .n_body = 2,
			       .body = {{(void *)body, body_len / 3},
					{(char *)body + body_len / 3, body_len - body_len / 3}}};
	assert_int_equal(nic_send(nic, &p), expected);
}

static void frames_go_both_ways_whole(void **state)
{
	ring_pair("wa", "wb", 256);
	struct nic *nic[2] = {open_one("net_ring_wa", 0), open_one("net_ring_wb", 0)};
	assert_memory_not_equal(nic[0]->info->mac, nic[1]->info->mac, 6);
	assert_int_equal(nic[0]->info->mtu, 1500);
	uint8_t bytes[1514];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	static const size_t lens[] = {60, 61, 64, 100, 1513, 1514};
	for (int from = 0; from < 2; from++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
			struct nic_frame f[NIC_BURST];
			send_bytes(nic[from], bytes, 54, bytes + 54, lens[i] - 54, 0);
			assert_int_equal(nic_receive(nic[!from], f, NIC_BURST), 0);
			nic_flush(nic[from]);
			assert_int_equal(nic_receive(nic[!from], f, NIC_BURST), 1);
			assert_int_equal(f[0].len, lens[i]);
			assert_int_equal(f[0].n_merged, 1);
			assert_memory_equal(f[0].p, bytes, lens[i]);
			f[0].p[0] ^= 255; // it is the reader's to change
		}
	assert_int_equal(nic[0]->counters.tx_frames, 6);
	assert_int_equal(nic[1]->counters.rx_frames, 6);
	assert_int_equal(nic[0]->counters.tx_bytes, 60 + 61 + 64 + 100 + 1513 + 1514);
	assert_int_equal(nic[1]->counters.rx_bytes, nic[0]->counters.tx_bytes);
	nic_close(nic[0]);
	nic_close(nic[1]);
}

static void short_frames_are_padded_and_long_ones_refused(void **state)
{
	ring_pair("pa", "pb", 64);
	struct nic *a = open_one("net_ring_pa", 0), *b = open_one("net_ring_pb", 0);
	uint8_t bytes[1515];
	struct nic_frame f[NIC_BURST];
	memset(bytes, 0xee, sizeof(bytes));
	send_bytes(a, bytes, 42, NULL, 0, 0);
	send_bytes(a, bytes, 54, bytes, 1515 - 54, -EMSGSIZE);
	nic_flush(a);
	assert_int_equal(nic_receive(b, f, NIC_BURST), 1);
	assert_int_equal(f[0].len, 60);
	for (int i = 0; i < 60; i++)
		assert_int_equal(f[0].p[i], i < 42 ? 0xee : 0);
	nic_close(a);
	nic_close(b);
}

static void jumbo_frames_fit_one_buffer(void **state)
{
	ring_pair("ja", "jb", 64);
	struct nic *a = open_one("net_ring_ja", 9000), *b = open_one("net_ring_jb", 9000);
	static uint8_t bytes[9014];
	struct nic_frame f[NIC_BURST];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 251);
	send_bytes(a, bytes, 54, bytes + 54, sizeof(bytes) - 54, 0);
	nic_flush(a);
	assert_int_equal(nic_receive(b, f, NIC_BURST), 1);
	assert_int_equal(f[0].len, sizeof(bytes));
	assert_memory_equal(f[0].p, bytes, sizeof(bytes));
	nic_close(a);
	nic_close(b);
}

// What a neighbour in this process may send: a frame of several buffers.
static void send_chain(struct nic *nic, uint8_t byte, unsigned n, uint16_t each)
{
	uint16_t port;
	assert_int_equal(rte_eth_dev_get_port_by_name(nic->info->name, &port), 0);
	static struct rte_mempool *pool;
	if (!pool)
		pool = rte_pktmbuf_pool_create("chains", 63, 0, 0, 2176, 0);
	struct rte_mbuf *m[8];
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, m, n), 0);
	for (unsigned i = 0; i < n; i++) {
		memset(rte_pktmbuf_append(m[i], each), byte + (int)i, each);
		if (i)
			assert_int_equal(rte_pktmbuf_chain(m[0], m[i]), 0);
	}
	assert_int_equal(rte_eth_tx_burst(port, 0, m, 1), 1);
}

static void frames_in_pieces_are_joined_or_dropped(void **state)
{
	ring_pair("la", "lb", 64);
	struct nic *a = open_one("net_ring_la", 0), *b = open_one("net_ring_lb", 0);
	struct nic_frame f[NIC_BURST];
	send_chain(a, 10, 3, 500);
	send_chain(a, 20, 6, 500); // longer than a buffer
	send_chain(a, 30, 1, 60);
	assert_int_equal(nic_receive(b, f, NIC_BURST), 2);
	assert_int_equal(f[0].len, 1500);
	for (unsigned i = 0; i < 1500; i++)
		assert_int_equal(f[0].p[i], 10 + i / 500);
	assert_int_equal(f[1].len, 60);
	assert_int_equal(f[1].p[0], 30);
	assert_int_equal(b->counters.rx_too_long, 1);
	assert_int_equal(b->counters.rx_frames, 2);
	nic_close(a);
	nic_close(b);
}

// No device here cuts segments: what one would get is read out of the ring.
static void long_segments_are_handed_over_in_full_buffers(void **state)
{
	ring_pair("ta", "tb", 64);
	struct nic *a = open_one("net_ring_ta", 0), *b = open_one("net_ring_tb", 0);
	struct nic_info *info = (struct nic_info *)a->info;
	info->offloads |= NIC_TSO | NIC_TX_VLAN;
	info->tso_max = 40000;
	static uint8_t body[40000];
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i % 253);
	uint8_t head[66] = {1, 2, 3};
	struct nic_packet p = {.head = head,
			       .head_len = sizeof(head),
			       .l2_len = 14,
			       .l3_len = 20,
			       .l4_len = 32,
			       .offloads = NIC_TSO | NIC_TX_IP_SUM | NIC_TX_TCP_SUM | NIC_TX_VLAN,
			       .vlan = 42,
			       .mss = 1448,
			       .n_body = 2,
			       .body = {{body, 12345}, {body + 12345, sizeof(body) - 12345}}};
	assert_int_equal(nic_send(a, &p), 0);
	p.body[1].iov_len++;
	assert_int_equal(nic_send(a, &p), -EMSGSIZE);
	nic_flush(a);

	uint16_t port;
	struct rte_mbuf *m;
	assert_int_equal(rte_eth_dev_get_port_by_name("net_ring_tb", &port), 0);
	assert_int_equal(rte_eth_rx_burst(port, 0, &m, 1), 1);
	assert_int_equal(m->pkt_len, sizeof(head) + sizeof(body));
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM |
					      RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG |
					      RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m->tso_segsz, 1448);
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->l3_len, 20);
	assert_int_equal(m->l4_len, 32);
	assert_int_equal(m->vlan_tci, 42);
	unsigned n = 0;
	for (const struct rte_mbuf *s = m; s; s = s->next, n++)
		assert_true(!s->next || s->data_len == 2048);
	assert_int_equal(n, m->nb_segs);
	uint8_t *whole = malloc(m->pkt_len);
	const uint8_t *got = rte_pktmbuf_read(m, 0, m->pkt_len, whole);
	assert_memory_equal(got, head, sizeof(head));
	assert_memory_equal(got + sizeof(head), body, sizeof(body));
	free(whole);
	rte_pktmbuf_free(m);
	nic_close(b);
	nic_close(a);
}

static void a_full_queue_refuses_and_recovers(void **state)
{
	ring_pair("fa", "fb", 64); // holds 63
	struct nic *a = open_one("net_ring_fa", 0), *b = open_one("net_ring_fb", 0);
	uint8_t bytes[60] = {0};
	struct nic_packet p = {.head = bytes, .head_len = sizeof(bytes), .l2_len = 14};
	unsigned sent = 0;
	for (; sent < 200; sent++) {
		memcpy(bytes, &sent, sizeof(sent));
		if (nic_send(a, &p))
			break;
	}
	assert_int_equal(sent, 63 + NIC_BURST); // the ring's and those that wait before it
	assert_int_equal(a->counters.tx_full, 1);
	assert_int_equal(a->counters.tx_frames, 63);
	struct nic_frame f[NIC_BURST];
	unsigned got = 0;
	while (got < sent) {
		int n = nic_receive(b, f, 5);
		assert_true(n > 0);
		for (int i = 0; i < n; i++, got++)
			assert_memory_equal(f[i].p, &got, sizeof(got)); // in order, none lost
		nic_flush(a);
	}
	assert_int_equal(nic_receive(b, f, 5), 0);
	assert_int_equal(nic_send(a, &p), 0);
	nic_close(a);
	nic_close(b);
}

// More than all pools hold: nothing leaks.
static void buffers_come_back(void **state)
{
	ring_pair("ba", "bb", 256);
	struct nic *a = open_one("net_ring_ba", 0), *b = open_one("net_ring_bb", 0);
	uint8_t bytes[60] = {0};
	struct nic_frame f[NIC_BURST];
	struct nic_packet p = {.head = bytes, .head_len = sizeof(bytes), .l2_len = 14};
	for (unsigned i = 0; i < 40000; i++) {
		assert_int_equal(nic_send(a, &p), 0);
		if (i % 7 == 0)
			nic_flush(a);
		while (nic_receive(b, f, NIC_BURST)) {
		}
	}
	nic_close(a);
	nic_close(b);
	a = open_one("net_ring_ba", 0); // its pool was given back: the name is free again
	nic_close(a);
}

static void a_device_is_opened_once(void **state)
{
	struct nic *nic = open_one("net_null1", 0), *second;
	struct nic_dpdk_settings set = settings_for("net_null1");
	char text[NIC_DPDK_TEXT_LEN];
	struct nic_frame f[NIC_BURST];
	assert_int_equal(nic_dpdk_open(&set, &second, text), -EBUSY);
	assert_non_null(strstr(text, "open already"));
	assert_int_equal(nic_receive(nic, f, NIC_BURST), NIC_BURST); // not harmed
	nic_close(nic);
}

static void words_that_cannot_be_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *device, *part;
		int rc;
	} cases[] = {
		{"net_nonsense0", "no driver of that name", 0},
		{"0000:ff:1f.7", "no PCI device", -ENOENT},
		{"net_af_packet0,iface=nowhere0", "no interface nowhere0", -ENOENT},
		{"net_memif0,role=nothing", "Unknown role", -EINVAL},
		{"net_null9,nonsense=1", "cannot be opened", -EINVAL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nic_dpdk_settings set = settings_for(cases[i].device);
		struct nic *nic;
		char text[NIC_DPDK_TEXT_LEN];
		int rc = nic_dpdk_open(&set, &nic, text);
		print_message("%d %s\n", rc, text);
		assert_true(rc < 0 && (!cases[i].rc || rc == cases[i].rc));
		assert_non_null(strstr(text, cases[i].part));
	}
}

// ---- TAP

#define TAP_OURS   "10.99.0.2"
#define TAP_KERNEL "10.99.0.1"

#define NEEDS_TAP()                                                                                \
	do {                                                                                       \
		if (no_tap) {                                                                      \
			print_message("skipped: %s\n", no_tap);                                    \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

// One connection to the kernel's TCP, by hand.
struct talk {
	struct nic *nic;
	struct nic *other; // another queue that the kernel's first answer may come on
	struct frame_tcp tcp;
	int listener, peer;
	struct nic_frame frames[NIC_BURST];
};

// The next frame of TCP with these flags; others pass by. Waits for events, not for time.
static const struct nic_frame *next_tcp(struct talk *t, struct nic *other, uint8_t flags,
					struct tcphdr *h)
{
	for (unsigned turn = 0;; turn++) {
		struct nic *from = other && turn % 2 ? other : t->nic;
		if (nic_receive(from, t->frames, 1) && frame_read_tcp(t->frames, h) &&
		    (h->th_flags & flags) == flags)
			return t->frames;
	}
}

static void talk_begin(struct talk *t, struct nic *nic, const char *iface)
{
	*t = (struct talk){.nic = nic};
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	inet_pton(AF_INET, TAP_KERNEL, &a.sin_addr);
	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(t->listener, 1), 0);
	getsockname(t->listener, (struct sockaddr *)&a, &len);
	t->tcp.to.address = a.sin_addr.s_addr;
	t->tcp.to.port = ntohs(a.sin_port);
	tap_mac(iface, t->tcp.to.mac);
	memcpy(t->tcp.from.mac, nic->info->mac, 6);
	inet_pton(AF_INET, TAP_OURS, &t->tcp.from.address);
	t->tcp.from.port = 7777;
	t->tcp.seq = 1000;
	tap_neighbour(iface, TAP_OURS, nic->info->mac);
}

static void talk_send(struct talk *t, uint8_t flags, const void *body, size_t len,
		      uint32_t offloads, uint16_t mss)
{
	t->tcp.flags = flags;
	struct nic_packet p = frame_tcp_packet(&t->tcp, body, len, offloads, mss);
	assert_int_equal(nic_send(t->nic, &p), 0);
	nic_flush(t->nic);
}

static void talk_connect(struct talk *t, uint32_t offloads)
{
	talk_send(t, TH_SYN, NULL, 0, offloads, 0);
	struct tcphdr h;
	const struct nic_frame *f = next_tcp(t, t->other, TH_SYN | TH_ACK, &h);
	assert_int_equal(f->ip_sum, NIC_SUM_GOOD);
	assert_int_equal(f->l4_sum, NIC_SUM_GOOD);
	t->tcp.ack = ntohl(h.seq) + 1;
	t->tcp.seq++;
	talk_send(t, TH_ACK, NULL, 0, offloads, 0);
	t->peer = accept(t->listener, NULL, NULL);
	assert_true(t->peer >= 0);
	struct timeval most = {.tv_sec = 10}; // what was lost makes a failure, not a halt
	setsockopt(t->peer, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
}

static void talk_end(struct talk *t)
{
	talk_send(t, TH_RST, NULL, 0, 0, 0);
	close(t->peer);
	close(t->listener);
}

static uint8_t *random_bytes(size_t len)
{
	uint8_t *p = malloc(len);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 13);
	return p;
}

static void kernel_got(int fd, const uint8_t *bytes, size_t len)
{
	uint8_t *got = malloc(len);
	assert_int_equal(recv(fd, got, len, MSG_WAITALL), (ssize_t)len);
	assert_memory_equal(got, bytes, len);
	free(got);
}

// The kernel verifies what comes through a TAP: a wrong sum would be dropped, and the connection
// would stand still.
static void the_kernel_accepts_our_checksums(void **state)
{
	NEEDS_TAP();
	tap_make("fly0", true);
	tap_up("fly0", TAP_KERNEL, 0);
	struct nic *nic = open_one("net_tap0,iface=fly0", 0);
	uint8_t kernels[6];
	tap_mac("fly0", kernels);
	assert_memory_not_equal(kernels, nic->info->mac, 6);
	assert_int_equal(nic->info->mac[0] & 3, 2); // locally administered, of one station
	uint32_t sums = NIC_TX_IP_SUM | NIC_TX_TCP_SUM;
	assert_int_equal(nic->info->offloads & sums, sums);
	long bad = snmp_count("Tcp", "InCsumErrors"), bad_ip = snmp_count("Ip", "InHdrErrors");
	assert_true(bad >= 0 && bad_ip >= 0);
	static const uint32_t offloads[] = {0, NIC_TX_TCP_SUM, NIC_TX_IP_SUM | NIC_TX_TCP_SUM};
	uint8_t *bytes = random_bytes(1460);
	for (int i = 0; i < 3; i++) {
		struct talk t;
		talk_begin(&t, nic, "fly0");
		talk_connect(&t, offloads[i]);
		static const size_t lens[] = {1, 2, 3, 5, 1459, 1460};
		for (int k = 0; k < 6; k++) {
			talk_send(&t, TH_ACK | TH_PUSH, bytes, lens[k], offloads[i], 0);
			kernel_got(t.peer, bytes, lens[k]);
			t.tcp.seq += (uint32_t)lens[k];
		}
		talk_end(&t);
	}
	assert_int_equal(snmp_count("Tcp", "InCsumErrors"), bad);
	assert_int_equal(snmp_count("Ip", "InHdrErrors"), bad_ip);

	// And it does look: a sum that is wrong is counted.
	struct talk t;
	talk_begin(&t, nic, "fly0");
	t.tcp.flags = TH_SYN;
	struct nic_packet p = frame_tcp_packet(&t.tcp, NULL, 0, 0, 0);
	t.tcp.head.bytes[50] ^= 1;
	assert_int_equal(nic_send(nic, &p), 0);
	nic_flush(nic);
	assert_int_equal(snmp_count("Tcp", "InCsumErrors"), bad + 1);
	close(t.listener);
	free(bytes);
	nic_close(nic);
}

static int kernel_mtu(const char *name)
{
	struct ifreq r = {0};
	tap_ioctl(SIOCGIFMTU, &r, name);
	return r.ifr_mtu;
}

static void both_ends_have_one_mtu(void **state)
{
	NEEDS_TAP();
	tap_make("fly9", true);
	tap_up("fly9", "10.98.0.1", 1280);
	struct nic *nic = open_one("net_tap0,iface=fly9", 0);
	assert_int_equal(nic->info->mtu, 1280);
	assert_int_equal(kernel_mtu("fly9"), 1280);
	uint8_t mac[6], again[6]; // of the kernel's end: it keeps it
	tap_mac("fly9", mac);
	nic_close(nic);
	nic = open_one("net_tap0,iface=fly9", 1400);
	assert_int_equal(nic->info->mtu, 1400);
	assert_int_equal(kernel_mtu("fly9"), 1400);
	tap_mac("fly9", again);
	assert_memory_equal(mac, again, 6);
	nic_close(nic);

	tap_up("fly9", "10.98.0.1", 4000); // more than net_tap can
	nic = open_one("net_tap0,iface=fly9", 0);
	assert_int_equal(nic->info->mtu, 1500);
	assert_int_equal(kernel_mtu("fly9"), 1500);
	nic_close(nic);
	struct nic_dpdk_settings set = settings_for("net_tap0,iface=fly9");
	set.mtu = 4000;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(nic_dpdk_open(&set, &nic, text), -ENOTSUP);
	assert_non_null(strstr(text, "MTU of 1500 at most"));
}

static void kernel_datagram(const char *to)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	inet_pton(AF_INET, to, &a.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(fd, "wake", 4, 0, (struct sockaddr *)&a, sizeof(a)), 4);
	close(fd);
}

static unsigned frames_pending(struct nic *nic)
{
	struct nic_frame f[NIC_BURST];
	unsigned all = 0;
	for (int n; (n = nic_receive(nic, f, NIC_BURST)) > 0;)
		all += (unsigned)n;
	return all;
}

static void a_frame_wakes_who_armed(void **state)
{
	NEEDS_TAP();
	struct nic *nic = open_one("net_tap0,iface=fly0", 0);
	assert_non_null(nic->ops->arm);
	tap_neighbour("fly0", TAP_OURS, nic->info->mac);
	for (int i = 0; i < 3; i++) {
		int fd;
		// The kernel greets a device that comes up; what is early is told by arm().
		while ((fd = nic->ops->arm(nic, true)) == -EAGAIN)
			assert_true(frames_pending(nic) > 0);
		assert_true(fd >= 0);
		kernel_datagram(TAP_OURS);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		while (poll(&p, 1, -1) < 0)
			assert_int_equal(errno, EINTR); // net_tap's signal
		assert_int_equal(nic->ops->arm(nic, false), 0);
		while (!frames_pending(nic)) {
		}
	}
	nic_close(nic);
}

// The kernel learns a flow's queue from what we send, but only once it has answered the SYN: that
// answer comes on either.
static void a_flow_stays_on_the_queue_that_sends(void **state)
{
	NEEDS_TAP();
	struct nic_dpdk_settings set = settings_for("net_tap0,iface=fly0");
	set.n_queues = 2;
	struct nic *nics[2];
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(nic_dpdk_open(&set, nics, text), 0);
	struct talk t[4];
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(nics[i % 2]->queue, i % 2);
		talk_begin(&t[i], nics[i % 2], "fly0");
		t[i].other = nics[!(i % 2)];
		t[i].tcp.from.port = (uint16_t)(8000 + i);
		talk_connect(&t[i], 0);
	}
	for (int i = 0; i < 4; i++) {
		struct tcphdr h;
		assert_int_equal(send(t[i].peer, "answer", 6, 0), 6);
		do {
			next_tcp(&t[i], NULL, TH_PUSH, &h);
		} while (ntohs(h.dest) != 8000 + i);
	}
	for (int i = 0; i < 4; i++)
		talk_end(&t[i]);
	nic_close(nics[1]);
	nic_close(nics[0]);
}

static void a_device_that_is_not_there_is_made_and_goes_again(void **state)
{
	NEEDS_TAP();
	struct nic *nic = open_one("net_tap3,iface=own0", 0);
	tap_up("own0", "10.97.0.1", 0);
	uint8_t kernels[6];
	tap_mac("own0", kernels);
	assert_memory_not_equal(kernels, nic->info->mac, 6);
	nic_close(nic);
	assert_int_equal(if_nametoindex("own0"), 0);
	assert_int_not_equal(if_nametoindex("fly0"), 0); // one that was there stays
}

static void a_tap_of_one_queue_is_explained(void **state)
{
	NEEDS_TAP();
	tap_make("old0", false);
	struct nic_dpdk_settings set = settings_for("net_tap4,iface=old0");
	struct nic *nic;
	char text[NIC_DPDK_TEXT_LEN];
	assert_true(nic_dpdk_open(&set, &nic, text) < 0);
	print_message("%s\n", text);
	assert_non_null(strstr(text, "multi_queue"));
}

int main(void)
{
	no_tap = tap_namespace();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_without_a_trace_on_its_caller),
		cmocka_unit_test(frames_go_both_ways_whole),
		cmocka_unit_test(short_frames_are_padded_and_long_ones_refused),
		cmocka_unit_test(jumbo_frames_fit_one_buffer),
		cmocka_unit_test(frames_in_pieces_are_joined_or_dropped),
		cmocka_unit_test(long_segments_are_handed_over_in_full_buffers),
		cmocka_unit_test(a_full_queue_refuses_and_recovers),
		cmocka_unit_test(buffers_come_back),
		cmocka_unit_test(a_device_is_opened_once),
		cmocka_unit_test(words_that_cannot_be_are_refused_with_a_sentence),
		cmocka_unit_test(the_kernel_accepts_our_checksums),
		cmocka_unit_test(both_ends_have_one_mtu),
		cmocka_unit_test(a_frame_wakes_who_armed),
		cmocka_unit_test(a_flow_stays_on_the_queue_that_sends),
		cmocka_unit_test(a_device_that_is_not_there_is_made_and_goes_again),
		cmocka_unit_test(a_tap_of_one_queue_is_explained),
	};
	return cmocka_run_group_tests_name("nic_dpdk", tests, NULL, NULL);
}
