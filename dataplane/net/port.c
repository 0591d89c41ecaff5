// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/port.h"

#include <errno.h>

#include "dataplane/net/rss.h"

// From a random one on, in turn. With as many queues as cores one in n_cores fits, so few are
// looked at; when none fits, a free one still works: its frames are passed on by steer.h.
int port_choose(const struct port_choice *c, struct tcp_tuple *tuple, uint32_t random)
{
	uint32_t first = (PORT_FIRST + c->n_cores - 1 - c->core) / c->n_cores;
	uint32_t count = (PORT_FIRST + PORT_COUNT - 1 - c->core) / c->n_cores - first + 1;
	uint16_t second_best = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (random % count + i) % count;
		tuple->local_port = (uint16_t)((first + at) * c->n_cores + c->core);
		struct flow_key key = flow_key_of(tuple);
		if (flow_table_find(c->flows, &key) != FLOW_NONE ||
		    (c->waits && flow_table_find(c->waits, &key) != FLOW_NONE))
			continue;
		int queue = rss_queue(c->info, tuple);
		if (queue < 0 || queue == c->queue)
			return 0;
		if (!second_best)
			second_best = tuple->local_port;
	}
	tuple->local_port = second_best;
	return second_best ? 0 : -EADDRNOTAVAIL;
}
