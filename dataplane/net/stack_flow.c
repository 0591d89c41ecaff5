// SPDX-License-Identifier: BSD-3-Clause
// flows_run() -> flow_run() -> tcp_output() -> flow_send() -> frame_send(), or neighbour_hold()
//                           -> flow_settle() -> news, the next deadline, the end
#include <assert.h>
#include <errno.h>

#include "dataplane/contract/flows.h"
#include "dataplane/contract/trace.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/port.h"
#include "dataplane/net/stack_priv.h"
#include "dataplane/net/steer.h"

#define ROUND_FRAMES 32       // of one flow before the next one's turn
#define TURN_FRAMES  256      // of all flows before the device is looked at again
#define RETRY_NS     10000ull // until a full device is tried again

// The headers that stand before each of its segments, but for lengths and the neighbour's MAC.
static void head_init(struct flow *f, const struct tcp_tuple *tuple)
{
	static const uint8_t unknown[MAC_LEN];
	const struct stack *s = f->stack;
	struct net_address from = address_of(tuple->family, tuple->local);
	uint16_t tag = s->offloads & NIC_TX_VLAN ? 0 : s->vlan;
	uint16_t type = tuple->family == 6 ? ETHER_IP6 : ETHER_IP4;
	unsigned l2 = ether_write(f->head, unknown, s->mac, tag, type);
	unsigned l3 = ip_write(f->head + l2, &from, &f->remote, IP_TCP, IP_HOP_LIMIT, 0);
	f->l2_len = (uint8_t)l2;
	f->head_len = (uint8_t)(l2 + l3);
	f->addresses_sum = sum_addresses(tuple->family, tuple->local, tuple->remote);
	ip_len_set(f->head + l2, tuple->family, 0);
	if (tuple->family == 4)
		memset(f->head + l2 + 2, 0, 2);
	f->header_sum = tuple->family == 4 ? sum_bytes(0, f->head + l2, IP4_LEN) : 0;
}

struct flow *flow_new(struct stack *s, const struct tcp_tuple *tuple, const struct route *route,
		      uint64_t now_ns)
{
	struct flow *f = TAILQ_FIRST(&s->unused);
	if (!f)
		return NULL;
	TAILQ_REMOVE(&s->unused, f, news);
	uint32_t index = f->index;
	*f = (struct flow){
		.stack = s,
		.index = index,
		.family = tuple->family,
		.remote = address_of(tuple->family, tuple->remote),
	};
	f->hop = *route_hop(route, &f->remote);
	f->path_mtu = pmtu_find(&s->pmtus, &f->remote, now_ns);
	struct net_address local = address_of(tuple->family, tuple->local);
	f->starts_ns = own_find(s, &local)->usable_ns;
	head_init(f, tuple);
	return f;
}

static void row_write(struct flow *f, const struct tcp_tuple *tuple)
{
	struct stack *s = f->stack;
	if (!s->set.rows || f->index >= s->set.n_rows)
		return;
	struct flow_row *row = f->row = &s->set.rows[f->index];
	row->family = tuple->family;
	row->core = (uint8_t)s->set.core;
	row->local_port = tuple->local_port;
	row->remote_port = tuple->remote_port;
	memcpy(row->local, tuple->local, sizeof(row->local));
	memcpy(row->remote, tuple->remote, sizeof(row->remote));
	atomic_store_explicit(&row->in_use, 1, memory_order_release);
}

static void trace_begin(struct flow *f, struct tcp *tcp, const struct tcp_tuple *tuple)
{
	const struct stack_settings *set = &f->stack->set;
	struct trace_flow traced = {.family = tuple->family,
				    .local_port = tuple->local_port,
				    .remote_port = tuple->remote_port,
				    .link = TRACE_NO_LINK};
	if (!set->traces || f->index >= set->n_traces)
		return;
	memcpy(traced.local, tuple->local, sizeof(traced.local));
	memcpy(traced.remote, tuple->remote, sizeof(traced.remote));
	f->trace = trace_open(set->traces, set->trace_first + f->index, &traced);
	tcp_set_trace(tcp, f->trace);
}

