// SPDX-License-Identifier: BSD-3-Clause
// stack_turn(): nic_receive() -> frame_input(), steer_input()
//               -> stack_chores() -> neighbours_run() -> flows_run() -> nic_flush()
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/contract/flows.h"
#include "dataplane/net/stack_priv.h"
#include "dataplane/net/steer.h"

#define ANNOUNCE_N   2                // RFC 5227, 1.1: ANNOUNCE_NUM
#define ANNOUNCE_NS  (2 * SECOND_NS)  // ANNOUNCE_INTERVAL
#define DEFEND_NS    (10 * SECOND_NS) // DEFEND_INTERVAL
#define PROBE_NS     SECOND_NS        // RFC 4862, 5.4: RetransTimer, one transmission
#define CONTESTED_NS (60 * SECOND_NS) // for so long we speak of it
#define UNSUMMED_NS  CONTESTED_NS
#define SEGMENT_MAX  65000            // with its headers it fits into IP's length
#define LINE_LEN     64               // of the cache
#define HEADERS_LEN  (IP4_LEN + TCP_HEADER_MIN)

struct own_address *own_find(struct stack *s, const struct net_address *a)
{
	for (unsigned i = 0; i < s->n_own; i++) {
		if (address_eq(&s->own[i].at.address, a))
			return &s->own[i];
	}
	return NULL;
}

bool own_is_usable(struct stack *s, const struct net_address *a)
{
	const struct own_address *own = own_find(s, a);
	return own && !own->is_tentative && !own->is_duplicate;
}

static void flows_abort(struct stack *s, const struct net_address *local, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->set.connections_max; i++) {
		struct flow *f = &s->flows[i];
		if (!f->tcp || (local && memcmp(tcp_tuple(f->tcp)->local, local->bytes, 16) != 0))
			continue;
		flow_abort(f, now_ns);
		flow_ready(f);
	}
}

// Somebody else uses an address of ours. IPv4: we hold on to it, but not in a war (RFC 5227, 2.4,
// (b)). IPv6: before we used it ourselves we give it up (RFC 4862, 5.4.5).
void own_contested(struct stack *s, struct own_address *own, const uint8_t mac[MAC_LEN],
		   uint64_t now_ns)
{
	s->c.address_conflicts++;
	own->contested_ns = now_ns ? now_ns : 1;
	memcpy(own->rival, mac, MAC_LEN);
	if (own->is_tentative) {
		own->is_tentative = false;
		own->is_duplicate = true;
		flows_abort(s, &own->at.address, now_ns);
	} else if (own->at.address.family == 4 && s->is_speaker && now_ns >= own->defended_ns) {
		own->defended_ns = now_ns + DEFEND_NS;
		arp_announce(s, own);
	}
}

// A gateway is asked for before anybody needs it, so that `status` can tell of its loss.
static void gateways_want(struct stack *s, const struct net_address *source, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->routes.n; i++) {
		const struct route *row = &s->routes.rows[i];
		const struct route *via = route_find(&s->routes, &row->gateway);
		if (row->gateway.family && via && address_eq(&via->source, source))
			neighbour_want(&s->neighbours, &row->gateway, now_ns)->is_gateway = true;
	}
}

// IPv6: looked for, and a second later announced (RFC 4862, 5.4).
static void own_run6(struct stack *s, struct own_address *own, uint64_t now_ns)
{
	if (own->n_steps++ == 0) {
		own->due_ns = own->usable_ns = now_ns + PROBE_NS;
		if (s->is_speaker)
			nd_probe(s, own, now_ns);
		return;
	}
	own->is_tentative = false;
	own->due_ns = UINT64_MAX;
	gateways_want(s, &own->at.address, now_ns);
	if (s->is_speaker)
		nd_announce(s, own, now_ns);
}

