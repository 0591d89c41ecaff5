// SPDX-License-Identifier: BSD-3-Clause
// Whole stacks: Ethernet, ARP or ND, IP, sums and all, over the nic of the simulation.
//
//   step(): stack_turn() -> accept -> news -> the applications -> stack_turn() of what they did
#include "tests/sim/lab_priv.h"

#include <errno.h>
#include <string.h>

#include "drivers/nic_wire.h"

#define TURNS_MAX 10000 // in one step; a stack takes a burst a turn

static struct net_address own_address(const struct lab *l, unsigned end)
{
	struct net_address a = {.family = l->set.is_ip6 ? 6 : 4};

	if (l->set.is_ip6) {
		a.bytes[0] = 0xfd;
		a.bytes[15] = (uint8_t)(1 + end);
	} else {
		memcpy(a.bytes, (uint8_t[]){10, 0, 0, (uint8_t)(1 + end)}, 4);
	}
	return a;
}

static int open_nic(struct lab *l, unsigned end)
{
	struct nic_wire_settings set = {
		.name = end ? "b" : "a",
		.mac = {2, 0, 0, 0, 0, (uint8_t)(1 + end)},
		.mtu = l->set.mtu,
		.offloads = l->set.offloads[end],
		.tso_max = 65535,
		.sums = (enum nic_sum)l->set.sums,
		.refuse = l->set.refuse,
		.seed = l->set.seed * 2 + end,
	};

	return nic_wire_open(&set, l->wire[end], l->wire[!end], &l->now_ns, &l->nic[end]);
}

static int stack_end_new(struct lab *l, unsigned end)
{
	struct stack_settings set = {
		.tcp = l->set.tcp[end],
		.vlan = l->set.vlan,
		.n_addresses = 1,
		.addresses = {{own_address(l, end), l->set.is_ip6 ? 64 : 24}},
		.connections_max = 2 * LAB_FLOWS_MAX,
		.n_cores = 1,
	};
	uint8_t secret[16] = {(uint8_t)end};
	int rc = open_nic(l, end);

	memcpy(secret + 8, &l->set.seed, sizeof(l->set.seed));
	if (!rc)
		rc = stack_new(l->nic[end], &set, secret, l->set.seed * 2 + end, l->now_ns,
			       &l->stack[end]);
	for (unsigned i = 0; end == 1 && !rc && i < LAB_FLOWS_MAX; i++)
		rc = stack_listen(l->stack[end], (uint16_t)(LAB_PORT + i), NULL, 0, 4);
	return rc;
}

static void stack_end_free(struct lab *l, unsigned end)
{
	if (l->stack[end])
		stack_free(l->stack[end], l->now_ns);
	if (l->nic[end])
		nic_close(l->nic[end]);
}

static int stack_end_open(struct lab *l, struct side *s)
{
	const struct net_address to = own_address(l, 1);
	int rc = stack_connect(l->stack[0], &to, (uint16_t)(LAB_PORT + s->flow), s, l->now_ns,
			       &s->flow_of_stack);

	if (!rc)
		s->tcp = flow_tcp(s->flow_of_stack);
	return rc;
}

// The application's turn, and what it means for the stack.
static bool step_side(struct lab *l, struct side *s, unsigned events)
{
	struct flow *f = s->flow_of_stack;
	bool did = side_step(l, s, events);

	if (s->is_closed) // the stack ends it by itself
		side_gone(l, s);
	else if (did)
		flow_touch(f);
	return did;
}

static bool accept_all(struct lab *l, unsigned end)
{
	bool did = false;

	for (unsigned i = 0; end == 1 && i < l->n_flows; i++) {
		struct side *s = &l->flows[i].sides[1];
		uint16_t port = (uint16_t)(LAB_PORT + i);
		struct flow *f = stack_accept(l->stack[end], port, s);
		if (!f)
			continue;
		if (s->flow_of_stack || s->is_gone)
			lab_fail(l, "flow %u: accepted twice", i);
		did = true;
		s->flow_of_stack = f;
		s->tcp = flow_tcp(f);
		// What came with the opening may have been told of before it had an owner.
		step_side(l, s, TCP_OPENED | TCP_READABLE | TCP_WRITABLE);
	}
	return did;
}

static bool step_sides(struct lab *l, unsigned end)
{
	unsigned events;
	bool did = false;

	for (struct flow *f; (f = stack_next_news(l->stack[end], &events));) {
		struct side *s = flow_owner(f);
		if (!s)
			continue;
		did = true;
		if (s->flow_of_stack != f)
			lab_fail(l, "end %u: news of a connection that was closed", end);
		else
			step_side(l, s, events & ~(s->is_opened ? (unsigned)TCP_OPENED : 0));
	}
	for (unsigned i = 0; i < l->n_flows; i++) {
		struct side *s = &l->flows[i].sides[end];
		if (s->tcp && side_deadline(l, s) <= l->now_ns)
			did |= step_side(l, s, 0);
	}
	return did;
}

static bool stack_end_step(struct lab *l, unsigned end)
{
	uint64_t sent = l->nic[end]->counters.tx_frames;
	bool did = false, goes_on = true;

	for (unsigned n = 0; goes_on && !l->error[0]; n++) {
		goes_on = stack_turn(l->stack[end], l->now_ns) > 0;
		goes_on |= accept_all(l, end);
		goes_on |= step_sides(l, end);
		did |= goes_on;
		if (n > TURNS_MAX)
			lab_fail(l, "end %u: turns without end", end);
	}
	did |= l->nic[end]->counters.tx_frames != sent;
	for (unsigned i = 0; i < l->n_flows && did; i++)
		if (l->flows[i].sides[end].tcp)
			side_check(l, &l->flows[i].sides[end], l->set.refuse > 0);
	l->n_segments[end] = l->nic[end]->counters.tx_frames;
	return did;
}

static uint64_t stack_end_deadline(struct lab *l, unsigned end)
{
	return stack_deadline(l->stack[end]);
}

static void stack_end_too_big(struct lab *l, unsigned end, const uint8_t *frame, uint32_t len,
			      uint16_t mtu)
{
	uint8_t out[2048];

	wire_put(l->wire[!end], out, icmp_too_big(frame, len, mtu, out), l->now_ns);
}

const struct lab_end_ops lab_stack = {
	.new = stack_end_new,
	.free = stack_end_free,
	.open = stack_end_open,
	.step = stack_end_step,
	.deadline = stack_end_deadline,
	.too_big = stack_end_too_big,
};
