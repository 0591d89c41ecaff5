// SPDX-License-Identifier: BSD-3-Clause
// The nic of the simulation: that it cuts, sums and tags as devices do.
#include "drivers/nic_wire.h"

#include <errno.h>

#include "tests/unit/test.h"

#define MTU    1500
#define HEAD_4 54 // Ethernet, IPv4, TCP
#define HEAD_6 74
#define LONG   4000 // bytes of payload to be cut

// 10.99.0.1:40000 -> 10.99.0.2:6379, a PING in RESP and a byte more; sums from another program.
static const uint8_t good[] = {
	0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,
	0x45, 0x00, 0x00, 0x37, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x13, 0xc5, 0x0a, 0x63,
	0x00, 0x01, 0x0a, 0x63, 0x00, 0x02, 0x9c, 0x40, 0x18, 0xeb, 0x11, 0x22, 0x33, 0x44,
	0x55, 0x66, 0x77, 0x88, 0x50, 0x18, 0x72, 0x10, 0xd6, 0x4f, 0x00, 0x00, 0x2a, 0x31,
	0x0d, 0x0a, 0x24, 0x34, 0x0d, 0x0a, 0x50, 0x49, 0x4e, 0x47, 0x0d, 0x0a, 0x78,
};

struct ends { // a sends to b
	struct wire *wire, *back;
	struct nic *a, *b;
	uint64_t now_ns;
};

static struct nic_wire_settings settings(uint32_t offloads, enum nic_sum sums)
{
	return (struct nic_wire_settings){
		.mtu = MTU, .offloads = offloads, .tso_max = 65535, .sums = sums, .mac = {2}};
}

static void open_ends(struct ends *e, const struct nic_wire_settings *a,
		      const struct nic_wire_settings *b)
{
	*e = (struct ends){0};
	assert_int_equal(wire_new(&(struct wire_settings){0}, 1, &e->wire), 0);
	assert_int_equal(wire_new(&(struct wire_settings){0}, 1, &e->back), 0);
	assert_int_equal(nic_wire_open(a, e->wire, e->back, &e->now_ns, &e->a), 0);
	assert_int_equal(nic_wire_open(b, e->back, e->wire, &e->now_ns, &e->b), 0);
}

static void close_ends(struct ends *e)
{
	nic_close(e->a);
	nic_close(e->b);
	wire_free(e->wire);
	wire_free(e->back);
}

static struct nic_packet packet_of(const uint8_t *head, uint16_t head_len, const void *body,
				   size_t len)
{
	return (struct nic_packet){.head = head,
				   .head_len = head_len,
				   .l2_len = 14,
				   .l3_len = (uint8_t)(head_len - 34),
				   .l4_len = 20,
				   .is_ip6 = head_len == HEAD_6,
				   .n_body = 1,
				   .body = {{(void *)(uintptr_t)body, len}}};
}

static void a_whole_frame_passes_and_is_padded(void **state)
{
	struct nic_wire_settings set = settings(0, NIC_SUM_UNKNOWN);
	struct nic_frame f[NIC_BURST];
	struct ends e;

	open_ends(&e, &set, &set);
	struct nic_packet p = packet_of(good, HEAD_4, good + HEAD_4, sizeof(good) - HEAD_4);
	assert_int_equal(nic_send(e.a, &p), 0);
	p = packet_of(good, HEAD_4, NULL, 0);
	p.n_body = 0;
	assert_int_equal(nic_send(e.a, &p), 0);
	nic_flush(e.a);
	assert_int_equal(nic_receive(e.a, f, NIC_BURST), 0);
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 2);
	assert_int_equal(f[0].len, sizeof(good));
	assert_memory_equal(f[0].p, good, sizeof(good));
	assert_int_equal(f[0].n_merged, 1);
	assert_int_equal(f[0].l4_sum, NIC_SUM_UNKNOWN);
	assert_int_equal(f[1].len, 60);
	assert_memory_equal(f[1].p, good, HEAD_4);
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 0);
	assert_int_equal(e.a->counters.tx_frames, 2);
	assert_int_equal(e.b->counters.rx_bytes, sizeof(good) + 60);
	close_ends(&e);
}

static void bursts_are_bounded_and_in_order(void **state)
{
	struct nic_wire_settings set = settings(0, NIC_SUM_UNKNOWN);
	struct nic_frame f[NIC_BURST];
	uint8_t frame[60] = {0};
	struct ends e;

	open_ends(&e, &set, &set);
	for (unsigned i = 0; i < NIC_BURST + 3; i++) {
		frame[20] = (uint8_t)i;
		struct nic_packet p = packet_of(frame, 60, NULL, 0);
		assert_int_equal(nic_send(e.a, &p), 0);
	}
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), NIC_BURST);
	for (unsigned i = 0; i < NIC_BURST; i++)
		assert_int_equal(f[i].p[20], i); // all of them at once
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 3);
	assert_int_equal(f[2].p[20], NIC_BURST + 2);
	close_ends(&e);
}