// Other cores hand us new connections by how many we have.
static void flow_count(struct flow *f, bool on)
{
	const struct stack_settings *set = &f->stack->set;
	if (set->steer && f->is_counted != on)
		steer_count(set->steer, set->core, on ? 1 : -1);
	f->is_counted = on;
}

void flow_begin(struct flow *f, struct tcp *tcp)
{
	const struct tcp_tuple *tuple = tcp_tuple(tcp);
	struct flow_key key = flow_key_of(tuple);
	f->tcp = tcp;
	flow_table_put(&f->stack->table, &key, f->index);
	flow_count(f, true);
	row_write(f, tuple);
	trace_begin(f, tcp, tuple);
	flow_ready(f);
}

static void news_forget(struct flow *f)
{
	if (f->has_news)
		TAILQ_REMOVE(&f->stack->news, f, news);
	f->has_news = false;
}

void flow_free(struct flow *f)
{
	struct stack *s = f->stack;
	flow_count(f, false);
	if (f->tcp) {
		flow_table_remove(&s->table, f->index);
		timers_remove(&s->timers, f->index);
		tcp_free(f->tcp);
		f->tcp = NULL;
	}
	if (f->row)
		atomic_store_explicit(&f->row->in_use, 0, memory_order_release);
	if (f->listener)
		listener_forget(f);
	if (f->is_ready)
		TAILQ_REMOVE(&s->ready, f, ready);
	f->is_ready = false;
	news_forget(f);
	if (f->trace)
		trace_close(f->trace);
	f->trace = NULL;
	f->row = NULL;
	TAILQ_INSERT_TAIL(&s->unused, f, news);
}

void flow_ready(struct flow *f)
{
	if (f->is_ready)
		return;
	f->is_ready = true;
	TAILQ_INSERT_TAIL(&f->stack->ready, f, ready);
}

// Whether `head` names the neighbour's MAC; if not, it has been asked for.
static bool flow_resolve(struct flow *f, uint64_t now_ns)
{
	struct neighbour *n = f->neighbour;
	if (n && n->version == f->neighbour_version && neighbour_is_usable(n)) {
		n->used_ns = now_ns;
		return true;
	}
	n = f->neighbour = neighbour_want(&f->stack->neighbours, &f->hop, now_ns);
	f->neighbour_version = n->version;
	memcpy(f->head, n->mac, MAC_LEN);
	return neighbour_is_usable(n);
}

// Length and checksum of the IP header; what the device does is left to it.
static uint8_t ip_finish(const struct flow *f, uint8_t *ip, uint32_t len)
{
	uint16_t field = htobe16((uint16_t)(IP4_LEN + len));
	if (f->family == 6) {
		put16(ip + 4, (uint16_t)len);
		return 0;
	}
	memcpy(ip + 2, &field, 2);
	if (f->stack->offloads & NIC_TX_IP_SUM)
		return NIC_TX_IP_SUM;
	field = sum_field(f->header_sum + field);
	memcpy(ip + 10, &field, 2);
	return 0;
}

// The checksum of TCP; a device that cuts puts the lengths in itself.
static uint8_t tcp_finish(const struct flow *f, uint8_t *tcp, unsigned tcp_len,
			  const struct tcp_segment *seg, bool is_cut)
{
	uint32_t len = is_cut ? 0 : tcp_len + seg->len;
	sum_t sum = sum_pseudo_rest(f->addresses_sum, IP_TCP, len);
	uint16_t field = sum_fold(sum);
	uint8_t asked = NIC_TX_TCP_SUM;
	if (!(f->stack->offloads & NIC_TX_TCP_SUM)) {
		sum = sum_bytes(sum, tcp, tcp_len);
		sum = sum_bytes(sum, seg->body[0].iov_base, seg->body[0].iov_len);
		field = sum_field(sum_bytes_at(sum, seg->body[0].iov_len, seg->body[1].iov_base,
					       seg->body[1].iov_len));
		asked = 0;
	}
	memcpy(tcp + 16, &field, 2);
	return asked | (is_cut ? NIC_TSO : 0);
}

