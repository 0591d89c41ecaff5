// SPDX-License-Identifier: BSD-3-Clause
// A stack from within. Who does what:
//
//   stack.c         birth, death, the turn
//   stack_input.c   frame -> packet -> segment -> connection
//   stack_steer.c   whose frame it is, when there are several cores
//   stack_flow.c    connections: opening, closing, news, what they send
//   stack_listen.c  those that others open
//   stack_wait.c    those of which TIME-WAIT is left
//   stack_send.c    packet -> neighbour -> frame -> device
//   stack_arp.c     who has which IPv4 address; ours are announced and defended
//   stack_nd.c      the same of IPv6
//   stack_mld.c     groups that we listen to
//   stack_icmp.c    echoes, and errors about segments of ours
#pragma once

#include <sys/queue.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/ether.h"
#include "dataplane/net/flow_table.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/ip.h"
#include "dataplane/net/limit.h"
#include "dataplane/net/mld.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/net/pmtu.h"
#include "dataplane/net/route.h"
#include "dataplane/net/stack.h"
#include "dataplane/net/timers.h"
#include "dataplane/tcp/time_wait.h"

#define SECOND_NS     1000000000ull
#define LISTENERS_MAX 16
#define OWN_MAX       (STACK_ADDRESSES_MAX + 1) // and the link-local one
#define TROUBLE_LEN   160

#define WAITS_PER_FLOW 4 // connections in TIME-WAIT, for each that can be open

// Frames whose flow we handed to another core, four to a set.
#define HANDED_SETS 256
#define HANDED_WAYS 4

// One of our addresses.
struct own_address {
	struct net_prefix at;
	bool is_tentative;     // IPv6: we still look whether somebody has it (RFC 4862, 5.4)
	bool is_duplicate;     // somebody has
	uint8_t n_steps;       // of own_run() that are done
	uint64_t due_ns;       // of the next one
	uint64_t usable_ns;    // IPv6: no longer tentative
	uint64_t contested_ns; // somebody else used it last; 0: never
	uint64_t defended_ns;
	uint8_t rival[MAC_LEN];
};

TAILQ_HEAD(flow_list, flow);

struct listener {
	uint16_t port; // 0: unused
	unsigned n_allowed;
	struct net_prefix *allowed;  // n_allowed 0: everybody
	unsigned backlog, n_pending; // opening, or not yet taken by stack_accept()
	struct flow_list opened;
};

struct flow {
	// read for each segment
	struct tcp *tcp; // NULL: the flow is unused
	struct stack *stack;
	struct neighbour *neighbour;
	uint32_t neighbour_version; // of what stands in `head`
	uint32_t index;
	uint32_t path_mtu; // as known when it began; 0: nothing was
	uint8_t family, l2_len, head_len;
	bool is_ready, has_news;
	sum_t addresses_sum; // of the pseudo-header
	sum_t header_sum;    // of the IPv4 header without length
	uint8_t head[64];    // Ethernet and IP, the length still 0
	TAILQ_ENTRY(flow) ready;

	unsigned events; // enum tcp_event that nobody has taken
	bool is_closed;  // flow_close(): nobody wants it any more
	bool is_counted; // among the connections of this core
	bool is_opened;  // waits in listener->opened
	void *owner;
	struct listener *listener; // until stack_accept()
	uint64_t starts_ns;        // our address may not be used before
	struct net_address hop, remote;
	struct flow_row *row;
	struct trace_ring *trace;
	TAILQ_ENTRY(flow) news; // or, unused: the next unused one
};

// What is left of connections in TIME-WAIT, the first to end first. When there is no room for one
// more, that one gives way.
struct waits {
	struct time_wait *rows;
	struct flow_table table;
	uint32_t first, last; // in the order of their ends
	uint32_t unused;      // linked by `behind`
};

struct steer_frame;

struct handed {
	struct flow_key key;
	uint16_t core;
	uint64_t used_ns; // 0: unused
};

struct stack {
	struct nic *nic;
	struct stack_settings set;
	struct stack_counters c;
	uint8_t mac[MAC_LEN];
	uint16_t mtu, vlan;
	uint32_t offloads; // of the device, those that we make use of
	unsigned l2_len;
	uint64_t random;
	struct tcp_host *host;

	struct routes routes;
	struct own_address own[OWN_MAX];
	unsigned n_own;
	struct neighbours neighbours;
	struct pmtus pmtus;
	struct limit rst_limit, echo_limit;
	uint64_t chores_ns; // when stack_chores() is due
	bool is_speaker;    // announces and answers for our addresses: one core does

	struct flow *flows;
	struct flow_table table;
	struct timers timers;
	struct waits waits;
	struct flow_list ready, news, unused;
	unsigned n_news;   // flows that got news in this turn
	uint64_t retry_ns; // the device was full; 0: it was not
	struct listener listeners[LISTENERS_MAX];
	struct handed handed[HANDED_SETS][HANDED_WAYS];