static void sums_are_filled_in_and_looked_at(void **state)
{
	struct nic_wire_settings a = settings(NIC_TX_IP_SUM | NIC_TX_TCP_SUM, NIC_SUM_UNKNOWN);
	struct nic_wire_settings b = settings(0, NIC_SUM_GOOD);
	struct nic_frame f[NIC_BURST];
	uint8_t head[HEAD_4];
	struct ends e;

	open_ends(&e, &a, &b);
	memcpy(head, good, sizeof(head));
	head[24] = head[25] = 0;
	// The pseudo-header: two addresses, protocol 6, 35 bytes.
	uint32_t sum = 0x0a63 + 1 + 0x0a63 + 2 + 6 + 35;
	head[50] = (uint8_t)(sum >> 8);
	head[51] = (uint8_t)sum;
	struct nic_packet p = packet_of(head, HEAD_4, good + HEAD_4, sizeof(good) - HEAD_4);
	p.offloads = NIC_TX_IP_SUM | NIC_TX_TCP_SUM;
	nic_send(e.a, &p);
	p = packet_of(good, HEAD_4, "bad", 3); // another length than the header says
	nic_send(e.a, &p);
	p = packet_of(good, HEAD_4, "*1\r\n$4\r\nPONG\r\nx", 15);
	nic_send(e.a, &p);
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 3);
	assert_memory_equal(f[0].p, good, sizeof(good));
	assert_int_equal(f[0].ip_sum, NIC_SUM_GOOD);
	assert_int_equal(f[0].l4_sum, NIC_SUM_GOOD);
	assert_int_equal(f[1].l4_sum, NIC_SUM_UNKNOWN);
	assert_int_equal(f[2].ip_sum, NIC_SUM_GOOD);
	assert_int_equal(f[2].l4_sum, NIC_SUM_BAD);
	close_ends(&e);
}

static void sums_between_guests_stay_unfilled(void **state)
{
	struct nic_wire_settings set = settings(NIC_TX_TCP_SUM, NIC_SUM_NONE);
	struct nic_frame f[NIC_BURST];
	struct ends e;

	open_ends(&e, &set, &set);
	struct nic_packet p = packet_of(good, HEAD_4, good + HEAD_4, sizeof(good) - HEAD_4);
	p.offloads = NIC_TX_TCP_SUM;
	nic_send(e.a, &p);
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 1);
	assert_int_equal(f[0].l4_sum, NIC_SUM_NONE);
	assert_memory_equal(f[0].p, good, sizeof(good)); // the field as it was given
	close_ends(&e);
}