// Longer than the device takes: tell TCP, as a router would.
static bool is_too_long(struct flow *f, const struct tcp_segment *seg, uint32_t len,
			uint64_t now_ns)
{
	struct stack *s = f->stack;
	if (len <= s->mtu)
		return false;
	s->c.tx_too_long++;
	tcp_icmp(f->tcp, seg->seq, EMSGSIZE, s->mtu, now_ns);
	return true;
}

// @return 0: it is on its way, or lost; -ENOBUFS: the device is full
static int flow_send(struct flow *f, const struct tcp_segment *seg, uint64_t now_ns)
{
	struct stack *s = f->stack;
	uint8_t head[NIC_HEAD_MAX];
	bool is_usable = flow_resolve(f, now_ns);
	memcpy(head, f->head, sizeof(f->head));
	uint8_t *ip = head + f->l2_len, *tcp = head + f->head_len;
	unsigned l3 = f->head_len - f->l2_len, l4 = tcp_segment_write(seg, tcp);
	bool is_cut = seg->mss && seg->len > seg->mss;
	if (is_too_long(f, seg, l3 + l4 + (is_cut ? seg->mss : seg->len), now_ns))
		return 0;
	assert(!is_cut || s->offloads & NIC_TSO);
	struct nic_packet p = {
		.head = head,
		.head_len = (uint16_t)(f->head_len + l4),
		.l2_len = f->l2_len,
		.l3_len = (uint8_t)l3,
		.l4_len = (uint8_t)l4,
		.mss = is_cut ? (uint16_t)seg->mss : 0,
		.is_ip6 = f->family == 6,
	};
	p.offloads = ip_finish(f, ip, l4 + seg->len);
	p.offloads |= tcp_finish(f, tcp, l4, seg, is_cut);
	for (unsigned i = 0; i < 2; i++) {
		if (seg->body[i].iov_len)
			p.body[p.n_body++] = seg->body[i];
	}
	if (!is_usable) {
		if (!neighbour_hold(&s->neighbours, f->neighbour, &p))
			s->c.pending_dropped++;
		return 0;
	}
	return frame_send(s, &p) == -ENOBUFS ? -ENOBUFS : 0;
}

// What has become of it: news for its owner, the next deadline, or its end.
static void flow_settle(struct flow *f)
{
	struct stack *s = f->stack;
	unsigned events = tcp_events(f->tcp);
	if (f->listener) {
		listener_news(f, events); // may free it
		if (!f->tcp)
			return;
	} else if (events && !f->is_closed) {
		f->events |= events;
		s->n_news++;
		if (!f->has_news)
			TAILQ_INSERT_TAIL(&s->news, f, news);
		f->has_news = true;
	}
	uint64_t due_ns = tcp_deadline(f->tcp);
	if (f->is_closed && tcp_state(f->tcp) == TCP_CLOSED)
		flow_free(f);
	else if (!f->is_closed || !wait_begin(f))
		timers_bring(&s->timers, f->index, due_ns > f->starts_ns ? due_ns : f->starts_ns);
}

// The first segment on a path that is known to be narrow: TCP should know before it sends data.
static void path_tell(struct flow *f, const struct tcp_segment *seg, uint64_t now_ns)
{
	if (seg->flags & TCP_SYN && f->path_mtu)
		tcp_icmp(f->tcp, seg->seq, EMSGSIZE, f->path_mtu, now_ns);
}

// One round of a flow. @return segments sent, or -ENOBUFS
static int flow_run(struct flow *f, uint64_t now_ns)
{
	struct tcp_segment seg;
	int n = 0;
	if (now_ns < f->starts_ns) {
		timers_bring(&f->stack->timers, f->index, f->starts_ns);
		return 0;
	}
	while (n < ROUND_FRAMES && tcp_output(f->tcp, now_ns, &seg)) {
		if (flow_send(f, &seg, now_ns)) {
			tcp_output_refused(f->tcp, now_ns);
			return -ENOBUFS;
		}
		path_tell(f, &seg, now_ns);
		n++;
	}
	return n;
}

