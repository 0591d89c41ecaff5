// SPDX-License-Identifier: BSD-3-Clause
// host_net_open() -> former_take(), host_net_stack(), stacks_make()
#include "dataplane/net/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/net/steer.h"
#include "dataplane/net/stream_tcp.h"

#define MS_NS           1000000ull
#define SECOND_NS       1000000000ull
#define PUBLISH_NS      (100 * MS_NS)
#define CONNECTIONS_MAX 1024 // of a core
#define WINDOWS_MAX     16 // of a core: to so many in all its buffers grow, whoever has them
#define FRAME_SLACK     32   // of a frame beside its IP packet

// A poke may get lost, as may the answer, and a device that was just opened may not carry anything
// yet: it is said again after 1, 2, 4, .. s.
#define POKES         6
#define POKE_AGAIN_NS SECOND_NS

struct tcp_settings host_net_tcp(const struct network *n, const struct nic_info *nic)
{
	uint64_t window = n->tcp_window ? n->tcp_window : NETWORK_WINDOW;
	return (struct tcp_settings){
		.congestion = n->congestion == NETWORK_BBR ? TCP_BBR : TCP_CUBIC,
		.mss_max = nic->mtu - 40u,
		.mss_min = 1024, // RFC 4821, 7.2
		// Buffers take memory for what lies in them alone.
		.receive_max = window,
		.receive_first = 256ull << 10,
		.send_max = window,
		.memory_max = WINDOWS_MAX * window,
		.segment_max = nic->offloads & NIC_TSO ? nic->tso_max : 0,
		.rto_min_ns = 200 * MS_NS,
		.ack_delay_ns = 40 * MS_NS,
		// Below the 60 s after which a master gives up a replica that is silent.
		.user_timeout_ns = 30 * SECOND_NS,
		.connect_timeout_ns = 120 * SECOND_NS, // the pipeline's own is shorter
		.keepalive_idle_ns = 15 * SECOND_NS,   // as of the kernel's sockets, socket.c
		.keepalive_interval_ns = 5 * SECOND_NS,
		.keepalive_probes = 4,
		.time_wait_ns = 60 * SECOND_NS,
		.pacing = true,
	};
}

// ---- Opening

static struct net_address address_from(const struct ip *ip)
{
	return address_of(ip->family, ip->bytes);
}

struct stack_settings host_net_stack(const struct network *n, const struct nic_info *nic)
{
	struct stack_settings set = {
		.tcp = host_net_tcp(n, nic),
		.vlan = n->vlan,
		.n_addresses = n->n_addresses,
		.n_routes = n->n_gateways,
		.connections_max = CONNECTIONS_MAX,
		.n_cores = 1,
	};
	for (unsigned i = 0; i < n->n_addresses; i++)
		set.addresses[i] = (struct net_prefix){address_from(&n->addresses[i].address),
						       n->addresses[i].len};
	for (unsigned i = 0; i < n->n_gateways; i++) {
		struct net_address gateway = address_from(&n->gateways[i]);
		set.routes[i] = (struct net_route){.to = {.address = {.family = gateway.family}},
						   .gateway = gateway};
	}
	return set;
}

// What a former life left in the rows is ours to read; the stacks begin with empty ones.
static int former_take(struct host_net *h)
{
	struct flow_rows *rows = &h->contract->flows;
	unsigned n = 0;
	for (unsigned i = 0; i < FLOW_ROWS_MAX; i++)
		n += atomic_load(&rows->rows[i].in_use) != 0;
	if (!n)
		return 0;
	h->former = aligned_alloc(64, sizeof(*h->former));
	if (!h->former)
		return -ENOMEM;
	memcpy(h->former, rows, sizeof(*rows));
	memset(rows, 0, sizeof(*rows));
	return 0;
}

static int stacks_make(struct host_net *h, uint64_t now_ns)
{
	struct {
		uint8_t secret[16];
		uint64_t seed;
	} boot;
	const struct nic_info *nic = h->cores[0].nic->info;
	struct stack_settings set;
	if (getrandom(&boot, sizeof(boot), 0) != sizeof(boot))
		return -EIO;
	if (h->n_cores > 1) {
		h->steer = steer_new(h->n_cores, nic->mtu + FRAME_SLACK);
		if (!h->steer)
			return -ENOMEM;
	}
	set = host_net_stack(&h->network, nic);
	set.n_cores = h->n_cores;
	set.steer = h->steer;
	set.traces = &h->contract->traces;
	for (unsigned i = 0; i < h->n_cores; i++) {
		set.core = i;
		set.n_traces = TRACE_FLOWS_MAX / h->n_cores;
		set.trace_first = i * set.n_traces;
		set.n_rows = flow_rows_of(&h->contract->flows, i, h->n_cores, &set.rows);
		int rc = stack_new(h->cores[i].nic, &set, boot.secret, boot.seed + i, now_ns,
				   &h->cores[i].stack);
		if (rc)
			return rc;
	}
	return 0;
}

// "dpdk net_tap0, windows to 64 MB, 10.99.0.2/24, fd00::2/64", as long as it fits.
static void text_compose(struct host_net *h)
{
	const struct nic_info *nic = h->cores[0].nic->info;
	uint64_t window = host_net_tcp(&h->network, nic).receive_max;
	bool is_mb = window >= 1 << 20;
	size_t len = (size_t)snprintf(
		h->text, sizeof(h->text), "dpdk %s, windows to %llu %s", nic->name,
		(unsigned long long)(window >> (is_mb ? 20 : 10)), is_mb ? "MB" : "KB");
	for (unsigned i = 0; i < h->network.n_addresses; i++) {
		char address[IP_TEXT_LEN];
		ip_prefix_print(&h->network.addresses[i], address);
		if (len + strlen(address) + 3 > sizeof(h->text) / 2)
			return;
		len += (size_t)snprintf(h->text + len, sizeof(h->text) - len, ", %s", address);
	}
}

