// SPDX-License-Identifier: BSD-3-Clause
// One core's network: a nic's queue, addresses, routes and neighbours, and the connections on it.
//
//   stack_turn(): nic_receive() -> ether_input() -> arp / nd / icmp / ip -> tcp_input()
//                 timers -> tcp_output() of all that have something -> nic_send() -> nic_flush()
//
// Nothing is shared with other cores but what steer.h hands over. No clock is read here.
#pragma once

#include "dataplane/net/address.h"
#include "dataplane/tcp/tcp.h"
#include "drivers/nic.h"

#define STACK_ADDRESSES_MAX 16
#define STACK_ROUTES_MAX    16

struct steer;
struct flow_row;
struct trace_zone;

struct stack_settings {
	struct tcp_settings tcp;
	uint8_t mac[6]; // ours; all 0: the nic's
	uint16_t vlan;  // tag of all our frames, 1-4094; 0: untagged
	uint16_t mtu;   // 0: the nic's
	unsigned n_addresses;
	struct net_prefix addresses[STACK_ADDRESSES_MAX];
	unsigned n_routes;
	struct net_route routes[STACK_ROUTES_MAX];
	unsigned connections_max; // those in TIME-WAIT apart
	// Which core of how many this is: local ports are those with port % n_cores == core, and
	// the nic's queue of the same number is ours.
	unsigned core, n_cores;
	struct steer *steer; // shared by the stacks of all cores, outlives them; NULL: one core
	// Where connections are noted for the next life (contract/flows.h), `n_rows` of this core's
	// own; NULL: nowhere.
	struct flow_row *rows;
	unsigned n_rows;
	// Where they are traced (contract/trace.h): `n_traces` rings from `trace_first` on, of as
	// many connections; NULL: nowhere.
	struct trace_zone *traces;
	uint32_t trace_first, n_traces;
};

struct stack;
struct flow; // a connection with its place in the stack

// @param nic     borrowed; must outlive the stack
// @param secret  16 bytes of this boot
// @return 0, or -errno: -ENOMEM, -EINVAL (an address twice, no address, a gateway out of reach)
int stack_new(struct nic *nic, const struct stack_settings *set, const uint8_t secret[16],
	      uint64_t seed, uint64_t now_ns, struct stack **out);

// Sends RST for what is still open, then frees everything.
void stack_free(struct stack *s, uint64_t now_ns);

// Take a burst from the nic ahead of stack_turn(), which does it otherwise. Who reads the clock
// between the two never dates a frame before its arrival: on a core that was taken away meanwhile,
// a round trip would be measured too short.
void stack_receive(struct stack *s);

// Take what has arrived, run timers that are due, send what is to be sent.
//
// @return flows with news (stack_next_news()), plus frames taken; 0: nothing happened
unsigned stack_turn(struct stack *s, uint64_t now_ns);

// When the next turn is due without other cause.
uint64_t stack_deadline(const struct stack *s);

// Begin a connection. The address is resolved to a neighbour while the SYN waits.
//
// @param owner  kept with the flow
// @return 0; -ENETUNREACH: no address or route of ours reaches it; -EADDRNOTAVAIL: no port is free;
// -ENOBUFS: connections_max; -ENOMEM
int stack_connect(struct stack *s, const struct net_address *to, uint16_t port, void *owner,
		  uint64_t now_ns, struct flow **out);

// Take connections to a port of ours. Only from `allowed` prefixes; n 0: from everywhere.
// @return 0, -EADDRINUSE, -ENOMEM
int stack_listen(struct stack *s, uint16_t port, const struct net_prefix *allowed, unsigned n,
		 unsigned backlog);

// The next established connection to a listening port, now the caller's. @return NULL: none
struct flow *stack_accept(struct stack *s, uint16_t port, void *owner);

// A flow with events that nobody has taken, and its events (enum tcp_event). NULL: none
struct flow *stack_next_news(struct stack *s, unsigned *events);

struct tcp *flow_tcp(struct flow *f);
void *flow_owner(const struct flow *f);

// The number of the link that it serves, for its trace.
void flow_set_link(struct flow *f, uint32_t link);

// After calls to tcp_read(), tcp_write(), tcp_shutdown(): have its output looked at in the next
// turn.
void flow_touch(struct flow *f);

// tcp_close(), and forget it: the stack frees it when TCP is done with it.
void flow_close(struct flow *f, uint64_t now_ns);

// Whether connections are closing that have something to send or wait for its acknowledgement.
bool stack_is_busy(const struct stack *s);

// Every drop has a name that is also its counter.
// clang-format off
#define STACK_COUNTERS(X)  \
	X(frames_in)       \
	X(frames_out)      \
	X(not_ours)        \
	X(own_mac)         \
	X(bad_vlan)        \
	X(bad_ether)       \
	X(other_protocol)  \
	X(bad_ip)          \
	X(bad_ip_sum)      \
	X(fragments)       \
	X(bad_tcp)         \
	X(bad_tcp_sum)     \
	X(no_connection)   \
	X(syn_dropped)     \
	X(not_allowed)     \
	X(forwarded_in)    \
	X(forwarded_out)   \
	X(forward_full)    \
	X(arp_in)          \
	X(arp_out)         \
	X(bad_arp)         \
	X(nd_in)           \
	X(nd_out)          \
	X(bad_nd)          \
	X(icmp_in)         \
	X(icmp_out)        \
	X(bad_icmp)        \
	X(icmp_limited)    \
	X(address_conflicts) \
	X(no_neighbour)    \
	X(pending_dropped) \
	X(pmtu_reduced)    \
	X(rst_out)         \
	X(rst_limited)     \
	X(tx_full)         \
	X(tx_too_long)
// clang-format on

#define X(name) uint64_t name;
struct stack_counters {
	STACK_COUNTERS(X)
};
#undef X

// Have the peer of a connection of a former life find out that it is gone: it is made to answer,
// and the answer is refused with the RST that fits. After the rows were taken over, before they are
// written anew.
//
// @return 0; -EINVAL: the row is not in use; -EADDRNOTAVAIL: the address is no longer ours;
// -EEXIST: the connection is alive
int stack_poke(struct stack *s, const struct flow_row *row, uint64_t now_ns);

const struct stack_counters *stack_counters(const struct stack *s);

// Whether the gateway answers, for `status`. @return a sentence, or NULL when there is nothing to
// say
const char *stack_trouble(const struct stack *s);
