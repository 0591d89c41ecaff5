// SPDX-License-Identifier: BSD-3-Clause
// The body of a stream as each type of it has it, written by hand: what one of them lacks is just
// not written.
#pragma once

#include "parsers/rdb_write.h"

// Types 15, 19, 21, 26, 27.
struct stream_body {
	uint8_t type;
	unsigned n_nacked;    // pending entries that are nobody's, from 27 on
	unsigned n_producers; // from 26 on
};

static inline int stream_level(uint8_t type)
{
	return type == 15 ? 1 : type == 19 ? 2 : type == 21 ? 3 : type == 26 ? 4 : 5;
}

static inline void stream_id_write(struct rdb_writer *w, uint8_t n)
{
	char id[16] = {0};
	id[7] = (char)n;
	rdb_write_bytes(w, (struct span){id, sizeof(id)});
}

static inline void stream_lens_write(struct rdb_writer *w, unsigned n, uint64_t first)
{
	for (unsigned i = 0; i < n; i++)
		rdb_write_len(w, first + i);
}

static inline void stream_group_write(struct rdb_writer *w, const struct stream_body *b, int level)
{
	rdb_write_str(w, SPAN_LIT("a group"));
	stream_lens_write(w, level >= 2 ? 3 : 2, 70);
	unsigned n_pending = 2 + (level >= 5 ? b->n_nacked : 0);
	rdb_write_len(w, n_pending);
	for (unsigned i = 0; i < n_pending; i++) {
		stream_id_write(w, (uint8_t)(i + 1));
		rdb_write_le64(w, 1700000000000 + i);
		rdb_write_len(w, i + 1);
	}
	rdb_write_len(w, 2); // consumers
	for (unsigned i = 0; i < 2; i++) {
		rdb_write_str(w, i ? SPAN_LIT("idle") : SPAN_LIT("busy"));
		rdb_write_le64(w, 1700000000100 + i);
		if (level >= 3)
			rdb_write_le64(w, 1700000000200 + i);
		rdb_write_len(w, i ? 0 : 2);
		for (unsigned k = 0; !i && k < 2; k++)
			stream_id_write(w, (uint8_t)(k + 1));
	}
	if (level < 5)
		return;
	rdb_write_len(w, b->n_nacked);
	for (unsigned i = 0; i < b->n_nacked; i++)
		stream_id_write(w, (uint8_t)(i + 3));
}

// An empty stream that remembers much.
static inline void stream_body_write(struct rdb_writer *w, const struct stream_body *b)
{
	int level = stream_level(b->type);
	rdb_write_len(w, 0); // nodes
	rdb_write_len(w, 0); // entries
	stream_lens_write(w, level >= 2 ? 7 : 2, 90);
	rdb_write_len(w, 2);
	stream_group_write(w, b, level);
	stream_group_write(w, b, level);
	if (level < 4)
		return;
	stream_lens_write(w, 2, 100);
	rdb_write_len(w, b->n_producers);
	for (unsigned i = 0; i < b->n_producers; i++) {
		rdb_write_str(w, SPAN_LIT("producer"));
		rdb_write_len(w, 1);
		rdb_write_str(w, SPAN_LIT("message"));
		stream_lens_write(w, 2, 7);
	}
	stream_lens_write(w, 2, 30);
}
