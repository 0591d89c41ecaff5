// SPDX-License-Identifier: BSD-3-Clause
// Connections of a stack with a peer that is played by hand.
#include <errno.h>

#include "dataplane/contract/flows.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "tests/unit/net_rig.h"

static struct fake_nic nic;
static struct stack *stack;
static struct stack_settings set;
static uint64_t now_ns;
static struct net_address us, them;

static int setup(void **state)
{
	set = rig_settings(false);
	fake_nic_init(&nic);
	us = at("10.0.0.2");
	them = at("10.0.0.7");
	now_ns = SECOND;
	stack = NULL;
	return 0;
}

static void turn(void)
{
	stack_turn(stack, now_ns);
}

static void begin(void)
{
	stack = rig_stack(&nic, &set);
	turn();
	give_arp_reply(&nic, "10.0.0.1", peer_mac);
	run_until(stack, &now_ns, 10 * SECOND);
	forget_all(&nic);
}

static int teardown(void **state)
{
	stack_free(stack, now_ns);
	return 0;
}

static struct flow *connecting(void)
{
	struct flow *f = NULL;
	assert_int_equal(stack_connect(stack, &them, 6379, &set, now_ns, &f), 0);
	turn();
	return f;
}

// The SYN of a new connection, its neighbour found.
static struct flow *syn_sent(struct tcp_segment *syn)
{
	struct flow *f = connecting();
	if (next_type(&nic) == ETHER_ARP) {
		taken(&nic);
		give_arp_reply(&nic, "10.0.0.7", peer_mac);
		turn();
	}
	*syn = taken_segment(&nic);
	assert_int_equal(syn->flags, TCP_SYN);
	assert_int_equal(syn->target_port, 6379);
	expect_nothing(&nic);
	return f;
}

static struct tcp_segment answer_to(const struct tcp_segment *s, uint8_t flags)
{
	return (struct tcp_segment){
		.source_port = s->target_port,
		.target_port = s->source_port,
		.seq = seq_of(0xfffffff0),
		.ack = seq_add(s->seq, tcp_segment_span(s)),
		.flags = flags,
		.window = 65535,
		.options = {.has = flags & TCP_SYN ? TCP_HAS_MSS : 0, .mss = 1460},
	};
}

static unsigned news_of(const struct flow *f)
{
	unsigned events = 0;
	struct flow *with = stack_next_news(stack, &events);
	if (with)
		assert_ptr_equal(with, f);
	assert_null(stack_next_news(stack, &events));
	return events;
}

// @param peer  out: the next segment of the peer, without flags but ACK
static struct flow *established(struct tcp_segment *peer)
{
	struct tcp_segment syn;
	struct flow *f = syn_sent(&syn);
	*peer = answer_to(&syn, TCP_SYN | TCP_ACK);
	give_segment(&nic, &them, &us, peer);
	turn();
	assert_true(news_of(f) & TCP_OPENED);
	assert_int_equal(taken_segment(&nic).flags, TCP_ACK);
	*peer = answer_to(&syn, TCP_ACK);
	peer->seq = seq_add(peer->seq, 1);
	return f;
}

static void send_bytes(struct flow *f, size_t len)
{
	static char bytes[64 << 10];
	struct iovec iov = {bytes, len};
	assert_int_equal(tcp_write(flow_tcp(f), &iov, 1, now_ns), len);
	flow_touch(f);
}

static void syn_waits_for_its_neighbour_and_the_peer_opens(void **state)
{
	struct tcp_segment peer;
	begin();
	struct flow *f = connecting();
	assert_ptr_equal(flow_owner(f), &set);
	assert_int_equal(taken(&nic).type, ETHER_ARP);
	expect_nothing(&nic);
	give_arp_reply(&nic, "10.0.0.7", peer_mac);
	turn();
	struct tcp_segment syn = taken_segment(&nic);
	assert_int_equal(syn.flags, TCP_SYN);
	assert_int_equal(syn.options.mss, 1460);
	assert_true(syn.source_port >= 32768);
	peer = answer_to(&syn, TCP_SYN | TCP_ACK);
	give_segment(&nic, &them, &us, &peer);
	turn();
	assert_true(news_of(f) & TCP_OPENED);
	assert_int_equal(tcp_state(flow_tcp(f)), TCP_ESTABLISHED);
	assert_int_equal(taken_segment(&nic).flags, TCP_ACK);
}