// IPv4: announced at once, without the seconds of probing of RFC 5227, 2.1: the address is the
// operator's choice, and a takeover must not wait. Conflicts show as they come.
static void own_run4(struct stack *s, struct own_address *own, uint64_t now_ns)
{
	if (own->n_steps++ == 0)
		gateways_want(s, &own->at.address, now_ns);
	own->due_ns = own->n_steps < ANNOUNCE_N ? now_ns + ANNOUNCE_NS : UINT64_MAX;
	if (s->is_speaker)
		arp_announce(s, own);
}

static void own_run(struct stack *s, struct own_address *own, uint64_t now_ns)
{
	if (own->is_duplicate || now_ns < own->due_ns)
		return;
	if (own->at.address.family == 6)
		own_run6(s, own, now_ns);
	else
		own_run4(s, own, now_ns);
}

static void stack_chores(struct stack *s, uint64_t now_ns)
{
	s->chores_ns = UINT64_MAX;
	if (s->is_speaker)
		mld_run(s, now_ns); // before the probes, so that switches let the answers through
	for (unsigned i = 0; i < s->n_own; i++) {
		own_run(s, &s->own[i], now_ns);
		if (!s->own[i].is_duplicate)
			chore_at(s, s->own[i].due_ns);
	}
	if (s->is_speaker)
		chore_at(s, s->mld.due_ns);
}

// Every host on IPv6 has a link-local address (RFC 4291, 2.8): take one if none was given.
static int addresses_init(struct stack *s)
{
	struct net_prefix all[OWN_MAX] = {0};
	struct net_route statics[STACK_ROUTES_MAX] = {0};
	bool has_six = false, has_link_local = false;
	const char *why;
	unsigned n = 0;
	if (s->set.n_addresses > STACK_ADDRESSES_MAX || s->set.n_routes > STACK_ROUTES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < s->set.n_addresses; i++) {
		const struct net_address *a = &s->set.addresses[i].address;
		all[n++] = (struct net_prefix){address_of(a->family, a->bytes),
					       s->set.addresses[i].len};
		has_six |= a->family == 6;
		has_link_local |= a->family == 6 && address_is_link_local(a);
	}
	if (has_six && !has_link_local)
		all[n++] = (struct net_prefix){address_of_mac(s->mac), 64};
	for (unsigned i = 0; i < s->set.n_routes; i++) {
		const struct net_route *r = &s->set.routes[i];
		statics[i].to.len = r->to.len;
		statics[i].to.address = address_of(r->to.address.family, r->to.address.bytes);
		statics[i].gateway = address_of(r->gateway.family, r->gateway.bytes);
	}
	int error = routes_init(&s->routes, all, n, statics, s->set.n_routes, &why);
	for (unsigned i = 0; i < n; i++)
		s->own[s->n_own++].at = all[i];
	return error;
}

// What TCP has to know of the device.
static void tcp_settings_fit(struct stack *s)
{
	struct tcp_settings *t = &s->set.tcp;
	const struct nic_info *info = s->nic->info;
	uint32_t needed = NIC_TX_IP_SUM | NIC_TX_TCP_SUM | NIC_TSO, mss = s->mtu - HEADERS_LEN;
	s->offloads = info->offloads;
	if ((s->offloads & needed) != needed || !info->tso_max)
		s->offloads &= ~(uint32_t)NIC_TSO;
	if (!(s->offloads & NIC_TSO))
		t->segment_max = 0;
	else if (!t->segment_max || t->segment_max > info->tso_max)
		t->segment_max = info->tso_max;
	if (t->segment_max > SEGMENT_MAX)
		t->segment_max = SEGMENT_MAX;
	if (!t->mss_max || t->mss_max > mss)
		t->mss_max = mss;
}