static void timers_run(struct stack *s, uint64_t now_ns)
{
	uint32_t index;
	while ((index = timers_take(&s->timers, now_ns)) != TIMER_NONE) {
		struct flow *f = &s->flows[index];
		if (tcp_deadline(f->tcp) <= now_ns)
			tcp_expire(f->tcp, now_ns);
		flow_ready(f);
	}
}

// One round each of those that have something, in the order in which it came. Who has more stands
// at the end of the list.
void flows_run(struct stack *s, uint64_t now_ns)
{
	int left = TURN_FRAMES;
	timers_run(s, now_ns);
	s->retry_ns = 0;
	struct flow *last = TAILQ_LAST(&s->ready, flow_list);
	for (bool is_last = !last; !is_last && left > 0;) {
		struct flow *f = TAILQ_FIRST(&s->ready);
		is_last = f == last;
		TAILQ_REMOVE(&s->ready, f, ready);
		f->is_ready = false;
		int n = flow_run(f, now_ns);
		if (n == -ENOBUFS) {
			f->is_ready = true;
			TAILQ_INSERT_HEAD(&s->ready, f, ready);
			s->retry_ns = now_ns + RETRY_NS;
			break;
		}
		left -= n;
		if (n == ROUND_FRAMES)
			flow_ready(f);
		flow_settle(f);
	}
}

int stack_connect(struct stack *s, const struct net_address *to, uint16_t port, void *owner,
		  uint64_t now_ns, struct flow **out)
{
	const struct route *route = route_find(&s->routes, to);
	if (!route || !port || !address_is_unicast(to) || own_find(s, to))
		return -ENETUNREACH;
	if (own_find(s, &route->source)->is_duplicate)
		return -ENETUNREACH;
	struct tcp_tuple tuple = {.family = to->family, .remote_port = port};
	memcpy(tuple.local, route->source.bytes, sizeof(tuple.local));
	memcpy(tuple.remote, to->bytes, sizeof(tuple.remote));
	struct port_choice choice = {s->nic->info,   &s->table,     s->set.core,
				     s->set.n_cores, s->nic->queue, &s->waits.table};
	int error = port_choose(&choice, &tuple, (uint32_t)stack_random(s));
	if (error)
		return error;
	struct flow *f = flow_new(s, &tuple, route, now_ns);
	struct tcp *tcp;
	if (!f)
		return -ENOBUFS;
	error = tcp_connect(s->host, &tuple, now_ns, &tcp);
	if (error) {
		flow_free(f);
		return error;
	}
	f->owner = owner;
	flow_begin(f, tcp);
	*out = f;
	return 0;
}

struct flow *stack_next_news(struct stack *s, unsigned *events)
{
	struct flow *f = TAILQ_FIRST(&s->news);
	if (!f)
		return NULL;
	TAILQ_REMOVE(&s->news, f, news);
	f->has_news = false;
	*events = f->events;
	f->events = 0;
	return f;
}

static bool is_closing(const struct flow *f)
{
	if (!f->tcp || !f->is_closed)
		return false;
	enum tcp_state state = tcp_state(f->tcp);
	return state == TCP_FIN_WAIT_1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

bool stack_is_busy(const struct stack *s)
{
	for (uint32_t i = 0; i < s->set.connections_max; i++)
		if (is_closing(&s->flows[i]))
			return true;
	return false;
}

struct tcp *flow_tcp(struct flow *f)
{
	return f->tcp;
}

void *flow_owner(const struct flow *f)
{
	return f->owner;
}

void flow_set_link(struct flow *f, uint32_t link)
{
	trace_set_link(f->trace, link);
}

void flow_touch(struct flow *f)
{
	flow_ready(f);
}

void flow_close(struct flow *f, uint64_t now_ns)
{
	assert(!f->is_closed);
	tcp_close(f->tcp, now_ns);
	f->is_closed = true;
	f->owner = NULL;
	flow_count(f, false);
	news_forget(f);
	flow_ready(f);
}

void flow_abort(struct flow *f, uint64_t now_ns)
{
	tcp_abort(f->tcp, now_ns);
	flow_run(f, now_ns);
}