static void peer_that_nobody_knows_is_unreachable_after_three_questions(void **state)
{
	begin();
	struct flow *f = connecting();
	run_until(stack, &now_ns, now_ns + 3 * SECOND - 1);
	assert_int_equal(news_of(f), 0);
	run_until(stack, &now_ns, now_ns + 2);
	assert_true(news_of(f) & TCP_FAILED);
	assert_int_equal(tcp_error(flow_tcp(f)), EHOSTUNREACH);
	flow_close(f, now_ns);
}

static void addresses_without_a_way_are_refused_at_once(void **state)
{
	struct net_address six = at("2001:db8::7"), group = at("224.0.0.1");
	struct flow *f;
	set.n_routes = 0;
	begin();
	struct net_address out = at("10.0.1.1");
	assert_int_equal(stack_connect(stack, &out, 6379, NULL, now_ns, &f), -ENETUNREACH);
	assert_int_equal(stack_connect(stack, &six, 6379, NULL, now_ns, &f), -ENETUNREACH);
	assert_int_equal(stack_connect(stack, &group, 6379, NULL, now_ns, &f), -ENETUNREACH);
	assert_int_equal(stack_connect(stack, &us, 6379, NULL, now_ns, &f), -ENETUNREACH);
	assert_int_equal(stack_connect(stack, &them, 0, NULL, now_ns, &f), -ENETUNREACH);
}

static void bytes_go_both_ways_and_the_flow_ends(void **state)
{
	struct tcp_segment peer;
	char bytes[8] = "hello";
	begin();
	struct flow *f = established(&peer);
	peer.body[0] = (struct iovec){bytes, 5};
	peer.len = 5;
	give_segment(&nic, &them, &us, &peer);
	turn();
	assert_true(news_of(f) & TCP_READABLE);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(tcp_read(flow_tcp(f), bytes, sizeof(bytes), now_ns), 5);
	assert_string_equal(bytes, "hello");
	assert_int_equal(taken_segment(&nic).flags, TCP_ACK);
	send_bytes(f, 3);
	assert_int_equal(stack_deadline(stack), 0); // touched: a turn is due
	turn();
	struct tcp_segment seg = taken_segment(&nic);
	assert_int_equal(seg.len, 3);
	assert_int_equal(seq_diff(seg.ack, seq_add(peer.seq, 5)), 0);

	flow_close(f, now_ns);
	turn();
	seg = taken_segment(&nic);
	assert_true(seg.flags & TCP_FIN);
	peer.seq = seq_add(peer.seq, 5);
	peer.len = 0;
	peer.ack = seq_add(seg.seq, 1);
	peer.flags = TCP_FIN | TCP_ACK;
	give_segment(&nic, &them, &us, &peer);
	turn();
	assert_int_equal(taken_segment(&nic).flags, TCP_ACK); // TIME-WAIT
	run_until(stack, &now_ns, now_ns + 61 * SECOND);
	forget_all(&nic);
	give_segment(&nic, &them, &us, &peer); // nobody is there any more
	turn();
	assert_int_equal(taken(&nic).type, ETHER_ARP);
	give_arp_reply(&nic, "10.0.0.7", peer_mac);
	turn();
	assert_true(taken_segment(&nic).flags & TCP_RST);
}

