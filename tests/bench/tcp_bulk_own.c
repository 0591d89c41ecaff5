// SPDX-License-Identifier: BSD-3-Clause
// pass() -> stack_turn() -> news_take() -> send_some() or read_all() -> idle_wait()
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/net/host.h"
#include "drivers/idle.h"
#include "tests/bench/tcp_bulk.h"

#define CHUNK  (64 * 1024)
#define CHUNKS 16 // most that are written in one turn: a full buffer takes a while to copy

struct bulk {
	bool is_sender;
	uint16_t port;
	struct net_address peer;
	struct nic *nic;
	struct stack *stack;
	struct flow *flow;
	struct idle idle;
	bool is_ready; // bytes may be written, or are there to be read
	uint64_t passed;
	uint8_t bytes[CHUNK];
};

static uint64_t clock_ns(void)
{
	return clock_kernel.read().mono_ns;
}

static bool settings_read(const struct bulk_options *o, struct stack_settings *set,
			  struct net_address *peer, struct network *network)
{
	struct ip_prefix own;
	struct ip to = {0};
	bool is_bbr = !strcmp(o->congestion, "bbr");

	*network = (struct network){.congestion = is_bbr ? NETWORK_BBR : NETWORK_CUBIC};
	if ((!is_bbr && strcmp(o->congestion, "cubic")) || ip_prefix_parse(o->prefix, &own) ||
	    (o->peer && ip_parse(o->peer, &to)))
		return false;
	*peer = address_of(to.family, to.bytes);
	*set = (struct stack_settings){.n_addresses = 1, .connections_max = 16, .n_cores = 1};
	set->addresses[0] =
		(struct net_prefix){address_of(own.address.family, own.address.bytes), own.len};
	return true;
}

static int stack_make(struct bulk *b, struct stack_settings *set, const struct network *network)
{
	uint8_t secret[16];
	int rc;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	set->tcp = host_net_tcp(network, b->nic->info);
	rc = stack_new(b->nic, set, secret, 1, clock_ns(), &b->stack);
	if (!rc && !b->is_sender)
		rc = stack_listen(b->stack, b->port, NULL, 0, 1);
	return rc;
}

static void own_close(struct bulk *b)
{
	if (b->stack)
		stack_free(b->stack, clock_ns());
	if (b->nic) {
		nic_flush(b->nic);
		nic_close(b->nic);
	}
	free(b);
}

static struct bulk *own_prepare(const struct bulk_options *o)
{
	struct nic_dpdk_settings device = {.device = o->device, .n_queues = 1, .control_cpu = -1};
	struct stack_settings set;
	struct network network;
	char text[NIC_DPDK_TEXT_LEN] = "an address or the congestion control is not one";
	struct bulk *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return NULL;
	b->is_sender = o->peer;
	b->port = o->port;
	if (!settings_read(o, &set, &b->peer, &network) || nic_dpdk_open(&device, &b->nic, text)) {
		fprintf(stderr, "tcp_bulk: %s\n", text);
		own_close(b);
		return NULL;
	}
	rc = stack_make(b, &set, &network);
	if (rc) {
		fprintf(stderr, "tcp_bulk: no TCP on %s: %s\n", o->device, strerror(-rc));
		own_close(b);
		return NULL;
	}
	idle_init(&b->idle, IDLE_ADAPTIVE);
	idle_add_nic(&b->idle, b->nic);
	return b;
}

// @return events of the flow
static unsigned turn(struct bulk *b, uint64_t now_ns, unsigned *busy)
{
	unsigned events, all = 0;

	*busy = stack_turn(b->stack, now_ns);
	while (stack_next_news(b->stack, &events))
		all |= events;
	return all;
}

static void rest(struct bulk *b, uint64_t now_ns, uint64_t until_ns, bool is_busy)
{
	uint64_t due_ns = stack_deadline(b->stack);

	if (is_busy)
		idle_busy(&b->idle);
	else
		idle_wait(&b->idle, now_ns, due_ns < until_ns ? due_ns : until_ns);
}

static int own_join(struct bulk *b, uint64_t until_ns)
{
	unsigned events, busy;

	if (b->is_sender) {
		int rc = stack_connect(b->stack, &b->peer, b->port, NULL, clock_ns(), &b->flow);

		if (rc)
			return rc;
	}
	for (uint64_t now_ns; (now_ns = clock_ns()) < until_ns;) {
		events = turn(b, now_ns, &busy);
		if (!b->is_sender)
			b->flow = stack_accept(b->stack, b->port, NULL);
		if (b->flow && tcp_state(flow_tcp(b->flow)) == TCP_ESTABLISHED) {
			b->is_ready = true;
			return 0;
		}
		if (events & TCP_FAILED)
			return -tcp_error(flow_tcp(b->flow));
		rest(b, now_ns, until_ns, busy);
	}
	return -ETIMEDOUT;
}

// @return 0, or -errno
static int send_some(struct bulk *b, uint64_t now_ns)
{
	const struct iovec iov = {b->bytes, CHUNK};

	for (unsigned i = 0; i < CHUNKS; i++) {
		ssize_t n = tcp_write(flow_tcp(b->flow), &iov, 1, now_ns);

		if (n == -EAGAIN) {
			b->is_ready = false;
			break;
		}
		if (n < 0)
			return (int)n;
		b->passed += (uint64_t)n;
	}
	flow_touch(b->flow);
	return 0;
}

static int read_all(struct bulk *b, uint64_t now_ns)
{
	for (;;) {
		ssize_t n = tcp_read(flow_tcp(b->flow), b->bytes, CHUNK, now_ns);

		if (n == -EAGAIN)
			break;
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		b->passed += (uint64_t)n;
	}
	b->is_ready = false;
	flow_touch(b->flow);
	return 0;
}

static int own_pass(struct bulk *b, uint64_t until_ns)
{
	for (uint64_t now_ns; (now_ns = clock_ns()) < until_ns;) {
		unsigned busy, events = turn(b, now_ns, &busy);
		bool had = b->is_ready = b->is_ready || events;
		int rc = 0;

		if (had)
			rc = b->is_sender ? send_some(b, now_ns) : read_all(b, now_ns);
		if (rc)
			return rc;
		rest(b, now_ns, until_ns, busy || had);
	}
	return 0;
}

static void own_read(const struct bulk *b, struct bulk_reading *out)
{
	struct tcp_info i;

	tcp_info(flow_tcp(b->flow), &i);
	*out = (struct bulk_reading){
		.bytes = b->is_sender ? b->passed - i.unsent - i.unacked : b->passed,
		.segments_out = i.segments_out,
		.segments_resent = i.segments_resent,
		.n_rto = i.n_rto,
		.srtt_ns = i.srtt_ns,
		.min_rtt_ns = i.min_rtt_ns,
		.cwnd = i.mss ? i.cwnd / i.mss : 0,
	};
}

const struct bulk_ops bulk_own = {
	.prepare = own_prepare,
	.join = own_join,
	.pass = own_pass,
	.read = own_read,
	.close = own_close,
};