static int tables_init(struct stack *s, const uint8_t secret[16], uint64_t seed)
{
	uint32_t max = s->set.connections_max;
	s->flows = aligned_alloc(64, (max * sizeof(struct flow) + 63) & ~(size_t)63);
	s->host = tcp_host_new(&s->set.tcp, secret, seed);
	s->trouble = calloc(1, TROUBLE_LEN);
	if (!s->flows || !s->host || !s->trouble || flow_table_init(&s->table, max, secret) ||
	    timers_init(&s->timers, max) || waits_init(s, secret))
		return -ENOMEM;
	for (uint32_t i = 0; i < max; i++) {
		s->flows[i] = (struct flow){.stack = s, .index = i};
		TAILQ_INSERT_TAIL(&s->unused, &s->flows[i], news);
	}
	return 0;
}

static void tables_fini(struct stack *s)
{
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		free(s->listeners[i].allowed);
	timers_fini(&s->timers);
	waits_fini(s);
	flow_table_fini(&s->table);
	tcp_host_free(s->host);
	free(s->trouble);
	free(s->flows);
	free(s);
}

int stack_new(struct nic *nic, const struct stack_settings *set, const uint8_t secret[16],
	      uint64_t seed, uint64_t now_ns, struct stack **out)
{
	static const uint8_t none[MAC_LEN];
	if (!set->connections_max || set->core >= set->n_cores || set->vlan > 4094)
		return -EINVAL;
	struct stack *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->nic = nic;
	s->set = *set;
	memcpy(s->mac, memcmp(set->mac, none, MAC_LEN) ? set->mac : nic->info->mac, MAC_LEN);
	s->vlan = set->vlan;
	s->mtu = set->mtu && set->mtu < nic->info->mtu ? set->mtu : nic->info->mtu;
	s->random = seed ^ 0x6e65742073746163;
	s->is_speaker = set->core == 0;
	s->rst_limit = (struct limit){1000, 1000};
	s->echo_limit = (struct limit){1000, 100};
	s->chores_ns = s->mld.due_ns = now_ns;
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->news);
	TAILQ_INIT(&s->unused);
	neighbours_init(&s->neighbours);
	int error = s->mtu < IP4_MTU_MIN ? -EINVAL : addresses_init(s);
	tcp_settings_fit(s);
	if (!error)
		error = tables_init(s, secret, seed);
	if (error) {
		tables_fini(s);
		return error;
	}
	for (unsigned i = 0; i < s->n_own; i++) {
		struct own_address *own = &s->own[i];
		own->due_ns = now_ns;
		own->is_tentative = own->at.address.family == 6;
		own->usable_ns = own->is_tentative ? now_ns + PROBE_NS : 0;
	}
	*out = s;
	return 0;
}

void stack_free(struct stack *s, uint64_t now_ns)
{
	if (!s)
		return;
	flows_abort(s, NULL, now_ns);
	nic_flush(s->nic);
	for (uint32_t i = 0; i < s->set.connections_max; i++) {
		if (s->flows[i].tcp)
			flow_free(&s->flows[i]);
	}
	tables_fini(s);
}

void stack_receive(struct stack *s)
{
	if (!s->n_frames)
		s->n_frames = (unsigned)nic_receive(s->nic, s->frames, NIC_BURST);
}

static void frames_input(struct stack *s, uint64_t now_ns)
{
	const struct nic_frame *frames = s->frames;
	unsigned n = s->n_frames;

	s->c.frames_in += n;
	for (unsigned i = 0; i < n; i++) {
		if (i + 1 < n) { // its headers, which end in the second line
			__builtin_prefetch(frames[i + 1].p);
			__builtin_prefetch(frames[i + 1].p + LINE_LEN);
		}
		frame_input(s, &frames[i], NULL, now_ns);
	}
	s->n_frames = 0;
}