static void checksum_is_looked_at_unless_the_device_has(void **state)
{
	struct tcp_segment peer;
	char byte = 'x';
	begin();
	struct flow *f = established(&peer);
	peer.body[0] = (struct iovec){&byte, 1};
	peer.len = 1;
	for (uint8_t sum = NIC_SUM_UNKNOWN; sum <= NIC_SUM_NONE; sum++) {
		bool is_believed = sum == NIC_SUM_GOOD || sum == NIC_SUM_NONE;
		give_segment(&nic, &them, &us, &peer);
		given_last(&nic)->p[14 + 20 + 17] ^= 1; // the field
		given_last(&nic)->l4_sum = sum;
		turn();
		assert_int_equal(!!(news_of(f) & TCP_READABLE), is_believed);
		if (is_believed) {
			assert_int_equal(tcp_read(flow_tcp(f), &byte, 1, now_ns), 1);
			peer.seq = seq_add(peer.seq, 1);
		}
	}
	assert_int_equal(stack_counters(stack)->bad_tcp_sum, 2);
	// A device that says BAD of what is good is not believed.
	give_segment(&nic, &them, &us, &peer);
	given_last(&nic)->l4_sum = NIC_SUM_BAD;
	turn();
	assert_true(news_of(f) & TCP_READABLE);
	give_segment(&nic, &them, &us, &peer);
	given_last(&nic)->p[14 + 20 + 12] = 0x40; // a header shorter than a header
	turn();
	assert_int_equal(stack_counters(stack)->bad_tcp, 1);
}

// What is a lie is copied beside what is read next, and not over what waits behind a hole.
static void a_lie_leaves_no_byte_behind(void **state)
{
	static const struct {
		uint32_t at, is_lie;
		const char *text;
	} say[] = {{0, 0, "ab"}, {2, 1, "XXXX"}, {4, 0, "ef"}, {2, 1, "XXXX"}, {2, 0, "cd"}};
	struct tcp_segment peer, seg;
	char text[8] = "";
	begin();
	struct flow *f = established(&peer);
	for (unsigned i = 0; i < 5; i++) {
		seg = peer;
		seg.seq = seq_add(peer.seq, say[i].at);
		seg.len = (uint32_t)strlen(say[i].text);
		seg.body[0] = (struct iovec){(void *)say[i].text, seg.len};
		give_segment(&nic, &them, &us, &seg);
		given_last(&nic)->p[14 + 20 + 17] ^= say[i].is_lie;
		turn();
	}
	assert_int_equal(tcp_read(flow_tcp(f), text, sizeof(text), now_ns), 6);
	assert_string_equal(text, "abcdef");
}

// As a kernel sends over a veth: the field holds the sum of the pseudo-header alone.
static void a_checksum_that_was_left_to_a_nic_is_told(void **state)
{
	struct tcp_segment peer;
	char byte = 'x';
	begin();
	established(&peer);
	peer.body[0] = (struct iovec){&byte, 1};
	peer.len = 1;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stack_trouble(stack) != NULL, i == 2); // one alone may be chance
		give_segment(&nic, &them, &us, &peer);
		uint8_t *ip = given_last(&nic)->p + 14;
		uint16_t left = sum_fold(
			sum_pseudo(4, ip + 12, ip + 16, 6, (uint32_t)(ip[2] << 8 | ip[3]) - 20));
		memcpy(ip + 20 + 16, &left, sizeof(left));
		turn();
	}
	assert_int_equal(stack_counters(stack)->bad_tcp_sum, 3);
	assert_string_equal(stack_trouble(stack),
			    "10.0.0.7 leaves its TCP checksums to a NIC that is not there: on its "
			    "end of the veth, ethtool -K INTERFACE tx off");
	run_until(stack, &now_ns, now_ns + 61 * SECOND);
	turn();
	assert_string_equal(stack_trouble(stack), "the gateway 10.0.0.1 does not answer");
}

static void a_checksum_that_was_changed_on_its_way_is_not_told(void **state)
{
	struct tcp_segment peer;
	begin();
	established(&peer);
	for (unsigned i = 0; i < 3; i++) {
		give_segment(&nic, &them, &us, &peer);
		given_last(&nic)->p[14 + 20 + 17] ^= 1;
		turn();
	}
	assert_int_equal(stack_counters(stack)->bad_tcp_sum, 3);
	assert_null(stack_trouble(stack));
}

