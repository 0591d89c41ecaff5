// SPDX-License-Identifier: BSD-3-Clause
// send(): cut -> fill in sums -> tag -> pad -> wire_put()
// receive(): wire_take() -> look at sums -> untag
#include "drivers/nic_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/nic_wire_frame.h"

#define ETHER_LEN 14
#define TAG_LEN   4
#define FRAME_MIN 60 // without FCS

struct nic_wire {
	struct nic nic;
	struct nic_info info;
	struct nic_wire_settings set;
	struct wire *out, *in;
	const uint64_t *now_ns;
	uint64_t random;
	struct wire_frame *taken[NIC_BURST]; // the last burst, its reader's until the next
	int n_taken;
	uint8_t *frame; // one to be sent
};

static struct nic_wire *of(struct nic *n)
{
	return (struct nic_wire *)n;
}

static void drop_taken(struct nic_wire *w)
{
	for (int i = 0; i < w->n_taken; i++)
		wire_frame_free(w->taken[i]);
	w->n_taken = 0;
}

static void untag(struct nic_frame *f)
{
	if (f->len < ETHER_LEN + TAG_LEN || f->p[12] != 0x81 || f->p[13])
		return;
	f->vlan = (uint16_t)(f->p[14] << 8 | f->p[15]);
	memmove(f->p + TAG_LEN, f->p, 12);
	f->p += TAG_LEN;
	f->len -= TAG_LEN;
}

static void read_frame(struct nic_wire *w, struct wire_frame *from, struct nic_frame *f)
{
	*f = (struct nic_frame){.p = from->bytes, .len = from->len, .n_merged = 1};
	if (w->set.sums == NIC_SUM_GOOD)
		nic_frame_look(f);
	else
		f->ip_sum = f->l4_sum = (uint8_t)w->set.sums;
	if (w->set.offloads & NIC_RX_VLAN)
		untag(f);
	w->nic.counters.rx_frames++;
	w->nic.counters.rx_bytes += from->len;
}

static int wire_receive(struct nic *n, struct nic_frame *frames, int max)
{
	struct nic_wire *w = of(n);
	struct wire_frame *f;

	drop_taken(w);
	while (w->n_taken < max && (f = wire_take(w->in, *w->now_ns))) {
		read_frame(w, f, &frames[w->n_taken]);
		w->taken[w->n_taken++] = f;
	}
	return w->n_taken;
}

// The generator splitmix64.
static bool refuses(struct nic_wire *w)
{
	if (!w->set.refuse)
		return false;
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53 < w->set.refuse;
}

// Put `len` bytes of the payload from `from` on behind the head that stands in w->frame.
static void put_body(struct nic_wire *w, const struct nic_packet *p, uint32_t from, uint32_t len)
{
	uint8_t *to = w->frame + p->head_len;

	for (unsigned i = 0; i < p->n_body && len; i++) {
		const struct iovec *b = &p->body[i];
		if (from >= b->iov_len) {
			from -= (uint32_t)b->iov_len;
			continue;
		}
		size_t n = b->iov_len - from < len ? b->iov_len - from : len;
		memcpy(to, (const uint8_t *)b->iov_base + from, n);
		to += n;
		len -= (uint32_t)n;
		from = 0;
	}
}

// Sums, tag and padding of the frame that stands in w->frame; onto the wire.
static void put_frame(struct nic_wire *w, const struct nic_packet *p, uint32_t len)
{
	uint8_t tag[TAG_LEN] = {0x81, 0, (uint8_t)(p->vlan >> 8), (uint8_t)p->vlan};
	static const uint8_t padding[FRAME_MIN];
	bool is_tagged = p->offloads & NIC_TX_VLAN && p->vlan;
	uint32_t whole = len + (is_tagged ? TAG_LEN : 0);
	const struct iovec pieces[] = {
		{w->frame, 12},
		{tag, is_tagged ? TAG_LEN : 0},
		{w->frame + 12, len - 12},
		{(void *)(uintptr_t)padding, whole < FRAME_MIN ? FRAME_MIN - whole : 0},
	};

	nic_frame_fill(p, w->frame, len, w->set.sums != NIC_SUM_NONE);
	wire_putv(w->out, pieces, 4, *w->now_ns);
	w->nic.counters.tx_frames++;
	w->nic.counters.tx_bytes += whole < FRAME_MIN ? FRAME_MIN : whole;
}

static int send_cut(struct nic_wire *w, const struct nic_packet *p, uint32_t total)
{
	struct nic_piece piece;

	if (!p->mss || p->head_len - p->l2_len + p->mss > w->info.mtu || total > w->set.tso_max)
		return -EMSGSIZE;
	for (uint32_t from = 0; from < total; from += piece.len) {
		nic_frame_cut(p, total, from, &piece);
		memcpy(w->frame, piece.head, p->head_len);
		put_body(w, p, from, piece.len);
		put_frame(w, p, p->head_len + piece.len);
	}
	return 0;
}

static int wire_send(struct nic *n, const struct nic_packet *p)
{
	struct nic_wire *w = of(n);
	uint32_t total = 0;

	for (unsigned i = 0; i < p->n_body; i++)
		total += (uint32_t)p->body[i].iov_len;
	if (refuses(w)) {
		w->nic.counters.tx_full++;
		return -ENOBUFS;
	}
	if (p->offloads & NIC_TSO)
		return send_cut(w, p, total);
	if (p->head_len - p->l2_len + total > w->info.mtu)
		return -EMSGSIZE;
	memcpy(w->frame, p->head, p->head_len);
	put_body(w, p, 0, total);
	put_frame(w, p, p->head_len + total);
	return 0;
}

static void wire_flush(struct nic *n)
{
}

static void wire_count(struct nic *n)
{
}

static void wire_close(struct nic *n)
{
	struct nic_wire *w = of(n);

	drop_taken(w);
	free(w->frame);
	free(w);
}

static const struct nic_ops nic_wire_ops = {
	.name = "wire",
	.receive = wire_receive,
	.send = wire_send,
	.flush = wire_flush,
	.count = wire_count,
	.close = wire_close,
};

int nic_wire_open(const struct nic_wire_settings *set, struct wire *out, struct wire *in,
		  const uint64_t *now_ns, struct nic **n)
{
	struct nic_wire *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->frame = malloc(NIC_HEAD_MAX + (size_t)set->mtu);
	if (!w->frame) {
		free(w);
		return -ENOMEM;
	}
	w->set = *set;
	w->out = out;
	w->in = in;
	w->now_ns = now_ns;
	w->random = set->seed;
	w->info = (struct nic_info){.mtu = set->mtu,
				    .n_queues = 1,
				    .offloads = set->offloads,
				    .tso_max = set->offloads & NIC_TSO ? set->tso_max : 0};
	memcpy(w->info.mac, set->mac, sizeof(w->info.mac));
	snprintf(w->info.name, sizeof(w->info.name), "%s", set->name ? set->name : "wire");
	w->nic.ops = &nic_wire_ops;
	w->nic.info = &w->info;
	*n = &w->nic;
	return 0;
}