unsigned stack_turn(struct stack *s, uint64_t now_ns)
{
	stack_receive(s);
	unsigned n = s->n_frames;
	s->turn_ns = now_ns;
	s->n_news = 0;
	frames_input(s, now_ns);
	steer_input(s, now_ns);
	if (now_ns >= s->chores_ns)
		stack_chores(s, now_ns);
	flows_run(s, now_ns);
	waits_run(s, now_ns);
	neighbours_run(s, now_ns);
	nic_flush(s->nic);
	if (s->set.steer)
		steer_wake(s->set.steer, s->set.core);
	return n + s->n_news;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t stack_deadline(const struct stack *s)
{
	if (s->set.steer && !steer_is_empty(s->set.steer, s->set.core))
		return 0;
	if (!TAILQ_EMPTY(&s->ready) && !s->retry_ns)
		return 0;
	uint64_t at = earlier(timers_deadline(&s->timers), s->neighbours.due_ns);
	at = earlier(earlier(at, s->chores_ns), waits_deadline(s));
	return s->retry_ns ? earlier(at, s->retry_ns) : at;
}

// An empty ACK that cannot be acceptable but for one chance in many: the peer answers with what it
// has really sent and received (RFC 9293, 3.10.7.4), and the RST that this answer gets carries the
// exact number that ends its connection (RFC 9293, 3.5.2; RFC 5961, 3). A timestamp is there
// because without one some peers drop it silently (RFC 7323, 3.2).
int stack_poke(struct stack *s, const struct flow_row *row, uint64_t now_ns)
{
	struct tcp_tuple tuple = {row->family, .local_port = row->local_port,
				  .remote_port = row->remote_port};
	if (!atomic_load_explicit(&row->in_use, memory_order_acquire))
		return -EINVAL;
	memcpy(tuple.local, row->local, sizeof(tuple.local));
	memcpy(tuple.remote, row->remote, sizeof(tuple.remote));
	struct net_address local = address_of(tuple.family, tuple.local);
	struct flow_key key = flow_key_of(&tuple);
	if (!own_find(s, &local))
		return -EADDRNOTAVAIL;
	if (flow_table_find(&s->table, &key) != FLOW_NONE ||
	    flow_table_find(&s->waits.table, &key) != FLOW_NONE)
		return -EEXIST;
	struct tcp_segment seg = {
		.source_port = tuple.local_port,
		.target_port = tuple.remote_port,
		.seq = seq_of((uint32_t)stack_random(s)),
		.ack = seq_of((uint32_t)stack_random(s)),
		.flags = TCP_ACK,
		.options = {.has = TCP_HAS_TIME, .ts_val = (uint32_t)stack_random(s)},
	};
	segment_send(s, &tuple, &seg, now_ns);
	return 0;
}

const struct stack_counters *stack_counters(const struct stack *s)
{
	return &s->c;
}

const char *stack_trouble(const struct stack *s)
{
	char text[ADDRESS_TEXT_LEN];
	for (unsigned i = 0; i < s->n_own; i++) {
		const struct own_address *own = &s->own[i];
		const uint8_t *m = own->rival;
		bool is_recent = own->contested_ns && s->turn_ns - own->contested_ns < CONTESTED_NS;
		if (!own->is_duplicate && !is_recent)
			continue;
		snprintf(s->trouble, TROUBLE_LEN,
			 "%02x:%02x:%02x:%02x:%02x:%02x uses our address %s as well%s", m[0], m[1],
			 m[2], m[3], m[4], m[5], address_text(&own->at.address, text),
			 own->is_duplicate ? ", so we do not use it" : "");
		return s->trouble;
	}
	// One alone may be chance.
	if (s->unsummed.n > 1 && s->turn_ns - s->unsummed.seen_ns < UNSUMMED_NS) {
		snprintf(s->trouble, TROUBLE_LEN,
			 "%s leaves its TCP checksums to a NIC that is not there: on its end of "
			 "the veth, ethtool -K INTERFACE tx off",
			 address_text(&s->unsummed.by, text));
		return s->trouble;
	}
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		const struct neighbour *n = &s->neighbours.rows[i];
		if (n->state != NEIGHBOUR_FAILED || !n->is_gateway)
			continue;
		snprintf(s->trouble, TROUBLE_LEN, "the gateway %s does not answer",
			 address_text(&n->address, text));
		return s->trouble;
	}
	return NULL;
}