static void segments_without_a_connection_are_refused_with_a_limit(void **state)
{
	begin();
	struct tcp_segment stray = {.source_port = 6379,
				    .target_port = 40000,
				    .seq = seq_of(100),
				    .ack = seq_of(777),
				    .flags = TCP_ACK};
	give_segment(&nic, &them, &us, &stray);
	turn();
	assert_int_equal(taken(&nic).type, ETHER_ARP);
	give_arp_reply(&nic, "10.0.0.7", peer_mac);
	turn();
	struct tcp_segment rst = taken_segment(&nic);
	assert_int_equal(rst.flags, TCP_RST);
	assert_int_equal(rst.seq.v, 777);
	assert_int_equal(rst.source_port, 40000);
	assert_int_equal(rst.target_port, 6379);
	stray.flags = TCP_SYN;
	stray.len = 0;
	give_segment(&nic, &them, &us, &stray);
	turn();
	rst = taken_segment(&nic);
	assert_int_equal(rst.flags, TCP_RST | TCP_ACK);
	assert_int_equal(rst.ack.v, 101);
	stray.flags = TCP_RST;
	give_segment(&nic, &them, &us, &stray);
	turn();
	expect_nothing(&nic);
	stray.flags = TCP_ACK;
	for (unsigned i = 0; i < 1500; i++) {
		give_segment(&nic, &them, &us, &stray);
		turn();
		forget_all(&nic);
	}
	const struct stack_counters *c = stack_counters(stack);
	assert_int_equal(c->no_connection, 1503);
	assert_int_equal(c->rst_out, 1000);
	assert_int_equal(c->rst_limited, 502);
}

// An ICMP error about a segment of ours.
static void give_error(uint8_t type, uint8_t code, uint16_t mtu, const struct tcp_segment *about,
		       struct seq seq)
{
	struct net_address router = at("10.0.0.1");
	uint8_t p[8 + 20 + 8] = {type, code};
	put16(p + 6, mtu);
	ip_write(p + 8, &us, &them, IP_TCP, 60, 1480);
	put16(p + 28, about->source_port);
	put16(p + 30, about->target_port);
	put32(p + 32, seq.v);
	give_icmp(&nic, &router, &us, 64, p, sizeof(p));
}

static void port_unreachable_ends_what_is_opening_if_it_quotes_it(void **state)
{
	struct tcp_segment syn;
	begin();
	struct flow *f = syn_sent(&syn);
	give_error(ICMP_UNREACHABLE, 3, 0, &syn, seq_add(syn.seq, 50000)); // a guess
	turn();
	assert_int_equal(news_of(f), 0);
	give_error(ICMP_UNREACHABLE, 3, 0, &syn, syn.seq);
	turn();
	assert_true(news_of(f) & TCP_FAILED);
	assert_int_equal(tcp_error(flow_tcp(f)), ECONNREFUSED);
}

static void narrow_path_is_believed_and_remembered(void **state)
{
	struct tcp_segment peer;
	begin();
	struct flow *f = established(&peer);
	send_bytes(f, 10000);
	turn();
	struct tcp_segment seg = taken_segment(&nic);
	assert_int_equal(seg.len, 1460);
	forget_all(&nic);
	give_error(ICMP_UNREACHABLE, 4, 1200, &seg, seq_sub(seg.seq, 70000));
	turn();
	assert_int_equal(stack_counters(stack)->pmtu_reduced, 0);
	give_error(ICMP_UNREACHABLE, 4, 1200, &seg, seg.seq);
	turn();
	run_until(stack, &now_ns, now_ns + SECOND);
	assert_int_equal(stack_counters(stack)->pmtu_reduced, 1);
	assert_in_range(taken_segment(&nic).len, 1, 1160);
	forget_all(&nic);
	flow_close(f, now_ns);
	// The next connection on this path begins with what is known.
	forget_all(&nic);
	f = established(&peer);
	struct tcp_info info;
	tcp_info(flow_tcp(f), &info);
	assert_int_equal(info.mss, 1160);
}