int host_net_open(struct host_net *h, const struct network *n, struct contract *contract,
		  unsigned n_cores, char *why)
{
	struct nic *nics[NIC_DPDK_QUEUES_MAX];
	struct nic_dpdk_settings set = {.device = n->nic, .n_queues = n_cores, .control_cpu = -1};
	memset(h, 0, sizeof(*h));
	h->network = *n;
	h->contract = contract;
	if (n_cores > NIC_DPDK_QUEUES_MAX) {
		snprintf(why, NIC_DPDK_TEXT_LEN, "cores: over a device there are %d at most",
			 NIC_DPDK_QUEUES_MAX);
		return -ENOTSUP;
	}
	int rc = nic_dpdk_open(&set, nics, h->opened);
	if (rc) {
		memcpy(why, h->opened, sizeof(h->opened));
		return rc;
	}
	h->n_cores = n_cores;
	for (unsigned i = 0; i < n_cores; i++)
		h->cores[i] = (struct host_net_core){.host = h, .index = i, .nic = nics[i]};
	rc = former_take(h);
	rc = rc ? rc : stacks_make(h, clock_kernel.read().mono_ns);
	if (rc) {
		snprintf(why, NIC_DPDK_TEXT_LEN, "no TCP over the device %s: %s", n->nic,
			 strerror(-rc));
		host_net_close(h);
		return rc;
	}
	text_compose(h);
	return 0;
}

int host_net_loop(struct host_net *h, unsigned core, struct stream_loop **out)
{
	struct host_net_core *c = &h->cores[core];
	return stream_tcp_new(c->stack, c->nic,
			      h->network.idle == NETWORK_SPIN ? IDLE_SPIN : IDLE_ADAPTIVE,
			      &clock_kernel, out);
}

static void core_is_wanted(void *core)
{
	core_wake(core);
}

int host_net_attach(struct host_net *h, struct core *cores)
{
	for (unsigned i = 0; i < h->n_cores; i++) {
		if (h->steer)
			steer_on_wake(h->steer, i, core_is_wanted, &cores[i]);
		int rc = core_add(&cores[i], host_net_turn, &h->cores[i]);
		if (rc)
			return rc;
	}
	return 0;
}

void host_net_close(struct host_net *h)
{
	uint64_t now_ns = clock_kernel.read().mono_ns;
	for (unsigned i = 0; i < h->n_cores; i++)
		if (h->cores[i].stack)
			stack_free(h->cores[i].stack, now_ns);
	if (h->steer)
		steer_free(h->steer);
	for (unsigned i = 0; i < h->n_cores; i++)
		nic_close(h->cores[i].nic);
	free(h->former);
	memset(h, 0, sizeof(*h));
}

// ---- Turns

// Peers of the former life, of connections whose answers will come to this core.
static void former_poke(struct host_net_core *c, uint64_t now_ns)
{
	const struct host_net *h = c->host;
	for (unsigned i = 0; i < FLOW_ROWS_MAX; i++) {
		const struct flow_row *row = &h->former->rows[i];
		if (row->local_port % h->n_cores == c->index)
			stack_poke(c->stack, row, now_ns);
	}
}

static void counters_publish(const struct host_net_core *c)
{
	struct network_counters *out = &c->host->contract->network_counters[c->index];
	const struct stack_counters *stack = stack_counters(c->stack);
	const struct nic_counters *nic = &c->nic->counters;
	if (c->nic->ops->count)
		c->nic->ops->count(c->nic);
#define X(name) counter_set(&out->name, stack->name);
	STACK_COUNTERS(X)
#undef X
	counter_set(&out->bytes_in, nic->rx_bytes);
	counter_set(&out->bytes_out, nic->tx_bytes);
	counter_set(&out->device_full, nic->tx_full);
	counter_set(&out->device_missed, nic->rx_missed);
	counter_set(&out->device_no_memory, nic->rx_no_memory);
}

// One core speaks for all: they share the gateway.
static void state_publish(const struct host_net_core *c)
{
	char text[2 * TEXT_LEN];
	const char *trouble = stack_trouble(c->stack);
	snprintf(text, sizeof(text), "%s%s", c->host->text,
		 trouble                       ? ""
		 : c->host->network.n_gateways ? ", gateway answers"
					       : "");
	shared_text_set(&c->host->contract->network, text);
	shared_text_set(&c->host->contract->network_trouble, trouble ? trouble : "");
}

bool host_net_turn(void *part, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct host_net_core *c = part;
	bool pokes = c->host->former && c->n_pokes < POKES;
	if (pokes && now->mono_ns >= c->poke_ns) {
		former_poke(c, now->mono_ns);
		c->poke_ns = now->mono_ns + (POKE_AGAIN_NS << c->n_pokes++);
	}
	if (now->mono_ns >= c->publish_ns) {
		counters_publish(c);
		if (!c->index)
			state_publish(c);
		c->publish_ns = now->mono_ns + PUBLISH_NS;
	}
	*deadline_ns = c->publish_ns;
	return false;
}
