// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tcp_settings.h"
#include "tests/unit/net_world.h"

#include "dataplane/net/bytes.h"
#include "dataplane/net/ether.h"
#include "dataplane/net/ip.h"
#include "dataplane/net/rss.h"

static const uint8_t client_mac[MAC_LEN] = {2, 0, 0, 0, 0, 2};
static const uint8_t server_mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};

// What RSS says of a frame; 0 for all that is not TCP.
static unsigned queue_of(const struct host *h, const struct nic_frame *f)
{
	struct ether e;
	struct ip_packet ip;
	if (ether_read(&e, f) || (e.type != ETHER_IP4 && e.type != ETHER_IP6))
		return 0;
	if (e.type == ETHER_IP4 ? ip4_read(&ip, e.body, e.body_len, true)
				: ip6_read(&ip, e.body, e.body_len))
		return 0;
	if (ip.protocol != IP_TCP)
		return 0;
	struct tcp_tuple t = {
		.family = ip.family, .local_port = get16(ip.p + 2), .remote_port = get16(ip.p)};
	memcpy(t.local, ip.target, address_len(ip.family));
	memcpy(t.remote, ip.source, address_len(ip.family));
	return (unsigned)rss_queue(&h->info, &t);
}

static void device_receive(struct host *h)
{
	struct nic_frame frames[NIC_BURST];
	int n = nic_receive(h->wire, frames, NIC_BURST);
	for (int i = 0; i < n; i++) {
		unsigned right = h->spread == SPREAD_NONE ? 0 : queue_of(h, &frames[i]);
		unsigned wrong = h->spread == SPREAD_WRONG;
		struct queue *q = &h->queues[(right + wrong) % h->n_cores];
		assert_true(q->n < QUEUE_FRAMES && frames[i].len <= QUEUE_FRAME_LEN);
		struct queue_frame *f = &q->frames[q->n++];
		f->frame = frames[i];
		f->frame.p = f->bytes;
		memcpy(f->bytes, frames[i].p, frames[i].len);
	}
}

static int queue_receive(struct nic *nic, struct nic_frame *frames, int max)
{
	struct queue *q = (struct queue *)nic;
	int n = 0;
	if (q->at == q->n)
		q->at = q->n = 0;
	device_receive(q->host);
	for (; n < max && q->at < q->n; n++)
		frames[n] = q->frames[q->at++].frame;
	return n;
}

static int queue_send(struct nic *nic, const struct nic_packet *p)
{
	struct host *h = ((struct queue *)nic)->host;
	return h->is_dead ? 0 : nic_send(h->wire, p);
}

static void queue_flush(struct nic *nic)
{
	nic_flush(((struct queue *)nic)->host->wire);
}

static const struct nic_ops queue_ops = {
	.name = "queue",
	.receive = queue_receive,
	.send = queue_send,
	.flush = queue_flush,
};

static void host_device(struct world *w, struct host *h, const struct world_settings *set,
			const uint8_t *mac, struct wire *out, struct wire *in)
{
	struct nic_wire_settings wire = {
		.name = "wire",
		.mtu = 1500,
		.offloads = set->offloads,
		.tso_max = set->offloads & NIC_TSO ? 20000 : 0,
		.sums = set->sums,
	};
	memcpy(wire.mac, mac, MAC_LEN);
	assert_int_equal(nic_wire_open(&wire, out, in, &w->now_ns, &h->wire), 0);
	h->info = *h->wire->info;
	h->info.n_queues = (uint16_t)h->n_cores;
	h->info.rss_key_len = 40;
	h->info.n_reta = 128;
	for (unsigned i = 0; i < 40; i++)
		h->info.rss_key[i] = (uint8_t)(i * 37 + 11);
	for (unsigned i = 0; i < 128; i++)
		h->info.reta[i] = (uint16_t)(i % h->n_cores);
	for (unsigned i = 0; i < h->n_cores; i++) {
		struct queue *q = &h->queues[i];
		q->host = h;
		q->nic = (struct nic){&queue_ops, &h->info, (uint16_t)i, {0}};
	}
}

static struct stack_settings settings(const struct world_settings *set,
				      const struct net_address *address)
{
	struct stack_settings s = {
		.tcp = tcp_settings_usual(),
		.vlan = set->vlan,
		.n_addresses = 1,
		.addresses = {{*address, set->is_six ? 64 : 24}},
		.connections_max = 64,
	};
	s.tcp.segment_max = 64 << 10;
	return s;
}

void host_start(struct world *w, struct host *h)
{
	static const uint8_t secret[16] = "a secret of ours";
	h->set.n_cores = h->n_cores;
	h->steer = h->n_cores > 1 ? steer_new(h->n_cores, QUEUE_FRAME_LEN) : NULL;
	h->set.steer = h->steer;
	for (unsigned i = 0; i < h->n_cores; i++) {
		h->set.core = i;
		assert_int_equal(stack_new(&h->queues[i].nic, &h->set, secret, w->now_ns + i,
					   w->now_ns, &h->stacks[i]),
				 0);
	}
}

void host_stop(struct world *w, struct host *h)
{
	for (unsigned i = 0; i < h->n_cores; i++) {
		stack_free(h->stacks[i], w->now_ns);
		h->stacks[i] = NULL;
	}
	steer_free(h->steer);
}

void world_new(struct world *w, const struct world_settings *set)
{
	memset(w, 0, sizeof(*w));
	struct wire_settings wire = {.path = {.rate = 1000000000, .delay_ns = MS / 10},
				     .loss = set->loss};
	assert_int_equal(wire_new(&wire, 1, &w->up), 0);
	assert_int_equal(wire_new(&wire, 2, &w->down), 0);
	w->now_ns = SECOND;
	w->client_address = at(set->is_six ? "2001:db8::2" : "10.0.0.2");
	w->server_address = at(set->is_six ? "2001:db8::9" : "10.0.0.9");
	w->client.n_cores = set->n_cores;
	w->client.spread = set->spread;
	w->server.n_cores = 1;
	host_device(w, &w->client, set, client_mac, w->up, w->down);
	host_device(w, &w->server, set, server_mac, w->down, w->up);
	w->client.set = settings(set, &w->client_address);
	w->server.set = settings(set, &w->server_address);
	host_start(w, &w->client);
	host_start(w, &w->server);
}

void world_free(struct world *w)
{
	host_stop(w, &w->client);
	host_stop(w, &w->server);
	nic_close(w->client.wire);
	nic_close(w->server.wire);
	wire_free(w->up);
	wire_free(w->down);
}

static uint64_t host_turn(struct world *w, struct host *h)
{
	uint64_t next_ns = UINT64_MAX;
	for (unsigned i = 0; i < h->n_cores; i++)
		stack_turn(h->stacks[i], w->now_ns);
	for (unsigned i = 0; i < h->n_cores; i++) {
		uint64_t at_ns = stack_deadline(h->stacks[i]);
		if (h->queues[i].at < h->queues[i].n)
			at_ns = 0;
		next_ns = at_ns < next_ns ? at_ns : next_ns;
	}
	return next_ns;
}

bool world_step(struct world *w, uint64_t end_ns)
{
	uint64_t next_ns[4] = {host_turn(w, &w->client), host_turn(w, &w->server),
			       wire_deadline(w->up), wire_deadline(w->down)};
	uint64_t first_ns = end_ns;
	for (unsigned i = 0; i < 4; i++)
		first_ns = next_ns[i] < first_ns ? next_ns[i] : first_ns;
	if (first_ns > w->now_ns)
		w->now_ns = first_ns;
	return w->now_ns < end_ns;
}