static void full_device_is_tried_again(void **state)
{
	struct tcp_segment peer;
	begin();
	struct flow *f = established(&peer);
	forget_all(&nic);
	send_bytes(f, 3 * 1460);
	nic.room = 1;
	turn();
	struct tcp_segment seg = taken_segment(&nic);
	struct seq next = seq_add(seg.seq, seg.len);
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->tx_full, 1);
	uint64_t due_ns = stack_deadline(stack);
	assert_true(due_ns > now_ns && due_ns < now_ns + MS);
	turn();
	expect_nothing(&nic);
	nic.room = UINT32_MAX;
	now_ns = due_ns;
	turn();
	while (nic.at_out < nic.n_out) { // without a gap, and nothing twice
		seg = taken_segment(&nic);
		assert_int_equal(seq_diff(seg.seq, next), 0);
		next = seq_add(seg.seq, seg.len);
	}
	assert_int_equal(seq_diff(next, peer.ack), 3 * 1460);
	struct tcp_info info;
	tcp_info(flow_tcp(f), &info);
	assert_int_equal(info.segments_resent, 0);
}

static struct tcp_segment syn_from(uint16_t port)
{
	return (struct tcp_segment){.source_port = port,
				    .target_port = 7000,
				    .seq = seq_of(port),
				    .flags = TCP_SYN,
				    .window = 65535,
				    .options = {.has = TCP_HAS_MSS, .mss = 1460}};
}

static void listener_takes_whom_it_may_and_no_more_than_its_backlog(void **state)
{
	struct net_prefix friends = prefix("10.0.0.6", 31);
	struct net_address stranger = at("10.0.0.9");
	int owner;
	begin();
	assert_int_equal(stack_listen(stack, 7000, &friends, 1, 2), 0);
	assert_int_equal(stack_listen(stack, 7000, &friends, 1, 2), -EADDRINUSE);
	struct tcp_segment syn = syn_from(1000);
	give_segment(&nic, &stranger, &us, &syn);
	turn();
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->not_allowed, 1);
	give_segment(&nic, &them, &us, &syn);
	turn();
	assert_int_equal(taken(&nic).type, ETHER_ARP);
	give_arp_reply(&nic, "10.0.0.7", peer_mac);
	turn();
	struct tcp_segment mine = taken_segment(&nic);
	assert_int_equal(mine.flags, TCP_SYN | TCP_ACK);
	for (uint16_t port = 1001; port < 1010; port++) {
		syn = syn_from(port);
		give_segment(&nic, &them, &us, &syn);
	}
	turn();
	assert_int_equal(stack_counters(stack)->syn_dropped, 8);
	forget_all(&nic);
	assert_null(stack_accept(stack, 7000, NULL));

	struct tcp_segment peer = answer_to(&mine, TCP_ACK);
	char bytes[] = "ping";
	peer.seq = seq_of(1001);
	peer.body[0] = (struct iovec){bytes, 4};
	peer.len = 4;
	give_segment(&nic, &them, &us, &peer);
	turn();
	struct flow *f = stack_accept(stack, 7000, &owner);
	assert_non_null(f);
	assert_ptr_equal(flow_owner(f), &owner);
	assert_null(stack_accept(stack, 7000, NULL));
	assert_true(news_of(f) & TCP_READABLE);
	syn = syn_from(1010); // room came back
	give_segment(&nic, &them, &us, &syn);
	turn();
	assert_int_equal(stack_counters(stack)->syn_dropped, 8);
	flow_close(f, now_ns);
}

static void openings_that_never_end_leave_the_backlog(void **state)
{
	begin();
	assert_int_equal(stack_listen(stack, 7000, NULL, 0, 1), 0);
	struct tcp_segment syn = syn_from(1000);
	give_segment(&nic, &them, &us, &syn);
	run_until(stack, &now_ns, now_ns + 300 * SECOND);
	syn = syn_from(1001);
	give_segment(&nic, &them, &us, &syn);
	turn();
	assert_int_equal(stack_counters(stack)->syn_dropped, 0);
}