// Headers of a long segment: PSH, FIN and CWR are set, the sums are those of the pseudo-header
// without a length.
static void long_head(uint8_t *head, bool is_ip6)
{
	uint8_t *tcp = head + (is_ip6 ? HEAD_6 : HEAD_4) - 20;
	uint32_t sum = 6;

	memset(head, 0, HEAD_6);
	memcpy(head, good, 12);
	if (is_ip6) {
		head[12] = 0x86;
		head[13] = 0xdd;
		head[14] = 0x60;
		head[20] = 6;
		head[21] = 64;
		for (unsigned i = 0; i < 32; i++)
			head[22 + i] = (uint8_t)(i * 7);
		for (unsigned i = 0; i < 32; i += 2)
			sum += (uint32_t)(head[22 + i] << 8 | head[23 + i]);
	} else {
		memcpy(head, good, 34);
		head[18] = 0xff; // of the identification, so that it carries over
		head[19] = 0xff;
		sum += 0x0a63 + 1 + 0x0a63 + 2;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	memcpy(tcp, good + 34, 20);
	tcp[4] = tcp[5] = tcp[6] = 0xff; // near the wrap
	tcp[13] = 0x99;
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
}

static void cut_and_look(bool is_ip6, bool is_tagged)
{
	struct nic_wire_settings a = settings(NIC_TSO | NIC_TX_VLAN, NIC_SUM_UNKNOWN);
	struct nic_wire_settings b = settings(is_tagged ? NIC_RX_VLAN : 0, NIC_SUM_GOOD);
	uint16_t head_len = is_ip6 ? HEAD_6 : HEAD_4, mss = (uint16_t)(MTU + 14 - head_len);
	uint8_t head[HEAD_6], body[LONG], out[LONG];
	struct nic_frame f[NIC_BURST];
	struct ends e;
	uint32_t at = 0;

	open_ends(&e, &a, &b);
	long_head(head, is_ip6);
	for (unsigned i = 0; i < LONG; i++)
		body[i] = (uint8_t)(i * 31 + (i >> 8));
	struct nic_packet p = packet_of(head, head_len, body, 1);
	p.n_body = 2;
	p.body[1] = (struct iovec){body + 1, LONG - 1};
	p.offloads = NIC_TSO | NIC_TX_IP_SUM | NIC_TX_TCP_SUM | (is_tagged ? NIC_TX_VLAN : 0);
	p.vlan = is_tagged ? 0x2064 : 0;
	p.mss = mss;
	assert_int_equal(nic_send(e.a, &p), 0);
	assert_int_equal(nic_receive(e.b, f, NIC_BURST), 3);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *tcp = f[i].p + head_len - 20;
		uint32_t len = f[i].len - head_len;
		assert_int_equal(f[i].vlan, is_tagged ? 0x2064 : 0);
		assert_int_equal(f[i].l4_sum, NIC_SUM_GOOD);
		assert_int_equal(f[i].ip_sum, is_ip6 ? NIC_SUM_UNKNOWN : NIC_SUM_GOOD);
		if (!is_ip6) // 0xffff, 0x0000, 0x0001
			assert_int_equal((uint16_t)(f[i].p[18] << 8 | f[i].p[19]),
					 (uint16_t)(0xffff + i));
		uint32_t seq = (uint32_t)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
		assert_int_equal(seq, (uint32_t)(0xffffff44 + at));
		assert_int_equal(tcp[13], i == 0 ? 0x90 : i == 1 ? 0x10 : 0x19);
		memcpy(out + at, f[i].p + head_len, len);
		at += len;
	}
	assert_int_equal(at, LONG);
	assert_memory_equal(out, body, LONG);
	close_ends(&e);
}

static void long_segments_are_cut(void **state)
{
	for (int i = 0; i < 4; i++)
		cut_and_look(i & 1, i & 2);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct nic_wire_settings set = settings(NIC_TSO, NIC_SUM_UNKNOWN);
	static uint8_t body[70000];
	uint8_t head[HEAD_6];
	struct ends e;

	set.refuse = 0.5;
	open_ends(&e, &set, &set);
	long_head(head, false);
	struct nic_packet p = packet_of(head, HEAD_4, body, 1460);
	unsigned n = 0;
	for (unsigned i = 0; i < 200; i++)
		n += nic_send(e.a, &p) == 0;
	assert_in_range(n, 60, 140);
	assert_int_equal(e.a->counters.tx_frames, n);
	assert_int_equal(e.a->counters.tx_full, 200 - n);
	assert_int_equal(wire_counters(e.wire)->put, n);
	close_ends(&e);

	set.refuse = 0;
	open_ends(&e, &set, &set);
	p.body[0].iov_len = 1461;
	assert_int_equal(nic_send(e.a, &p), -EMSGSIZE);
	p.offloads = NIC_TSO;
	p.mss = 1461;
	assert_int_equal(nic_send(e.a, &p), -EMSGSIZE);
	p.mss = 1460;
	p.body[0].iov_len = 65536;
	assert_int_equal(nic_send(e.a, &p), -EMSGSIZE);
	p.body[0].iov_len = 65535;
	assert_int_equal(nic_send(e.a, &p), 0);
	close_ends(&e);
}

static void tap(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns, bool is_taken)
{
	unsigned *seen = owner;

	assert_memory_equal(frame, good, len);
	seen[is_taken]++;
}

static void a_tap_sees_both_ends(void **state)
{
	unsigned seen[2] = {0};
	struct wire_settings set = {.lose_every = 2, .tap = tap, .owner = seen};
	struct wire *w;

	assert_int_equal(wire_new(&set, 1, &w), 0);
	for (unsigned i = 0; i < 4; i++)
		wire_put(w, good, sizeof(good), i);
	for (struct wire_frame *f; (f = wire_take(w, 10));)
		wire_frame_free(f);
	assert_int_equal(seen[false], 4);
	assert_int_equal(seen[true], 2);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_frame_passes_and_is_padded),
		cmocka_unit_test(bursts_are_bounded_and_in_order),
		cmocka_unit_test(sums_are_filled_in_and_looked_at),
		cmocka_unit_test(sums_between_guests_stay_unfilled),
		cmocka_unit_test(long_segments_are_cut),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_tap_sees_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
