// SPDX-License-Identifier: BSD-3-Clause
// icmp_input() -> echo_answer(), error_input() -> tcp_icmp(), nd_input(), mld_input()
#include <errno.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/stack_priv.h"

// The request goes back as it is, but for its type.
static void echo_answer(struct stack *s, const struct received *r, uint8_t type)
{
	struct net_address from = address_of(r->ip.family, r->ip.target);
	struct net_address to = address_of(r->ip.family, r->ip.source);
	if (!own_is_usable(s, &from) || !address_is_unicast(&to) || r->is_group)
		return; // RFC 1122, 3.2.2.6; RFC 4443, 4.2
	if (!limit_take(&s->echo_limit, r->now_ns)) {
		s->c.icmp_limited++;
		return;
	}
	r->ip.p[0] = type;
	icmp_sum_set(r->ip.p, r->ip.len, &from, &to);
	struct packet p = {
		.from = &from,
		.to = &to,
		.protocol = r->ip.protocol,
		.hop_limit = IP_HOP_LIMIT,
		.head = r->ip.p,
		.head_len = ICMP_LEN,
		.body = r->ip.p + ICMP_LEN,
		.body_len = r->ip.len - ICMP_LEN,
	};
	s->c.icmp_out++;
	packet_send(s, &p, r->now_ns);
}

// The path has become narrower, if TCP believes it (RFC 5927, 7: the quoted sequence number).
static void path_narrowed(struct stack *s, struct flow *f, const struct icmp_error *e,
			  uint64_t now_ns)
{
	struct tcp_info before, after;
	if (e->mtu >= s->mtu)
		return;
	tcp_info(f->tcp, &before);
	tcp_icmp(f->tcp, e->seq, EMSGSIZE, e->mtu, now_ns);
	tcp_info(f->tcp, &after);
	if (after.mss >= before.mss)
		return;
	pmtu_put(&s->pmtus, &f->remote, e->mtu, now_ns);
	s->c.pmtu_reduced++;
}

static bool error_tell(struct stack *s, const struct icmp_error *e, uint64_t now_ns)
{
	struct flow_key key = flow_key_of(&e->tuple);
	uint32_t index = flow_table_find(&s->table, &key);
	if (index == FLOW_NONE)
		return false;
	struct flow *f = &s->flows[index];
	if (e->error == EMSGSIZE)
		path_narrowed(s, f, e, now_ns);
	else
		tcp_icmp(f->tcp, e->seq, e->error, 0, now_ns);
	flow_ready(f);
	return true;
}

static void error_input(struct stack *s, const struct received *r)
{
	struct icmp_error e;
	int error = icmp_error_read(&e, &r->ip);
	if (error == -EBADMSG)
		s->c.bad_icmp++;
	if (!error && !error_tell(s, &e, r->now_ns) && !r->is_copy)
		steer_copies(s, r);
}

void icmp_input(struct stack *s, const struct received *r)
{
	if (r->ip.len < ICMP_LEN || !icmp_sum_is_good(&r->ip)) {
		s->c.bad_icmp++;
		return;
	}
	bool is_six = r->ip.family == 6;
	uint8_t type = r->ip.p[0];
	if (is_six && (type == ICMP6_SOLICITATION || type == ICMP6_ADVERTISEMENT)) {
		nd_input(s, r);
		return;
	}
	if (is_six && type == MLD_QUERY) {
		mld_input(s, r);
		return;
	}
	s->c.icmp_in++;
	if (type == (is_six ? ICMP6_ECHO : ICMP_ECHO)) {
		if (!r->is_copy)
			echo_answer(s, r, is_six ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY);
	} else {
		error_input(s, r);
	}
}

void icmp_lost(struct stack *s, const struct nic_packet *p, int error, uint64_t now_ns)
{
	const uint8_t *ip = p->head + p->l2_len, *tcp = ip + p->l3_len;
	uint8_t family = p->is_ip6 ? 6 : 4;
	unsigned n = address_len(family);
	if (!p->l4_len || ip[family == 4 ? 9 : 6] != IP_TCP)
		return;
	struct icmp_error e = {
		.tuple = {family, .local_port = get16(tcp), .remote_port = get16(tcp + 2)},
		.seq = seq_of(get32(tcp + 4)),
		.error = error,
	};
	memcpy(e.tuple.local, ip + (family == 4 ? 12 : 8), n);
	memcpy(e.tuple.remote, ip + (family == 4 ? 16 : 24), n);
	error_tell(s, &e, now_ns);
}