static void a_peer_that_opens_anew_ends_time_wait(void **state)
{
	begin();
	assert_int_equal(stack_listen(stack, 7000, NULL, 0, 2), 0);
	struct tcp_segment syn = syn_from(1000);
	give_segment(&nic, &them, &us, &syn);
	turn();
	give_arp_reply(&nic, "10.0.0.7", peer_mac);
	forget_all(&nic);
	turn();
	struct tcp_segment mine = taken_segment(&nic);
	struct tcp_segment peer = answer_to(&mine, TCP_ACK);
	peer.seq = seq_of(1001);
	give_segment(&nic, &them, &us, &peer);
	turn();
	struct flow *f = stack_accept(stack, 7000, NULL);
	assert_non_null(f);
	forget_all(&nic);
	flow_close(f, now_ns);
	turn();
	mine = taken_segment(&nic);
	assert_true(mine.flags & TCP_FIN);
	peer.flags = TCP_FIN | TCP_ACK;
	peer.ack = seq_add(mine.seq, 1);
	give_segment(&nic, &them, &us, &peer);
	turn();
	forget_all(&nic);
	give_segment(&nic, &them, &us, &syn); // an old one is not taken for a new beginning
	turn();
	assert_int_equal(taken_segment(&nic).flags, TCP_ACK);
	now_ns += 2 * SECOND;
	syn.seq = seq_add(syn.seq, 100000);
	give_segment(&nic, &them, &us, &syn);
	turn();
	assert_int_equal(taken_segment(&nic).flags, TCP_SYN | TCP_ACK);
}

static void connections_have_a_limit_and_time_wait_gives_way(void **state)
{
	struct tcp_segment peer;
	struct flow *f, *waits;
	set.connections_max = 2;
	begin();
	waits = established(&peer);
	connecting();
	assert_int_equal(stack_connect(stack, &them, 6379, NULL, now_ns, &f), -ENOBUFS);
	forget_all(&nic);
	flow_close(waits, now_ns);
	turn();
	struct tcp_segment fin = taken_segment(&nic);
	assert_true(fin.flags & TCP_FIN);
	assert_int_equal(stack_connect(stack, &them, 6379, NULL, now_ns, &f), -ENOBUFS);
	peer.flags = TCP_FIN | TCP_ACK;
	peer.ack = seq_add(fin.seq, 1);
	give_segment(&nic, &them, &us, &peer);
	turn();
	assert_int_equal(stack_connect(stack, &them, 6379, NULL, now_ns, &f), 0);
}

#define LEFT_BEHIND 40

// One connection after the other is closed by us. None takes the room of an open one, each answers
// a FIN that comes again as long as it waits, and no port is used anew meanwhile.
static void time_wait_takes_no_connection(void **state)
{
	struct tcp_segment peers[LEFT_BEHIND];
	set.connections_max = 16;
	begin();
	for (unsigned i = 0; i < LEFT_BEHIND; i++) {
		struct tcp_segment *peer = &peers[i];
		flow_close(established(peer), now_ns);
		turn();
		struct tcp_segment fin = taken_segment(&nic);
		assert_true(fin.flags & TCP_FIN);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(peer->target_port, peers[k].target_port);
		peer->flags = TCP_FIN | TCP_ACK;
		peer->ack = seq_add(fin.seq, 1);
		give_segment(&nic, &them, &us, peer);
		turn();
		assert_int_equal(taken_segment(&nic).flags, TCP_ACK);
	}
	for (unsigned i = 0; i < LEFT_BEHIND; i++) {
		give_segment(&nic, &them, &us, &peers[i]);
		turn();
		struct tcp_segment ack = taken_segment(&nic);
		assert_int_equal(ack.flags, TCP_ACK);
		assert_int_equal(ack.target_port, peers[i].source_port);
		assert_int_equal(ack.source_port, peers[i].target_port);
		assert_int_equal(seq_diff(ack.seq, peers[i].ack), 0);
		assert_int_equal(seq_diff(ack.ack, peers[i].seq), 1);
	}
	run_until(stack, &now_ns, now_ns + 61 * SECOND);
	forget_all(&nic);
	give_segment(&nic, &them, &us, &peers[0]);
	turn();
	if (next_type(&nic) == ETHER_ARP) {
		taken(&nic);
		give_arp_reply(&nic, "10.0.0.7", peer_mac);
		turn();
	}
	assert_true(taken_segment(&nic).flags & TCP_RST); // it is over
}

