// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/route.h"

#include <errno.h>

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

// Keep the longest prefix first; of equals, the one that came first.
static void row_put(struct routes *r, const struct route *row)
{
	unsigned at = r->n++;
	for (; at && r->rows[at - 1].to.len < row->to.len; at--)
		r->rows[at] = r->rows[at - 1];
	r->rows[at] = *row;
}

static int address_check(const struct net_prefix *addresses, unsigned i, const char **why)
{
	const struct net_prefix *a = &addresses[i];
	if (!address_is_unicast(&a->address))
		return refuse(why, "an address is not one that a host can have");
	if (a->len > 8 * address_len(a->address.family))
		return refuse(why, "the prefix of an address is too long");
	for (unsigned k = 0; k < i; k++) {
		if (address_eq(&addresses[k].address, &a->address))
			return refuse(why, "an address stands twice");
	}
	return 0;
}

static const struct route *connected_find(const struct routes *r, const struct net_address *a)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->rows[i].gateway.family && prefix_has(&r->rows[i].to, a))
			return &r->rows[i];
	}
	return NULL;
}

// Behind a link-local gateway our link-local address would not be answered: take another if there
// is one (RFC 6724, rule 2).
static struct net_address source_choose(const struct net_prefix *addresses, unsigned n,
					const struct route *via)
{
	if (via->source.family == 6 && address_is_link_local(&via->source)) {
		for (unsigned i = 0; i < n; i++) {
			const struct net_address *a = &addresses[i].address;
			if (a->family == 6 && !address_is_link_local(a))
				return *a;
		}
	}
	return via->source;
}

int routes_init(struct routes *r, const struct net_prefix *addresses, unsigned n_addresses,
		const struct net_route *statics, unsigned n_statics, const char **why)
{
	r->n = 0;
	if (!n_addresses)
		return refuse(why, "there is no address");
	if (n_addresses + n_statics > ROUTES_MAX)
		return refuse(why, "there are too many addresses and routes");
	for (unsigned i = 0; i < n_addresses; i++) {
		int error = address_check(addresses, i, why);
		if (error)
			return error;
		row_put(r, &(struct route){.to = addresses[i], .source = addresses[i].address});
	}
	for (unsigned i = 0; i < n_statics; i++) {
		const struct net_route *s = &statics[i];
		const struct route *via = connected_find(r, &s->gateway);
		if (!via || s->to.address.family != s->gateway.family)
			return refuse(why, "a gateway lies in none of the addresses' prefixes");
		if (s->to.len > 8 * address_len(s->to.address.family))
			return refuse(why, "the prefix of a route is too long");
		struct route row = {
			.to = s->to,
			.gateway = s->gateway,
			.source = source_choose(addresses, n_addresses, via),
		};
		row_put(r, &row);
	}
	return 0;
}

const struct route *route_find(const struct routes *r, const struct net_address *to)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (prefix_has(&r->rows[i].to, to))
			return &r->rows[i];
	}
	return NULL;
}
