// SPDX-License-Identifier: BSD-3-Clause
// Reports of the groups that neighbour solicitations for our addresses go to: as we join them, and
// when a router asks.
#include <assert.h>

#include "dataplane/net/stack_priv.h"

#define ROBUSTNESS  2                 // RFC 3810, 9.1: reports of a change
#define OLD_PRESENT (260 * SECOND_NS) // RFC 3810, 9.12: Older Version Querier Present Timeout

static const struct net_address all_mld2 = {6, {0xff, 0x02, [15] = 0x16}};

static unsigned groups_find(struct stack *s, struct net_address *groups)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->n_own; i++) {
		const struct net_address *a = &s->own[i].at.address;
		if (a->family != 6)
			continue;
		struct net_address group = address_solicited(a);
		unsigned k = 0;
		while (k < n && !address_eq(&groups[k], &group))
			k++;
		if (k == n)
			groups[n++] = group;
	}
	return n;
}

// Our link-local address; none as long as it is not ours for sure (RFC 3810, 5.2.13).
static struct net_address source_find(const struct stack *s)
{
	for (unsigned i = 0; i < s->n_own; i++) {
		const struct own_address *own = &s->own[i];
		if (own->at.address.family == 6 && address_is_link_local(&own->at.address) &&
		    !own->is_tentative && !own->is_duplicate)
			return own->at.address;
	}
	return (struct net_address){.family = 6};
}

static void report_send(struct stack *s, const struct net_address *to, uint8_t *message,
			unsigned len, uint64_t now_ns)
{
	struct net_address from = source_find(s);
	uint8_t option[MLD_OPTION_LEN];
	mld_option_write(option, IP_ICMP6);
	icmp_sum_set(message, len, &from, to);
	struct packet p = {&from,          to,      NULL, IP_HOP_OPTIONS, 1, option,
			   sizeof(option), message, len};
	s->c.nd_out++;
	packet_send(s, &p, now_ns);
}

void mld_run(struct stack *s, uint64_t now_ns)
{
	struct net_address groups[OWN_MAX];
	uint8_t message[MLD_LEN_MAX];
	_Static_assert(OWN_MAX <= MLD_GROUPS_MAX, "one report tells all");
	if (now_ns < s->mld.due_ns)
		return;
	s->mld.due_ns = UINT64_MAX;
	unsigned n = groups_find(s, groups);
	if (!n)
		return;
	bool is_new = s->mld.n_joined < ROBUSTNESS;
	if (now_ns < s->mld.old_until_ns) {
		for (unsigned i = 0; i < n; i++) {
			unsigned len = mld_old_report_write(&groups[i], message);
			report_send(s, &groups[i], message, len, now_ns);
		}
	} else {
		unsigned len = mld_report_write(groups, n, is_new, message);
		report_send(s, &all_mld2, message, len, now_ns);
	}
	s->mld.n_joined += is_new;
	if (s->mld.n_joined < ROBUSTNESS)
		s->mld.due_ns = now_ns + SECOND_NS;
}

// Answer some time within the delay that the router allows, so that not all answer at once.
void mld_input(struct stack *s, const struct received *r)
{
	struct mld_query q;
	s->c.nd_in++;
	if (mld_query_read(&q, &r->ip)) {
		s->c.bad_nd++;
		return;
	}
	if (!r->is_copy)
		steer_copies(s, r);
	if (!s->is_speaker)
		return;
	if (q.is_old)
		s->mld.old_until_ns = r->now_ns + OLD_PRESENT;
	uint64_t delay_ns = stack_random(s) % (q.delay_ms_max * 1000000ull + 1);
	if (r->now_ns + delay_ns < s->mld.due_ns)
		s->mld.due_ns = r->now_ns + delay_ns;
	chore_at(s, s->mld.due_ns);
}