	struct {                       // multicast listener discovery
		uint64_t due_ns;       // of the next report
		uint8_t n_joined;      // reports of our joining that went out
		uint64_t old_until_ns; // routers of version 1 are there
	} mld;
	struct { // segments whose checksum was left to a NIC
		struct net_address by;
		uint64_t seen_ns;
		unsigned n;
	} unsummed;
	uint64_t turn_ns; // of the last turn
	unsigned n_frames; // taken by stack_receive(), for the turn to come
	struct nic_frame frames[NIC_BURST];
	char *trouble;    // TROUBLE_LEN bytes
};

// A received frame on its way up.
struct received {
	const struct nic_frame *frame;
	struct ether ether;
	struct ip_packet ip;
	bool is_group;  // Ethernet's target is not ours alone
	const struct steer_frame *handed; // by another core; NULL: the device brought it
	bool is_copy;                     // learn from it, do not answer
	uint64_t now_ns;
};

// A packet to be sent that belongs to no connection.
struct packet {
	const struct net_address *from, *to;
	const uint8_t *mac; // where to; NULL: find out
	uint8_t protocol, hop_limit;
	const uint8_t *head; // behind the IP header
	unsigned head_len;   // 100 at most
	const void *body;
	size_t body_len;
};

static inline uint64_t stack_random(struct stack *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15; // splitmix64
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline void chore_at(struct stack *s, uint64_t due_ns)
{
	if (due_ns < s->chores_ns)
		s->chores_ns = due_ns;
}

// stack.c
struct own_address *own_find(struct stack *s, const struct net_address *a);
bool own_is_usable(struct stack *s, const struct net_address *a); // ours, and ours for sure
void own_contested(struct stack *s, struct own_address *own, const uint8_t mac[MAC_LEN],
		   uint64_t now_ns);

// stack_input.c
// @param handed  NULL: the device brought it to us
void frame_input(struct stack *s, const struct nic_frame *f, const struct steer_frame *handed,
		 uint64_t now_ns);

// stack_steer.c
// Hand the frame of an unknown flow to the core whose it is. @return false: it is ours
bool steer_away(struct stack *s, struct received *r, const struct tcp_segment *seg,
		const struct flow_key *key);
void steer_copies(struct stack *s, const struct received *r); // to all other cores
void steer_input(struct stack *s, uint64_t now_ns);

// stack_flow.c
// @return NULL: there are too many
struct flow *flow_new(struct stack *s, const struct tcp_tuple *tuple, const struct route *route,
		      uint64_t now_ns);
// tcp_connect() or tcp_accept() has given `tcp`: from now on it can be found.
void flow_begin(struct flow *f, struct tcp *tcp);
void flow_free(struct flow *f);
void flow_ready(struct flow *f);
void flows_run(struct stack *s, uint64_t now_ns);
void flow_abort(struct flow *f, uint64_t now_ns); // RST now

// stack_listen.c
struct listener *listener_find(struct stack *s, uint16_t port);
void listener_input(struct stack *s, struct listener *l, const struct tcp_tuple *tuple,
		    const struct tcp_segment *syn, uint64_t now_ns);
void listener_news(struct flow *f, unsigned events); // of a flow that is not yet accepted
void listener_forget(struct flow *f);

// stack_wait.c
int waits_init(struct stack *s, const uint8_t secret[16]); // @return 0, or -ENOMEM
void waits_fini(struct stack *s);
// Let a closed connection go for what is left of it in TIME-WAIT. @return false: not yet
bool wait_begin(struct flow *f);
// @return false: it belongs to none of them, or opens a new connection in the place of one
bool wait_input(struct stack *s, const struct received *r, const struct tcp_segment *seg,
		const struct flow_key *key);
void waits_run(struct stack *s, uint64_t now_ns); // end those that are over
uint64_t waits_deadline(const struct stack *s);

// stack_send.c
// @return 0, or -ENOBUFS, -EMSGSIZE as nic_send(); counted
int frame_send(struct stack *s, struct nic_packet *p);
void packet_send(struct stack *s, const struct packet *p, uint64_t now_ns);
void segment_send(struct stack *s, const struct tcp_tuple *tuple, const struct tcp_segment *seg,
		  uint64_t now_ns);
void held_send(struct stack *s, struct neighbour *n); // it has answered
void neighbours_run(struct stack *s, uint64_t now_ns);

// stack_arp.c
void arp_input(struct stack *s, const struct received *r);
void arp_ask(struct stack *s, const struct neighbour *n, bool is_unicast);
void arp_announce(struct stack *s, const struct own_address *own);

// stack_nd.c
void nd_input(struct stack *s, const struct received *r);
void nd_ask(struct stack *s, const struct neighbour *n, bool is_unicast, uint64_t now_ns);
void nd_probe(struct stack *s, const struct own_address *own, uint64_t now_ns);
void nd_announce(struct stack *s, const struct own_address *own, uint64_t now_ns);

// stack_mld.c
void mld_input(struct stack *s, const struct received *r);
void mld_run(struct stack *s, uint64_t now_ns);

// stack_icmp.c
void icmp_input(struct stack *s, const struct received *r);
// An error of our own about a segment that could not be sent.
void icmp_lost(struct stack *s, const struct nic_packet *p, int error, uint64_t now_ns);
