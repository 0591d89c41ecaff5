// SPDX-License-Identifier: BSD-3-Clause
// source_psync() -> +CONTINUE, or +FULLRESYNC and an empty snapshot; then source_next()
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/rdb_write.h"
#include "tools/pktgen/pktgen.h"

#define SECOND_NS   1000000000ull
#define RDB_VERSION 11 // of the release that INFO tells

static void snapshot_put(struct bytes *out)
{
	char file[256];
	struct rdb_writer w;
	rdb_write_init(&w, file, sizeof(file), NULL, NULL);
	rdb_write_header(&w, RDB_VERSION);
	if (rdb_write_eof(&w))
		abort(); // it fits
	bytes_text(out, "$%zu\r\n", w.len);
	bytes_add(out, file, w.len);
}

// "PSYNC replid offset": the offset is that of the first byte that is wanted.
//
// @return whether the stream can go on there
static bool continues(const struct peer *p, const struct request *r, uint64_t *position)
{
	uint64_t wanted = r->argc == 3 ? span_digits(r->argv[2]) : 0;
	if (r->argc != 3 || !span_eq(r->argv[1], span_of(p->server->replid)) ||
	    wanted <= FIRST_OFFSET)
		return false;
	*position = wanted - 1 - FIRST_OFFSET;
	return *position <= p->server->position;
}

void source_psync(struct peer *p, const struct request *r, struct bytes *out)
{
	uint64_t end = p->world->block.end;
	p->position = 0;
	if (continues(p, r, &p->position)) {
		bytes_text(out, "+CONTINUE %s\r\n", p->server->replid);
	} else {
		bytes_text(out, "+FULLRESYNC %s %d\r\n", p->server->replid, FIRST_OFFSET);
		snapshot_put(out);
	}
	p->server->at = p->position;
	p->limit = p->position > end ? p->position : end;
	p->ping_ns = p->world->now_ns + SECOND_NS;
	p->is_replica = true;
}

uint64_t sources_sent(const struct world *w)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < w->n_servers; i++)
		sum += block_commands(&w->block, w->servers[i].position);
	return sum;
}

// Without it the slower one between source and target would have to keep what it cannot pass on,
// and writing to its disk is what would be measured. Who was cut off is not ahead of what it has
// yet to hear again.
static bool is_ahead(const struct world *w)
{
	uint64_t at = 0;
	if (!w->o.ahead)
		return false;
	for (unsigned i = 0; i < w->n_servers; i++)
		at += block_commands(&w->block, w->servers[i].at);
	return at >= w->taken.commands + w->o.ahead;
}

struct span source_next(struct peer *p)
{
	if (is_ahead(p->world))
		return (struct span){0};
	if (p->position == p->limit && p->world->now_ns >= p->ping_ns) {
		p->limit += BLOCK_PING_LEN;
		p->ping_ns = p->world->now_ns + SECOND_NS;
	}
	struct span s = block_at(&p->world->block, p->position);
	if (s.len > p->limit - p->position)
		s.len = (size_t)(p->limit - p->position);
	return s;
}

void source_written(struct peer *p, size_t len)
{
	p->position += len;
	p->server->at = p->position;
	if (p->server->position < p->position)
		p->server->position = p->position;
}