// Four times as many as can be open: then the one that waited longest gives way.
static void oldest_time_wait_gives_way(void **state)
{
	struct tcp_segment peers[9];
	set.connections_max = 2;
	begin();
	for (unsigned i = 0; i < 9; i++) {
		flow_close(established(&peers[i]), now_ns);
		turn();
		peers[i].flags = TCP_FIN | TCP_ACK;
		peers[i].ack = seq_add(taken_segment(&nic).seq, 1);
		give_segment(&nic, &them, &us, &peers[i]);
		turn();
		forget_all(&nic);
	}
	for (unsigned i = 0; i < 9; i++) {
		give_segment(&nic, &them, &us, &peers[i]);
		turn();
		assert_int_equal(taken_segment(&nic).flags, i ? TCP_ACK : TCP_RST);
	}
}

static void end_of_the_stack_resets_what_is_open(void **state)
{
	struct tcp_segment peer;
	begin();
	established(&peer);
	forget_all(&nic);
	stack_free(stack, now_ns);
	stack = NULL;
	struct tcp_segment rst = taken_segment(&nic);
	assert_true(rst.flags & TCP_RST);
	assert_int_equal(seq_diff(rst.seq, peer.ack), 0);
}

static void rows_name_what_is_open(void **state)
{
	static struct flow_rows rows;
	struct tcp_segment peer;
	unsigned in_use = 0;
	memset(&rows, 0, sizeof(rows));
	set.n_rows = flow_rows_of(&rows, 0, 1, &set.rows);
	assert_int_equal(set.n_rows, FLOW_ROWS_MAX);
	begin();
	struct flow *f = established(&peer);
	for (unsigned i = 0; i < FLOW_ROWS_MAX; i++) {
		const struct flow_row *row = &rows.rows[i];
		if (!row->in_use)
			continue;
		in_use++;
		assert_int_equal(row->remote_port, 6379);
		assert_int_equal(row->local_port, peer.target_port);
		assert_memory_equal(row->remote, them.bytes, 16);
	}
	assert_int_equal(in_use, 1);
	peer.flags = TCP_RST;
	give_segment(&nic, &them, &us, &peer);
	turn();
	flow_close(f, now_ns);
	turn();
	for (unsigned i = 0; i < FLOW_ROWS_MAX; i++)
		assert_int_equal(rows.rows[i].in_use, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(syn_waits_for_its_neighbour_and_the_peer_opens),
		TEST(peer_that_nobody_knows_is_unreachable_after_three_questions),
		TEST(addresses_without_a_way_are_refused_at_once),
		TEST(bytes_go_both_ways_and_the_flow_ends),
		TEST(checksum_is_looked_at_unless_the_device_has),
		TEST(a_lie_leaves_no_byte_behind),
		TEST(a_checksum_that_was_left_to_a_nic_is_told),
		TEST(a_checksum_that_was_changed_on_its_way_is_not_told),
		TEST(segments_without_a_connection_are_refused_with_a_limit),
		TEST(port_unreachable_ends_what_is_opening_if_it_quotes_it),
		TEST(narrow_path_is_believed_and_remembered),
		TEST(full_device_is_tried_again),
		TEST(listener_takes_whom_it_may_and_no_more_than_its_backlog),
		TEST(openings_that_never_end_leave_the_backlog),
		TEST(a_peer_that_opens_anew_ends_time_wait),
		TEST(connections_have_a_limit_and_time_wait_gives_way),
		TEST(time_wait_takes_no_connection),
		TEST(oldest_time_wait_gives_way),
		TEST(end_of_the_stack_resets_what_is_open),
		TEST(rows_name_what_is_open),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
